//! What all connections of this process to one database file share, because SQLite shares it: the locks and the `-shm`.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::platform::file_id::FileId;
use crate::platform::fork::{self, ForkMutex};
use crate::vfs::aside::Aside;
use crate::vfs::beginning::Written;
use crate::vfs::firm_reads::FirmReads;
use crate::vfs::known_content::Content;
use crate::vfs::known_pages::KnownPages;
use crate::vfs::replication_state::Replicated;
use crate::vfs::wal_index::WalIndex;

/// The state of one database file in this process. It ends with the last connection: who opens the file then begins anew.
pub(crate) struct FileState {
    /// The code of what makes every connection to the file unfit to write; 0: nothing.
    latch: AtomicI32,
    /// The inode of the `-shm`; 0: unknown.
    shm: AtomicU64,
    /// How many connections use it.
    users: AtomicUsize,
    /// What was kept of a WAL that nobody else can reach any more.
    aside: Mutex<Option<Aside>>,
    /// The database when its files were last seen to be the right ones.
    good: Mutex<Option<Written>>,
    /// The database file while the WAL-index stood still.
    content: Mutex<Option<Content>>,
    /// What the checkpoint that ends now has moved into it last.
    moved: Mutex<Option<KnownPages>>,
    /// A connection has read it.
    read: AtomicBool,
    /// Something else than SQLite has written to the database.
    overwritten: AtomicBool,
    /// Another file has its name, beside this one's `-wal`.
    replaced: AtomicBool,
    /// Its log was put out of use after that: who opens the file that has the name now finds nothing of it.
    retired: AtomicBool,
    /// A connection of this process has the file open that had the name before, and works with the log that lies there.
    beside_old: AtomicBool,
    /// It has been told that the file has got another name.
    told_names: AtomicBool,
    /// The log when one of the two was found: it belongs to what the database was before.
    old_log: Mutex<Option<WalIndex>>,
    /// The firm locks of the connections that keep their read lock, and SQLite's one descriptor of the `-shm`.
    pub(super) firm_reads: Arc<FirmReads>,
    /// Whether Litestream replicates it.
    pub replicated: Replicated,
}

/// By device and inode, and the process (its [`fork::generation`]) that opened it.
type Files = BTreeMap<(u64, u64, u32), (usize, Arc<FileState>)>;

/// With the number of connections that have the file open.
pub(crate) static FILES: ForkMutex<Files> = ForkMutex::new(BTreeMap::new());

fn key(file: FileId) -> (u64, u64, u32) {
    (file.dev, file.ino, fork::generation())
}

/// The state of this file, one for all connections of the process, until as many have called [`closed`].
pub(crate) fn opened(file: FileId) -> Arc<FileState> {
    let mut files = FILES.lock();
    let (users, state) = files.entry(key(file)).or_default();
    *users += 1;
    state.clone()
}

/// The state of this file, while a connection of the process has it open.
pub(crate) fn known(file: FileId) -> Option<Arc<FileState>> {
    FILES.lock().get(&key(file)).map(|(_, state)| state.clone())
}

/// How many connections of this process have the file open.
pub(crate) fn connections(file: FileId) -> usize {
    FILES.lock().get(&key(file)).map_or(0, |(users, _)| *users)
}

/// Every file that this process has open.
pub(crate) fn each(mut act: impl FnMut(&FileState)) {
    FILES.lock().iter().filter(|(key, _)| key.2 == fork::generation()).for_each(|(_, (_, state))| act(state));
}

/// A connection has closed the file.
pub(crate) fn closed(file: FileId) {
    let mut files = FILES.lock();
    if let Some((users, _)) = files.get_mut(&key(file)) {
        *users -= 1;
        if *users == 0 {
            files.remove(&key(file));
        }
    }
}

impl Default for FileState {
    fn default() -> FileState {
        FileState {
            latch: AtomicI32::new(0),
            shm: AtomicU64::new(0),
            users: AtomicUsize::new(0),
            aside: Mutex::default(),
            good: Mutex::default(),
            content: Mutex::default(),
            moved: Mutex::default(),
            read: AtomicBool::new(false),
            overwritten: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            beside_old: AtomicBool::new(false),
            told_names: AtomicBool::new(false),
            old_log: Mutex::default(),
            firm_reads: Arc::default(),
            replicated: Replicated::default(),
        }
    }
}

