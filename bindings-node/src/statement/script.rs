//! `exec`: every statement of a script in one call.

use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::compile::{Failure, compile};
use super::kind::Kind;
use super::sql::{SqlCall, with_sql};
use crate::buffer::layout::{field, status};
use crate::js::scope;

/// `(token, sql)`: `field::STATUS`; `field::STALE` when statements that are kept may be out of date.
pub(super) unsafe extern "C" fn shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let run = |&SqlCall { environment, token, sql, .. }: &SqlCall<'_>| {
        let mut stale = false;
        token.with_guard(|guard| {
            let mut from = Some(0);
            let (mut failed, mut at) = (Failure::Sqlite(sqlite::SQLITE_OK), 0);
            while let Some(start) = from {
                at = start;
                // SAFETY: the connection is open; each statement is finalised in its round.
                unsafe {
                    let statement = match compile(env, token, sql, start, 0) {
                        Ok(Some(statement)) => statement,
                        Ok(None) => break,
                        Err(failure) => {
                            failed = failure;
                            break;
                        }
                    };
                    stale |= statement.kind == Kind::Schema;
                    while sqlite::sqlite3_step(statement.statement.raw()) == sqlite::SQLITE_ROW {}
                    failed = Failure::Sqlite(statement.statement.finalize());
                    from = statement.next;
                }
                if !failed.is_none() || (token.may_call_js.get() && scope::exception_pending(env)) {
                    break;
                }
            }
            environment.buffer.set(field::STATUS, status::DONE);
            environment.buffer.set(field::FAILURE, -1);
            if !failed.is_none() && !scope::exception_pending(env) {
                environment.fail(failed.listed(env, token, guard, sql.get(at..)));
            }
            // Failing may have rolled a transaction back.
            environment.buffer.set(field::STALE, i32::from(stale || !failed.is_none()));
            ptr::null_mut()
        })
    };
    // SAFETY: called by N-API.
    unsafe { with_sql(env, info, run) }
}
