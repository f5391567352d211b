//! What a connection's file is doing, as its [`shim`](crate::vfs::shim) hears it: which locks the connection holds, when it
//! commits, and whether it may go on writing.
//!
//! Everything here is read by other threads too, and costs a transaction a few atomic stores.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::error::codes;
use crate::events::Subscribers;
use crate::platform::clock::now_ms;
use crate::platform::file_id::{FileId, file_id};
use crate::platform::fork;
use crate::platform::path_facts::sidecar;
use crate::sqlite;
use crate::vfs::alone::Alone;
use crate::vfs::attached::{Attachment, Purpose};
use crate::vfs::beginning::{Written, written};
use crate::vfs::file_state::{self, FileState};
use crate::vfs::kept_read_lock::{Enlist, KeptReadLock};
use crate::vfs::lock_state::{Held, LockState};
use crate::vfs::open_files::{self, borrowed};
use crate::vfs::wal_in_use::WalInUse;
use crate::vfs::wal_index::{self, WalIndex};
use crate::vfs::wal_keeper::WalCare;

/// How often a write transaction looks whether its files are still the ones on disk, in milliseconds.
const LOOK_EVERY: u64 = 1000;
/// The state of one connection's database file.
pub(crate) struct FileMonitor {
    /// The name that SQLite opened it by: absolute, and without symbolic links.
    pub path: PathBuf,
    /// The name that the application knows it by, where there is another.
    shown: OnceLock<PathBuf>,
    /// The file that was opened.
    pub database: FileId,
    /// What it shares with the other connections of this process to the file.
    pub file: Arc<FileState>,
    own_subscribers: Arc<Subscribers>,
    /// The read lock, which may be kept over the end of a read.
    pub kept: Arc<KeptReadLock>,
    /// What an attached database has beside.
    pub attachment: Attachment,
    /// The database that VACUUM INTO writes to this file.
    copied: OnceLock<Weak<FileMonitor>>,
    /// The main database may not have several names.
    minds_names: AtomicBool,
    /// What is known of the file while the connection has it for itself.
    pub alone: Alone,
    /// SQLite's descriptor of the database, where its locks are POSIX locks that may be asked for and taken again.
    descriptor: Option<c_int>,
    care: OnceLock<WalCare<FileMonitor>>,
    /// The connection is being closed, and nothing more is done for its WAL.
    left: AtomicBool,
    generation: u32,
    /// The locks that it holds.
    pub locks: LockState,
    /// SQLite's mapping of the WAL-index; null while there is none.
    map: AtomicPtr<u8>,
    /// The `-wal` in use.
    pub wal: WalInUse,
    /// When the files were last seen to be the right ones, by [`now_ms`]; 0: never, or a lock has changed since.
    seen_good: AtomicU64,
    /// The checkpoint that has begun is refused.
    refuses_checkpoint: AtomicBool,
    committed: AtomicBool,
    /// The connection has committed since it was last asked whether that is at the replica.
    unconfirmed: AtomicBool,
    /// The next attempt to checkpoint is SQLite's own at this commit, and the background thread's to make.
    leave_checkpoint: AtomicBool,
    looked_at: AtomicU64,
    /// The code with which the latest write transaction was refused; 0: none was.
    refused: AtomicI32,
}

impl FileMonitor {
    pub(crate) fn new(path: PathBuf, database: FileId, descriptor: Option<c_int>) -> FileMonitor {
        let file = file_state::opened(database);
        FileMonitor {
            path,
            shown: OnceLock::new(),
            database,
            kept: KeptReadLock::new(database, file.firm_reads.clone()),
            file,
            own_subscribers: Arc::default(),
            attachment: Attachment::default(),
            copied: OnceLock::new(),
            minds_names: AtomicBool::new(false),
            alone: Alone::default(),
            descriptor,
            care: OnceLock::new(),
            left: AtomicBool::new(false),
            generation: fork::generation(),
            locks: LockState::default(),
            map: AtomicPtr::new(std::ptr::null_mut()),
            wal: WalInUse::default(),
            seen_good: AtomicU64::new(0),
            refuses_checkpoint: AtomicBool::new(false),
            committed: AtomicBool::new(false),
            unconfirmed: AtomicBool::new(false),
            leave_checkpoint: AtomicBool::new(false),
            looked_at: AtomicU64::new(0),
            refused: AtomicI32::new(0),
        }
    }

    pub(crate) fn take_care(&self, care: WalCare<FileMonitor>) {
        // Once for a connection: open is done once.
        let _ = self.care.set(care);
    }

    pub(crate) fn care(&self) -> Option<&WalCare<FileMonitor>> {
        self.care.get().filter(|_| !self.left.load(Ordering::Acquire))
    }

