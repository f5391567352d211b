//! What a connection's file is doing, as its [`shim`](crate::vfs::shim) hears it: which locks the connection holds, when it
//! commits, and whether it may go on writing.
//!
//! Everything here is read by other threads too, and costs a transaction a few atomic stores.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::connection::health;
use crate::error::codes;
use crate::events::Subscribers;
use crate::platform::clock::now_ms;
use crate::platform::file_id::FileId;
use crate::platform::fork;
use crate::platform::path_facts::beside;
use crate::sqlite;
use crate::vfs::open_files;
use crate::vfs::wal_index::{READERS, WalIndex};
use crate::wal::checkpointer;
use crate::wal::checkpointer::File;

/// Slots of the WAL's locks: the writer, the checkpointer, the first of the readers.
pub(crate) const WRITER: i32 = 0;
pub(crate) const CHECKPOINTER: i32 = 1;
pub(crate) const FIRST_READER: i32 = 3;
/// The exclusive locks stand above the shared ones in the mask.
const EXCLUSIVE: u32 = 8;

/// How often a write transaction looks whether its files are still the ones on disk, in milliseconds.
const LOOK_EVERY: u64 = 1000;

/// What is done for the connection's WAL beside SQLite's own checkpoints. Known when open is done.
pub(crate) struct Care {
    /// Checkpoints are left to the background thread.
    pub background: bool,
    /// Checkpoint and empty the WAL after a while without commits.
    pub idle: bool,
    /// `wal_autocheckpoint`, in pages.
    pub pages: i64,
    /// The cap in bytes; 0: none.
    pub wal_max: i64,
    /// At four times the cap, write transactions are refused.
    pub refuse: bool,
    /// The file's place in the background thread.
    pub file: Arc<File>,
}

impl Care {
    /// Whether SQLite's own checkpoint at a commit is left to the background thread: always, when that is asked for;
    /// else only a backlog that a reader has let grow, which one commit would have to move all of.
    pub(crate) fn leaves(&self, index: &WalIndex) -> bool {
        let backlog = i64::from(index.frames) - i64::from(index.backfilled);
        self.pages > 0 && if self.background { i64::from(index.frames) >= self.pages } else { backlog > 2 * self.pages }
    }
}

/// The state of one connection's database file.
pub(crate) struct Watch {
    pub path: PathBuf,
    /// The file that was opened.
    pub database: FileId,
    pub subscribers: Arc<Subscribers>,
    care: OnceLock<Care>,
    /// The connection is being closed, and nothing more is done for its WAL.
    left: AtomicBool,
    generation: u32,
    /// The WAL's locks: bit n is slot n shared, bit n + 8 exclusive.
    locks: AtomicU32,
    /// The level of the lock on the database file (`SQLITE_LOCK_*`).
    level: AtomicI32,
    /// When the read transaction began, in milliseconds of [`now`].
    reading_since: AtomicU64,
    /// SQLite's mapping of the WAL-index; null while there is none.
    map: AtomicPtr<u8>,
    /// The inodes of the `-wal` and `-shm` in use; 0: unknown.
    wal: AtomicU64,
    shm: AtomicU64,
    committed: AtomicBool,
    /// The next attempt to checkpoint is SQLite's own at this commit, and the background thread's to make.
    leave_checkpoint: AtomicBool,
    looked_at: AtomicU64,
    /// The code of what makes this connection unfit to write; 0: nothing.
    latch: AtomicI32,
    /// The code with which the latest write transaction was refused; 0: none was.
    refused: AtomicI32,
}

impl Watch {
    pub(crate) fn new(path: PathBuf, database: FileId) -> Watch {
        Watch {
            path,
            database,
            subscribers: Arc::default(),
            care: OnceLock::new(),
            left: AtomicBool::new(false),
            generation: fork::generation(),
            locks: AtomicU32::new(0),
            level: AtomicI32::new(0),
            reading_since: AtomicU64::new(0),
            map: AtomicPtr::new(std::ptr::null_mut()),
            wal: AtomicU64::new(0),
            shm: AtomicU64::new(0),
            committed: AtomicBool::new(false),
            leave_checkpoint: AtomicBool::new(false),
            looked_at: AtomicU64::new(0),
            latch: AtomicI32::new(0),
            refused: AtomicI32::new(0),
        }
    }

