//! Locks on the database and its `-shm` that belong to SQLite's open files instead of the process (OFD locks): nothing in this
//! process drops them by closing a descriptor of its own.

#[cfg(target_os = "linux")]
use crate::raw::lock_bytes;
#[cfg(target_os = "linux")]
use crate::vfs::file_checks::{USER, set_lock};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::switches;

/// The last of the bytes that a reader of the database locks one or all of: no other lock of ours has it alone.
#[cfg(target_os = "linux")]
const FIRM: (i64, i64) = (lock_bytes::SHARED_LAST as i64, 1);

/// While the connection uses a WAL: takes locks on the bytes that SQLite has locked for the process. They last when something in
/// it opens and closes the database or its `-shm`, which drops the others: another process then still does not take itself for
/// the only one, does not remove the WAL and does not empty the `-shm`. A system without them does without.
///
/// They may only be held while the connection has the WAL-index mapped.
pub(crate) fn hold_firmly(watch: &FileMonitor) {
    if watch.is_ours() && !switches::is_guard_off() && !switches::are_firm_locks_off() {
        set(watch, Firm::Taken, true);
    }
}

/// Gives them back, before SQLite's own exclusive lock, in whose way they would stand. `shm`: on the `-shm` too, which all
/// connections of the process share. In a forked child they are the parent's.
pub(crate) fn let_go(watch: &FileMonitor, shm: bool) {
    if watch.is_ours() {
        set(watch, Firm::GivenBack, shm);
    }
}

#[derive(Clone, Copy)]
enum Firm {
    Taken,
    GivenBack,
}

#[cfg(target_os = "linux")]
fn set(watch: &FileMonitor, firm: Firm, shm: bool) {
    let Some(database) = watch.descriptor() else { return };
    let kind = match firm {
        Firm::Taken => libc::F_RDLCK,
        Firm::GivenBack => libc::F_UNLCK,
    };
    let _ = set_lock(database, libc::F_OFD_SETLK, kind, FIRM);
    if let Some(shm) = watch.file.shm_descriptor().filter(|_| shm && watch.has_wal()) {
        let _ = set_lock(shm, libc::F_OFD_SETLK, kind, USER);
    }
}

#[cfg(not(target_os = "linux"))]
fn set(_: &FileMonitor, _: Firm, _: bool) {}
