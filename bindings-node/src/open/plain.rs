//! Connections as better-sqlite3 opens them: untuned.

use std::ffi::{CStr, CString, OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use litekeel_core::Announced;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token_value::connection_token;
use crate::js::value;
use crate::open::MAX_LENGTH;

native_exports! {
    c"openDatabase" => open,
    c"inTransaction" => in_transaction,
    c"interrupt" => interrupt,
    held {
        c"setDefensive" => set_defensive,
    }
}

/// `(path, readonly, mustExist, timeoutMs, openedAt)` → token, or `[code, message]`
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let path = call.text(0)?;
    let flags = match (call.flag(1), call.flag(2)) {
        (true, _) => sqlite::SQLITE_OPEN_READONLY,
        (false, true) => sqlite::SQLITE_OPEN_READWRITE,
        (false, false) => sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE,
    };
    // A database belongs to one JavaScript thread: SQLite's own mutex would only cost. As in better-sqlite3, URIs
    // are names of files unless the environment asks for them.
    let uri = if std::env::var_os("SQLITE_USE_URI").is_some_and(|on| on == "1") { sqlite::SQLITE_OPEN_URI } else { 0 };
    let keeps_read_lock = match litekeel_core::keeps_read_locks_by_default() {
        Ok(keeps) => keeps,
        Err(error) => {
            let why = CString::new(format!("{}: {}", error.message(), error.hint())).unwrap_or_default();
            return Some(call.failure(sqlite::SQLITE_MISUSE, &why));
        }
    };
    let mut db = ptr::null_mut();
    // SAFETY: `db` is closed on failure and handed to the token otherwise.
    unsafe {
        let rc =
            sqlite::sqlite3_open_v2(path.as_ptr(), &mut db, flags | uri | sqlite::SQLITE_OPEN_NOMUTEX, ptr::null());
        if rc != sqlite::SQLITE_OK {
            let failure = if db.is_null() {
                call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))
            } else {
                call.outcome(rc, db)
            };
            sqlite::sqlite3_close(db);
            return Some(failure);
        }
        sqlite::sqlite3_extended_result_codes(db, 1);
        sqlite::sqlite3_busy_timeout(db, call.int(3));
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_LENGTH, MAX_LENGTH);
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_SQL_LENGTH, MAX_LENGTH);
        defensive(db, true);
        litekeel_core::keep_read_lock(db, keeps_read_lock);
        let announced = announce(call, db, 4);
        connection_token(&call.environment(), db, None, Some(announced))
    }
}

/// Lists a connection among the open ones, with the place in the program that stands in the argument `at`.
///
/// # Safety
/// `db` is open.
pub(super) unsafe fn announce(call: &Call, db: *mut sqlite::sqlite3, at: usize) -> Announced {
    // SAFETY: open (caller); the name is SQLite's, absolute, empty for a database in memory, and copied.
    let path = unsafe {
        let name = sqlite::sqlite3_db_filename(db, c"main".as_ptr());
        if name.is_null() { &[] } else { CStr::from_ptr(name).to_bytes() }
    };
    let path = (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(path)));
    let opened_at = value::utf8(call.env, call.args[at]).unwrap_or_default();
    Announced::new(path, String::from_utf8_lossy(&opened_at).into_owned())
}

/// # Safety
/// `db` is open.
unsafe fn defensive(db: *mut sqlite::sqlite3, on: bool) {
    let no_answer = ptr::null_mut::<c_int>();
    // SAFETY: the variadic arguments of this switch are an int and a pointer that may be null.
    unsafe { sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_DEFENSIVE, c_int::from(on), no_answer) };
}

/// `(token, on)`
unsafe fn set_defensive(call: &Call) -> Option<sys::napi_value> {
    // SAFETY: the token says that the connection is open.
    unsafe { defensive(call.connection()?, call.flag(1)) };
    None
}

/// `(token)` → boolean; false when closed
unsafe fn in_transaction(call: &Call) -> Option<sys::napi_value> {
    let token = call.token()?;
    let (mut inside, mut out) = (false, ptr::null_mut());
    // Held: another owner's transaction, in the middle of its call, is none of ours; and a shutdown closes from its thread.
    token.with_teardown_lock(|| {
        // SAFETY: not null means open.
        inside = !token.db().is_null() && unsafe { sqlite::sqlite3_get_autocommit(token.db()) } == 0
    });
    // SAFETY: writes a handle of the running call.
    unsafe { sys::napi_get_boolean(call.env, inside, &mut out) };
    Some(out)
}

/// `(token)`: makes the running statement fail.
unsafe fn interrupt(call: &Call) -> Option<sys::napi_value> {
    let token = call.open_token()?;
    match token.core() {
        // Which knows whether a shutdown has closed it.
        Some(connection) => connection.interrupt(),
        // SAFETY: open, and this thread's alone.
        None => unsafe { sqlite::sqlite3_interrupt(token.db()) },
    }
    None
}
