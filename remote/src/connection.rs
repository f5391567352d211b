//! A remote database: statements, batches, transactions.
//!
//! Outside a transaction every request has a stream of its own, closed with it: a stream that is kept while somebody
//! changes the schema gives values under the wrong column names. Inside one, each statement is a batch of one step with the
//! condition that the transaction still lives. So the server itself runs nothing of it once it has taken the transaction
//! away, where a plain statement would be committed alone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use litekeel_core::packed::{Packed, Table};
use litekeel_core::{Error, Result, codes};
use serde_json::Value;

use crate::answer::{Outcome, committed, first, joined, step, uncommitted, unknown, unread};
use crate::keyword::{Effect, effect};
use crate::savepoints::Savepoints;
use crate::script;
use crate::transport::{Failure, Transport};
use crate::url::Endpoint;
use crate::wire;

/// A database on a libSQL server, safe to use from any thread: calls take turns.
pub struct Remote {
    transport: Transport,
    state: Mutex<State>,
    /// A forked child has copies of the sockets: what it sends on them would mix with what the parent sends.
    process: u32,
}

/// One statement of a batch.
#[derive(Clone, Copy)]
pub struct Statement<'a> {
    /// Its text.
    pub sql: &'a str,
    /// One row of parameters.
    pub parameters: Option<Table<'a>>,
}

#[derive(Default)]
struct State {
    stream: Option<Stream>,
    /// The latest write, which later reads must see, on a replica too.
    index: Option<u64>,
    /// Why the open transaction can no longer be used; until it is rolled back.
    poison: Option<Error>,
    savepoints: Savepoints,
}

#[derive(Clone)]
struct Stream {
    baton: String,
    base: Option<String>,
}

