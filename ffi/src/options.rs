//! Options: the same names, texts and checks as the URL's query.

use std::ffi::{CString, c_char};
use std::sync::{Arc, OnceLock};

use litekeel_core::Options;

use crate::arguments::{null, utf8};
use crate::boundary::options_of;
use crate::boundary::{run, value};
use crate::handles::{insert, remove};
use crate::objects::Object;
use crate::types::{keel_error, keel_options};

/// Makes an empty set of options: `out` gets it; free it with keel_options_free.
///
/// # Safety
/// `out` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_options_new(out: *mut *mut keel_options) -> i32 {
    run(std::ptr::null_mut(), || {
        if out.is_null() {
            return Err(null("out"));
        }
        // SAFETY: writable by the caller's promise.
        unsafe { out.write(insert(Object::Options(Arc::default())).cast()) };
        Ok(0)
    })
}

/// Sets an option: `key` "busy_timeout", `text` "10s". The keys are the settings of the URL and a few that only a
/// call can have; keel_options_name lists them. KEEL_E_UNKNOWN_PARAM, KEEL_E_INVALID_VALUE.
///
/// # Safety
/// `key` and `text` are NULL or readable for their lengths; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_options_set(
    options: *mut keel_options,
    key: *const c_char,
    key_len: usize,
    text: *const c_char,
    text_len: usize,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        let options = options_of(options)?;
        // SAFETY: the caller's promises.
        let (key, text) = unsafe { (utf8(key, key_len, "key")?, utf8(text, text_len, "value")?) };
        options.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).set(key, text)?;
        Ok(0)
    })
}

fn texts() -> &'static [(CString, CString)] {
    static TEXTS: OnceLock<Vec<(CString, CString)>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        Options::keys().map(|(name, help)| (text(name), text(help))).collect()
    })
}

/// The name of the option with this number, counted from 0; NULL past the last. Static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_options_name(index: usize) -> *const c_char {
    value(std::ptr::null(), || texts().get(index).map_or(std::ptr::null(), |pair| pair.0.as_ptr()))
}

/// One line of help for the option with this number; NULL past the last. Static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_options_help(index: usize) -> *const c_char {
    value(std::ptr::null(), || texts().get(index).map_or(std::ptr::null(), |pair| pair.1.as_ptr()))
}

/// Frees options; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keel_options_free(options: *mut keel_options) {
    value((), || drop(remove(options.cast(), |object| matches!(object, Object::Options(_)))));
}
