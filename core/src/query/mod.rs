//! One call, one unit of work: a script, a script in a transaction, a statement with packed parameters and rows.

pub(crate) mod busy_timeout_pragma;
mod errors;
pub(crate) mod statement;
pub(crate) mod stream;

use std::ffi::c_int;
use std::time::Instant;

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::{FailedStep, Result};
use crate::packed::{Packed, Table};
use crate::query::statement::{Lifetime, Statement, nul_terminated};
use crate::raw::sql_text;
use crate::sqlite;
use crate::vfs::replicated;
use crate::wal::readers;

impl Connection {
    /// Runs a script of statements as written; it stops at the first error, and what ran before stays.
    ///
    /// ```
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)")?;
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// SQLite's, explained; `KEEL_ARGUMENT` for a NUL in the text, which SQLite would take for its end.
    pub fn exec(&self, sql: &str) -> Result<()> {
        let guard = self.lock()?;
        let done = guard.script(sql, Transactions::Allowed);
        // The script's own error comes first; settling still rolls back what it left open.
        done.and(guard.settle())
    }

    /// Runs a script in one `BEGIN IMMEDIATE` transaction: all of it or nothing.
    ///
    /// ```
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// db.exec("CREATE TABLE t(a UNIQUE)")?;
    /// assert!(db.exec_atomic("INSERT INTO t VALUES(1); INSERT INTO t VALUES(1)").is_err());
    /// assert_eq!(db.query("SELECT a FROM t", None)?.table().rows(), 0);
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`exec`](Connection::exec), and `KEEL_ARGUMENT` for a statement that would end the transaction; it has been
    /// rolled back then.
    pub fn exec_atomic(&self, sql: &str) -> Result<()> {
        let guard = self.lock()?;
        guard.script("BEGIN IMMEDIATE", Transactions::Allowed)?;
        let done =
            guard.script(sql, Transactions::MayNotEnd).and_then(|()| guard.script("COMMIT", Transactions::Allowed));
        if done.is_err() {
            guard.undo("ROLLBACK");
        }
        done.and(guard.settle())
    }

    /// Runs one statement once for each row of parameters, in a savepoint when there are several, and returns all its
    /// rows. Without parameters, which only a statement that has none allows, it runs once.
    ///
    /// ```
    /// use litekeel_core::{Cell, Encoder};
    ///
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// let mut parameters = Encoder::new([&b"n"[..]]).named();
    /// parameters.push(Cell::Int(20));
    /// let rows = db.query("SELECT :n + 1 AS next", Some(parameters.finish().table()))?;
    /// assert_eq!((rows.table().name(0), rows.table().cell(0, 0)), (&b"next"[..], Cell::Int(21)));
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// SQLite's, explained; `KEEL_PACKED` when the parameters do not fit; `KEEL_ARGUMENT` when the text holds no
    /// statement or more than one; `KEEL_SHARED` when it would leave a transaction open on a shared connection.
    pub fn query(&self, sql: &str, parameters: Option<Table<'_>>) -> Result<Packed> {
        let guard = self.lock()?;
        let done = query_locked(&guard, sql, parameters);
        let settled = guard.settle();
        done.and_then(|rows| settled.map(|()| rows))
    }

    /// Moves the WAL into the database. `mode` is one of `SQLITE_CHECKPOINT_PASSIVE`, `FULL`, `RESTART`, `TRUNCATE` and
    /// `NOOP` (which only looks). Returns the frames in the WAL and how many of them are in the database.
    ///
    /// RESTART and TRUNCATE hold up every writer while they wait for readers, so they do not wait.
    ///
    /// ```
    /// # use litekeel_core::{Connection, Options, sqlite};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let url = format!("file:{}/app.db", directory.path().display());
    /// let db = Connection::open(Some(&url), &Options::new())?;
    /// db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)")?;
    /// let (frames, moved) = db.checkpoint(sqlite::SQLITE_CHECKPOINT_PASSIVE)?;
    /// assert!(frames > 0 && moved == frames);
    /// # db.close()?;
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `KEEL_IN_TRANSACTION`; `SQLITE_BUSY` when readers or a writer are in the way.
    pub fn checkpoint(&self, mode: c_int) -> Result<(i64, i64)> {
        let guard = self.lock()?;
        if guard.in_transaction() {
            return Err(errors::checkpoint_in_transaction());
        }
        if mode != sqlite::SQLITE_CHECKPOINT_NOOP
            && let Some(watch) = self.identity.watch.as_ref().filter(|watch| replicated::is_replicated(watch))
        {
            return Err(errors::only_litestream_checkpoints(watch.place()));
        }
        // SQLite's own handler answers for itself; ours is not visible to the pragma.
        let timeout = guard
            .busy_timeout()
            .map(|timeout| timeout.as_millis() as u32)
            .or_else(|| guard.sqlite().pragma_query_value(None, "busy_timeout", |row| row.get(0)).ok());
        guard.set_busy_timeout(0);
        let began = Instant::now();
        if let Some(watch) = &self.identity.watch {
            watch.asks_for_checkpoint();
        }
        let (mut log, mut done) = (0, 0);
        // SAFETY: the guard keeps the connection open; the counters are live.
        let rc = unsafe { sqlite::sqlite3_wal_checkpoint_v2(guard.raw(), c"main".as_ptr(), mode, &mut log, &mut done) };
        let failed = (rc != sqlite::SQLITE_OK).then(|| {
            // SAFETY: the handle is the guard's.
            unsafe { self.fail(guard.raw(), rc, Some(FailedStep::Checkpoint)) }
        });
        if let Some(timeout) = timeout {
            guard.set_busy_timeout(timeout);
        }
        if failed.is_none() && mode != sqlite::SQLITE_CHECKPOINT_NOOP {
            self.emit(readers::checkpointed(mode, log.into(), done.into(), began.elapsed()));
        }
        failed.map_or(Ok((log.into(), done.into())), Err)
    }
}

