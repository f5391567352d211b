//! One read on a reader's connection.

use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::sync::Arc;

use litekeel_core::{Assistant, Connection, Error, Guard, codes};
use litekeel_core::{Cell, Encoder};
use litekeel_core::{Prepared, sqlite};

use super::answer::{Answer, Integers, Refusal};
use super::limit::Limit;
use super::params::Params;

/// A connection that sees what is committed in `origin`'s file and writes nothing.
pub(super) fn open(origin: &Connection) -> Result<Arc<Connection>, Error> {
    let connection = origin.assistant("a reader", Assistant::Reads)?;
    let mode: Result<String, _> =
        connection.lock()?.sqlite().query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    // Of a copy that follows a replica each read, whoever's, locks Litestream out for as long as it takes, and no longer.
    let follows = || origin.position().is_ok_and(|_| mode.is_ok());
    if mode.as_deref() == Ok("wal") || follows() {
        return Ok(connection);
    }
    let _ = connection.close();
    Err(Error::new(
        codes::NO_SIBLING,
        "readAsync needs a database in WAL mode: in any other, a reader locks writers out",
    )
    .with_hint("open it with journal_mode=wal"))
}

/// Loads an extension into a reader. SQL itself cannot.
pub(super) fn load(connection: &Connection, path: &CStr, entry: Option<&CStr>) -> Result<(), Error> {
    let guard = connection.lock()?;
    let mut message = ptr::null_mut();
    // SAFETY: the guard keeps the connection open; the message is SQLite's memory, copied and then freed.
    unsafe {
        let switch = |on: c_int| {
            let code = sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION;
            sqlite::sqlite3_db_config(guard.raw(), code, on, ptr::null_mut::<c_int>());
        };
        switch(1);
        let entry = entry.map_or(ptr::null(), CStr::as_ptr);
        let rc = sqlite::sqlite3_load_extension(guard.raw(), path.as_ptr(), entry, &mut message);
        switch(0);
        if rc == sqlite::SQLITE_OK {
            return Ok(());
        }
        let text = if message.is_null() { sqlite::sqlite3_errstr(rc) } else { message };
        let text = CStr::from_ptr(text).to_string_lossy().into_owned();
        sqlite::sqlite3_free(message.cast());
        Err(Error::new(rc, format!("a reader could not load an extension: {text}")))
    }
}

/// The limit is looked at while this lives.
struct Limited<'a>(&'a Connection);

impl<'a> Limited<'a> {
    fn new(connection: &'a Connection, limit: &Arc<Limit>) -> Result<Limited<'a>, Error> {
        let limit = limit.clone();
        connection.set_progress(Some(Arc::new(move || limit.reached())))?;
        Ok(Limited(connection))
    }
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        // Of a connection that has been closed meanwhile nothing runs any more.
        let _ = self.0.set_progress(None);
    }
}

pub(super) fn run(
    connection: &Connection,
    sql: &str,
    params: &Params,
    limit: &Arc<Limit>,
    integers: Integers,
) -> Answer {
    let read = || {
        let _limited = Limited::new(connection, limit)?;
        let guard = connection.lock()?;
        Ok(rows(&guard, sql, params, limit).map_or_else(|answer| answer, |rows| Answer::Rows(rows.finish(), integers)))
    };
    read().unwrap_or_else(Answer::Failed)
}

fn rows(guard: &Guard<'_>, sql: &str, params: &Params, limit: &Limit) -> Result<Encoder, Answer> {
    if limit.reached() {
        return Err(Answer::TimedOut);
    }
    // A NUL ends the text, as it does for SQLite.
    let text = CString::new(sql.split('\0').next().unwrap_or_default()).unwrap_or_default();
    let mut handle = ptr::null_mut();
    let mut tail = ptr::null();
    // SAFETY: the guard keeps the connection open; the text outlives the call.
    let rc = unsafe { sqlite::sqlite3_prepare_v2(guard.raw(), text.as_ptr(), -1, &mut handle, &mut tail) };
    if rc != sqlite::SQLITE_OK {
        return Err(Answer::Failed(guard.fail(rc)));
    }
    // SAFETY: nobody else has it, and it is dropped before the guard.
    let Some(statement) = (unsafe { Prepared::new(handle) }) else {
        return Err(Answer::Refused(Refusal::range("The supplied SQL string contains no statements")));
    };
    // SAFETY: the tail points into the text; a second statement is compiled only to see whether there is one.
    unsafe {
        let mut second = ptr::null_mut();
        let rc = sqlite::sqlite3_prepare_v2(guard.raw(), tail, -1, &mut second, ptr::null_mut());
        if Prepared::new(second).is_some() || rc != sqlite::SQLITE_OK {
            return Err(Answer::Refused(Refusal::range("The supplied SQL string contains more than one statement")));
        }
    }
    // SAFETY: the statement is live and this thread's; the parameters outlive it.
    unsafe {
        let columns = sqlite::sqlite3_column_count(statement.raw());
        if columns == 0 {
            return Err(Answer::Refused(Refusal::of_type("This statement does not return data. Use run() instead")));
        }
        if sqlite::sqlite3_stmt_readonly(statement.raw()) == 0 {
            return Err(Answer::Refused(Refusal::of_type("readAsync() only reads: this statement writes")));
        }
        params.bind(statement.raw()).map_err(Answer::Refused)?;
        let mut out = None;
        loop {
            match sqlite::sqlite3_step(statement.raw()) {
                sqlite::SQLITE_ROW => {}
                sqlite::SQLITE_DONE => break,
                rc => return Err(Answer::Failed(guard.fail(rc))),
            }
            // The names are asked when a row is there: the first step may compile the statement anew.
            let out = out.get_or_insert_with(|| encoder(&statement));
            for column in 0..sqlite::sqlite3_column_count(statement.raw()) {
                out.push(cell(&statement, column));
            }
        }
        Ok(out.unwrap_or_else(|| encoder(&statement)))
    }
}

fn encoder(statement: &Prepared) -> Encoder {
    // SAFETY: live; names are copied at once.
    let names: Vec<_> = unsafe {
        (0..sqlite::sqlite3_column_count(statement.raw()))
            .map(|column| CStr::from_ptr(sqlite::sqlite3_column_name(statement.raw(), column)).to_bytes())
            .collect()
    };
    Encoder::new(names)
}

fn cell(statement: &Prepared, column: c_int) -> Cell<'_> {
    let raw = statement.raw();
    // SAFETY: the statement stands on a row; text and blob live until the next step and are copied before it.
    unsafe {
        let bytes = |pointer: *const u8| {
            let size = sqlite::sqlite3_column_bytes(raw, column) as usize;
            if pointer.is_null() { &[][..] } else { std::slice::from_raw_parts(pointer, size) }
        };
        match sqlite::sqlite3_column_type(raw, column) {
            sqlite::SQLITE_INTEGER => Cell::Int(sqlite::sqlite3_column_int64(raw, column)),
            sqlite::SQLITE_FLOAT => Cell::Float(sqlite::sqlite3_column_double(raw, column)),
            sqlite::SQLITE_TEXT => Cell::Text(bytes(sqlite::sqlite3_column_text(raw, column))),
            sqlite::SQLITE_BLOB => Cell::Blob(bytes(sqlite::sqlite3_column_blob(raw, column).cast())),
            _ => Cell::Null,
        }
    }
}
