//! What a connection can be extended with from JavaScript: functions, aggregates, virtual tables, loadable
//! extensions; and copying a whole database: backup, serialisation.
//!
//! The functions exported here are called by `lib/` only, which has checked every argument and that the connection
//! is open and idle. They take the connection as a token. A failure of SQLite's comes back as
//! `[code, message]`, which `lib/` turns into a `SqliteError`; success is `undefined` or the result.

mod backup;
mod function;
mod image;
mod table;

use std::ffi::{CStr, c_int};
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};

native_exports! {
    c"backupStep" => backup::step,
    c"backupFinish" => backup::finish,
    held {
        c"defineFunction" => define_function,
        c"defineAggregate" => define_aggregate,
        c"defineTable" => define_table,
        c"loadExtension" => load_extension,
        c"serialize" => image::serialize,
        c"deserialize" => image::deserialize,
        c"backupStart" => backup::start,
    }
}

/// SQLite's flags for what `lib/` spells as 1 (deterministic), 2 (direct only) and 4 (innocuous).
fn flags(bits: c_int) -> c_int {
    (if bits & 1 != 0 { sqlite::SQLITE_DETERMINISTIC } else { 0 })
        | (if bits & 2 != 0 { sqlite::SQLITE_DIRECTONLY } else { 0 })
        | (if bits & 4 != 0 { sqlite::SQLITE_INNOCUOUS } else { 0 })
}

/// The connection, which from now on may call JavaScript in the middle of a statement.
fn extend(call: &Call) -> Option<*mut sqlite::sqlite3> {
    let token = call.open_token()?;
    token.may_call_js.set(true);
    Some(token.db())
}

/// `(token, name, arity, safeIntegers, flags, fn)`
unsafe fn define_function(call: &Call) -> Option<sys::napi_value> {
    let db = extend(call)?;
    let definition = function::Definition {
        name: call.text(1)?,
        arity: call.int(2),
        safe_integers: call.flag(3),
        flags: flags(call.int(4)),
        step: call.callback(5)?,
        aggregate: None,
    };
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(function::register(call.env, db, definition), db)) }
}

/// `(token, name, arity, safeIntegers, flags, step, inverse | null, value, drop)`
unsafe fn define_aggregate(call: &Call) -> Option<sys::napi_value> {
    let db = extend(call)?;
    let definition = function::Definition {
        name: call.text(1)?,
        arity: call.int(2),
        safe_integers: call.flag(3),
        flags: flags(call.int(4)),
        step: call.callback(5)?,
        aggregate: Some(function::Aggregate {
            inverse: call.callback(6),
            value: call.callback(7)?,
            drop: call.callback(8)?,
        }),
    };
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(function::register(call.env, db, definition), db)) }
}

/// `(token, name, eponymous, factory)`
unsafe fn define_table(call: &Call) -> Option<sys::napi_value> {
    let db = extend(call)?;
    let (name, factory) = (call.text(1)?, call.callback(3)?);
    // SAFETY: the token says that `db` is open.
    unsafe { Some(call.outcome(table::register(call.env, db, &name, factory, call.flag(2)), db)) }
}

/// `(token, path, entryPoint | undefined)`
unsafe fn load_extension(call: &Call) -> Option<sys::napi_value> {
    let db = extend(call)?;
    let path = call.text(1)?;
    let entry = call.optional_text(2)?;
    let mut message = ptr::null_mut();
    // SAFETY: `db` is open; the message is SQLite's memory, copied and then freed. The C-level switch alone is
    // turned on, so that SQL cannot load extensions.
    unsafe {
        sqlite::sqlite3_db_config(
            db,
            sqlite::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
            1 as c_int,
            ptr::null_mut::<c_int>(),
        );
        let rc = sqlite::sqlite3_load_extension(
            db,
            path.as_ptr(),
            entry.as_ref().map_or(ptr::null(), |entry| entry.as_ptr()),
            &mut message,
        );
        let outcome = if rc == sqlite::SQLITE_OK {
            ptr::null_mut()
        } else if message.is_null() {
            call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc)))
        } else {
            call.failure(rc, CStr::from_ptr(message))
        };
        sqlite::sqlite3_free(message.cast());
        Some(outcome)
    }
}
