//! A remote database: statements, batches, transactions.
//!
//! Outside a transaction every request has a stream of its own, closed with it, but for reads that follow each other closely:
//! a stream that is kept while somebody changes the schema gives values under the wrong column names, unless it is watched
//! for that as in `reads`; a new one may in the very moment of the change, which `alone` tells of. Inside one, each statement is a batch of one step with the
//! condition that the transaction still lives. So the server itself runs nothing of it once it has taken the transaction
//! away, where a plain statement would be committed alone.

mod alone;
mod batch;
mod cursor;
mod describe;
mod descriptions;
mod few;
mod reads;
mod resting;
mod transaction;

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use litekeel_core::{Error, Result, codes};
use litekeel_core::{Packed, Table};

pub use cursor::Cursor;
pub use descriptions::Description;

use crate::answer::{committed, first, unknown, unread};
use crate::keyword::{Effect, effect, names_columns};
use crate::savepoints::Savepoints;
use crate::script;
use crate::streams::{CLOSE, Stream, Streams};
use crate::transport::Transport;
use crate::url::Endpoint;
use crate::wire;

/// A database on a libSQL server, safe to use from any thread. Calls of a transaction take turns; outside of one they run
/// beside each other.
pub struct Remote {
    streams: Arc<Streams>,
    state: Mutex<State>,
    /// Beside the state, which is locked while a statement of a transaction runs.
    in_transaction: AtomicBool,
    /// One more than the number of the latest write, which later reads must see, on a replica too; 0 for none.
    latest: AtomicU64,
    descriptions: Arc<descriptions::Kept>,
    reads: Arc<resting::Kept>,
    few: Arc<few::Few>,
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
    /// Why the open transaction can no longer be used; until it is rolled back.
    poison: Option<Error>,
    savepoints: Savepoints,
    /// The server has looked at the schema in the open transaction, which sees one state of the database since then.
    has_looked: bool,
}

