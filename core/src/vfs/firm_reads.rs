//! Locks on the bytes of the read marks that belong to SQLite's open `-shm` instead of the process (OFD locks), held beside a
//! read lock that is kept: something in this process that opens and closes the `-shm` drops the process's own locks, and
//! nobody hears of it. SQLite itself takes its lock anew for each read; what is kept must not be worth less.
//!
//! One connection's never stands in another's way: it is taken while the connection has SQLite's shared lock of the slot, and
//! given back before that one is, so that whoever wants the slot exclusively is refused by SQLite's books first.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// The slot of one connection's firm lock.
pub(crate) struct FirmRead(Arc<AtomicI32>);

const NONE: c_int = -1;

impl FirmRead {
    pub(crate) fn new() -> FirmRead {
        FirmRead(Arc::new(AtomicI32::new(NONE)))
    }

    /// Whether the slot's byte is firmly locked for this connection.
    pub(crate) fn is_at(&self, slot: c_int) -> bool {
        self.0.load(Ordering::SeqCst) == slot
    }

    pub(crate) fn is_held(&self) -> bool {
        !self.is_at(NONE)
    }
}

/// Those of all connections of the process to one file, which share the open file, and so its locks. Its mutex is not among
/// those of a fork: a forked child does not use its parent's files.
pub(crate) struct FirmReads {
    /// SQLite's one descriptor of the `-shm`, which only means something while a connection uses it; -1: unknown.
    shm: AtomicI32,
    holders: Mutex<Vec<Arc<AtomicI32>>>,
}

/// While it is not 0 nothing is kept: this process forks, or somebody looks who really reads.
static HALTED: AtomicUsize = AtomicUsize::new(0);

/// Whether nothing may be kept at the moment.
pub(super) fn is_halted() -> bool {
    HALTED.load(Ordering::SeqCst) != 0
}

/// From now on nothing is kept, until as many have called [`resume`].
pub(super) fn halt() {
    HALTED.fetch_add(1, Ordering::SeqCst);
}

pub(super) fn resume() {
    HALTED.fetch_sub(1, Ordering::SeqCst);
}

/// In a forked child: what other threads of the parent do has no end here.
pub(super) fn in_child() {
    HALTED.store(0, Ordering::SeqCst);
}

impl Default for FirmReads {
    fn default() -> FirmReads {
        FirmReads { shm: AtomicI32::new(-1), holders: Mutex::default() }
    }
}

impl FirmReads {
    fn holders(&self) -> MutexGuard<'_, Vec<Arc<AtomicI32>>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SQLite has opened the `-shm`.
    pub(crate) fn opened_shm(&self, fd: c_int) {
        self.shm.store(fd, Ordering::Release);
    }

    /// SQLite's descriptor of the `-shm`.
    pub(crate) fn shm(&self) -> Option<c_int> {
        Some(self.shm.load(Ordering::Acquire)).filter(|fd| *fd >= 0)
    }

    /// Whether another process makes a checkpoint.
    pub(super) fn is_checkpointed_by_others(&self) -> bool {
        self.shm().is_some_and(system::is_checkpointed_by_others)
    }

    /// For a connection that has none, and SQLite's lock of the slot: whether it has one now.
    pub(crate) fn take(&self, read: &FirmRead, slot: c_int) -> bool {
        let Some(shm) = self.shm() else { return false };
        let mut holders = self.holders();
        let shared = holders.iter().any(|other| other.load(Ordering::SeqCst) == slot);
        if is_halted() || (!shared && !system::lock_firmly(shm, slot)) {
            return false;
        }
        read.0.store(slot, Ordering::SeqCst);
        holders.push(read.0.clone());
        true
    }

    /// Before SQLite's lock is given back.
    pub(crate) fn give_back(&self, read: &FirmRead) {
        let Some(shm) = self.shm() else { return };
        let mut holders = self.holders();
        let slot = read.0.swap(NONE, Ordering::SeqCst);
        holders.retain(|other| !Arc::ptr_eq(other, &read.0));
        if slot != NONE && !holders.iter().any(|other| other.load(Ordering::SeqCst) == slot) {
            system::unlock_firm(shm, slot);
        }
    }

    /// All of them become the process's own locks again, those of reads that go on too.
    pub(crate) fn soften(&self) {
        let Some(shm) = self.shm() else { return };
        for holder in std::mem::take(&mut *self.holders()) {
            let slot = holder.swap(NONE, Ordering::SeqCst);
            system::lock_again(shm, slot);
            system::unlock_firm(shm, slot);
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) mod system {
    use super::*;
    use crate::raw::lock_bytes::{CHECKPOINT, WRITE};

    fn set(shm: c_int, command: c_int, kind: c_int, slot: c_int) -> bool {
        // SAFETY: plain data; the descriptor is SQLite's own, and open while a connection has the WAL-index mapped. It is not
        // waited for.
        unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            (lock.l_type, lock.l_whence) = (kind as i16, libc::SEEK_SET as i16);
            (lock.l_start, lock.l_len) = (WRITE as i64 + i64::from(slot), 1);
            libc::fcntl(shm, command, &lock) == 0
        }
    }

    /// Whether another process holds the checkpointer's lock.
    pub(crate) fn is_checkpointed_by_others(shm: c_int) -> bool {
        // SAFETY: as in `set`; this one changes the struct alone.
        unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            (lock.l_type, lock.l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
            (lock.l_start, lock.l_len) = (CHECKPOINT as i64, 1);
            libc::fcntl(shm, libc::F_GETLK, &mut lock) == 0 && lock.l_type != libc::F_UNLCK as i16
        }
    }

    /// False also where somebody else has the slot for itself: this process's lock was dropped before.
    pub(crate) fn lock_firmly(shm: c_int, slot: c_int) -> bool {
        set(shm, libc::F_OFD_SETLK, libc::F_RDLCK, slot)
    }

    pub(crate) fn unlock_firm(shm: c_int, slot: c_int) {
        set(shm, libc::F_OFD_SETLK, libc::F_UNLCK, slot);
    }

    /// The process's own lock of a slot that is firmly locked, and so has been nobody else's: where it is there that changes
    /// nothing.
    pub(crate) fn lock_again(shm: c_int, slot: c_int) {
        set(shm, libc::F_SETLK, libc::F_RDLCK, slot);
    }
}

/// Nothing is kept where there are no such locks.
#[cfg(not(target_os = "linux"))]
pub(crate) mod system {
    use super::*;

    pub(crate) fn lock_firmly(_: c_int, _: c_int) -> bool {
        false
    }

    pub(crate) fn is_checkpointed_by_others(_: c_int) -> bool {
        true
    }

    pub(crate) fn unlock_firm(_: c_int, _: c_int) {}

    pub(crate) fn lock_again(_: c_int, _: c_int) {}
}
