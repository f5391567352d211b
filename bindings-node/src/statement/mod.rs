//! The hot path: statements compiled, bound, stepped and read through one buffer per environment.
//!
//! The functions exported here are called by `lib/` only. They find the statement by the number that the caller wrote
//! into the buffer and take no arguments but the values that do not fit there; what they give back is in the buffer, in
//! strings that hold the texts of some cells each, and in a list for whatever has to be a value of its own.
//!
//! JavaScript that SQLite calls in the middle of a statement may use another connection, and with it this buffer. So
//! connections that can call JavaScript copy what they bind, and collect rows aside until the call ends.

mod bind;
mod compile;
pub(crate) mod kind;
mod script;
mod step;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use litekeel_core::Guard;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::buffer::environment;
use crate::buffer::layout::{field, status};
use crate::connection::Environment;
use crate::connection::token::Token;
use crate::js::scope;
use crate::js::value;

/// One running call on a statement.
struct Statement<'a> {
    environment: &'a Environment,
    info: sys::napi_callback_info,
    number: usize,
    handle: *mut sqlite::sqlite3_stmt,
    token: &'a Token,
    guard: Option<&'a Guard<'a>>,
}

impl Statement<'_> {
    fn db(&self) -> *mut sqlite::sqlite3 {
        self.token.db()
    }

    /// Whether JavaScript threw in a callback: then nothing else is to be reported.
    fn thrown(&self) -> bool {
        self.token.may_call_js.get() && scope::exception_pending(self.environment.env)
    }

    /// Reports SQLite's failure; to be called before anything else is asked of the connection.
    #[cold]
    fn fail(&self, rc: i32) {
        let failure = crate::js::failure::statement_failure(self.environment.env, self.db(), self.guard, rc);
        self.environment.fail(failure);
    }
}

type Body = unsafe fn(&Statement<'_>) -> sys::napi_value;

/// The shell of a packed function: finds the statement, holds its connection, catches panics.
#[inline(always)]
unsafe fn enter(env: sys::napi_env, info: sys::napi_callback_info, body: Body) -> sys::napi_value {
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
fn guarded(
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

macro_rules! packed_exports {
    ($($name:literal => $body:path),+ $(,)?) => {
        unsafe fn register_statement_calls(environment: &Environment, exports: sys::napi_value) {
            $({
                unsafe extern "C" fn shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
                    // SAFETY: called by N-API with a live environment.
                    unsafe { enter(env, info, $body) }
                }
                environment.export(exports, $name, shell);
            })+
        }
    };
}

packed_exports! {
    c"bindValues" => bind_values,
    c"getRow" => step::get,
    c"allRows" => step::all,
    c"nextRows" => step::next,
    c"allValues" => step::values,
    c"runStatement" => step::run,
    c"control" => step::control,
    c"resetStatement" => reset,
    c"transactionState" => transaction_state,
    c"parameterNames" => compile::parameter_names,
    c"columnsOf" => compile::columns,
    c"expandedSql" => compile::expanded,
}

/// Adds the functions, the buffer and the list of extras to the addon's exports.
///
/// # Safety
/// Called once, with the exports of the addon that `environment` belongs to.
pub(crate) unsafe fn register(environment: &Environment, exports: sys::napi_value) {
    // SAFETY: the caller's promise.
    unsafe {
        register_statement_calls(environment, exports);
        environment.export(exports, c"receiveTexts", receive_texts_shell);
        environment.export(exports, c"compile", compile::shell);
        environment.export(exports, c"finalizeStatement", finalize_shell);
        environment.export(exports, c"execScript", script::shell);
    }
}

/// Binds what is in the buffer, to stay.
unsafe fn bind_values(statement: &Statement<'_>) -> sys::napi_value {
    // SAFETY: the statement is live.
    match unsafe { bind::bind(statement, bind::Needed::Later) } {
        Ok(_) => statement.environment.buffer.set(field::STATUS, status::DONE),
        Err(rc) => statement.environment.unbound(rc),
    }
    ptr::null_mut()
}

/// Ends the execution; the values stay bound with `flag::KEEP`.
unsafe fn reset(statement: &Statement<'_>) -> sys::napi_value {
    // SAFETY: the statement is live.
    unsafe {
        // Leaving a statement that changes rows before its end commits them, and that can fail.
        let rc = sqlite::sqlite3_reset(statement.handle);
        if rc == sqlite::SQLITE_OK {
            statement.environment.buffer.set(field::STATUS, status::DONE);
        } else if !statement.thrown() {
            statement.fail(rc);
        }
        if !statement.environment.keeps_values() {
            sqlite::sqlite3_clear_bindings(statement.handle);
        }
    }
    ptr::null_mut()
}

/// Takes the function that groups of texts are given to.
unsafe extern "C" fn receive_texts_shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by N-API.
    unsafe {
        let environment: &Environment = environment::of(env, info);
        environment.receive(info);
    }
    ptr::null_mut()
}

/// Finalises the statement `field::STATEMENT` if it is still the one of `field::GENERATION`: the collector may be late.
unsafe extern "C" fn finalize_shell(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called by N-API.
    let environment = unsafe { environment::of(env, info) };
    let number = environment.buffer.get(field::STATEMENT) as usize;
    let generation = environment.buffer.get(field::GENERATION);
    let Some(token) = environment.owner_of(number, generation) else { return ptr::null_mut() };
    // SAFETY: as in `enter`.
    let token = unsafe {
        Rc::increment_strong_count(token);
        Rc::from_raw(token)
    };
    guarded(environment, || {
        if token.is_running() {
            token.finalize_later(number, generation);
            return Ok(ptr::null_mut());
        }
        token.with_guard(|_| {
            environment.finalize(number, generation);
            ptr::null_mut()
        })
    })
}

/// `field::IN_TRANSACTION` of the statement's connection
unsafe fn transaction_state(statement: &Statement<'_>) -> sys::napi_value {
    // SAFETY: open: it has a statement.
    let inside = unsafe { sqlite::sqlite3_get_autocommit(statement.db()) } == 0;
    statement.environment.buffer.set(field::IN_TRANSACTION, i32::from(inside));
    ptr::null_mut()
}
