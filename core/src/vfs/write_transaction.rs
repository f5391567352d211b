//! A write transaction of a connection: whether it may begin, and what follows its commit.

use crate::error::codes;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::{replicated, wal_guard};

/// SQLite's code for refusing a write transaction that begins; `None` to let it.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(super) unsafe fn refuses(watch: &FileMonitor) -> Option<i32> {
    if watch.is_due() {
        wal_guard::glance(watch);
    }
    let code = match watch.latched() {
        // SAFETY: the caller's promise.
        None if unsafe { is_full(watch) } => codes::WAL_FULL,
        None => {
            watch.forget_refusal();
            return None;
        }
        Some(code) => code,
    };
    Some(watch.refuse(code))
}

/// Whether the log has grown to more than what the settings allow.
unsafe fn is_full(watch: &FileMonitor) -> bool {
    let Some(care) = watch.care().filter(|care| care.policy.refuse && care.policy.wal_max > 0) else { return false };
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }) else { return false };
    let full = index.backfilled < index.frames && index.bytes(index.frames.into()) > care.policy.wal_max * 4;
    if full {
        // Nobody commits any more: it has to find out by itself when the reader is gone.
        care.keeper.hurry();
    }
    full
}

/// The connection has given back its read lock. After a commit, nothing of it is in the way of a checkpoint now.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(super) unsafe fn ended(watch: &FileMonitor) {
    if !watch.take_committed() {
        return;
    }
    // SAFETY: the caller's promise.
    let index = unsafe { watch.index() };
    if watch.file.replicated.is_known() {
        index.iter().for_each(|index| replicated::committed(watch, index));
    } else if let (Some(care), Some(index)) = (watch.care(), index) {
        care.keeper.committed(&care.policy, &index);
    }
}
