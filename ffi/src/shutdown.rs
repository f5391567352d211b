//! The end of the process: closing on a signal, and what was left open.

use std::time::Duration;

use litekeel_core::{Error, SHUTDOWN_GRACE, assert_no_leaks, codes, open_handles, shutdown_on};

use crate::arguments::null;
use crate::boundary::run;
use crate::types::keel_error;

/// From now on each of these signals closes every connection before it takes its usual effect. `signals`, `count`:
/// SIGTERM, SIGINT…; `grace_ms`: how long write transactions may take to end before they are rolled back, in
/// milliseconds; -1: 5000.
///
/// New transactions are refused (KEEL_E_SHUTTING_DOWN) and readers interrupted. Only then does the signal take its
/// effect: it ends the process with the signal's status (the first process of a container too), or the handler that was
/// installed before is called, and ending the process is left to it. What the program does after the signal, in a
/// handler, `finally` or hook, comes too late for the database: every call is refused with KEEL_E_SHUTTING_DOWN. A
/// server that wants to finish its requests first handles the signal and closes by itself; it does not call this.
///
/// A handler that is installed later has the signal for itself; if it calls the one that it found, it goes on when all is
/// closed. A second signal ends the waiting for writers, a third one the process. `exit` meanwhile waits until all is
/// closed. An ignored signal stays ignored. A forked child calls this for itself; until then signals have their usual
/// effect there. Finish or close your own statements on SQLite's handle first: nothing here knows who uses them.
/// docs/closing.md has every host and way out. KEEL_E_ARGUMENT for a signal that cannot be caught.
///
/// # Safety
/// `signals` is NULL or readable for `count`; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_shutdown_on(
    signals: *const i32,
    count: usize,
    grace_ms: i64,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        if signals.is_null() {
            return Err(null("signals"));
        }
        if count > 64 {
            return Err(Error::new(codes::ARGUMENT, format!("{count} signals are more than there are")));
        }
        let grace = match grace_ms {
            -1 => SHUTDOWN_GRACE,
            0.. => Duration::from_millis(grace_ms as u64),
            other => return Err(Error::new(codes::ARGUMENT, format!("{other} ms is not a time to wait"))),
        };
        // SAFETY: readable by the caller's promise.
        shutdown_on(unsafe { std::slice::from_raw_parts(signals, count) }, grace)?;
        Ok(0)
    })
}

/// How many connections are open in this process, those of other hosts of the library included.
#[unsafe(no_mangle)]
pub extern "C" fn keel_open_handles() -> usize {
    let mut open = 0;
    run(std::ptr::null_mut(), || {
        open = open_handles().len();
        Ok(0)
    });
    open
}

/// KEEL_E_LEAK when a connection of this process is open, or one with profile=test was dropped without being closed.
/// The message names each, where it was opened (option "opened_at") and for how long it has been open.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_assert_no_leaks(err: *mut *mut keel_error) -> i32 {
    run(err, || assert_no_leaks().map(|()| 0))
}
