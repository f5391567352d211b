//! The end of the process: closing what was left open, and saying so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lifecycle::configured;
use crate::lifecycle::shutdown::{self, AtExit};
use crate::platform::standard_error;
use crate::registry;
use crate::registry::under_way;

/// How long the end of the process waits for a call that still uses a connection.
const PATIENCE: Duration = Duration::from_millis(250);

#[cfg(target_os = "linux")]
unsafe extern "C" {
    /// Of the C library; not among the `libc` crate's.
    fn at_quick_exit(function: extern "C" fn()) -> std::ffi::c_int;
}

/// How long closings on other threads are waited for.
const OTHERS: Duration = Duration::from_secs(10);

/// Registers the handler, once.
pub(crate) fn arm() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    // No `Once`: a fork in the middle of it would leave the child waiting for a thread that it does not have.
    if !ARMED.swap(true, Ordering::AcqRel) {
        // SAFETY: `at_exit` is a static function; the library is linked so that it is never unloaded.
        unsafe {
            libc::atexit(at_exit);
            // Bun ends by `quick_exit`, which calls none of the others.
            #[cfg(target_os = "linux")]
            at_quick_exit(at_exit);
        }
    }
}

/// The process is in its exit handlers.
static EXITING: AtomicBool = AtomicBool::new(false);

/// Whether the process closes what is left because it ends.
pub(crate) fn begun() -> bool {
    EXITING.load(Ordering::Relaxed)
}

extern "C" fn at_exit() {
    // A child that was made without the fork handlers inherits this one, but nothing in the registry is its own.
    if configured::forked() {
        return;
    }
    EXITING.store(true, Ordering::Relaxed);
    let shutdown = shutdown::wait_at_exit();
    let failed = std::panic::catch_unwind(|| close_everything(shutdown == AtExit::NotBegun)).unwrap_or(false);
    if shutdown == AtExit::Stuck {
        shutdown::end_at_exit();
    }
    if failed {
        // The status of `exit` can no longer be changed in a handler, only replaced.
        // SAFETY: flushing all streams and ending the process is allowed here.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(1);
        }
    }
}

/// Closes what is open, last opened first; returns whether a strict connection leaked. `tell`: that something was open is
/// worth a line; it is not where the program has asked that a signal close everything.
fn close_everything(tell: bool) -> bool {
    let mut failed = registry::strict_drops() > 0;
    for (handle, strict, connection) in registry::live() {
        // An entry whose connection is being dropped on another thread is that thread's to close.
        let Some(connection) = connection.upgrade() else { continue };
        failed |= strict && tell;
        let closed = connection.close_at_exit(PATIENCE);
        if tell {
            let outcome = if closed { "closed now" } else { "in use, left as it is" };
            let status = if strict { " (profile=test: exit status 1)" } else { "" };
            standard_error::line(&format!("a connection was open at exit ({outcome}): {}{status}", handle.describe()));
        }
        // Its drop would warn a second time.
        std::mem::forget(connection);
    }
    // The end of a worker's thread may be closing right now.
    under_way::wait_for_others(OTHERS);
    failed
}