/// The state, and what can be asked of it meanwhile.
struct Locked<'a> {
    state: MutexGuard<'a, State>,
    in_transaction: &'a AtomicBool,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let is_gone = self.state.stream.is_none() && self.state.poison.is_none();
        if is_gone && std::thread::panicking() && self.in_transaction.load(Ordering::Acquire) {
            // What follows must not be committed alone.
            let text = "the transaction is gone, and nothing of it is committed: an internal error (panic) in the libSQL client";
            self.state.poison = Some(Error::new(codes::TRANSACTION_EXPIRED, text));
        }
        let is_open = self.state.stream.is_some() || self.state.poison.is_some();
        self.in_transaction.store(is_open, Ordering::Release);
    }
}

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
            streams: Arc::new(Streams::new(Transport::new(endpoint))),
            state: Mutex::default(),
            in_transaction: AtomicBool::new(false),
            latest: AtomicU64::new(0),
            descriptions: Arc::default(),
            reads: Arc::default(),
            few: Arc::default(),
        }
    }

    /// Another connection to the same database, which sees what this one has written; its transactions are its own.
    pub fn sibling(&self) -> Remote {
        let sibling = Remote {
            streams: self.streams.clone(),
            state: Mutex::default(),
            in_transaction: AtomicBool::new(false),
            latest: AtomicU64::new(0),
            descriptions: self.descriptions.clone(),
            reads: self.reads.clone(),
            few: self.few.clone(),
        };
        sibling.sees(self);
        sibling
    }

    /// Takes over what another connection to the same database has written: later statements here see it.
    pub fn sees(&self, other: &Remote) {
        self.wrote(other.replication_index());
    }

    /// Where the server is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.transport().endpoint
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.streams.transport
    }

    /// Limits every later request and its answer to so long, where `statement_timeout=` is longer; zero takes the limit
    /// back.
    pub fn set_timeout(&self, limit: Duration) {
        self.transport().set_limit(limit);
    }

    /// `KEEL_FORKED` in a child of the process that opened the connection.
    ///
    /// # Errors
    /// That one.
    pub fn check_process(&self) -> Result<()> {
        self.streams.check_process()
    }

    fn state(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { state, in_transaction: &self.in_transaction }
    }

    /// Whether a transaction is open, or was until the server took it away and nobody has rolled back yet. It waits for
    /// nobody: while a statement that begins or ends one runs, it is what was before that.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction.load(Ordering::Acquire)
    }

    /// The server's number of the latest write that this connection knows of.
    pub fn replication_index(&self) -> Option<u64> {
        self.latest.load(Ordering::Acquire).checked_sub(1)
    }

    /// For a test that shows what the number is for.
    #[doc(hidden)]
    pub fn forget_replication_index(&self) {
        self.latest.store(0, Ordering::Release);
    }

    /// Whether reads go by a stream that is kept. For tests.
    #[doc(hidden)]
    pub fn keeps_a_stream(&self) -> bool {
        self.reads.rests()
    }

    /// Ends the requests that are under way at once, of siblings too, and refuses later ones: for a host that ends. What the
    /// server does with them is not known then.
    pub fn shutdown(&self) {
        if self.check_process().is_ok() {
            self.transport().shutdown();
        }
    }

    /// Ends the connection to the server without waiting for it: a transaction that is open is undone, by a thread that
    /// tells the server, or by the server itself within ten seconds. Dropping waits for that, up to a second.
    pub fn abandon(self) {
        if self.check_process().is_ok() {
            let stream = self.state().stream.take();
            self.streams.end_later(stream);
        }
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
        let mut effect = effect(sql);
        if self.state().poison.is_none() {
            self.permit(sql, effect)?;
        }
        if effect == Effect::Unclear && !self.in_transaction() {
            effect = if self.describe(sql)?.readonly { Effect::Reads } else { Effect::Other };
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
        wire::push_statement(sql, parameters, self.replication_index(), &mut statement)?;
        match state.stream.take() {
            Some(stream) => {
                let effect = state.savepoints.effect(sql);
                let rows = self.inside(&mut state, stream, &statement, (effect, names_columns(sql)))?;
                state.savepoints.ran(sql);
                Ok(rows)
            }
            None if effect == Effect::Begins => {
                let rows = self.begin(&mut state, &statement)?;
                state.savepoints = Savepoints::begun(sql);
                Ok(rows)
            }
            // The rows of a write have the names of a schema that nobody changes before it is committed.
            None if effect != Effect::Reads && names_columns(sql) => {
                self.together(state, &["BEGIN IMMEDIATE"], &[(sql, parameters)]).map(|mut rows| rows.remove(0))
            }
            None => {
                drop(state);
                self.outside(&statement, effect)
            }
        }
    }

    /// Runs a script, one statement after the other; rows are dropped. It stops at the first error, and what ran before
    /// stays. `statement_timeout=` is for each statement, as the name says: a long script takes longer in all.
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
        let (transport, deadline) = (self.transport(), self.transport().deadline());
        if effect == Effect::Reads {
            return self.read_on_kept(statement, deadline).unwrap_or_else(|| {
                let body = self.read_request(statement);
                let answer = transport.again(deadline, |deadline| transport.pipeline(None, &body, deadline));
                self.read_answer(&answer.map_err(|failure| failure.error)?)
            });
        }
        let body = format!(r#"{{"baton":null,"requests":[{{"type":"execute","stmt":{statement}}},{CLOSE}]}}"#);
        let answer = transport.pipeline(None, &body, deadline).map_err(unknown)?;
        let result = &first(&answer).map_err(|error| transport.shown(unread(error)))?["result"];
        self.wrote(wire::index(&result["replication_index"]));
        wire::rows(result).map_err(committed)
    }

    /// Later statements ask for a state that has this.
    fn wrote(&self, index: Option<u64>) {
        self.latest.fetch_max(index.map_or(0, |index| index.saturating_add(1)), Ordering::AcqRel);
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
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The parent's transaction is the parent's.
        if self.check_process().is_err() {
            return;
        }
        let stream = self.state().stream.take();
        if let Some(stream) = stream {
            self.streams.end(stream);
        }
        // Nobody waits for what holds no lock. A thread ends it, or the server.
        if Arc::strong_count(&self.reads) == 1 {
            self.streams.end_later(self.reads.end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise what follows would be committed alone.
    #[test]
    fn a_panic_amid_a_transaction_leaves_it_lost_rather_than_forgotten() {
        let db = Remote::at(Endpoint::parse("http://127.0.0.1:9", None).unwrap());
        db.state().stream = Some(Stream { baton: "b".into(), base: None });
        assert!(db.in_transaction());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut state = db.state();
            state.stream.take();
            panic!("amid a statement");
        }));
        assert!(panicked.is_err() && db.in_transaction());
        assert_eq!(db.query("INSERT INTO t VALUES(1)", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
        db.query("ROLLBACK", None).unwrap();
        assert!(!db.in_transaction());
    }
}
