//! What an answer says of a statement, and what the lack of one leaves open.

use litekeel_core::packed::Packed;
use litekeel_core::{Error, Result, codes, sqlite};
use serde_json::Value;

use crate::transport::Failure;
use crate::wire;

/// What one statement came to.
pub(crate) enum Outcome {
    Rows(Packed),
    Failed(Error),
    /// Its condition did not hold.
    Skipped,
}

/// A failure of a request that may have been carried out.
pub(crate) fn unknown(failure: Failure) -> Error {
    if failure.nothing_done {
        return failure.error;
    }
    let text = format!("whether it is committed is not known: {}", failure.error.message());
    Error::new(codes::COMMIT_UNKNOWN, text)
}

/// In a transaction, or of a read, nothing is committed by a statement whose rows were too large to be sent.
pub(crate) fn uncommitted(error: Error) -> Error {
    if error.code() != codes::COMMIT_UNKNOWN {
        return error;
    }
    Error::new(sqlite::SQLITE_TOOBIG, error.message()).with_hint("ask for fewer rows at a time: LIMIT")
}

/// The response to the first request.
pub(crate) fn first(answer: &Value) -> Result<&Value> {
    let result = &answer["results"][0];
    match result["type"].as_str() {
        Some("ok") => Ok(&result["response"]),
        Some("error") => Err(wire::statement_error(&result["error"])),
        _ => Err(wire::not_an_answer("no result for the first request")),
    }
}

/// What the one step of a batch came to, and the log's number after it.
pub(crate) fn step(answer: &Value) -> Result<(Outcome, Option<u64>)> {
    let response = match first(answer) {
        Ok(response) => response,
        // A syntax error fails the whole batch, and leaves the transaction open.
        Err(error) if error.code() != codes::REMOTE => return Ok((Outcome::Failed(uncommitted(error)), None)),
        Err(error) => return Err(error),
    };
    let result = &response["result"];
    let index = wire::index(&result["replication_index"]);
    let outcome = if !result["step_errors"][0].is_null() {
        Outcome::Failed(uncommitted(wire::statement_error(&result["step_errors"][0])))
    } else if result["step_results"][0].is_null() {
        Outcome::Skipped
    } else {
        match wire::rows(&result["step_results"][0]) {
            Ok(rows) => Outcome::Rows(rows),
            Err(error) if error.code() == sqlite::SQLITE_MISMATCH => Outcome::Failed(error),
            Err(error) => return Err(error),
        }
    };
    Ok((outcome, index))
}
