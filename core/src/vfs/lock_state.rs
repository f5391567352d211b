//! Which of SQLite's locks one connection holds, as its [`shim`](crate::vfs::shim) hears of them. Read by other threads too.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::platform::clock::now_ms;
use crate::raw::lock_bytes::READERS;
use crate::sqlite;

/// Slots of the WAL's locks: the writer, the checkpointer, the first of the readers.
pub(crate) const WRITER: i32 = 0;
pub(crate) const CHECKPOINTER: i32 = 1;
const RECOVERER: i32 = 2;
pub(crate) const FIRST_READER: i32 = 3;
/// The exclusive locks stand above the shared ones in the mask.
const EXCLUSIVE: u32 = 8;

/// How often a write transaction that stays open sees to it that its lock is still there, in milliseconds.
const WRITE_LOCK_EVERY: u64 = 100;

/// What a connection holds of its file: the lock that stands in others' way most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// No lock that anybody waits for. Who uses a WAL always shares the database file.
    Nothing,
    /// The database file is shared, and there is no WAL in shared memory: by a reader, or by who only looks at what is there.
    Shared,
    /// A reader's.
    Read,
    /// That of who reads anew a WAL that a process left behind.
    Recovery,
    /// The checkpointer's.
    Checkpoint,
    /// The writer's, of the WAL or of a rollback journal.
    Write,
    /// The whole file.
    File,
}

/// The locks of one connection on its file, and what is known of it as long as they are held.
#[derive(Default)]
pub(crate) struct LockState {
    /// The WAL's: bit n is slot n shared, bit n + 8 exclusive.
    wal: AtomicU32,
    /// The level of the lock on the database file (`SQLITE_LOCK_*`).
    level: AtomicI32,
    /// The size of the database file and one, as long as nobody may change it; 0: unknown.
    size: AtomicI64,
    /// How often the WAL's write lock was taken.
    write_transactions: AtomicU32,
    /// The reader's slot whose mark has just been moved, and whose byte is still locked exclusively; 0: none.
    moved: AtomicI32,
    /// When the read transaction began, in milliseconds of [`now_ms`].
    reading_since: AtomicU64,
    /// When the WAL's write lock was taken, or last seen to be held; likewise.
    write_lock_seen: AtomicU64,
}

impl LockState {
    /// The WAL's read lock that the connection holds, and for how long.
    #[inline]
    pub(crate) fn reading(&self) -> Option<(usize, Duration)> {
        let locks = self.wal.load(Ordering::Acquire);
        let slot = (0..READERS).find(|slot| locks & (1 << (FIRST_READER as usize + slot)) != 0)?;
        Some((slot, Duration::from_millis(now_ms().saturating_sub(self.reading_since.load(Ordering::Relaxed)))))
    }

    /// Whether the connection holds the WAL's write lock.
    #[inline]
    pub(crate) fn is_writing(&self) -> bool {
        self.wal.load(Ordering::Acquire) & (1 << (WRITER as u32 + EXCLUSIVE)) != 0
    }

    /// Whether the connection holds any lock of the WAL.
    #[inline]
    pub(crate) fn has_any_of_wal(&self) -> bool {
        self.wal.load(Ordering::Acquire) != 0
    }

    /// What the connection holds. `uses_wal`: it has a WAL in shared memory.
    pub(crate) fn held(&self, uses_wal: bool) -> Held {
        let (wal, level) = (self.wal.load(Ordering::Acquire), self.level());
        let has = |slot: i32| wal & (1 << (slot as u32 + EXCLUSIVE)) != 0;
        match level {
            sqlite::SQLITE_LOCK_EXCLUSIVE => Held::File,
            _ if level >= sqlite::SQLITE_LOCK_RESERVED || has(WRITER) => Held::Write,
            _ if has(CHECKPOINTER) => Held::Checkpoint,
            _ if has(RECOVERER) => Held::Recovery,
            _ if self.is_transaction() => Held::Read,
            sqlite::SQLITE_LOCK_SHARED if !uses_wal => Held::Shared,
            _ => Held::Nothing,
        }
    }

    /// The level of its lock on the database file.
    #[inline]
    pub(crate) fn level(&self) -> i32 {
        self.level.load(Ordering::Acquire)
    }

    /// The lock on the database file has this level now.
    #[inline]
    pub(crate) fn file_locked(&self, level: i32) {
        self.level.store(level, Ordering::Release);
    }

