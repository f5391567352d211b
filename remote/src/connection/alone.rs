//! A read on a stream of its own.
//!
//! The server takes the columns' names from what its connection knows of the schema, which another client may have changed
//! since: it would give the new values under the old names. So the read is the second one of a transaction, whose first one
//! has the schema read anew where it is another one by now. Within the transaction it stays as it is.

use litekeel_core::{Packed, Result};
use serde_json::Value;

use super::Remote;
use crate::answer::{first, uncommitted};
use crate::streams::CLOSE;
use crate::wire;

/// Reads nothing. It is compiled again if the schema has changed, and begins what a transaction sees.
pub(super) const LOOK: &str = "SELECT 1 FROM sqlite_schema LIMIT 0";

/// The number of the statement among the steps of a read.
pub(super) const STATEMENT: usize = 2;

/// The steps of a read, and one more behind it, in a transaction. A replica runs one that says READONLY by itself. A server
/// has to know that word, which libSQL's own clients send too: one that parses a request before it runs it, as sqld does,
/// refuses all of it otherwise. Where the transaction fails to begin, the statement runs without.
pub(super) fn in_a_transaction(statement: &str, more: Option<&str>) -> String {
    const BEGUN: &str = r#""condition":{"type":"ok","step":0}"#;
    let comma = if more.is_some() { "," } else { "" };
    let more = more.unwrap_or_default();
    format!(
        r#"{{"stmt":{{"sql":"BEGIN READONLY"}}}},{{{BEGUN},"stmt":{{"sql":"{LOOK}"}}}},{{"stmt":{statement}}}{comma}{more},{{{BEGUN},"stmt":{{"sql":"COMMIT"}}}}"#
    )
}

impl Remote {
    /// The request of a read on a stream of its own.
    pub(super) fn read_request(&self, statement: &str) -> String {
        let steps = in_a_transaction(statement, None);
        let mut body = format!(r#"{{"baton":null,"requests":[{{"type":"batch","batch":{{"steps":[{steps}]"#);
        wire::push_batch_index(self.replication_index(), &mut body);
        body.push_str(&format!("}}}},{CLOSE}]}}"));
        body
    }

    /// What the answer to such a request says.
    pub(super) fn read_answer(&self, answer: &Value) -> Result<Packed> {
        let shown = |error| self.transport().shown(uncommitted(error));
        let result = &first(answer).map_err(shown)?["result"];
        let error = &result["step_errors"][STATEMENT];
        if !error.is_null() {
            return Err(shown(wire::statement_error(error)));
        }
        let rows = wire::rows(&result["step_results"][STATEMENT])?;
        self.wrote(wire::index(&result["replication_index"]));
        Ok(rows)
    }
}
