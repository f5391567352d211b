//! What a test may turn off for the whole process, so that it shows what happens without it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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

/// What [`keep_read_locks_carelessly`] was told.
pub(super) const NOT_FIRM: u32 = 1;
pub(super) const FIRM_OVER_FORKS: u32 = 2;
pub(super) const FOR_LONG: u32 = 4;
pub(super) const BESIDE_CHECKPOINTS: u32 = 8;
pub(super) const NEVER_TAKEN_AWAY: u32 = 16;
pub(super) const AFTER_EVERY_READ: u32 = 32;
static CARELESS: AtomicU32 = AtomicU32::new(0);

/// Leaves out a part of what makes keeping a read lock safe, so that a test can show what happens without it: the sum of
/// 1 (no firm lock beside it), 2 (the firm lock stays one over a fork), 4 (it is kept for 10 ms, whatever the reads
/// before it and the log are like), 8 (beside another process's checkpoint, too), 16 (nobody but its reader gives it back),
/// and 32 (it is kept after every read, for as long as at most).
///
/// # Safety
/// Reads may go wrong.
#[doc(hidden)]
pub unsafe fn keep_read_locks_carelessly(how: u32) {
    CARELESS.store(how, Ordering::Release);
}

pub(super) fn careless(how: u32) -> bool {
    CARELESS.load(Ordering::Relaxed) & how != 0
}
