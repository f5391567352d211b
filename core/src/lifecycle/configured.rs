//! Whether SQLite has been configured in this process, and whose process it is.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::platform::fork::ForkMutex;

/// Held while SQLite is configured; a lock instead of a `OnceLock`, which a fork could leave half-done in the child.
pub(super) static CONFIGURING: ForkMutex<()> = ForkMutex::new(());
static STATE: AtomicU8 = AtomicU8::new(NEW);
const NEW: u8 = 0;
const REFUSED: u8 = 1;
const ACCEPTED: u8 = 2;

/// The process that uses this library: the first one, or a child forked from it.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Whether SQLite has been configured, or has refused to be.
pub(super) fn is_done() -> bool {
    STATE.load(Ordering::Acquire) != NEW
}

/// Whether SQLite has accepted the configuration.
pub(super) fn is_accepted() -> bool {
    STATE.load(Ordering::Acquire) == ACCEPTED
}

/// Notes that this process uses the library. Before [`done`].
pub(super) fn owned() {
    OWNER.store(std::process::id(), Ordering::Relaxed);
}

/// Notes how the configuration went.
pub(super) fn done(accepted: bool) {
    STATE.store(if accepted { ACCEPTED } else { REFUSED }, Ordering::Release);
}

/// In a forked child, which may go on from here: none of the parent's connections is its own, but those are that it opens.
pub(super) fn in_child() {
    if is_done() {
        owned();
    }
}

/// Whether this process was made from one that uses this library without running the fork handlers (`vfork`, a raw
/// `clone`): nothing here can tell what is its own then. Compares process ids.
pub(super) fn forked() -> bool {
    OWNER.load(Ordering::Relaxed) != std::process::id()
}
