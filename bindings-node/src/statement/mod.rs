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
mod running_call;
mod script;
mod sql;
mod step;

use std::ptr;
use std::rc::Rc;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::buffer::environment;
use crate::buffer::layout::{field, status};
use crate::connection::Environment;
use running_call::{Statement, enter, guarded};

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
    if !inside {
        statement.token.kept_keys.transaction_ended();
    }
    statement.environment.buffer.set(field::IN_TRANSACTION, i32::from(inside));
    ptr::null_mut()
}
