//! SQLite values to JavaScript and back, for callbacks that SQLite makes into JavaScript.

use std::ffi::{CString, c_int};
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use super::bytes::bytes;

/// How a failed callback names its origin: `prefix` + "an invalid value".
pub(crate) struct Origin<'a>(pub(crate) &'a str);

/// JavaScript's `undefined`.
pub(crate) fn undefined(env: sys::napi_env) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_get_undefined(env, &mut value) };
    value
}

/// A JavaScript string from UTF-8; invalid bytes become U+FFFD.
pub(crate) fn string(env: sys::napi_env, text: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: pointer and length come from one slice.
    unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len() as isize, &mut value) };
    value
}

/// A JavaScript number.
pub(crate) fn number(env: sys::napi_env, number: f64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_create_double(env, number, &mut value) };
    value
}

/// The JavaScript form of a protected SQLite value; null pointer if JavaScript refuses (out of memory, terminating).
///
/// # Safety
/// `value` is an argument of the callback that is running.
pub(crate) unsafe fn to_js(
    env: sys::napi_env,
    value: *mut sqlite::sqlite3_value,
    safe_integers: bool,
) -> sys::napi_value {
    let mut out = ptr::null_mut();
    // SAFETY: the accessors are called on a protected value (caller); text and blob pointers stay valid until the
    // next conversion of that value, and their lengths are asked after the pointer, as SQLite requires.
    unsafe {
        match sqlite::sqlite3_value_type(value) {
            sqlite::SQLITE_INTEGER if safe_integers => {
                sys::napi_create_bigint_int64(env, sqlite::sqlite3_value_int64(value), &mut out);
            }
            sqlite::SQLITE_INTEGER | sqlite::SQLITE_FLOAT => {
                sys::napi_create_double(env, sqlite::sqlite3_value_double(value), &mut out);
            }
            sqlite::SQLITE_TEXT => {
                let text = sqlite::sqlite3_value_text(value);
                let length = sqlite::sqlite3_value_bytes(value);
                sys::napi_create_string_utf8(env, text.cast(), length as isize, &mut out);
            }
            sqlite::SQLITE_BLOB => {
                let blob = sqlite::sqlite3_value_blob(value);
                let length = sqlite::sqlite3_value_bytes(value) as usize;
                sys::napi_create_buffer_copy(env, length, blob, ptr::null_mut(), &mut out);
            }
            _ => {
                sys::napi_get_null(env, &mut out);
            }
        }
    }
    out
}

/// All arguments of a callback after `leading` ones; `None` if one could not be made.
///
/// # Safety
/// `argv` holds `argc` arguments of the callback that is running.
pub(crate) unsafe fn arguments(
    env: sys::napi_env,
    leading: Option<sys::napi_value>,
    argc: c_int,
    argv: *mut *mut sqlite::sqlite3_value,
    safe_integers: bool,
) -> Option<Vec<sys::napi_value>> {
    let mut args = Vec::with_capacity(argc as usize + 1);
    args.extend(leading);
    for at in 0..argc as usize {
        // SAFETY: `at` < `argc`.
        let value = unsafe { to_js(env, *argv.add(at), safe_integers) };
        if value.is_null() {
            return None;
        }
        args.push(value);
    }
    Some(args)
}

/// The failure that those see who run on another thread; on its own the pending exception goes first.
pub(crate) const ELSEWHERE: &std::ffi::CStr = c"a function of JavaScript's runs in its own thread only";

/// Marks the statement as failed; the JavaScript exception that is pending is what the caller will see.
///
/// # Safety
/// `context` belongs to the callback that is running.
pub(crate) unsafe fn fail(context: *mut sqlite::sqlite3_context) {
    // SAFETY: SQLite copies the text.
    unsafe { sqlite::sqlite3_result_error(context, ELSEWHERE.as_ptr(), -1) }
}

/// Makes `value` the result of the callback. False: an exception naming `origin` is pending.
///
/// # Safety
/// `context` belongs to the callback that is running.
pub(crate) unsafe fn set_result(
    env: sys::napi_env,
    context: *mut sqlite::sqlite3_context,
    value: sys::napi_value,
    origin: &Origin<'_>,
) -> bool {
    let mut kind = 0;
    // SAFETY: every call reads a handle of the open scope into a local; SQLite copies text and blobs (TRANSIENT).
    unsafe {
        if sys::napi_typeof(env, value, &mut kind) != sys::Status::napi_ok {
            return false;
        }
        match kind {
            sys::ValueType::napi_undefined | sys::ValueType::napi_null => sqlite::sqlite3_result_null(context),
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                sys::napi_get_value_double(env, value, &mut number);
                sqlite::sqlite3_result_double(context, number);
            }
            sys::ValueType::napi_bigint => {
                let (mut number, mut lossless) = (0, false);
                sys::napi_get_value_bigint_int64(env, value, &mut number, &mut lossless);
                if !lossless {
                    throw_range(env, &format!("{} a bigint that was too big", origin.0));
                    return false;
                }
                sqlite::sqlite3_result_int64(context, number);
            }
            sys::ValueType::napi_string => {
                let Some(text) = utf8(env, value) else { return false };
                sqlite::sqlite3_result_text64(
                    context,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    sqlite::SQLITE_TRANSIENT(),
                    sqlite::SQLITE_UTF8 as u8,
                );
            }
            _ => match bytes(env, value) {
                Some(blob) => {
                    let data = blob.as_ptr().cast();
                    sqlite::sqlite3_result_blob64(context, data, blob.len() as u64, sqlite::SQLITE_TRANSIENT());
                }
                None => {
                    throw_type(env, &format!("{} an invalid value", origin.0));
                    return false;
                }
            },
        }
    }
    true
}

/// The UTF-8 of a JavaScript string (lone surrogates become U+FFFD).
pub(crate) fn utf8(env: sys::napi_env, value: sys::napi_value) -> Option<Vec<u8>> {
    let mut length = 0;
    // SAFETY: asks for the length only; anything but a string is an error status.
    if unsafe { sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut length) } != sys::Status::napi_ok {
        return None;
    }
    let mut text = vec![0u8; length + 1];
    // SAFETY: the buffer has room for the text and the terminating NUL that N-API writes.
    let status =
        unsafe { sys::napi_get_value_string_utf8(env, value, text.as_mut_ptr().cast(), text.len(), &mut length) };
    text.truncate(length);
    (status == sys::Status::napi_ok).then_some(text)
}

/// A JavaScript string for SQLite's NUL-terminated parameters; none with a NUL in it, which would name something else.
pub(crate) fn c_string(env: sys::napi_env, value: sys::napi_value) -> Option<CString> {
    CString::new(utf8(env, value)?).ok()
}

/// Throws a TypeError.
pub(crate) fn throw_type(env: sys::napi_env, message: &str) {
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: N-API copies the text.
    unsafe { sys::napi_throw_type_error(env, ptr::null(), message.as_ptr()) };
}

/// Throws a RangeError.
pub(crate) fn throw_range(env: sys::napi_env, message: &str) {
    let message = CString::new(message.replace('\0', "")).unwrap_or_default();
    // SAFETY: N-API copies the text.
    unsafe { sys::napi_throw_range_error(env, ptr::null(), message.as_ptr()) };
}
