//! One call, one unit of work: a script, a script in a transaction, a statement with packed parameters and rows.

use std::ffi::{CStr, CString, c_int};
use std::time::Instant;

use crate::codes;
use crate::connection::{Connection, Guard};
use crate::error::{Error, Result};
use crate::packed::{Cell, Encoder, Packed, Table};
use crate::transaction;
use crate::{sqlite, wal};

impl Connection {
    /// Runs a script of statements as written; it stops at the first error, and what ran before stays.
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
        done
    }

    /// Runs one statement once for each row of parameters, in a savepoint when there are several, and returns all its
    /// rows. Without parameters it runs once.
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
    /// # Errors
    /// `KEEL_IN_TRANSACTION`; `SQLITE_BUSY` when readers or a writer are in the way.
    pub fn checkpoint(&self, mode: c_int) -> Result<(i64, i64)> {
        let guard = self.lock()?;
        if guard.in_transaction() {
            return Err(Error::new(codes::IN_TRANSACTION, "a checkpoint cannot run inside a transaction"));
        }
        // SQLite's own handler answers for itself; ours is not visible to the pragma.
        let timeout = guard
            .busy_timeout()
            .map(|timeout| timeout.as_millis() as u32)
            .or_else(|| guard.sqlite().pragma_query_value(None, "busy_timeout", |row| row.get(0)).ok());
        guard.set_busy_timeout(0);
        let began = Instant::now();
        let (mut log, mut done) = (0, 0);
        // SAFETY: the guard keeps the connection open; the counters are live.
        let rc = unsafe { sqlite::sqlite3_wal_checkpoint_v2(guard.raw(), c"main".as_ptr(), mode, &mut log, &mut done) };
        let failed = (rc != sqlite::SQLITE_OK).then(|| {
            // SAFETY: the handle is the guard's.
            unsafe { self.fail(guard.raw(), rc, "checkpoint") }
        });
        if let Some(timeout) = timeout {
            guard.set_busy_timeout(timeout);
        }
        if failed.is_none() && mode != sqlite::SQLITE_CHECKPOINT_NOOP {
            self.emit(wal::checkpointed(mode, log.into(), done.into(), began.elapsed()));
        }
        failed.map_or(Ok((log.into(), done.into())), Err)
    }
}

fn query_locked(guard: &Guard<'_>, sql: &str, parameters: Option<Table<'_>>) -> Result<Packed> {
    let statement = Statement::only(guard, sql)?;
    if parameters.is_none_or(|table| table.rows() < 2) {
        return statement.run(parameters);
    }
    let undo = if guard.in_transaction() { "ROLLBACK TO litekeel_query; RELEASE litekeel_query" } else { "ROLLBACK" };
    guard.script("SAVEPOINT litekeel_query", Transactions::Allowed)?;
    let mut done = statement.run(parameters);
    drop(statement);
    if done.is_ok() && guard.in_transaction() {
        // Releasing the outermost savepoint commits, and a commit can fail: on a deferred foreign key, on a lock. The
        // transaction stays open then.
        done = done.and_then(|rows| guard.script("RELEASE litekeel_query", Transactions::Allowed).map(|()| rows));
    }
    if done.is_err() {
        guard.undo(undo);
    }
    done
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
        let text = nul_terminated(sql)?;
        let mut at = 0;
        while at < sql.len() {
            let (statement, next) = Statement::prepare(self, &text, at)?;
            if transactions == Transactions::MayNotEnd && transaction::is_ended_by(&sql.as_bytes()[at..next]) {
                return Err(Error::new(codes::ARGUMENT, "the script would end the transaction that it runs in")
                    .with_hint("leave COMMIT, END and ROLLBACK out of it, or run it with exec")
                    .with_offset(at as i32));
            }
            if let Some(statement) = statement {
                statement.step(|| {})?;
            }
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

fn nul_terminated(sql: &str) -> Result<CString> {
    CString::new(sql).map_err(|error| {
        Error::new(codes::ARGUMENT, format!("the SQL has a NUL at byte {}", error.nul_position()))
            .with_hint("pass binary data as a parameter")
            .with_offset(error.nul_position() as i32)
    })
}

struct Statement<'a> {
    guard: &'a Guard<'a>,
    raw: *mut sqlite::sqlite3_stmt,
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: prepared on the guarded connection and finalized once.
        unsafe { sqlite::sqlite3_finalize(self.raw) };
    }
}

