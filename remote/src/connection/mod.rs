//! A remote database: statements, batches, transactions.
//!
//! Outside a transaction every request has a stream of its own, closed with it: a stream that is kept while somebody
//! changes the schema gives values under the wrong column names. Inside one, each statement is a batch of one step with the
//! condition that the transaction still lives. So the server itself runs nothing of it once it has taken the transaction
//! away, where a plain statement would be committed alone.

mod batch;
mod cursor;
mod describe;
mod transaction;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use litekeel_core::packed::{Packed, Table};
use litekeel_core::{Error, Result, codes};

pub use cursor::Cursor;
pub use describe::Description;

use crate::answer::{committed, first, uncommitted, unknown, unread};
use crate::keyword::{Effect, effect};
use crate::savepoints::Savepoints;
use crate::script;
use crate::transport::Transport;
use crate::url::Endpoint;
use crate::wire;

/// A database on a libSQL server, safe to use from any thread. Calls of a transaction take turns; outside of one they run
/// beside each other.
pub struct Remote {
    transport: Arc<Transport>,
    state: Mutex<State>,
    descriptions: Arc<describe::Kept>,
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
        Remote {
            transport: Arc::new(Transport::new(endpoint)),
            state: Mutex::default(),
            descriptions: Arc::default(),
            process: std::process::id(),
        }
    }

    /// Another connection to the same database, which sees what this one has written; its transactions are its own.
    pub fn sibling(&self) -> Remote {
        Remote {
            transport: self.transport.clone(),
            state: Mutex::new(State { index: self.replication_index(), ..State::default() }),
            descriptions: self.descriptions.clone(),
            process: self.process,
        }
    }

    /// Takes over what another connection to the same database has written: later statements here see it.
    pub fn sees(&self, other: &Remote) {
        self.wrote(other.replication_index());
    }

    /// Where the server is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.transport.endpoint
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Limits every later request and its answer to so long, where `statement_timeout=` is longer; zero takes the limit
    /// back.
    pub fn set_timeout(&self, limit: Duration) {
        self.transport.set_limit(limit);
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
        let effect = effect(sql);
        if self.state().poison.is_none() {
            self.permit(sql, effect)?;
        }
        let mut state = self.state();
        if let Some(error) = &state.poison {
            if effect != Effect::RollsBack {
                return Err(error.clone());
            }
            state.poison = None;
            return wire::rows(&serde_json::json!({"cols": [], "rows": []}));
        }
        if let Some(table) = parameters.filter(|table| table.rows() > 1) {
            return self.each_row(state, sql, table, effect);
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
            None => {
                drop(state);
                self.outside(&statement, effect)
            }
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

    /// One statement on a stream of its own.
    fn outside(&self, statement: &str, effect: Effect) -> Result<Packed> {
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
        self.wrote(wire::index(&result["replication_index"]));
        wire::rows(result).map_err(|error| if effect == Effect::Reads { error } else { committed(error) })
    }

    /// Later statements ask for a state that has this.
    fn wrote(&self, index: Option<u64>) {
        let mut state = self.state();
        state.index = state.index.max(index);
    }

    /// Refuses what would write, where the URL says `mode=ro`.
    fn permit(&self, sql: &str, effect: Effect) -> Result<()> {
        let harmless =
            matches!(effect, Effect::Reads | Effect::Commits | Effect::Releases | Effect::GoesBack | Effect::RollsBack);
        if !self.endpoint().read_only || harmless || self.describe(sql)?.readonly {
            return Ok(());
        }
        Err(Error::new(litekeel_core::sqlite::SQLITE_READONLY, "attempt to write a readonly database")
            .with_hint("the URL says mode=ro: leave it out to write"))
    }

    /// Tells the server that a stream is over.
    fn close(&self, stream: Option<Stream>) {
        if let Some(stream) = stream {
            stream.close(&self.transport);
        }
    }
}

impl Stream {
    /// Tells the server that it is over; it forgets one by itself after ten seconds.
    fn close(self, transport: &Transport) {
        let baton = serde_json::to_string(&self.baton).unwrap_or_default();
        let body = format!(r#"{{"baton":{baton},"requests":[{CLOSE}]}}"#);
        let _ = transport.pipeline(self.base.as_deref(), &body);
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
