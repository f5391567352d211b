//! One connection for several hosts of this process: tokens as BigInt, given to FFI and taken from it.

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use litekeel_ffi::token_exchange;
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::{Call, native_exports};
use crate::connection::token::Attachment;
use crate::connection::token_value::connection_token;
use crate::js::object;
use crate::js::value;

native_exports! {
    c"lendHandle" => lend,
    c"retainHandle" => retain,
    c"adoptHandle" => adopt,
    c"openAssistant" => assistant,
    c"markAsynchronous" => mark_asynchronous,
    c"busyTimeoutPragma" => busy_timeout_pragma,
}

/// A token that others use until the connection closes.
struct Loan(Cell<u64>);

impl Attachment for Loan {
    fn release(&self) {
        token_exchange::end_loan(self.0.replace(0));
    }
}

fn bigint(call: &Call, token: u64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: writes a handle of the running call.
    unsafe { sys::napi_create_bigint_uint64(call.env, token, &mut value) };
    value
}

/// `(token)` → BigInt; borrowed, the same for each connection
unsafe fn lend(call: &Call) -> Option<sys::napi_value> {
    let core = call.core()?;
    let token = call.token()?;
    // Its receiver may retain it, and another owner in this very thread have functions and hooks on it.
    token.may_call_js.set(true);
    // Nor do we know what it keeps on the handle, and for how long.
    core.guard_objects(false);
    let number = token_exchange::lend(&core);
    token.attach(Rc::new(Loan(Cell::new(number))));
    Some(bigint(call, number))
}

/// `(token)` → BigInt, owned by its receiver, or an error
unsafe fn retain(call: &Call) -> Option<sys::napi_value> {
    let core = call.core()?;
    call.token()?.may_call_js.set(true);
    Some(match token_exchange::retain(&core) {
        Ok(number) => bigint(call, number),
        Err(error) => object::failure(call.env, &error),
    })
}

/// `(BigInt)` → what `openTuned` gives, or an error
unsafe fn adopt(call: &Call) -> Option<sys::napi_value> {
    let (mut number, mut lossless) = (0, false);
    // SAFETY: anything but a BigInt leaves the locals as they are.
    unsafe { sys::napi_get_value_bigint_uint64(call.env, call.args[0], &mut number, &mut lossless) };
    match token_exchange::share(if lossless { number } else { 0 }) {
        Ok(connection) => hand_over(call, connection),
        Err(error) => Some(object::failure(call.env, &error)),
    }
}

/// `(token, label, queryOnly)` → what `openTuned` gives, or an error: a connection that works for this one
unsafe fn assistant(call: &Call) -> Option<sys::napi_value> {
    let core = call.core()?;
    let label = call.text(1)?;
    let may = if call.flag(2) { litekeel_core::Assistant::Reads } else { litekeel_core::Assistant::Writes };
    match core.assistant(&label.to_string_lossy(), may) {
        Ok(connection) => hand_over(call, connection),
        Err(error) => Some(object::failure(call.env, &error)),
    }
}

fn hand_over(call: &Call, connection: std::sync::Arc<litekeel_core::Connection>) -> Option<sys::napi_value> {
    let db = match connection.lock() {
        Ok(guard) => guard.raw(),
        Err(error) => return Some(object::failure(call.env, &error)),
    };
    let report = crate::open::tuned::report(call, &connection);
    let shared = value::number(call.env, f64::from(u8::from(connection.is_shared())));
    // SAFETY: open; the token closes it through the core.
    unsafe {
        let readonly = value::number(call.env, f64::from(sqlite::sqlite3_db_readonly(db, c"main".as_ptr())));
        let token = connection_token(&call.environment(), db, Some(connection), None)?;
        Some(call.list(&[token, readonly, report, shared]))
    }
}

/// `(token, on)`: its transaction goes on while this thread does something else, which must not wait for it.
unsafe fn mark_asynchronous(call: &Call) -> Option<sys::napi_value> {
    call.core()?.set_async_transaction(call.flag(1));
    None
}

/// `(token, sql)` → the timeout in milliseconds if that is what the pragma is about, else undefined; or an error
unsafe fn busy_timeout_pragma(call: &Call) -> Option<sys::napi_value> {
    let core = call.core()?;
    let sql = call.text(1)?;
    let answer = core.lock().and_then(|guard| {
        let answer = guard.busy_timeout_pragma(&sql.to_string_lossy());
        if let (Err(_), Some(timeout)) = (&answer, guard.busy_timeout()) {
            // SQLite may have compiled the text already, and taken what it did not understand for 0.
            guard.set_busy_timeout(timeout.as_millis() as u32);
        }
        answer
    });
    match answer {
        Ok(timeout) => timeout.map(|ms| value::number(call.env, f64::from(ms))),
        Err(error) => Some(object::failure(call.env, &error)),
    }
}