/// A statement's text, and a row of a table of parameters.
type Step<'a> = (&'a str, Option<(Table<'a>, usize)>);

/// Runs only while the transaction is the stream's.
const ALIVE: &str = r#"{"type":"not","cond":{"type":"is_autocommit"}}"#;
const CLOSE: &str = r#"{"type":"close"}"#;

impl Remote {
    /// The database of a URL; the token is taken from `authToken=` or the environment's `LIBSQL_AUTH_TOKEN`. Nothing is
    /// sent yet.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn open(url: &str) -> Result<Remote> {
        Ok(Remote::at(Endpoint::parse(url, std::env::var("LIBSQL_AUTH_TOKEN").ok())?))
    }

    /// The database at an endpoint.
    pub fn at(endpoint: Endpoint) -> Remote {
        Remote { transport: Transport::new(endpoint), state: Mutex::default(), process: std::process::id() }
    }

    /// `KEEL_FORKED` in a child of the process that opened the connection.
    ///
    /// # Errors
    /// That one.
    pub fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::new(codes::FORKED, "this connection was opened by the process that forked this one"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a transaction is open, or was until the server took it away and nobody has rolled back yet.
    pub fn in_transaction(&self) -> bool {
        let state = self.state();
        state.stream.is_some() || state.poison.is_some()
    }

    /// The server's number of the latest write that this connection knows of.
    pub fn replication_index(&self) -> Option<u64> {
        self.state().index
    }

    /// For a test that shows what the number is for.
    #[doc(hidden)]
    pub fn forget_replication_index(&self) {
        self.state().index = None;
    }

    /// Runs one statement, and returns all its rows. With several rows of parameters it runs once for each, in one request
    /// and one transaction: all of them or none. While a transaction is open it takes one row.
    ///
    /// # Errors
    /// SQLite's; `KEEL_TRANSACTION_EXPIRED` when the server has taken the transaction away, and for everything but ROLLBACK
    /// after that; `KEEL_COMMIT_UNKNOWN` when the answer to a write was lost; `KEEL_REMOTE`; `KEEL_FORKED` in a child.
    pub fn query(&self, sql: &str, parameters: Option<Table<'_>>) -> Result<Packed> {
        // Before the lock: another thread of the parent may have held that at the fork.
        self.check_process()?;
        let mut state = self.state();
        let effect = effect(sql);
        if let Some(error) = &state.poison {
            if effect != Effect::RollsBack {
                return Err(error.clone());
            }
            state.poison = None;
            return wire::rows(&serde_json::json!({"cols": [], "rows": []}));
        }
        if let Some(table) = parameters.filter(|table| table.rows() > 1) {
            return self.each_row(&mut state, sql, table, effect);
        }
        let parameters = parameters.filter(|table| table.rows() == 1).map(|table| (table, 0));
        let mut statement = String::new();
        wire::push_statement(sql, parameters, state.index, &mut statement)?;
        match state.stream.take() {
            Some(stream) => {
                let effect = state.savepoints.effect(sql);
                let rows = self.inside(&mut state, stream, &statement, effect)?;
                state.savepoints.ran(sql);
                Ok(rows)
            }
            None if effect == Effect::Begins => {
                let rows = self.begin(&mut state, &statement)?;
                state.savepoints = Savepoints::begun(sql);
                Ok(rows)
            }
            None => self.outside(&mut state, &statement, effect),
        }
    }

    /// Runs a script, one statement after the other; rows are dropped. It stops at the first error, and what ran before
    /// stays.
    ///
    /// # Errors
    /// As [`query`](Remote::query).
    pub fn exec(&self, script: &str) -> Result<()> {
        script::statements(script).into_iter().try_for_each(|sql| self.query(sql, None).map(|_| ()))
    }

    /// Runs a script in one transaction and one request: all of it or nothing.
    ///
    /// # Errors
    /// As [`batch`](Remote::batch).
    pub fn exec_atomic(&self, script: &str) -> Result<()> {
        let statements = script::statements(script).into_iter().map(|sql| Statement { sql, parameters: None });
        self.batch(&statements.collect::<Vec<_>>()).map(|_| ())
    }

    /// Whether a URL is one of a libSQL server rather than of a file.
    pub fn is_named_by(url: &str) -> bool {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("libsql" | "http" | "https"))
    }

    /// Runs every statement in one transaction: all of them or none, in one request.
    ///
    /// # Errors
    /// As [`query`](Remote::query); `KEEL_IN_TRANSACTION` while one is open.
    pub fn batch(&self, statements: &[Statement<'_>]) -> Result<Vec<Packed>> {
        self.check_process()?;
        let mut state = self.state();
        if state.stream.is_some() || state.poison.is_some() {
            return Err(Error::new(codes::IN_TRANSACTION, "a batch is a transaction of its own, and one is open"));
        }
        if statements.iter().any(|statement| statement.parameters.is_some_and(|table| table.rows() > 1)) {
            return Err(Error::new(codes::ARGUMENT, "a statement of a batch has several rows of parameters")
                .with_hint("add the statement once for each row"));
        }
        let row = |table: Option<Table<'_>>| table.is_some_and(|table| table.rows() > 0);
        let steps: Vec<_> = statements
            .iter()
            .map(|Statement { sql, parameters }| {
                (*sql, parameters.filter(|_| row(*parameters)).map(|table| (table, 0)))
            })
            .collect();
        self.together(&mut state, "BEGIN IMMEDIATE", &steps)
    }

    /// One statement for each row of its parameters.
    fn each_row(&self, state: &mut State, sql: &str, table: Table<'_>, effect: Effect) -> Result<Packed> {
        if state.stream.is_some() {
            return Err(Error::new(
                codes::ARGUMENT,
                "in a transaction at a server a statement takes one row of parameters",
            )
            .with_hint("run it once for each row, or outside the transaction"));
        }
        let steps: Vec<_> = (0..table.rows()).map(|row| (sql, Some((table, row)))).collect();
        let begin = if effect == Effect::Reads { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.together(state, begin, &steps).map(|results| joined(&results))
    }

    /// The steps between a BEGIN and a COMMIT, each on the condition that the one before it succeeded.
    fn together(&self, state: &mut State, begin: &str, steps: &[Step<'_>]) -> Result<Vec<Packed>> {
        if let Some((ending, _)) = steps.iter().find(|(sql, _)| {
            matches!(effect(sql), Effect::Begins | Effect::Commits | Effect::Releases | Effect::RollsBack)
        }) {
            return Err(Error::new(codes::ARGUMENT, "a batch has no BEGIN, COMMIT or ROLLBACK of its own")
                .with_hint(format!("leave {:?} out", ending.chars().take(40).collect::<String>())));
        }
        let last = steps.len();
        let mut body = String::from(r#"{"baton":null,"requests":[{"type":"batch","batch":{"steps":[{"stmt":"#);
        wire::push_statement(begin, None, state.index, &mut body)?;
        body.push('}');
        for (number, (sql, parameters)) in steps.iter().enumerate() {
            body.push_str(&format!(r#",{{"condition":{{"type":"ok","step":{number}}},"stmt":"#));
            wire::push_statement(sql, *parameters, state.index, &mut body)?;
            body.push('}');
        }
        let commit = last + 1;
        body.push_str(&format!(
            r#",{{"condition":{{"type":"ok","step":{last}}},"stmt":{{"sql":"COMMIT"}}}},{{"condition":{{"type":"not","cond":{{"type":"ok","step":{commit}}}}},"stmt":{{"sql":"ROLLBACK"}}}}]}}}},{CLOSE}]}}"#
        ));
        let answer = self.transport.pipeline(None, &body).map_err(unknown)?;
        let result = first(&answer).map_err(|error| self.transport.shown(unread(error)))?;
        let result = &result["result"];
        state.index = state.index.max(wire::index(&result["replication_index"]));
        for number in 0..=commit {
            if !result["step_errors"][number].is_null() {
                return Err(self.transport.shown(uncommitted(wire::statement_error(&result["step_errors"][number]))));
            }
        }
        if result["step_results"][commit].is_null() {
            return Err(unread(wire::not_an_answer("a batch that was neither committed nor failed")));
        }
        (1..=last).map(|number| wire::rows(&result["step_results"][number]).map_err(committed)).collect()
    }

    /// One statement on a stream of its own.
    fn outside(&self, state: &mut State, statement: &str, effect: Effect) -> Result<Packed> {
        let body = format!(r#"{{"baton":null,"requests":[{{"type":"execute","stmt":{statement}}},{CLOSE}]}}"#);
        let mut answer = self.transport.pipeline(None, &body);
        if effect == Effect::Reads && answer.as_ref().is_err_and(|failure| failure.retryable) {
            answer = self.transport.pipeline(None, &body);
        }
        let answer =
            answer.map_err(|failure| if effect == Effect::Reads { failure.error } else { unknown(failure) })?;
        let response = first(&answer)
            .map_err(|error| if effect == Effect::Reads { uncommitted(error) } else { unread(error) })
            .map_err(|error| self.transport.shown(error))?;
        let result = &response["result"];
        state.index = state.index.max(wire::index(&result["replication_index"]));
        wire::rows(result).map_err(|error| if effect == Effect::Reads { error } else { committed(error) })
    }

    fn begin(&self, state: &mut State, statement: &str) -> Result<Packed> {
        let body = format!(
            r#"{{"baton":null,"requests":[{{"type":"execute","stmt":{statement}}},{{"type":"get_autocommit"}}]}}"#
        );
        // A transaction that nobody has the baton of ends without having written.
        let answer = self.transport.pipeline(None, &body).map_err(|failure| failure.error)?;
        let stream = self.stream_of(&answer);
        let result = match first(&answer) {
            Ok(result) => wire::rows(&result["result"])?,
            Err(error) => {
                self.close(stream);
                return Err(self.transport.shown(error));
            }
        };
        if stream.is_none() {
            return Err(wire::not_an_answer("BEGIN without a baton, or with one for a server that is not secure"));
        }
        state.stream = stream;
        Ok(result)
    }

    /// A statement of the open transaction.
    fn inside(&self, state: &mut State, stream: Stream, statement: &str, effect: Effect) -> Result<Packed> {
        let baton = serde_json::to_string(&stream.baton).unwrap_or_default();
        let body = format!(
            r#"{{"baton":{baton},"requests":[{{"type":"batch","batch":{{"steps":[{{"condition":{ALIVE},"stmt":{statement}}}]}}}},{{"type":"get_autocommit"}}]}}"#
        );
        let answer = match self.transport.pipeline(stream.base.as_deref(), &body) {
            Ok(answer) => answer,
            Err(failure) if effect == Effect::RollsBack && failure.error.code() == codes::TRANSACTION_EXPIRED => {
                return wire::rows(&serde_json::json!({"cols": [], "rows": []}));
            }
            Err(failure) if effect == Effect::RollsBack => {
                // Without its baton nothing can be added to it or commit it: the server rolls it back.
                return Err(failure.error.with_hint("the server rolls the transaction back by itself"));
            }
            Err(failure) if effect == Effect::Commits && !failure.nothing_done => {
                // Over in either case; what follows must not be committed alone before the caller has heard of it.
                let error = unknown(failure);
                state.poison = Some(error.clone());
                return Err(error);
            }
            Err(failure) => return Err(self.poison(state, failure.error)),
        };
        let (outcome, index) = match step(&answer) {
            Ok(step) => step,
            Err(error) if effect == Effect::Commits => {
                let error = unknown(Failure { error, nothing_done: false, retryable: false });
                state.poison = Some(error.clone());
                return Err(error);
            }
            Err(error) => return Err(self.poison(state, error)),
        };
        let over = answer["results"][1]["response"]["is_autocommit"].as_bool();
        let next = self.stream_of(&answer);
        let ended = matches!(effect, Effect::Commits | Effect::RollsBack) && matches!(outcome, Outcome::Rows(_));
        match (over, next) {
            (Some(false), Some(next)) => state.stream = Some(next),
            (_, next) => {
                self.close(next);
                if !ended {
                    return Err(match outcome {
                        // As INSERT OR ROLLBACK does: told with its own code, once.
                        Outcome::Failed(error) if error.code() != codes::TRANSACTION_EXPIRED => {
                            self.poison(state, error.clone());
                            self.transport.shown(error)
                        }
                        Outcome::Failed(error) => self.poison(state, error),
                        _ => {
                            let text = "the server has ended the transaction";
                            self.poison(state, Error::new(codes::TRANSACTION_EXPIRED, text))
                        }
                    });
                }
            }
        }
        match outcome {
            Outcome::Rows(rows) => {
                state.index = state.index.max(index);
                Ok(rows)
            }
            Outcome::Failed(error) => Err(self.transport.shown(error)),
            Outcome::Skipped => Err(wire::not_an_answer("a statement that was neither run nor refused")),
        }
    }

    /// Marks the transaction as lost: until it is rolled back, every call is told so and none reaches the server.
    fn poison(&self, state: &mut State, why: Error) -> Error {
        let text = format!("the transaction is gone, and nothing of it is committed: {}", why.message());
        let error = self.transport.shown(Error::new(codes::TRANSACTION_EXPIRED, text));
        state.stream = None;
        state.poison = Some(error.clone());
        error
    }

    /// The baton and the place that the answer names; none where the token would go there in the clear.
    fn stream_of(&self, answer: &Value) -> Option<Stream> {
        let baton = answer["baton"].as_str()?.to_owned();
        let base = answer["base_url"].as_str().map(str::to_owned);
        if base.as_ref().is_some_and(|base| !self.transport.may_go_to(base)) {
            return None;
        }
        Some(Stream { baton, base })
    }

    /// Tells the server that a stream is over; it forgets one by itself after ten seconds.
    fn close(&self, stream: Option<Stream>) {
        if let Some(stream) = stream {
            let baton = serde_json::to_string(&stream.baton).unwrap_or_default();
            let body = format!(r#"{{"baton":{baton},"requests":[{CLOSE}]}}"#);
            let _ = self.transport.pipeline(stream.base.as_deref(), &body);
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The parent's transaction is the parent's.
        if self.check_process().is_err() {
            return;
        }
        let stream = self.state().stream.take();
        self.close(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token goes with each request.
    #[test]
    fn a_transaction_does_not_move_from_tls_to_a_place_without() {
        let at = |url| Remote::at(Endpoint::parse(url, None).unwrap());
        let named = |base: &str| serde_json::json!({"baton": "b", "base_url": base});
        for (url, base, goes) in [
            ("libsql://db.example.org", "http://db.example.org", false),
            ("https://db.example.org", "HTTP://db.example.org", false),
            ("https://db.example.org", "//other.example.org", false),
            ("https://db.example.org", "https://other.example.org", true),
            ("http://db.example.org", "http://other.example.org", true),
            ("http://db.example.org", "https://other.example.org", true),
        ] {
            assert_eq!(at(url).stream_of(&named(base)).is_some(), goes, "{url} to {base}");
        }
        let stays = serde_json::json!({"baton": "b", "base_url": null});
        assert!(at("libsql://db.example.org").stream_of(&stays).is_some());
    }
}