    pub(crate) fn take_care(&self, care: Care) {
        // Once for a connection: open is done once.
        let _ = self.care.set(care);
    }

    pub(crate) fn care(&self) -> Option<&Care> {
        self.care.get().filter(|_| !self.left.load(Ordering::Acquire))
    }

    /// Ends the care: from now on SQLite's checkpoints are its own again.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.asks_for_checkpoint();
    }

    /// Whether this process is the one that opened the connection.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// The WAL's read lock that the connection holds, and for how long.
    pub(crate) fn reading(&self) -> Option<(usize, Duration)> {
        let locks = self.locks.load(Ordering::Acquire);
        let slot = (0..READERS).find(|slot| locks & (1 << (FIRST_READER as usize + slot)) != 0)?;
        Some((slot, Duration::from_millis(now_ms().saturating_sub(self.reading_since.load(Ordering::Relaxed)))))
    }

    /// Whether the connection holds the WAL's write lock.
    pub(crate) fn is_writing(&self) -> bool {
        self.locks.load(Ordering::Acquire) & (1 << (WRITER as u32 + EXCLUSIVE)) != 0
    }

    /// Whether the connection uses a WAL in shared memory.
    pub(crate) fn has_wal(&self) -> bool {
        !self.map.load(Ordering::Acquire).is_null()
    }

    /// The level of its lock on the database file.
    pub(crate) fn level(&self) -> i32 {
        self.level.load(Ordering::Acquire)
    }

    /// The inodes of the `-wal` and the `-shm` in use, as far as known.
    pub(crate) fn files(&self) -> (Option<u64>, Option<u64>) {
        let known = |ino: &AtomicU64| Some(ino.load(Ordering::Acquire)).filter(|ino| *ino != 0);
        (known(&self.wal), known(&self.shm))
    }

    /// The WAL-index, for the thread that is inside the connection.
    ///
    /// # Safety
    /// The connection is not unmapping it meanwhile: this thread is in a call of SQLite's on it, or has it locked.
    pub(crate) unsafe fn index(&self) -> Option<WalIndex> {
        let map = self.map.load(Ordering::Acquire);
        // SAFETY: the mapping of the first region, which lives until `detached`.
        if map.is_null() { None } else { unsafe { WalIndex::read(map) } }
    }

    /// SQLite has mapped the WAL-index.
    pub(crate) fn attached(&self, map: *mut u8) {
        let known = |suffix| {
            let ino = std::fs::metadata(beside(&self.path, suffix)).map_or(0, |meta| meta.ino());
            // Another file may have taken the name in the meantime.
            if open_files::owns(&[ino]) { ino } else { 0 }
        };
        self.wal.store(known("-wal"), Ordering::Release);
        self.shm.store(known("-shm"), Ordering::Release);
        self.map.store(map, Ordering::Release);
    }

    /// SQLite gives the WAL-index up.
    pub(crate) fn detached(&self) {
        self.map.store(std::ptr::null_mut(), Ordering::Release);
        self.wal.store(0, Ordering::Release);
        self.shm.store(0, Ordering::Release);
        self.locks.store(0, Ordering::Release);
    }

    pub(crate) fn file_locked(&self, level: i32) {
        self.level.store(level, Ordering::Release);
    }

    pub(crate) fn wal_locked(&self, slot: i32, slots: i32, exclusive: bool) {
        let mask = ((1 << slots) - 1) << (slot as u32 + if exclusive { EXCLUSIVE } else { 0 });
        self.locks.fetch_or(mask, Ordering::AcqRel);
        if !exclusive && slot >= FIRST_READER {
            self.reading_since.store(now_ms(), Ordering::Relaxed);
        }
    }

    pub(crate) fn wal_unlocked(&self, slot: i32, slots: i32, exclusive: bool) {
        let mask: u32 = ((1 << slots) - 1) << (slot as u32 + if exclusive { EXCLUSIVE } else { 0 });
        self.locks.fetch_and(!mask, Ordering::AcqRel);
    }

    /// A transaction of this connection has been committed; its locks are still to be given back.
    ///
    /// # Safety
    /// As for [`index`](Watch::index).
    pub(crate) unsafe fn commits(&self) {
        let Some(care) = self.care() else { return };
        self.committed.store(true, Ordering::Release);
        // SAFETY: the caller's promise.
        if let Some(index) = unsafe { self.index() } {
            self.leave_checkpoint.store(care.leaves(&index), Ordering::Release);
        }
    }

    /// The connection has given back its read lock. After a commit, nothing of it is in the way of a checkpoint now.
    ///
    /// # Safety
    /// As for [`index`](Watch::index).
    pub(crate) unsafe fn released(&self) {
        if !self.committed.swap(false, Ordering::AcqRel) {
            return;
        }
        // SAFETY: the caller's promise.
        if let (Some(care), Some(index)) = (self.care(), unsafe { self.index() }) {
            checkpointer::committed(care, &index);
        }
    }

    /// Whether the attempt to checkpoint that is being made is SQLite's own, which is left to the background thread.
    pub(crate) fn leaves_checkpoint(&self) -> bool {
        self.leave_checkpoint.swap(false, Ordering::AcqRel)
    }

    /// A checkpoint was asked for by name: it is not left to anybody.
    pub(crate) fn asks_for_checkpoint(&self) {
        self.leave_checkpoint.store(false, Ordering::Release);
    }

    /// Whether the connection holds a read lock of the WAL: what asks for the write lock then is a transaction, and not a
    /// recovery or a checkpoint.
    pub(crate) fn is_transaction(&self) -> bool {
        self.locks.load(Ordering::Acquire) & (0b1_1111 << FIRST_READER) != 0
    }

    /// SQLite's code for refusing a write transaction that begins; `None` to let it.
    ///
    /// # Safety
    /// As for [`index`](Watch::index).
    pub(crate) unsafe fn refuses(&self) -> Option<i32> {
        let time = now_ms();
        if time.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= LOOK_EVERY {
            self.looked_at.store(time, Ordering::Relaxed);
            health::glance_at_files(self);
        }
        let code = match self.latch.load(Ordering::Acquire) {
            // SAFETY: the caller's promise.
            0 if unsafe { self.is_full() } => codes::WAL_FULL,
            0 => {
                // A refusal that nobody asked about is not the cause of what fails from now on.
                self.refused.store(0, Ordering::Release);
                return None;
            }
            code => code,
        };
        self.refused.store(code, Ordering::Release);
        Some(match code {
            codes::WAL_FULL => sqlite::SQLITE_FULL,
            codes::LOCKS_LOST => sqlite::SQLITE_READONLY_CANTLOCK,
            _ => sqlite::SQLITE_READONLY_DBMOVED,
        })
    }

    unsafe fn is_full(&self) -> bool {
        let Some(care) = self.care().filter(|care| care.refuse && care.wal_max > 0) else { return false };
        // SAFETY: the caller's promise.
        let Some(index) = (unsafe { self.index() }) else { return false };
        let full = index.backfilled < index.frames && index.bytes(index.frames.into()) > care.wal_max * 4;
        if full {
            // Nobody commits any more: it has to find out by itself when the reader is gone.
            care.file.hurry();
        }
        full
    }

    /// Makes every write transaction from now on fail. The first cause stays.
    pub(crate) fn latch(&self, code: i32) -> bool {
        self.latch.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(crate) fn latched(&self) -> Option<i32> {
        Some(self.latch.load(Ordering::Acquire)).filter(|code| *code != 0)
    }

    /// The code with which the latest write transaction was refused; told once.
    pub(crate) fn take_refused(&self) -> Option<i32> {
        Some(self.refused.swap(0, Ordering::AcqRel)).filter(|code| *code != 0)
    }
}
