//! Whether the process is shutting down on a signal, and whether that is done.

use std::sync::atomic::{AtomicBool, Ordering};

use super::errors;
use crate::error::Result;
use crate::events;
use crate::platform::signals;

/// Everything is closed, and the signal has been given its effect, which is a handler of the program's.
static DONE: AtomicBool = AtomicBool::new(false);

/// Whether the process is shutting down: no transaction may begin.
pub(crate) fn has_begun() -> bool {
    signals::arrived()
}

/// # Errors
/// `KEEL_SHUTTING_DOWN`.
pub(crate) fn refuse_if_begun() -> Result<()> {
    if has_begun() {
        return Err(errors::shutting_down());
    }
    Ok(())
}

/// Notes that everything is closed and that the signal has had its effect.
pub(super) fn done() {
    DONE.store(true, Ordering::Release);
}

/// Whether it is.
pub(super) fn is_done() -> bool {
    DONE.load(Ordering::Acquire)
}

/// In a forked child, which has no such thread.
pub(super) fn in_child() {
    DONE.store(false, Ordering::Release);
    events::WATCHED.store(0, Ordering::Release);
    events::TELLING.store(false, Ordering::Release);
    signals::in_child();
}
