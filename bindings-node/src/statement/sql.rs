//! The SQL that a call brings.

use std::ffi::CStr;
use std::ptr;
use std::rc::Rc;

use napi::sys;

use super::running_call::guarded;
use crate::buffer::environment;
use crate::buffer::layout::field;
use crate::connection::Environment;
use crate::connection::call::Call;
use crate::connection::token::Token;
use crate::js::value;

/// A call of `(token, sql, …)`: the open connection, and the text with a NUL at its end.
pub(super) struct SqlCall<'a> {
    pub(super) environment: &'a Environment,
    pub(super) call: &'a Call,
    pub(super) token: &'a Rc<Token>,
    pub(super) sql: &'a [u8],
}

/// Runs `body` with what the call brings; throws where that is no open connection or no text.
///
/// # Safety
/// Called by N-API with a live environment.
pub(super) unsafe fn with_sql(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&SqlCall<'_>) -> litekeel_core::Result<sys::napi_value>,
) -> sys::napi_value {
    // SAFETY: the caller's promise.
    let environment = unsafe { environment::of(env, info) };
    guarded(environment, || {
        // SAFETY: the arguments of the running call.
        let call = unsafe { Call::of(env, info) };
        let Some(token) = call.open_token() else { return Ok(ptr::null_mut()) };
        let mut sql = environment.take_scratch();
        let outcome = if read_sql(&call, environment, &mut sql) {
            body(&SqlCall { environment, call: &call, token: &token, sql: &sql })
        } else {
            Ok(ptr::null_mut())
        };
        environment.return_scratch(sql);
        outcome
    })
}

/// The SQL of argument 1 with a NUL after it; what follows a NUL of its own is dropped, as SQLite would.
fn read_sql(call: &Call, environment: &Environment, sql: &mut Vec<u8>) -> bool {
    let room = environment.buffer.get(field::SCRATCH).max(0) as usize + 1;
    sql.clear();
    sql.reserve(room);
    let mut length = 0;
    // SAFETY: `room` bytes are reserved; N-API writes a NUL after the text.
    let status =
        unsafe { sys::napi_get_value_string_utf8(call.env, call.args[1], sql.as_mut_ptr().cast(), room, &mut length) };
    if status != sys::Status::napi_ok {
        value::throw_type(call.env, "Expected a string");
        return false;
    }
    // SAFETY: written by N-API.
    unsafe { sql.set_len(length + 1) };
    let end = CStr::from_bytes_until_nul(sql).map_or(length, CStr::count_bytes);
    sql.truncate(end);
    sql.push(0);
    true
}
