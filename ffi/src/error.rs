//! The error object: owned by the caller, readable from any thread; every accessor takes NULL.

use std::ffi::{CStr, c_char};
use std::sync::Arc;

use litekeel_core::codes;

use crate::handles::{ErrorTexts, Object, get, take};

/// An error, owned by the caller.
pub struct keel_error(());

fn texts(error: *const keel_error) -> Option<Arc<ErrorTexts>> {
    match get(error.cast()) {
        Some(Object::Error(texts)) => Some(texts),
        _ => None,
    }
}

/// # Safety
/// `length` is NULL or writable.
unsafe fn text(value: Option<&CStr>, length: *mut usize) -> *const c_char {
    let value = value.unwrap_or(c"");
    if !length.is_null() {
        // SAFETY: writable by the caller's promise.
        unsafe { length.write(value.to_bytes().len()) };
    }
    value.as_ptr()
}

/// The code: SQLite's extended result code when positive, one of KEEL_E_* when negative, 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_code(error: *const keel_error) -> i32 {
    texts(error).map_or(0, |texts| texts.error.code())
}

/// The code's name, "SQLITE_BUSY" or "KEEL_UNKNOWN_PARAM"; static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_name(error: *const keel_error) -> *const c_char {
    keel_code_name(keel_error_code(error))
}

/// The name of a code; static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_code_name(code: i32) -> *const c_char {
    codes::name(code).as_ptr()
}

/// What happened, which path or value, and why. Never NULL; NUL-terminated; valid until the error is freed.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_message(error: *const keel_error, length: *mut usize) -> *const c_char {
    // SAFETY: the caller's promise. The text lives in the error object, which the token keeps.
    unsafe { text(texts(error).as_deref().map(|texts| &*texts.message), length) }
}

/// What to do; "" if there is nothing better to say. Valid until the error is freed.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_hint(error: *const keel_error, length: *mut usize) -> *const c_char {
    // SAFETY: as for the message.
    unsafe { text(texts(error).as_deref().map(|texts| &*texts.hint), length) }
}

/// The byte in the SQL or URL, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_offset(error: *const keel_error) -> i32 {
    texts(error).and_then(|texts| texts.error.offset()).unwrap_or(-1)
}

/// The operating system's errno, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_os(error: *const keel_error) -> i32 {
    texts(error).map_or(0, |texts| texts.error.errno())
}

/// Frees an error; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_free(error: *mut keel_error) {
    drop(take(error.cast(), |object| matches!(object, Object::Error(_))));
}
