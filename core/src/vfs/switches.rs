//! What a test may turn off for the whole process, so that it shows what happens without it.

use std::sync::atomic::{AtomicBool, Ordering};

static GUARD_OFF: AtomicBool = AtomicBool::new(false);
static FIRM_LOCKS_OFF: AtomicBool = AtomicBool::new(false);

/// Turns the rule of [`wal_guard`](crate::vfs::wal_guard) off.
///
/// # Safety
/// Databases that are open may be destroyed.
#[doc(hidden)]
pub unsafe fn turn_wal_guard_off(off: bool) {
    GUARD_OFF.store(off, Ordering::Release);
}

/// Turns the [firm locks](crate::vfs::firm_locks) off, as on a system that has none.
///
/// # Safety
/// As for [`turn_wal_guard_off`].
#[doc(hidden)]
pub unsafe fn turn_firm_locks_off(off: bool) {
    FIRM_LOCKS_OFF.store(off, Ordering::Release);
}

pub(super) fn is_guard_off() -> bool {
    GUARD_OFF.load(Ordering::Acquire)
}

pub(super) fn are_firm_locks_off() -> bool {
    FIRM_LOCKS_OFF.load(Ordering::Acquire)
}
