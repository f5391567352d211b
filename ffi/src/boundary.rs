//! Where Rust's errors and panics become codes and error objects. No panic crosses the ABI.

use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::{Arc, Mutex};

use litekeel_core::{Connection, Error, Options, codes};

use crate::arguments::null;
use crate::handles::{get, insert, not_a_handle};
use crate::objects::Object;
use crate::types::{keel_db, keel_error, keel_options};

/// Runs the body; on failure stores an error object through `err` when the caller wants one.
pub(crate) fn run(err: *mut *mut keel_error, body: impl FnOnce() -> Result<i32, Error>) -> i32 {
    let body = || {
        #[cfg(feature = "panic-injection")]
        injected::strike();
        body()
    };
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::new(codes::PANIC, format!("litekeel panicked: {what}")))
    });
    let (code, object) = match result {
        Ok(code) => (code, std::ptr::null_mut()),
        Err(error) => {
            (error.code(), if err.is_null() { std::ptr::null_mut() } else { insert(Object::error(&error)).cast() })
        }
    };
    if !err.is_null() {
        // SAFETY: the header asks for NULL or a valid place to store a pointer.
        unsafe { err.write(object) };
    }
    code
}

/// Runs the body of a function that reports no errors; a panic in it gives `otherwise`.
pub(crate) fn value<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    let body = || {
        #[cfg(feature = "panic-injection")]
        injected::strike();
        body()
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// The connection of a token; in a forked child KEEL_E_FORKED, whatever the call.
pub(crate) fn connection_of(db: *mut keel_db) -> Result<Arc<Connection>, Error> {
    match get(db.cast()) {
        Some(Object::Db(connection) | Object::Loan(connection)) => connection.check_process().map(|()| connection),
        Some(Object::Pooled(used)) => used.check_process().map(|()| used.connection().clone()),
        #[cfg(feature = "remote")]
        Some(Object::Remote(_)) => {
            Err(Error::new(codes::REMOTE_UNSUPPORTED, "this call is not applicable to the database of a libSQL server"))
        }
        _ => Err(not_a_handle("connection")),
    }
}

/// The database of a token, if it is a libSQL server's.
#[cfg(feature = "remote")]
pub(crate) fn remote_of(db: *mut keel_db) -> Option<Arc<litekeel_remote::Remote>> {
    match get(db.cast()) {
        Some(Object::Remote(remote)) => Some(remote),
        _ => None,
    }
}

/// The options of a token.
pub(crate) fn options_of(options: *const keel_options) -> Result<Arc<Mutex<Options>>, Error> {
    match get(options.cast()) {
        Some(Object::Options(options)) => Ok(options),
        _ => Err(not_a_handle("options object")),
    }
}

/// What the options of a token say now; NULL says nothing.
pub(crate) fn options_or_none(options: *const keel_options) -> Result<Options, Error> {
    if options.is_null() {
        return Ok(Options::new());
    }
    Ok(options_of(options)?.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
}

/// # Safety
/// `out` is NULL or writable.
pub(crate) unsafe fn store<T>(out: *mut *mut T, make: impl FnOnce() -> Result<Object, Error>) -> Result<i32, Error> {
    if out.is_null() {
        return Err(null("out"));
    }
    // SAFETY: writable by the caller's promise; NULL stays there when it fails.
    unsafe { out.write(std::ptr::null_mut()) };
    let object = make()?;
    // SAFETY: as above.
    unsafe { out.write(insert(object).cast()) };
    Ok(0)
}

/// For the test that no panic crosses the boundary.
#[cfg(feature = "panic-injection")]
pub mod injected {
    use std::cell::Cell;

    thread_local!(static ARMED: Cell<bool> = const { Cell::new(false) });

    /// Makes this thread's next call into the library panic.
    pub fn arm() {
        ARMED.set(true);
    }

    /// Whether no call has panicked since [`arm`]; disarms.
    pub fn disarm() -> bool {
        ARMED.replace(false)
    }

    pub(super) fn strike() {
        if ARMED.replace(false) {
            panic!("injected");
        }
    }
}