    /// The connection has taken locks of the WAL.
    #[inline]
    pub(crate) fn wal_locked(&self, slot: i32, slots: i32, exclusive: bool) {
        let mask = ((1 << slots) - 1) << (slot as u32 + if exclusive { EXCLUSIVE } else { 0 });
        self.set(|locks| locks | mask);
        if exclusive && slot == WRITER {
            self.write_lock_seen.store(now_ms(), Ordering::Relaxed);
            self.write_transactions.store(self.write_transactions().wrapping_add(1), Ordering::Relaxed);
        }
        if !exclusive && slot >= FIRST_READER {
            self.reading_since.store(now_ms(), Ordering::Relaxed);
        }
    }

    /// A number that is another one in each transaction that writes, but in exclusive mode.
    pub(super) fn write_transactions(&self) -> u32 {
        self.write_transactions.load(Ordering::Relaxed)
    }

    /// It has given them back.
    #[inline]
    pub(crate) fn wal_unlocked(&self, slot: i32, slots: i32, exclusive: bool) {
        let mask: u32 = ((1 << slots) - 1) << (slot as u32 + if exclusive { EXCLUSIVE } else { 0 });
        self.set(|locks| locks & !mask);
    }

    /// Only the thread that is in a call on the connection changes them: no other can come in between.
    #[inline]
    fn set(&self, change: impl FnOnce(u32) -> u32) {
        self.wal.store(change(self.wal.load(Ordering::Relaxed)), Ordering::Release);
    }

    /// A read has begun, at this time of `now_ns`, with the lock of this slot that was kept.
    #[inline]
    pub(super) fn reads_on(&self, slot: i32, began: u64) {
        self.set(|locks| locks | 1 << slot);
        self.reading_since.store(began / 1_000_000, Ordering::Relaxed);
    }

    /// Whether the connection holds a reader's slot for itself and no other lock of the WAL: it moves the mark of its next read.
    /// SQLite then takes the same slot as a reader at once.
    pub(super) fn moves_mark(&self, slot: i32) -> bool {
        slot > FIRST_READER && self.wal.load(Ordering::Relaxed) == 1 << (slot as u32 + EXCLUSIVE)
    }

    /// Its byte stays locked, although SQLite's books say otherwise.
    pub(super) fn has_moved_mark(&self, slot: i32) {
        self.moved.store(slot, Ordering::Relaxed);
    }

    /// The slot that is left so; told once.
    pub(super) fn take_moved(&self) -> Option<i32> {
        let slot = self.moved.load(Ordering::Relaxed);
        if slot == 0 {
            return None;
        }
        self.moved.store(0, Ordering::Relaxed);
        Some(slot)
    }

    /// Whether it reads the database file alone, from which the first reader's lock keeps every checkpoint.
    fn reads_the_file_alone(&self) -> bool {
        self.wal.load(Ordering::Relaxed) == 1 << FIRST_READER
    }

    /// The size of the database file. SQLite asks for it at the start of each read as long as the log is empty; as long as
    /// the lock of such a read has been kept, it is the same.
    pub(super) fn known_size(&self) -> Option<i64> {
        Some(self.size.load(Ordering::Relaxed) - 1).filter(|size| *size >= 0 && self.reads_the_file_alone())
    }

    pub(super) fn has_size(&self, size: i64) {
        if self.reads_the_file_alone() {
            self.size.store(size + 1, Ordering::Relaxed);
        }
    }

    /// A lock is really taken or given back.
    pub(super) fn forget_size(&self) {
        self.size.store(0, Ordering::Relaxed);
    }

    /// Whether the connection holds a read lock of the WAL: what asks for the write lock then is a transaction, and not a
    /// recovery or a checkpoint.
    #[inline]
    pub(crate) fn is_transaction(&self) -> bool {
        self.wal.load(Ordering::Acquire) & (0b1_1111 << FIRST_READER) != 0
    }

    /// Whether the connection holds the checkpointer's lock.
    #[inline]
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.wal.load(Ordering::Acquire) & (1 << (CHECKPOINTER as u32 + EXCLUSIVE)) != 0
    }

    /// Whether it is time to see again that the WAL's write lock is held, which a transaction that stays open does not hear
    /// of when it is dropped.
    #[inline]
    pub(crate) fn write_lock_is_old(&self) -> bool {
        let time = now_ms();
        self.is_writing() && time.saturating_sub(self.write_lock_seen.load(Ordering::Relaxed)) >= WRITE_LOCK_EVERY && {
            self.write_lock_seen.store(time, Ordering::Relaxed);
            true
        }
    }

    /// The WAL-index, whose locks they were, is given up.
    #[inline]
    pub(crate) fn forget_those_of_wal(&self) {
        self.wal.store(0, Ordering::Release);
    }
}