impl FileState {
    /// SQLite has opened the `-shm`.
    pub(crate) fn opened_shm(&self, fd: c_int, ino: u64) {
        self.shm.store(ino, Ordering::Release);
        self.firm_reads.opened_shm(fd);
    }

    /// A connection has begun to use the `-shm`.
    pub(crate) fn join(&self) {
        self.users.fetch_add(1, Ordering::AcqRel);
    }

    /// A connection ends its use of the `-shm`; whether it was the last one.
    pub(crate) fn leave(&self) -> bool {
        self.users.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// How many connections use the `-shm`.
    pub(crate) fn users(&self) -> usize {
        self.users.load(Ordering::Acquire)
    }

    /// The inode of the `-shm`, which only means something while a connection uses it.
    pub(crate) fn shm(&self) -> Option<u64> {
        Some(self.shm.load(Ordering::Acquire)).filter(|ino| *ino != 0)
    }

    /// SQLite's descriptor of the `-shm`, which only means something while a connection uses it.
    pub(crate) fn shm_descriptor(&self) -> Option<c_int> {
        self.firm_reads.shm()
    }

    /// Makes every write to the file from now on fail. The first cause stays.
    pub(crate) fn latch(&self, code: i32) -> bool {
        self.latch.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The cause; 0: none.
    pub(crate) fn latched(&self) -> i32 {
        self.latch.load(Ordering::Acquire)
    }

    /// What was kept of an unlinked WAL. One thread at a time keeps.
    pub(crate) fn aside(&self) -> MutexGuard<'_, Option<Aside>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the database file was like when it was last looked into.
    pub(crate) fn content(&self) -> MutexGuard<'_, Option<Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the checkpoint that ends now has moved into it.
    pub(crate) fn moved(&self) -> MutexGuard<'_, Option<KnownPages>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody of this process uses the WAL any more: without one the file changes as it likes.
    pub(crate) fn forget_content(&self) {
        *self.content() = None;
        *self.moved() = None;
        self.read.store(false, Ordering::Relaxed);
    }

    /// Whether nobody has read it before; said once.
    pub(crate) fn begins_to_be_read(&self) -> bool {
        !self.read.load(Ordering::Relaxed) && !self.read.swap(true, Ordering::Relaxed)
    }

    /// Whether something else than SQLite has written to the database.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.overwritten.load(Ordering::Acquire)
    }

    pub(crate) fn note_overwritten(&self) {
        self.overwritten.store(true, Ordering::Release);
    }

    /// Whether another file has the database's name, so that its `-wal` lies beside one for which it was not written.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    pub(crate) fn note_replaced(&self) {
        self.replaced.store(true, Ordering::Release);
    }

    /// Whether its log was put out of use, after another file had got its name.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    pub(crate) fn note_retired(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether the log beside it is in use by a connection of this process to the file that had the name before.
    pub(crate) fn is_beside_old(&self) -> bool {
        self.beside_old.load(Ordering::Acquire)
    }

    pub(crate) fn note_beside_old(&self, beside: bool) {
        self.beside_old.store(beside, Ordering::Release);
    }

    /// The file has another name, or none any more; whether that is new, and to be told.
    pub(crate) fn note_names(&self, several: bool) -> bool {
        !self.told_names.swap(several, Ordering::AcqRel) && several
    }

    /// The log as it was when something else was found in the database's place.
    pub(crate) fn old_log(&self) -> Option<WalIndex> {
        *self.old_log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes it; the first one stays.
    pub(crate) fn note_old_log(&self, index: Option<WalIndex>) {
        let mut old = self.old_log.lock().unwrap_or_else(PoisonError::into_inner);
        *old = old.or(index);
    }

    /// The files have been seen to be the right ones, with the database in this state.
    pub(crate) fn note_good(&self, stamp: Option<Written>) {
        *self.good.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }

    /// The state of the database at the last good look.
    pub(crate) fn last_good(&self) -> Option<Written> {
        *self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