#[inline(always)]
fn query_locked(guard: &Guard<'_>, sql: &str, parameters: Option<Table<'_>>) -> Result<Packed> {
    if let Some(ms) = guard.busy_timeout_pragma(sql)? {
        return Ok(busy_timeout_pragma::row(ms));
    }
    let mut statement = Statement::prepare_single(guard, sql)?;
    if parameters.is_none_or(|table| table.rows() < 2) {
        return run(guard, &mut statement, parameters);
    }
    let undo = if guard.in_transaction() { "ROLLBACK TO litekeel_query; RELEASE litekeel_query" } else { "ROLLBACK" };
    Statement::prepare_internal(guard, "SAVEPOINT litekeel_query")?.step()?;
    let mut done = run(guard, &mut statement, parameters);
    drop(statement);
    if done.is_ok() && guard.in_transaction() {
        // Releasing the outermost savepoint commits, and a commit can fail: on a deferred foreign key, on a lock. The
        // transaction stays open then.
        done = done.and_then(|rows| Statement::prepare_internal(guard, "RELEASE litekeel_query")?.step().map(|_| rows));
    }
    if done.is_err() {
        guard.undo(undo);
    }
    done
}

/// Runs the statement for each row of parameters, or once without; all rows in one table.
#[inline(always)]
fn run(guard: &Guard<'_>, statement: &mut Statement<'_>, parameters: Option<Table<'_>>) -> Result<Packed> {
    // SAFETY: the guard keeps the connection open.
    let before = unsafe { sqlite::sqlite3_total_changes64(guard.raw()) };
    let table = parameters.filter(|table| table.columns() > 0);
    let places = statement.parameter_order(table)?;
    let mut out = None;
    for row in 0..table.map_or(1, |table| table.rows()) {
        if row > 0 {
            statement.reset();
        }
        if let Some(table) = table {
            statement.bind(table, row, &places, Lifetime::Call)?;
        }
        let mut on_row = statement.step()?;
        let out = out.get_or_insert_with(|| statement.header());
        let columns = if on_row { statement.columns() } else { 0 };
        while on_row {
            statement.read_row(columns, out);
            on_row = statement.step()?;
        }
    }
    let mut out = out.unwrap_or_else(|| statement.header());
    // SAFETY: the guard keeps the connection open.
    unsafe {
        out.changes = sqlite::sqlite3_total_changes64(guard.raw()) - before;
        out.last_rowid = sqlite::sqlite3_last_insert_rowid(guard.raw());
    }
    Ok(out.finish())
}

/// What a script may do to the transaction that it runs in.
#[derive(Clone, Copy, PartialEq)]
enum Transactions {
    Allowed,
    MayNotEnd,
}

impl Guard<'_> {
    /// Runs every statement of a script and drops their rows.
    fn script(&self, sql: &str, transactions: Transactions) -> Result<()> {
        let text = nul_terminated(self, sql)?;
        let mut at = 0;
        while at < sql.len() {
            let (statement, next) = Statement::prepare(self, &text, at)?;
            if transactions == Transactions::MayNotEnd && sql_text::is_ended_by(&sql.as_bytes()[at..next]) {
                return Err(errors::ends_the_transaction(at));
            }
            // SQLite has replaced our busy handler while it compiled the pragma; asking puts it back.
            let done = self.busy_timeout_pragma(&sql[at..next])?.is_some();
            if let Some(statement) = statement.filter(|_| !done) {
                while statement.step()? {}
            }
            self.settle_attached();
            at = next;
        }
        Ok(())
    }

    /// Rolls back after a failure, unless SQLite has done so by itself. The failure is the error to report, not this.
    fn undo(&self, sql: &str) {
        if self.in_transaction() {
            let _ = self.script(sql, Transactions::Allowed);
        }
    }
}
