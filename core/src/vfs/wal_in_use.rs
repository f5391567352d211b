//! The `-wal` that a connection uses, as SQLite has it open.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use crate::sqlite;

/// What is known of it. Read by other threads too.
pub(crate) struct WalInUse {
    /// 0: unknown.
    ino: AtomicU64,
    /// -1: unknown.
    fd: AtomicI32,
    /// The inode of the one that has just been closed.
    last: AtomicU64,
    /// Null while it is closed.
    object: AtomicPtr<sqlite::sqlite3_file>,
}

impl Default for WalInUse {
    fn default() -> WalInUse {
        WalInUse {
            ino: AtomicU64::new(0),
            fd: AtomicI32::new(-1),
            last: AtomicU64::new(0),
            object: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl WalInUse {
    /// Its inode.
    pub(crate) fn ino(&self) -> Option<u64> {
        Some(self.ino.load(Ordering::Acquire)).filter(|ino| *ino != 0)
    }

    /// SQLite's descriptor of it.
    pub(crate) fn descriptor(&self) -> Option<c_int> {
        Some(self.fd.load(Ordering::Acquire)).filter(|fd| *fd >= 0)
    }

    /// SQLite's object for it.
    pub(super) fn object(&self) -> Option<*mut sqlite::sqlite3_file> {
        Some(self.object.load(Ordering::Acquire)).filter(|file| !file.is_null())
    }

    pub(super) fn set_object(&self, file: *mut sqlite::sqlite3_file) {
        self.object.store(file, Ordering::Release);
    }

    /// The inode of the one that SQLite has closed, and may delete now.
    pub(super) fn last(&self) -> Option<u64> {
        Some(self.last.load(Ordering::Acquire)).filter(|ino| *ino != 0)
    }

    /// SQLite has opened it.
    pub(super) fn opened(&self, fd: c_int, ino: u64) {
        self.last.store(0, Ordering::Release);
        self.fd.store(fd, Ordering::Release);
        self.ino.store(ino, Ordering::Release);
    }

    /// SQLite closes it.
    pub(super) fn closed(&self) {
        self.fd.store(-1, Ordering::Release);
        self.last.store(self.ino.swap(0, Ordering::AcqRel), Ordering::Release);
    }

    /// It is the file with this inode, or is not known.
    pub(super) fn found(&self, ino: Option<u64>) {
        self.ino.store(ino.unwrap_or(0), Ordering::Release);
    }
}
