//! Reads that follow each other closely go by one stream that is kept: the server opens the database for each new one.
//!
//! A stream keeps prepared statements. One that another client's change of the schema has made stale gives the new values
//! under the old names, once. So the number of the schema is asked for behind each statement, in the same request: unless it
//! is the one that the stream began with, the answer is thrown away, and the statement runs on a stream of its own. The first
//! one runs in a transaction with that number, so that the number is surely the one of what the stream knows.

use std::sync::Arc;
use std::time::Instant;

use litekeel_core::Packed;
use litekeel_core::{Result, codes};
use serde_json::Value;

use super::Remote;
use super::alone::{STATEMENT, in_a_transaction};
use super::resting::{Idle, REST, Reading};
use crate::answer::{first, uncommitted};
use crate::wire;

/// The number that each change of the schema raises. A pragma would go to the primary, and need the right to write.
const SCHEMA: &str = r#"{"stmt":{"sql":"SELECT schema_version FROM pragma_schema_version"}}"#;

/// The schema's number in a step's result.
fn schema(result: &Value) -> Option<i64> {
    wire::integer(&result["rows"][0][0]["value"])
}

impl Remote {
    /// Runs a read on the stream that is kept, where it is worth that. Nothing where it has to run on one of its own: nothing
    /// is known of it then.
    pub(super) fn read_on_kept(&self, statement: &str, deadline: Instant) -> Option<Result<Packed>> {
        let reading = self.reads.take()?;
        let (resting, outcome) = self.read_on(reading, statement, deadline);
        let resting = resting.filter(|reading| {
            let lives = reading.lives();
            if !lives {
                self.streams.end_later(reading.stream.clone());
            }
            lives
        });
        self.reads.give_back(resting);
        self.end_when_idle();
        outcome
    }

    /// Has a thread end the stream when no read has followed for two seconds: it has one of the server's connections.
    fn end_when_idle(&self) {
        if !self.reads.begins_to_be_watched() {
            return;
        }
        let (reads, streams) = (Arc::downgrade(&self.reads), self.streams.clone());
        let watch = move || {
            let mut wait = REST;
            loop {
                std::thread::sleep(wait);
                // Where the database is closed, its end has ended the stream.
                let Some(reads) = reads.upgrade() else { return };
                match reads.idle() {
                    Idle::LookAgain(after) => wait = after,
                    Idle::Over(stream) => return stream.into_iter().for_each(|stream| streams.end(stream)),
                }
            }
        };
        if std::thread::Builder::new().name("litekeel-remote".into()).spawn(watch).is_err() {
            // The next read tries again; the server forgets it after ten seconds.
            self.reads.ends_to_be_watched();
        }
    }

    fn read_on(
        &self,
        reading: Reading,
        statement: &str,
        deadline: Instant,
    ) -> (Option<Reading>, Option<Result<Packed>>) {
        let lost = (None, None);
        let baton = reading.stream.as_ref().map(|stream| serde_json::to_string(&stream.baton).unwrap_or_default());
        let baton = baton.as_deref().unwrap_or("null");
        let begins = reading.schema.is_none();
        let steps = if begins {
            in_a_transaction(statement, Some(SCHEMA))
        } else {
            format!(r#"{{"stmt":{statement}}},{SCHEMA}"#)
        };
        let mut body = format!(r#"{{"baton":{baton},"requests":[{{"type":"batch","batch":{{"steps":[{steps}]"#);
        wire::push_batch_index(self.replication_index(), &mut body);
        body.push_str("}}]}");
        let base = reading.stream.as_ref().and_then(|stream| stream.base.as_deref());
        let Ok(answer) = self.transport().pipeline(base, &body, deadline) else { return lost };
        let Some(stream) = self.streams.of(&answer) else { return lost };
        let Some(result) = first(&answer).ok().map(|response| &response["result"]) else {
            self.streams.end_later(Some(stream));
            return lost;
        };
        let (steps, errors) = (&result["step_results"], &result["step_errors"]);
        let at = if begins { STATEMENT } else { 0 };
        let after = schema(&steps[at + 1]);
        let before = reading.schema.or(after);
        if before.is_none() {
            self.reads.give_up();
        }
        // What is kept is in no transaction: it would see nothing of what others write.
        let is_over = !begins || !steps[at + 2].is_null();
        let rows = match &errors[at] {
            Value::Null => wire::rows(&steps[at]),
            error => Err(uncommitted(wire::statement_error(error))),
        };
        let is_unread = rows.as_ref().is_err_and(|error| error.code() == codes::REMOTE);
        if is_unread || !is_over || before.is_none() || before != after {
            self.streams.end_later(Some(stream));
            return lost;
        }
        self.wrote(wire::index(&result["replication_index"]));
        let reading = Reading { stream: Some(stream), schema: before, used: Instant::now(), ..reading };
        (Some(reading), Some(rows.map_err(|error| self.transport().shown(error))))
    }
}
