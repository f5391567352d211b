//! What an answer says of a statement, and what the lack of one leaves open.

use litekeel_core::{Encoder, Packed};
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

/// What a step of a batch came to, and the log's number after it.
pub(crate) fn step(answer: &Value, at: usize) -> Result<(Outcome, Option<u64>)> {
    let response = match first(answer) {
        Ok(response) => response,
        // A syntax error fails the whole batch, and leaves the transaction open.
        Err(error) if error.code() != codes::REMOTE => return Ok((Outcome::Failed(uncommitted(error)), None)),
        Err(error) => return Err(error),
    };
    let result = &response["result"];
    let index = wire::index(&result["replication_index"]);
    let outcome = if !result["step_errors"][at].is_null() {
        Outcome::Failed(uncommitted(wire::statement_error(&result["step_errors"][at])))
    } else if result["step_results"][at].is_null() {
        Outcome::Skipped
    } else {
        match wire::rows(&result["step_results"][at]) {
            Ok(rows) => Outcome::Rows(rows),
            Err(error) if error.code() == sqlite::SQLITE_MISMATCH => Outcome::Failed(error),
            Err(error) => return Err(error),
        }
    };
    Ok((outcome, index))
}

/// Of an answer to a write that came and says nothing.
pub(crate) fn unread(error: Error) -> Error {
    if error.code() != codes::REMOTE {
        return error;
    }
    unknown(Failure { error, nothing_done: false, retryable: false })
}

/// A write that was carried out and whose rows cannot be taken.
pub(crate) fn committed(error: Error) -> Error {
    Error::new(
        codes::COMMIT_UNKNOWN,
        format!("the statement was run, and its rows cannot be read: {}", error.message()),
    )
}

/// The rows of one statement that ran several times, as one table.
pub(crate) fn joined(results: &[Packed]) -> Packed {
    let first = results[0].table();
    let mut out = Encoder::new((0..first.columns()).map(|column| first.name(column)));
    for result in results {
        let table = result.table();
        for row in 0..table.rows() {
            (0..table.columns().min(first.columns())).for_each(|column| out.push(table.cell(row, column)));
        }
        out.changes += table.changes();
        out.last_rowid = table.last_rowid();
    }
    out.finish()
}
