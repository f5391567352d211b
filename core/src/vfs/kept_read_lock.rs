//! The WAL's read lock, kept over the end of a read where reads follow each other closely: the next one finds it held, and
//! makes no system call.
//!
//! SQLite compares the WAL-index, which is shared memory, at the start of every read, and the read mark once it has the
//! lock; a lock that was held all the time is as good there as one that was taken. What is kept pins the WAL as a reader
//! does, so it is kept only for a time that the reads before it have earned (see [`Owed`]), and is given back by a
//! thread.
//!
//! # Why another thread may give it back
//!
//! `xShmLock` of SQLite's unix VFS changes three things under the mutex of the file's `unixShmNode`: the kernel's lock, the
//! count of this process's shared locks of the slot (`aLock`), and the masks of the connection (`unixShm`). It reads the
//! connection's masks, and the pointers that lead to them, before it takes the mutex. So two calls for two
//! connections may overlap, and two calls for one connection must not. [`KeptReadLock::state`] sees to that:
//!
//! - Only the thread that is in a call of SQLite's on the connection, its reader, sets `KEPT`, and only while it holds the
//!   lock by SQLite's books. It then makes no call of the VFS's for this connection until it has the state back at `FREE`.
//! - Whoever makes `KEPT` into something else does so by one compare-and-swap, so there is one such thread: the reader makes
//!   it `FREE` and owns the lock again; another makes it `LEAVING`, calls `xShmLock`, and then makes it `FREE`.
//! - The reader waits while it is `LEAVING`. So what another thread did to the connection's masks happens before whatever
//!   the reader does next (release and acquire of the state), and the file, its methods and its mapping, which only the
//!   reader gives up, and only at `FREE`, are there as long as another thread uses them.
//!
//! Another connection of the process that shares the slot is not concerned: the count goes down by one.
//!
//! Beside what is kept, the same byte is [firmly](crate::vfs::firm_reads) locked: the read that follows is protected even
//! where something in the process has dropped its own locks meanwhile.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::platform::clock::now_ns;
use crate::platform::file_id::FileId;
use crate::sqlite;
use crate::vfs::firm_reads::{FirmRead, FirmReads, is_halted};
use crate::vfs::switches::{AFTER_EVERY_READ, BESIDE_CHECKPOINTS, FOR_LONG, NEVER_TAKEN_AWAY, NOT_FIRM, careless};

/// SQLite's function that takes and releases the WAL's locks.
pub(super) type ShmLock = unsafe extern "C" fn(*mut sqlite::sqlite3_file, c_int, c_int, c_int) -> c_int;

/// Makes the thread look after a lock: whether there is one that does.
pub(super) type Enlist = fn(&Arc<KeptReadLock>) -> bool;

const FREE: u32 = 0;
/// With the slot in the low bits.
const KEPT: u32 = 0x100;
/// Another thread is giving it back.
const LEAVING: u32 = 0x200;
/// Beside `KEPT`: the byte alone is locked, SQLite's books have nobody for it.
const BYTE_ALONE: u32 = 0x400;
const SLOT: u32 = 0xff;

/// A read that begins so soon after the one before has begun follows it closely, in nanoseconds. The time that a call of the
/// system's for a lock takes does not count.
const CLOSE: u64 = 50_000;
/// So many in a row have to,
const IN_A_ROW: u32 = 2;
/// and so many where the thread does not look after the lock yet: waking or making it costs as much as a few reads save.
const FIRST_IN_A_ROW: u32 = 8;
/// An idle lock is given back after this time at the latest.
const LONGEST_IDLE: u64 = 500_000;
/// A lock is really given back after this time, however busy it is: something in this process that closes a descriptor of
/// the `-shm` drops the process's own lock, and from then on only the firm one is there.
const LONGEST_HELD: u64 = 5_000_000;
/// So often a busy reader looks whether another process makes a checkpoint. One that waits for a slot asks for it now and
/// then only, and would hardly ever find one free that is kept from read to read; while it is there, nothing is kept.
const LOOK_EVERY: u64 = 1_000_000;
/// A shorter time than this no thread keeps exactly.
const SHORTEST_IDLE: u64 = 200_000;
/// From so many frames on somebody may be waiting to begin the log anew: SQLite's own checkpoints come at a thousand. A reader
/// that is not on a processor would keep it from doing so, and every commit then makes a checkpoint in vain, so nothing is
/// kept until nobody has committed for [`QUIET`].
const LONG_LOG: u32 = 900;
const QUIET: u64 = 5_000_000;
/// For how long a lock may still be kept idle, in nanoseconds: what close reads earn, idle keeping uses up. So a connection
/// pins the WAL at a stale mark for no longer than it has read at fresh ones, whatever its pauses are.
struct Owed(AtomicU64);

