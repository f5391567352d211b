//! Rows in batches: a statement that stays open between calls, on a connection with one owner.
//!
//! The statement belongs to its connection, which finalizes it at close: a stream that is read later is told so, and
//! refers to no freed memory.

use std::sync::Arc;

use super::errors;
use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::{Error, Result};
use crate::packed::{Packed, Table};
use crate::query::busy_timeout_pragma;
use crate::query::statement::{Lifetime, Statement};
use crate::sqlite;

/// Rows that are still to be read.
pub struct Stream {
    connection: Arc<Connection>,
    /// The statement's number; `None` once it has ended.
    number: Option<u64>,
    batch_bytes: usize,
    changes_before: i64,
    /// Why it ended early: told again to whoever goes on reading.
    failure: Option<Error>,
}

impl Connection {
    /// Runs one statement, once, and returns its first rows: as many as fill `batch_bytes`, and at least one. The
    /// stream gives the others. Until it ends it keeps a read transaction open.
    ///
    /// ```
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// let sql = "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";
    /// let (first, mut rest) = db.stream(sql, None, 16 * 1024)?;
    /// let mut rows = first.table().rows();
    /// while let Some(batch) = rest.next_batch()? {
    ///     rows += batch.table().rows();
    /// }
    /// assert_eq!(rows, 10_000);
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`query`](Connection::query); `KEEL_SHARED` on a shared connection, where every call ends what it began;
    /// `KEEL_ARGUMENT` for several rows of parameters.
    pub fn stream(
        self: &Arc<Self>,
        sql: &str,
        parameters: Option<Table<'_>>,
        batch_bytes: u64,
    ) -> Result<(Packed, Stream)> {
        let guard = self.lock()?;
        self.require_sole_owner("reading rows in batches")?;
        if parameters.is_some_and(|table| table.rows() > 1) {
            return Err(errors::several_rows_in_batches());
        }
        if let Some(ms) = guard.busy_timeout_pragma(sql)? {
            let ended =
                Stream { connection: self.clone(), number: None, batch_bytes: 0, changes_before: 0, failure: None };
            return Ok((busy_timeout_pragma::row(ms), ended));
        }
        let mut statement = Statement::prepare_single(&guard, sql)?.not_kept();
        // SAFETY: the guard keeps the connection open.
        let changes_before = unsafe { sqlite::sqlite3_total_changes64(guard.raw()) };
        // What writes commits when it is at its end: with durability=replicated that is waited for in this call, not by whoever
        // comes next to the connection, or by nobody.
        let at_once = self.identity.replicates_commits && statement.writes();
        let batch_bytes = if at_once { usize::MAX } else { usize::try_from(batch_bytes).unwrap_or(usize::MAX) };
        let mut stream = Stream { connection: self.clone(), number: None, batch_bytes, changes_before, failure: None };
        let table = parameters.filter(|table| table.columns() > 0);
        let places = statement.parameter_order(table)?;
        if let Some(table) = table {
            if table.rows() == 0 {
                // Once for each row, as everywhere.
                return Ok((statement.header().finish(), stream));
            }
            statement.bind(table, 0, &places, Lifetime::Binding)?;
        }
        let rows = stream.fill(&guard, statement)?;
        guard.settle()?;
        Ok((rows, stream))
    }
}

impl Stream {
    /// The next rows; a table without rows at the end.
    ///
    /// # Errors
    /// SQLite's, explained, and the same again on every later call; `KEEL_CLOSED` once the connection is closed.
    pub fn next_batch(&mut self) -> Result<Option<Packed>> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let Some(number) = self.number else { return Ok(None) };
        let connection = self.connection.clone();
        let rows = connection.lock().and_then(|guard| {
            // Not before: who gives up waiting for the lock has still to end it.
            self.number = None;
            let prepared = guard.streams().remove(number);
            // Only close empties the list, and a closed connection is not locked.
            let prepared = prepared.ok_or_else(errors::connection_of_rows_closed)?;
            let rows = self.fill(&guard, Statement::resume(&guard, prepared))?;
            guard.settle().map(|()| rows)
        });
        if let Err(error) = &rows {
            self.failure = Some(error.clone());
        }
        rows.map(Some)
    }

    fn fill(&mut self, guard: &Guard<'_>, mut statement: Statement<'_>) -> Result<Packed> {
        let mut on_row = statement.step()?;
        let columns = statement.columns();
        let mut out = statement.header();
        while on_row {
            statement.read_row(columns, &mut out);
            if out.size() >= self.batch_bytes {
                break;
            }
            on_row = statement.step()?;
        }
        // SAFETY: the guard keeps the connection open.
        unsafe {
            out.changes = sqlite::sqlite3_total_changes64(guard.raw()) - self.changes_before;
            out.last_rowid = sqlite::sqlite3_last_insert_rowid(guard.raw());
        }
        // At its end the statement is dropped here, and with it the read transaction.
        if on_row {
            self.number = statement.into_prepared().map(|prepared| guard.streams().add(prepared));
        }
        Ok(out.finish())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        if self.connection.is_used_by_this_thread() {
            return self.connection.deferred.defer_stream(number);
        }
        match self.connection.lock() {
            Ok(guard) => guard.streams().end(&[number]),
            // It is not ours to touch (a parent's), gone (closed), left to close, or ended behind the call that was not waited for.
            Err(_) => self.connection.deferred.defer_stream(number),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("number", &self.number).finish_non_exhaustive()
    }
}
