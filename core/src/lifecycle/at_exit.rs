//! The end of the process: closing what was left open, and saying so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lifecycle::initialize;
use crate::registry;

/// How long the end of the process waits for a call that still uses a connection.
const PATIENCE: Duration = Duration::from_millis(250);

/// Registers the handler, once.
pub(crate) fn arm() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    // No `Once`: a fork in the middle of it would leave the child waiting for a thread that it does not have.
    if !ARMED.swap(true, Ordering::AcqRel) {
        // SAFETY: `at_exit` is a static function; the library is linked so that it is never unloaded.
        unsafe { libc::atexit(at_exit) };
    }
}

extern "C" fn at_exit() {
    // A child that forked without exec inherits the handler, but nothing in the registry is its own.
    if initialize::forked() {
        return;
    }
    let failed = std::panic::catch_unwind(close_everything).unwrap_or(false);
    if failed {
        // The status of `exit` can no longer be changed in a handler, only replaced.
        // SAFETY: flushing all streams and ending the process is allowed here.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(1);
        }
    }
}

/// Closes what is open, last opened first; returns whether a strict connection leaked.
fn close_everything() -> bool {
    let mut failed = registry::strict_drops() > 0;
    for (handle, strict, connection) in registry::live() {
        // An entry whose connection is being dropped on another thread is that thread's to close.
        let Some(connection) = connection.upgrade() else { continue };
        failed |= strict;
        let outcome = if connection.close_at_exit(PATIENCE) { "closed now" } else { "in use, left as it is" };
        eprintln!("litekeel: a connection was open at exit ({outcome}): {}", handle.describe());
        // Its drop would warn a second time.
        std::mem::forget(connection);
    }
    failed
}