impl Owed {
    fn earn(&self, time: u64) {
        self.0.store((self.get() + time.min(CLOSE)).min(2 * LONGEST_IDLE), Ordering::Relaxed);
    }

    fn use_up(&self, time: u64) {
        self.0.store(self.get().saturating_sub(time), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The read lock of one connection's file.
pub(crate) struct KeptReadLock {
    pub(super) database: FileId,
    firm_reads: Arc<FirmReads>,
    firm: FirmRead,
    /// See above.
    state: AtomicU32,
    /// The setting, for a connection whose VFS is known to allow it.
    allowed: AtomicBool,
    /// The thread looks after it.
    pub(super) enlisted: AtomicBool,
    file: AtomicPtr<sqlite::sqlite3_file>,
    original: AtomicUsize,
    /// When the latest read began; by [`now_ns`], which is asked once for a read that finds its lock kept.
    began: AtomicU64,
    /// When a call of the system's for its lock last ended.
    called: AtomicU64,
    /// When its lock was really taken.
    taken: AtomicU64,
    /// When the reader last looked for a checkpoint, and whether there was one.
    asked: AtomicU64,
    checkpoint: AtomicBool,
    /// `latest()` when the thread last looked.
    looked: AtomicU64,
    /// The reader's own: reads in a row that followed closely, and whether the latest end kept the lock.
    in_a_row: AtomicU32,
    kept: AtomicBool,
    /// The read became a transaction that writes: its mark is old when it ends, and the next one moves it.
    wrote: AtomicBool,
    owed: Owed,
    /// Whether no other process used the database when that was last looked for, and when.
    alone: AtomicBool,
    looked_alone: AtomicU64,
    /// The counter of transactions of a long log, and since when it has stood there.
    change: AtomicU32,
    quiet_since: AtomicU64,
}

impl KeptReadLock {
    pub(super) fn new(database: FileId, firm_reads: Arc<FirmReads>) -> Arc<KeptReadLock> {
        Arc::new(KeptReadLock {
            database,
            firm_reads,
            firm: FirmRead::new(),
            state: AtomicU32::new(FREE),
            allowed: AtomicBool::new(false),
            enlisted: AtomicBool::new(false),
            file: AtomicPtr::new(std::ptr::null_mut()),
            original: AtomicUsize::new(0),
            began: AtomicU64::new(0),
            called: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            checkpoint: AtomicBool::new(false),
            looked: AtomicU64::new(0),
            in_a_row: AtomicU32::new(0),
            kept: AtomicBool::new(false),
            wrote: AtomicBool::new(false),
            owed: Owed(AtomicU64::new(LONGEST_IDLE)),
            alone: AtomicBool::new(false),
            looked_alone: AtomicU64::new(0),
            change: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
        })
    }

    /// From now on the lock may be kept, or is not. Off where a release by another thread is not known to be sound: blocking
    /// locks read a field of the file without its mutex, and a SQLite without mutexes has none at all; and where there are no
    /// firm locks.
    pub(crate) fn allow(&self, on: bool) {
        // SAFETY: no arguments, and a constant string.
        let sound = unsafe {
            sqlite::sqlite3_threadsafe() != 0
                && sqlite::sqlite3_compileoption_used(c"ENABLE_SETLK_TIMEOUT".as_ptr()) == 0
        };
        let sound = sound && cfg!(target_os = "linux") && self.is_of_sqlites_own();
        self.allowed.store(on && sound, Ordering::Release);
        if !on {
            self.give_back();
        }
    }

    /// The file has SQLite's own methods; before it is used.
    pub(super) fn is_of(&self, original: ShmLock) {
        self.original.store(original as usize, Ordering::Release);
    }

    /// Whether the file is of SQLite's own VFS.
    pub(super) fn is_of_sqlites_own(&self) -> bool {
        self.original.load(Ordering::Acquire) != 0
    }

    /// The reader asks for the shared lock of a reader's slot: whether it has kept that one. Another that it has kept is given
    /// back.
    pub(super) fn begin(&self, slot: c_int) -> bool {
        if !self.allowed.load(Ordering::Relaxed) {
            return false;
        }
        let now = now_ns();
        let gap = now.saturating_sub(self.latest());
        if gap <= CLOSE {
            self.in_a_row.store(self.in_a_row.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
            self.owed.earn(now.saturating_sub(self.began.load(Ordering::Relaxed)));
        } else {
            self.in_a_row.store(0, Ordering::Relaxed);
            if self.kept.load(Ordering::Relaxed) {
                self.owed.use_up(gap.min(2 * LONGEST_IDLE));
            }
        }
        self.began.store(now, Ordering::Relaxed);
        match self.take_back() {
            Some(kept) if kept == KEPT | slot as u32 => true,
            other => {
                // Of this slot's byte SQLite asks the kernel next, which changes nothing of it.
                if let Some(other) = other.filter(|other| *other != KEPT | BYTE_ALONE | slot as u32) {
                    self.release(other);
                }
                self.taken.store(now, Ordering::Relaxed);
                false
            }
        }
    }

    /// The reader has taken its lock, or given it back, by a call of the system's.
    pub(super) fn called(&self) {
        if self.allowed.load(Ordering::Relaxed) {
            self.called.store(now_ns(), Ordering::Relaxed);
        }
    }

    /// When the reader was last seen to do something, without a call of the system's.
    fn latest(&self) -> u64 {
        self.began.load(Ordering::Relaxed).max(self.called.load(Ordering::Relaxed))
    }

    /// When the read began that found its lock kept, in nanoseconds of [`now_ns`].
    pub(super) fn began(&self) -> u64 {
        self.began.load(Ordering::Relaxed)
    }

    /// The reader ends its read, which did not write: whether the lock of this slot is kept. It is the reader's own to release if not, after
    /// [`loosen`](KeptReadLock::loosen). `log`: its frames, and its counter of transactions. `enlist` makes a thread look after
    /// it.
    pub(super) fn end(
        self: &Arc<Self>,
        file: *mut sqlite::sqlite3_file,
        slot: c_int,
        log: (u32, u32),
        enlist: Enlist,
    ) -> bool {
        if !self.allowed.load(Ordering::Relaxed) {
            return false;
        }
        // What a read itself takes makes it less of a close one.
        let now = self.latest();
        self.kept.store(false, Ordering::Relaxed);
        let earned = self.in_a_row.load(Ordering::Relaxed) >= self.has_to_follow()
            && self.owed.get() >= SHORTEST_IDLE
            && now.saturating_sub(self.taken.load(Ordering::Relaxed)) <= LONGEST_HELD
            && !self.is_in_the_way(log, now)
            && !self.is_checkpointed(now);
        if !(earned || (careless(FOR_LONG | AFTER_EVERY_READ))) || !(self.is_firm_now(slot) || careless(NOT_FIRM)) {
            return false;
        }
        self.file.store(file, Ordering::Relaxed);
        self.state.swap(KEPT | slot as u32, Ordering::SeqCst);
        let looked_after = self.enlisted.load(Ordering::SeqCst) || enlist(self);
        // Who halts it first makes the locks soft, then gives back what is kept.
        let stays = looked_after && !is_halted() && (self.firm.is_at(slot) || careless(NOT_FIRM));
        if !stays && self.take_back().is_some() {
            return false;
        }
        self.kept.store(true, Ordering::Relaxed);
        true
    }

    fn has_to_follow(&self) -> u32 {
        if self.enlisted.load(Ordering::Relaxed) { IN_A_ROW } else { FIRST_IN_A_ROW }
    }

    /// Whether the slot's byte is firmly locked, after an attempt to.
    fn is_firm_now(&self, slot: c_int) -> bool {
        if self.firm.is_at(slot) || careless(NOT_FIRM) {
            return self.firm.is_at(slot);
        }
        self.loosen();
        self.firm_reads.take(&self.firm, slot)
    }

    /// Whether this slot's byte is firmly locked.
    pub(crate) fn is_firm_at(&self, slot: c_int) -> bool {
        self.firm.is_at(slot)
    }

    /// Gives the firm lock back, if there is one; before SQLite's, by whoever owns that one.
    #[inline]
    pub(super) fn loosen(&self) {
        if self.firm.is_held() {
            self.firm_reads.give_back(&self.firm);
        }
    }

    fn is_in_the_way(&self, (frames, change): (u32, u32), now: u64) -> bool {
        if frames < LONG_LOG {
            return false;
        }
        if self.change.swap(change, Ordering::Relaxed) != change {
            self.quiet_since.store(now, Ordering::Relaxed);
        }
        now.saturating_sub(self.quiet_since.load(Ordering::Relaxed)) < QUIET
    }

    fn is_checkpointed(&self, now: u64) -> bool {
        if now.saturating_sub(self.asked.load(Ordering::Relaxed)) >= LOOK_EVERY {
            self.asked.store(now, Ordering::Relaxed);
            self.checkpoint.store(self.firm_reads.is_checkpointed_by_others(), Ordering::Relaxed);
        }
        self.checkpoint.load(Ordering::Relaxed) && !careless(BESIDE_CHECKPOINTS)
    }

    /// Gives it back at once; from any thread.
    pub(crate) fn give_back(&self) {
        self.leave(|_, _| true);
    }

    /// For another connection of this process that wants these slots: what SQLite's books have for them.
    pub(super) fn leave_slots(&self, slot: c_int, slots: c_int) {
        self.leave(|kept, alone| !alone && (slot..slot + slots).contains(&kept));
    }

    /// For the reader: what was kept is its own again.
    fn take_back(&self) -> Option<u32> {
        loop {
            match self.state.load(Ordering::Acquire) {
                FREE => return None,
                LEAVING => std::thread::yield_now(),
                kept => {
                    if self.state.compare_exchange(kept, FREE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                        return Some(kept);
                    }
                }
            }
        }
    }

    /// For whoever is not the reader: gives back what is kept. `which` is asked by the slot, and whether it is the byte alone.
    fn leave(&self, which: impl Fn(c_int, bool) -> bool) {
        loop {
            match self.state.load(Ordering::Acquire) {
                FREE => return,
                LEAVING => std::thread::yield_now(),
                kept => {
                    if !which((kept & SLOT) as c_int, kept & BYTE_ALONE != 0) || careless(NEVER_TAKEN_AWAY) {
                        return;
                    }
                    if self.state.compare_exchange(kept, LEAVING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                        self.release(kept);
                        self.state.store(FREE, Ordering::Release);
                        return;
                    }
                }
            }
        }
    }

    /// Only by whoever has made `KEPT` into something else.
    fn release(&self, kept: u32) {
        self.loosen();
        let original = self.original.load(Ordering::Acquire);
        // SAFETY: stored by `is_of` before anything could be kept. The file is open and nobody else calls its VFS: see the
        // top of this file.
        unsafe {
            let original = std::mem::transmute::<usize, ShmLock>(original);
            let file = self.file.load(Ordering::Relaxed);
            let call = |what| original(file, (kept & SLOT) as c_int, 1, what | sqlite::SQLITE_SHM_SHARED);
            // Where the books have nobody, somebody has to have it who gives it back; or somebody has it for himself, and will.
            if kept & BYTE_ALONE == 0 || call(sqlite::SQLITE_SHM_LOCK) == sqlite::SQLITE_OK {
                call(sqlite::SQLITE_SHM_UNLOCK);
            }
        }
    }

    /// For the thread, with the list locked: when to look again, in nanoseconds; `None` when there is nothing to look after.
    pub(super) fn look(&self, now: u64) -> Option<u64> {
        let latest = self.latest();
        let idle = now.saturating_sub(latest);
        let patience = match () {
            () if careless(FOR_LONG) => 10_000_000,
            () if careless(AFTER_EVERY_READ) => LONGEST_IDLE,
            () => LONGEST_IDLE.min(self.owed.get()),
        };
        let unused = self.looked.swap(latest, Ordering::Relaxed) == latest;
        if idle < patience {
            return Some(patience - idle);
        }
        self.give_back();
        if !unused {
            return Some(LONGEST_IDLE);
        }
        // Either the reader sees that it is not enlisted, or this thread what it has kept meanwhile.
        self.enlisted.store(false, Ordering::SeqCst);
        if self.state.load(Ordering::SeqCst) != FREE {
            self.enlisted.store(true, Ordering::SeqCst);
            return Some(LONGEST_IDLE);
        }
        None
    }
}

mod after_a_commit;
#[cfg(all(test, target_os = "linux"))]
mod tests;