    /// Ends the care: from now on SQLite's checkpoints are its own again.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.asks_for_checkpoint();
    }

    /// The file may have one name: without `hard_links=1`.
    pub(crate) fn mind_names(&self) {
        self.minds_names.store(true, Ordering::Relaxed);
    }

    /// Whether the file may not have several names; of an attached one its connection decides.
    pub(crate) fn minds_names(&self) -> bool {
        self.minds_names.load(Ordering::Relaxed) || self.attachment.policy().is_some_and(|policy| !policy.may_be_linked)
    }

    /// Whoever hears of what happens to the file: for an attached one, the subscribers of its connection.
    pub(crate) fn subscribers(&self) -> &Arc<Subscribers> {
        self.attachment.policy().map_or(&self.own_subscribers, |policy| &policy.subscribers)
    }

    /// SQLite's object for the `-wal`, when a commit of this connection has to wait for the disk by itself.
    pub(crate) fn wal_to_sync(&self) -> Option<*mut sqlite::sqlite3_file> {
        if !self.attachment.syncs_commits() {
            return None;
        }
        self.wal.object()
    }

    /// Ends the care for the WAL of a connection that is about to be closed. With the last one of a file the keeper's own
    /// connection is closed: the caller's is then the process's last, whose close empties and removes the WAL.
    pub(crate) fn leave_keeper(&self) {
        let Some(care) = self.care().filter(|_| self.is_ours()) else { return };
        let keeper = care.keeper.clone();
        self.leave();
        keeper.leave(self);
    }

    /// Ends the care for the WAL of an attached database that is about to be closed or to leave WAL mode.
    pub(crate) fn end_care(&self) {
        if self.attachment.policy().is_some() {
            self.leave_keeper();
        }
    }

    /// The file gets a copy of that database by VACUUM INTO.
    pub(crate) fn copies(&self, source: &Arc<FileMonitor>) {
        // Once for a file.
        let _ = self.copied.set(Arc::downgrade(source));
    }

    /// The database that VACUUM INTO copies to this file.
    pub(crate) fn copied(&self) -> Option<Arc<FileMonitor>> {
        self.copied.get().and_then(Weak::upgrade)
    }

    /// Whether the connection may read the file: any but one that is attached and was refused.
    pub(crate) fn is_admitted(&self) -> bool {
        let purpose = if self.copied.get().is_some() { Purpose::Copy } else { Purpose::Attach };
        self.attachment.is_admitted(&self.path, purpose, &self.file)
    }

    /// The name for people.
    pub(crate) fn place(&self) -> &Path {
        self.shown.get().unwrap_or(&self.path)
    }

    pub(crate) fn show_as(&self, path: &Path) {
        // Once for a connection.
        let _ = self.shown.set(path.to_owned());
    }

    /// SQLite's descriptor of the database, where its locks may be asked for and taken again.
    pub(crate) fn descriptor(&self) -> Option<c_int> {
        self.descriptor
    }

    /// Whether this process is the one that opened the connection.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Whether the connection uses a WAL in shared memory.
    pub(crate) fn has_wal(&self) -> bool {
        !self.map.load(Ordering::Acquire).is_null()
    }

    /// What the connection holds of its file at the moment.
    pub(crate) fn held(&self) -> Held {
        self.locks.held(self.has_wal())
    }

    /// The inodes of the `-wal` and the `-shm` in use, as far as known.
    pub(crate) fn files(&self) -> (Option<u64>, Option<u64>) {
        (self.wal.ino(), if self.has_wal() { self.file.shm() } else { None })
    }

    /// SQLite has opened the `-wal`.
    pub(crate) fn opened_wal(&self, fd: c_int, ino: u64) {
        self.wal.opened(fd, ino);
        if self.locks.level() == sqlite::SQLITE_LOCK_EXCLUSIVE {
            // Without a WAL-index.
            self.begins_to_be_alone();
        }
    }

    /// The connection has the database for itself from now on: what has just been seen to be right is what is compared with.
    pub(crate) fn begins_to_be_alone(&self) {
        if !self.is_ours() {
            return;
        }
        self.alone.begin();
        if let Some(file) = self.descriptor().map(borrowed) {
            self.alone.moved(&file);
        }
    }

    /// The size and the times of the database that the connection has open.
    pub(crate) fn written(&self) -> Option<Written> {
        written(&borrowed(self.descriptor()?))
    }

    /// SQLite closes the `-wal`.
    pub(crate) fn closed_wal(&self) {
        if self.is_ours() {
            self.alone.end();
        }
        self.wal.closed();
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

    /// The mapping of the WAL-index; null while there is none.
    pub(crate) fn map(&self) -> *mut u8 {
        self.map.load(Ordering::Acquire)
    }

    /// SQLite has mapped the WAL-index.
    pub(crate) fn attached(&self, map: *mut u8) {
        // Under a VFS of somebody else's the files were opened where another shim saw it.
        if self.wal.ino().is_none() {
            // Another file may have taken the name in the meantime.
            let known = file_id(&sidecar(&self.path, "-wal")).filter(|file| open_files::has_open(&[*file]));
            self.wal.found(known.map(|file| file.ino));
        }
        self.map.store(map, Ordering::Release);
    }

    /// SQLite gives the WAL-index up.
    pub(crate) fn detached(&self) {
        self.map.store(std::ptr::null_mut(), Ordering::Release);
        if self.wal.descriptor().is_none() {
            self.wal.found(None);
        }
        self.locks.forget_those_of_wal();
    }

    /// A transaction of this connection has been committed; its locks are still to be given back.
    ///
    /// # Safety
    /// As for [`index`](FileMonitor::index).
    pub(crate) unsafe fn commits(&self) {
        if self.file.replicated.is_known() {
            self.committed.store(true, Ordering::Release);
            self.unconfirmed.store(true, Ordering::Release);
            return;
        }
        let Some(care) = self.care() else { return };
        self.committed.store(true, Ordering::Release);
        // SAFETY: the caller's promise.
        if let Some(index) = unsafe { self.index() } {
            self.leave_checkpoint.store(care.policy.leaves(&index), Ordering::Release);
        }
    }

    /// Whether a transaction of this connection has been committed since this was last asked.
    pub(crate) fn take_committed(&self) -> bool {
        self.committed.swap(false, Ordering::AcqRel)
    }

    /// The connection ends its read: whether the WAL's read lock is kept for the next one. Not after a commit, whose mark is
    /// old, nor in exclusive mode, nor of a file that is not written to any more: the end of a read may put its log out of use.
    pub(super) fn keeps_read_lock(&self, file: *mut sqlite::sqlite3_file, slot: i32, enlist: Enlist) -> bool {
        !self.committed.load(Ordering::Acquire)
            && self.latched().is_none()
            && self.locks.level() < sqlite::SQLITE_LOCK_EXCLUSIVE
            && self.log_now().is_some_and(|log| self.kept.end(file, slot, log, enlist))
    }

    /// The frames of the log and its counter of transactions, as far as they can be read without waiting; for the thread that
    /// is in a call on the connection.
    fn log_now(&self) -> Option<(u32, u32)> {
        let map = self.map.load(Ordering::Acquire);
        // SAFETY: the mapping lives until `detached`, which only this thread calls.
        (!map.is_null()).then(|| unsafe { wal_index::progress(map) })
    }

    /// Whether the connection has committed since the last time this was asked.
    pub(crate) fn take_unconfirmed(&self) -> bool {
        self.unconfirmed.swap(false, Ordering::AcqRel)
    }

    /// Whether the attempt to checkpoint that is being made is SQLite's own, which is left to the background thread.
    pub(crate) fn leaves_checkpoint(&self) -> bool {
        self.leave_checkpoint.swap(false, Ordering::AcqRel)
    }

    /// A checkpoint was asked for by name: it is not left to anybody.
    pub(crate) fn asks_for_checkpoint(&self) {
        self.leave_checkpoint.store(false, Ordering::Release);
    }

    /// A write transaction begins. A refusal that nobody asked about is not the cause of what fails from now on.
    pub(crate) fn forget_refusal(&self) {
        self.refused.store(0, Ordering::Release);
    }

    /// Notes that a write or a checkpoint is refused by this code; SQLite's for it.
    pub(crate) fn refuse(&self, code: i32) -> c_int {
        self.refused.store(code, Ordering::Release);
        match code {
            codes::WAL_FULL => sqlite::SQLITE_FULL,
            codes::LOCKS_LOST => sqlite::SQLITE_READONLY_CANTLOCK,
            _ => sqlite::SQLITE_READONLY_DBMOVED,
        }
    }

    /// Whether it is time to look at the files again; asked by whoever then does.
    pub(crate) fn is_due(&self) -> bool {
        let time = now_ms();
        time.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= LOOK_EVERY && {
            self.looked_at.store(time, Ordering::Relaxed);
            true
        }
    }

    /// Its files have been seen to be the right ones.
    pub(crate) fn note_good(&self) {
        self.seen_good.store(now_ms(), Ordering::Relaxed);
    }

    /// What was seen before does not count any more.
    pub(crate) fn forget_good(&self) {
        self.seen_good.store(0, Ordering::Relaxed);
    }

    /// Whether they were, since the lock that is held was taken, and at most so many milliseconds ago.
    pub(crate) fn seen_good_within(&self, ms: u64) -> bool {
        let seen = self.seen_good.load(Ordering::Relaxed);
        seen != 0 && now_ms().saturating_sub(seen) <= ms
    }

    /// Whether the checkpoint that has begun is refused.
    pub(crate) fn refuses_checkpoint(&self) -> bool {
        self.refuses_checkpoint.load(Ordering::Acquire)
    }

    pub(crate) fn set_refuses_checkpoint(&self, refuses: bool) {
        self.refuses_checkpoint.store(refuses, Ordering::Release);
    }

    /// The code of what makes every connection of this process to the file unfit to write.
    pub(crate) fn latched(&self) -> Option<i32> {
        Some(self.file.latched()).filter(|code| *code != 0)
    }

    /// The code with which the latest write transaction was refused; told once.
    pub(crate) fn take_refused(&self) -> Option<i32> {
        Some(self.refused.swap(0, Ordering::AcqRel)).filter(|code| *code != 0)
    }
}
