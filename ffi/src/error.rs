//! The error object: owned by the caller, readable from any thread; every accessor takes NULL.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use litekeel_core::ForkMutex;
use litekeel_core::codes;
use litekeel_core::sqlite_name;

use crate::boundary::{run, store, value};
use crate::handles::{get, not_a_handle, remove};
use crate::objects::{ErrorTexts, Object, Rows};
use crate::reports::holders;
use crate::types::{keel_error, keel_rows};

fn texts(error: *const keel_error) -> Option<Arc<ErrorTexts>> {
    value(None, || match get(error.cast()) {
        Some(Object::Error(texts)) => Some(texts),
        _ => None,
    })
}

static NAMES: ForkMutex<BTreeMap<i32, &'static CStr>> = ForkMutex::new(BTreeMap::new());

/// The name of a code of ours or of SQLite's; `SQLITE_UNKNOWN` for a code without one.
fn name(value: i32) -> &'static CStr {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(Ordering::Acquire) && !WATCHED.swap(true, Ordering::AcqRel) {
        litekeel_core::hold_over_forks(&NAMES);
    }
    let text = codes::lookup(value).map(|row| row.name).or_else(|| sqlite_name(value));
    let Some(text) = text else { return c"SQLITE_UNKNOWN" };
    // One small allocation for each code ever named, kept for the life of the process: callers get a static text.
    let leak = || &*Box::leak(CString::new(text).unwrap_or_default().into_boxed_c_str());
    NAMES.lock().entry(value).or_insert_with(leak)
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

/// The code's name: "SQLITE_BUSY", "KEEL_UNKNOWN_PARAM". Static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_name(error: *const keel_error) -> *const c_char {
    keel_code_name(keel_error_code(error))
}

/// The name of any code, SQLite's or litekeel's; "SQLITE_UNKNOWN" for a number that is neither. Static.
#[unsafe(no_mangle)]
pub extern "C" fn keel_code_name(code: i32) -> *const c_char {
    value(c"SQLITE_UNKNOWN".as_ptr(), || name(code).as_ptr())
}

/// What happened, to which file or value, and why. NUL-terminated, never NULL ("" for NULL); valid until the error is
/// freed. It may name a path, a process and its command: for your log, not for a stranger. `length` may be NULL; it
/// gets the length in bytes.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_message(error: *const keel_error, length: *mut usize) -> *const c_char {
    // SAFETY: the caller's promise. The text lives in the error object, which the token keeps.
    unsafe { text(texts(error).as_deref().map(|texts| &*texts.message), length) }
}

/// What to do; "" if there is nothing better to say. Valid until the error is freed. `length` may be NULL; it gets
/// the length in bytes.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_hint(error: *const keel_error, length: *mut usize) -> *const c_char {
    // SAFETY: as for the message.
    unsafe { text(texts(error).as_deref().map(|texts| &*texts.hint), length) }
}

/// The absolute path that the error is about; "" if it is about none. Valid until the error is freed. `length` may be
/// NULL; it gets the length in bytes.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_path(error: *const keel_error, length: *mut usize) -> *const c_char {
    // SAFETY: as for the message.
    unsafe { text(texts(error).as_deref().map(|texts| &*texts.path), length) }
}

/// The step of open, backup or close that failed: "target", "journal_mode", "verify" and so on; "" for every other
/// call. Valid until the error is freed.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_step(error: *const keel_error) -> *const c_char {
    texts(error).map_or(c"".as_ptr(), |texts| texts.step.as_ptr())
}

/// Why a lock could not be taken: "timeout", "upgrade", "recovery", "wal_conversion", "close_in_progress" or
/// "own_async_transaction"; "" for an error that is not about a lock. Valid until the error is freed.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_kind(error: *const keel_error) -> *const c_char {
    texts(error).map_or(c"".as_ptr(), |texts| texts.kind.as_ptr())
}

/// How long the call waited for the lock, in milliseconds; -1 for an error that is not about a lock.
#[unsafe(no_mangle)]
pub extern "C" fn keel_error_waited(error: *const keel_error) -> i64 {
    texts(error).and_then(|texts| texts.error.busy().map(|busy| busy.waited.as_millis() as i64)).unwrap_or(-1)
}

/// Who held the lock: `out` gets packed rows of pid, role, state, command, since (milliseconds or NULL), sql and
/// opened_at (both NULL for another process). No rows when nobody was found. KEEL_E_HANDLE for NULL.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_error_holders(
    error: *const keel_error,
    out: *mut *mut keel_rows,
    err: *mut *mut keel_error,
) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe {
        store(out, || {
            let texts = texts(error).ok_or_else(|| not_a_handle("error object"))?;
            Ok(Rows::whole(holders(texts.error.busy().map_or(&[][..], |busy| &busy.holders))))
        })
    })
}

/// The byte in the SQL or URL where the error is, or -1.
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
    value((), || drop(remove(error.cast(), |object| matches!(object, Object::Error(_)))));
}
