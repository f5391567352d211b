//! SQLite's failure of a statement, as a list for JavaScript.

use litekeel_core::{Guard, sqlite, take_descriptor_fault};
use napi::sys;

use crate::js::value;

/// A statement's failure, of this text where it is known: as [`object::failure`](crate::js::object::failure) lists it when the core's connection is held, else `[code, message]`.
pub(crate) fn statement_failure(
    env: sys::napi_env,
    db: *mut sqlite::sqlite3,
    guard: Option<&Guard<'_>>,
    rc: i32,
    sql: Option<&[u8]>,
) -> sys::napi_value {
    // SAFETY: the connection is open during the call; the message is copied.
    unsafe {
        let (code, message) = litekeel_core::sqlite_error(db, rc);
        match guard {
            Some(guard) => crate::js::object::failure(env, &guard.fail_in(code, sql)),
            None => {
                // SQLite's message cannot say what the descriptors' VFS found.
                let fault = if code == sqlite::SQLITE_CANTOPEN { take_descriptor_fault(db) } else { None };
                let message = fault.unwrap_or(&message);
                crate::js::object::list(
                    env,
                    &[value::number(env, f64::from(code)), value::string(env, message.as_bytes())],
                )
            }
        }
    }
}
