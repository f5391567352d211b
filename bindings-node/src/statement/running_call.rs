//! One call on a statement: its statement found, its connection held, its failures and panics told.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use litekeel_core::Guard;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::buffer::environment;
use crate::buffer::layout::field;
use crate::connection::Environment;
use crate::connection::token::Token;
use crate::js::scope;
use crate::js::value;

/// One running call on a statement.
pub(super) struct Statement<'a> {
    pub(super) environment: &'a Environment,
    pub(super) info: sys::napi_callback_info,
    pub(super) number: usize,
    pub(super) handle: *mut sqlite::sqlite3_stmt,
    pub(super) token: &'a Token,
    pub(super) guard: Option<&'a Guard<'a>>,
}

impl Statement<'_> {
    pub(super) fn db(&self) -> *mut sqlite::sqlite3 {
        self.token.db()
    }

    /// Whether JavaScript threw in a callback: then nothing else is to be reported.
    pub(super) fn thrown(&self) -> bool {
        self.token.may_call_js.get() && scope::exception_pending(self.environment.env)
    }

    /// Reports SQLite's failure; to be called before anything else is asked of the connection.
    #[cold]
    pub(super) fn fail(&self, rc: i32) {
        self.environment.fail(self.failure(rc));
    }

    /// SQLite's failure, as JavaScript is told of it.
    #[cold]
    pub(super) fn failure(&self, rc: i32) -> sys::napi_value {
        // SAFETY: a live statement's own text, which lives as long.
        let sql = unsafe { CStr::from_ptr(sqlite::sqlite3_sql(self.handle)) };
        let sql = Some(sql.to_bytes());
        crate::js::failure::statement_failure(self.environment.env, self.db(), self.guard, rc, sql)
    }
}

pub(super) type Body = unsafe fn(&Statement<'_>) -> sys::napi_value;

/// The shell of a packed function: finds the statement, holds its connection, catches panics.
#[inline(always)]
pub(super) unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, body: Body) -> sys::napi_value {
    // SAFETY: called by N-API.
    let environment = unsafe { environment::of(env, info) };
    let number = environment.buffer.get(field::STATEMENT) as usize;
    // Only what is needed, in registers: copying a slot takes longer than all the rest here.
    let (handle, token) = environment.owner(number);
    if handle.is_null() {
        value::throw_type(env, "The database connection is not open");
        return ptr::null_mut();
    }
    // SAFETY: a slot's token is alive: it empties its slots before it goes. The count keeps it so during the call.
    let token = unsafe {
        Rc::increment_strong_count(token);
        Rc::from_raw(token)
    };
    guarded(environment, || {
        token.with_guard(|guard| {
            // SAFETY: the slot's handle is live, and stays so: giving up waits for the end of the call.
            let writes = || unsafe { rusqlite::ffi::sqlite3_stmt_readonly(handle) } == 0;
            // Another thread that asks who holds the lock is told this statement. A reader's note would cost each lookup a
            // tenth, and stands in no writer's way.
            // SAFETY: as above.
            let _execution = guard.filter(|_| writes()).map(|guard| unsafe { guard.executing(handle) });
            // SAFETY: as above.
            unsafe { body(&Statement { environment, info, number, handle, token: &token, guard }) }
        })
    })
}

/// Runs `body`; a failure to get the connection and a panic become what the caller understands.
#[inline(always)]
pub(super) fn guarded(
    environment: &Environment,
    body: impl FnOnce() -> litekeel_core::Result<sys::napi_value>,
) -> sys::napi_value {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(out)) => out,
        Ok(Err(error)) => {
            environment.fail(crate::js::object::failure(environment.env, &error));
            ptr::null_mut()
        }
        Err(_) => {
            value::throw_type(environment.env, "litekeel: internal error (panic) in the native module");
            ptr::null_mut()
        }
    }
}
