//! Opening by file descriptor: the core's VFS does it, `lib/` has checked the types.

use std::ffi::{CStr, c_int};
use std::ptr;

use litekeel_core::{open_descriptor, refuse_descriptor};
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token_value::connection_token;
use crate::js::value;
use crate::open::MAX_LENGTH;
use crate::open::plain;

native_exports! {
    c"openDescriptor" => open,
}

/// `(fd, journalFd, readonly, mustExist, timeoutMs, openedAt)` → token, or `[code, message]`
unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let (database, journal, readonly) = (call.int(0), call.int(1), call.flag(2));
    if let Some(why) = refuse_descriptor(database, journal, readonly) {
        value::throw_type(call.env, &why);
        return None;
    }
    let flags = match (readonly, call.flag(3)) {
        (true, _) => sqlite::SQLITE_OPEN_READONLY,
        (false, true) => sqlite::SQLITE_OPEN_READWRITE,
        (false, false) => sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE,
    };
    let mut db = ptr::null_mut();
    // SAFETY: `db` is closed on failure and handed to the token otherwise.
    unsafe {
        let (rc, why) = open_descriptor(database, journal, flags | sqlite::SQLITE_OPEN_NOMUTEX, &mut db);
        if rc != sqlite::SQLITE_OK {
            let code = if db.is_null() { rc } else { litekeel_core::sqlite_error(db, rc).0 };
            let outcome = match why {
                Some(why) => {
                    call.list(&[value::number(call.env, f64::from(code)), value::string(call.env, why.as_bytes())])
                }
                None if db.is_null() => call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc))),
                None => call.outcome(rc, db),
            };
            sqlite::sqlite3_close(db);
            return Some(outcome);
        }
        sqlite::sqlite3_extended_result_codes(db, 1);
        sqlite::sqlite3_busy_timeout(db, call.int(4));
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_LENGTH, MAX_LENGTH);
        sqlite::sqlite3_limit(db, sqlite::SQLITE_LIMIT_SQL_LENGTH, MAX_LENGTH);
        let no_answer = ptr::null_mut::<c_int>();
        sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_DEFENSIVE, 1 as c_int, no_answer);
        let announced = plain::announce(call, db, 5);
        connection_token(&call.environment(), db, None, Some(announced))
    }
}