impl<'a> Statement<'a> {
    /// Compiles the first statement of `text` from byte `at` on, and says where the next one begins. Blanks and comments
    /// compile to none.
    fn prepare(guard: &'a Guard<'a>, text: &CStr, at: usize) -> Result<(Option<Statement<'a>>, usize)> {
        let begin = text.to_bytes_with_nul()[at..].as_ptr().cast();
        let mut raw = std::ptr::null_mut();
        let mut tail = std::ptr::null();
        // SAFETY: the guard keeps the connection open; the text is NUL-terminated and outlives the call.
        let rc = unsafe { sqlite::sqlite3_prepare_v2(guard.raw(), begin, -1, &mut raw, &mut tail) };
        if rc != sqlite::SQLITE_OK {
            let error = guard.fail(rc);
            // SQLite counts from where it was told to begin; a caller counts from the start of the text.
            return Err(match error.offset() {
                Some(offset) if offset >= 0 => error.with_offset(offset + at as i32),
                _ => error,
            });
        }
        let next = tail as usize - text.as_ptr() as usize;
        Ok(((!raw.is_null()).then_some(Statement { guard, raw }), next))
    }

    /// Compiles the one statement of a text.
    fn only(guard: &'a Guard<'a>, sql: &str) -> Result<Statement<'a>> {
        let text = nul_terminated(sql)?;
        let mut only = None;
        let mut at = 0;
        while at < sql.len() {
            let (statement, next) = Statement::prepare(guard, &text, at)?;
            if statement.is_some() && only.is_some() {
                return Err(Error::new(codes::ARGUMENT, "the SQL holds more than one statement")
                    .with_hint("run a script with exec")
                    .with_offset(at as i32));
            }
            only = only.or(statement);
            at = next;
        }
        only.ok_or_else(|| Error::new(codes::ARGUMENT, "the SQL holds no statement"))
    }

    fn run(&self, parameters: Option<Table<'_>>) -> Result<Packed> {
        let raw = self.raw;
        // SAFETY: `raw` is a live statement of the guarded connection.
        let columns = unsafe { sqlite::sqlite3_column_count(raw) };
        // SAFETY: column names live until the statement is prepared anew or finalized; they are copied at once.
        let names: Vec<&[u8]> =
            (0..columns).map(|i| unsafe { CStr::from_ptr(sqlite::sqlite3_column_name(raw, i)) }.to_bytes()).collect();
        let mut out = Encoder::new(names);
        // SAFETY: the guard keeps the connection open.
        let before = unsafe { sqlite::sqlite3_total_changes64(self.guard.raw()) };
        match parameters {
            Some(table) if table.columns() > 0 => {
                for row in 0..table.rows() {
                    self.bind(table, row)?;
                    self.step(|| (0..columns).for_each(|column| out.push(self.cell(column))))?;
                }
            }
            _ => self.step(|| (0..columns).for_each(|column| out.push(self.cell(column))))?,
        }
        // SAFETY: the guard keeps the connection open.
        unsafe {
            out.changes = sqlite::sqlite3_total_changes64(self.guard.raw()) - before;
            out.last_rowid = sqlite::sqlite3_last_insert_rowid(self.guard.raw());
        }
        Ok(out.finish())
    }

    fn bind(&self, table: Table<'_>, row: usize) -> Result<()> {
        // SAFETY: a live statement.
        let wanted = unsafe { sqlite::sqlite3_bind_parameter_count(self.raw) } as usize;
        if !table.is_named() && table.columns() != wanted {
            return Err(Error::new(
                codes::PACKED,
                format!("the statement takes {wanted} parameters, {} were given", table.columns()),
            ));
        }
        for column in 0..table.columns() {
            let index = if table.is_named() { self.index(table.name(column))? } else { column as c_int + 1 };
            let transient = sqlite::SQLITE_TRANSIENT();
            // SAFETY: the bytes live during the call and SQLite copies them (TRANSIENT).
            let rc = unsafe {
                match table.cell(row, column) {
                    Cell::Null => sqlite::sqlite3_bind_null(self.raw, index),
                    Cell::Int(value) => sqlite::sqlite3_bind_int64(self.raw, index, value),
                    Cell::Float(value) => sqlite::sqlite3_bind_double(self.raw, index, value),
                    Cell::Text(text) => sqlite::sqlite3_bind_text64(
                        self.raw,
                        index,
                        text.as_ptr().cast(),
                        text.len() as u64,
                        transient,
                        sqlite::SQLITE_UTF8 as u8,
                    ),
                    Cell::Blob(blob) => {
                        sqlite::sqlite3_bind_blob64(self.raw, index, blob.as_ptr().cast(), blob.len() as u64, transient)
                    }
                }
            };
            if rc != sqlite::SQLITE_OK {
                return Err(self.guard.fail(rc));
            }
        }
        Ok(())
    }

    fn index(&self, name: &[u8]) -> Result<c_int> {
        let given = String::from_utf8_lossy(name).into_owned();
        let candidates = [given.clone(), format!(":{given}"), format!("@{given}"), format!("${given}")];
        for candidate in candidates {
            let Ok(text) = CString::new(candidate) else { continue };
            // SAFETY: a live statement and a NUL-terminated name.
            let index = unsafe { sqlite::sqlite3_bind_parameter_index(self.raw, text.as_ptr()) };
            if index > 0 {
                return Ok(index);
            }
        }
        Err(Error::new(codes::PACKED, format!("the statement has no parameter named {given}")))
    }

    /// Runs to the end and calls `row` on every row.
    fn step(&self, mut row: impl FnMut()) -> Result<()> {
        loop {
            // SAFETY: a live statement on a connection that this thread holds.
            match unsafe { sqlite::sqlite3_step(self.raw) } {
                sqlite::SQLITE_ROW => row(),
                sqlite::SQLITE_DONE => break,
                rc => {
                    let error = self.guard.fail(rc);
                    // SAFETY: as above; resetting returns the same error once more.
                    unsafe { sqlite::sqlite3_reset(self.raw) };
                    return Err(error);
                }
            }
        }
        // SAFETY: as above.
        unsafe { sqlite::sqlite3_reset(self.raw) };
        Ok(())
    }

    fn cell(&self, column: c_int) -> Cell<'_> {
        // SAFETY: the statement stands on a row; text and blob live until the next step and are copied before it.
        unsafe {
            let bytes = |pointer: *const u8| {
                let size = sqlite::sqlite3_column_bytes(self.raw, column) as usize;
                if pointer.is_null() { &[][..] } else { std::slice::from_raw_parts(pointer, size) }
            };
            match sqlite::sqlite3_column_type(self.raw, column) {
                sqlite::SQLITE_INTEGER => Cell::Int(sqlite::sqlite3_column_int64(self.raw, column)),
                sqlite::SQLITE_FLOAT => Cell::Float(sqlite::sqlite3_column_double(self.raw, column)),
                sqlite::SQLITE_TEXT => Cell::Text(bytes(sqlite::sqlite3_column_text(self.raw, column))),
                sqlite::SQLITE_BLOB => Cell::Blob(bytes(sqlite::sqlite3_column_blob(self.raw, column).cast())),
                _ => Cell::Null,
            }
        }
    }
}
