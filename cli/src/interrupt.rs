//! Ctrl-C ends a command in an orderly way: the loops ask, and close what they have open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use litekeel_core::Connection;

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn ask(_: libc::c_int) {
    // A second one ends the process at once: whoever presses it again means it.
    if ASKED.swap(true, Ordering::Relaxed) {
        // SAFETY: async-signal-safe.
        unsafe { libc::_exit(130) };
    }
}

/// Takes SIGINT and SIGTERM from now on.
pub fn install() {
    let handler: extern "C" fn(libc::c_int) = ask;
    // SAFETY: the handler only touches an atomic and `_exit`. Without SA_RESTART a sleep ends early.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        for signal in [libc::SIGINT, libc::SIGTERM] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// Whether to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Works on a connection; Ctrl-C makes its running statement fail. `meanwhile` hears every now and then for how long it
/// has been going on.
pub fn ends<T>(db: &Connection, mut meanwhile: impl FnMut(Duration) + Send, work: impl FnOnce() -> T) -> T {
    let (done, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if asked() {
                    db.interrupt();
                }
                meanwhile(began.elapsed());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        // A panic must not leave the other thread waiting for the end.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sleeps, and returns early, with `false`, when asked to stop.
pub fn sleep(time: Duration) -> bool {
    // `std::thread::sleep` goes on sleeping after a signal, so it sleeps in short pieces.
    let until = Instant::now() + time;
    while !asked() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
    false
}
