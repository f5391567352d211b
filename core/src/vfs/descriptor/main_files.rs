//! The databases that are open by descriptor, and the `open` that answers with a duplicate of one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, MutexGuard, OnceLock};

use crate::platform::file_id::FileId;
use crate::platform::fork::ForkMutex;
use crate::sqlite;
use crate::vfs::system_calls::{self, SystemCall};

pub(super) const VFS: &CStr = c"litekeel-fd";
pub(super) const UNLINKED: &str = "The database file or its journal file was deleted or replaced while the database was open (the database must be reopened)";
pub(super) const OTHER_JOURNAL: &str =
    "Cannot open database because a different journal file is already being used for this database";
pub(super) const SEVERAL: &str =
    "Transactions that write to multiple databases are not supported by databases opened from file descriptors";
pub(super) const NO_WAL: &CStr = c"journal_mode WAL is not supported for databases opened from file descriptors";

/// The system call that ours stands before.
// SAFETY: the type is that of SQLite's table.
static OPEN: SystemCall<system_calls::Open> = unsafe { SystemCall::new(c"open") };

thread_local! {
    /// What the next `open` of this thread's SQLite call returns a duplicate of.
    pub(super) static INSTEAD: Cell<c_int> = const { Cell::new(-1) };
    /// The latest duplicate that `open` returned.
    pub(super) static GIVEN: Cell<c_int> = const { Cell::new(-1) };
    /// Name and descriptors of the connection that this thread is opening.
    pub(super) static PENDING: Cell<Option<(u64, c_int, c_int)>> = const { Cell::new(None) };
    pub(super) static OPEN_FAULT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// A main database that is open.
pub(crate) struct Main {
    /// The name SQLite knows it by: `fd:NUMBER:ID`.
    pub(super) name: CString,
    /// The path SQLite's VFS keeps a pointer to.
    pub(super) shown: Vec<u8>,
    /// SQLite's own descriptor; a duplicate must not be made just to look, since closing it would drop the locks.
    pub(super) database: c_int,
    pub(super) journal: c_int,
    pub(super) journal_shown: CString,
    /// Device and inode, of the database and of its journal.
    pub(super) files: [(libc::dev_t, libc::ino_t); 2],
    /// SQLite's methods, and the changed ones.
    pub(super) methods: OnceLock<Box<(Methods, sqlite::sqlite3_io_methods)>>,
    pub(super) fault: AtomicI32,
}

pub(super) struct Methods(pub(super) *const sqlite::sqlite3_io_methods);
// SAFETY: the methods are static and never written.
unsafe impl Send for Methods {}
// SAFETY: as above.
unsafe impl Sync for Methods {}

pub(super) const UNLINKED_FAULT: c_int = 1;
pub(super) const SEVERAL_FAULT: c_int = 2;

/// By the address of SQLite's file object.
pub(crate) static MAINS: ForkMutex<BTreeMap<usize, Arc<Main>>> = ForkMutex::new(BTreeMap::new());

/// Whether a connection by descriptor has the file as its database or journal.
#[allow(clippy::unnecessary_cast)] // The fields' width differs between systems.
pub(crate) fn is_open(file: FileId) -> bool {
    let same = |(dev, ino): &(libc::dev_t, libc::ino_t)| (*dev as u64, *ino as u64) == (file.dev, file.ino);
    mains().values().any(|main| main.files.iter().any(same))
}

pub(super) fn mains() -> MutexGuard<'static, BTreeMap<usize, Arc<Main>>> {
    MAINS.lock()
}

pub(super) fn duplicate(fd: c_int) -> c_int {
    // Not below 3: database content must never reach standard output.
    // SAFETY: any number may be asked for.
    unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) }
}

/// Whether this thread is opening a file by descriptor.
pub(crate) fn is_opening() -> bool {
    INSTEAD.get() >= 0
}

/// Stands before SQLite's `open`; must come before whoever keeps books of descriptors, so that they see these too.
pub(crate) fn install() {
    if OPEN.find() {
        OPEN.replace(on_open);
    }
}

/// Whether [`install`] found SQLite's unix VFS.
pub(super) fn is_installed() -> bool {
    OPEN.is_found()
}

unsafe extern "C" fn on_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    let instead = INSTEAD.replace(-1);
    if instead >= 0 {
        let given = duplicate(instead);
        GIVEN.set(given);
        return given;
    }
    // SAFETY: this function stands in its place; the arguments are passed on unchanged.
    unsafe { OPEN.original()(path, flags, mode) }
}
