//! Where Rust's errors and panics become codes and error objects. No panic crosses the ABI.

use std::panic::{AssertUnwindSafe, catch_unwind};

use litekeel_core::{Error, codes};

use crate::error::keel_error;
use crate::handles::{Object, give};

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
            (error.code(), if err.is_null() { std::ptr::null_mut() } else { give(Object::error(&error)).cast() })
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

/// The error for a NULL where a pointer is needed.
pub(crate) fn null(what: &str) -> Error {
    Error::new(codes::ARGUMENT, format!("{what} is NULL"))
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
