//! Databases that are opened by file descriptor instead of by path.
//!
//! A process without the right to open anything in the database's directory can still use a database whose files were
//! opened for it. SQLite's own unix VFS does the work, locks included, so such a connection and one by path respect each
//! other in this process too: only its `open` is answered with a duplicate of the descriptor, and only what would need
//! the directory is replaced. The journal cannot be created anew, so it is emptied where SQLite would delete it, which
//! SQLite reads as no journal. If one of the two files is deleted, crash recovery by others is lost: every later
//! transaction fails.

mod vfs;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock};

use crate::platform::file_id::FileId;
use crate::platform::fork::ForkMutex;
use crate::sqlite;

const VFS: &CStr = c"litekeel-fd";
const UNLINKED: &str = "The database file or its journal file was deleted or replaced while the database was open (the database must be reopened)";
const OTHER_JOURNAL: &str =
    "Cannot open database because a different journal file is already being used for this database";
const SEVERAL: &str =
    "Transactions that write to multiple databases are not supported by databases opened from file descriptors";
const NO_WAL: &CStr = c"journal_mode WAL is not supported for databases opened from file descriptors";

type OpenFn = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;

/// The system call that ours stands before.
static NEXT_OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What the next `open` of this thread's SQLite call returns a duplicate of.
    static INSTEAD: Cell<c_int> = const { Cell::new(-1) };
    /// The latest duplicate that `open` returned.
    static GIVEN: Cell<c_int> = const { Cell::new(-1) };
    /// Name and descriptors of the connection that this thread is opening.
    static PENDING: Cell<Option<(u64, c_int, c_int)>> = const { Cell::new(None) };
    static OPEN_FAULT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// A main database that is open.
pub(crate) struct Main {
    /// The name SQLite knows it by: `fd:NUMBER:ID`.
    name: CString,
    /// The path SQLite's VFS keeps a pointer to.
    shown: Vec<u8>,
    /// SQLite's own descriptor; a duplicate must not be made just to look, since closing it would drop the locks.
    database: c_int,
    journal: c_int,
    journal_shown: CString,
    /// Device and inode, of the database and of its journal.
    files: [(libc::dev_t, libc::ino_t); 2],
    /// SQLite's methods, and the changed ones.
    methods: OnceLock<Box<(Methods, sqlite::sqlite3_io_methods)>>,
    fault: AtomicI32,
}

struct Methods(*const sqlite::sqlite3_io_methods);
// SAFETY: the methods are static and never written.
unsafe impl Send for Methods {}
// SAFETY: as above.
unsafe impl Sync for Methods {}

const UNLINKED_FAULT: c_int = 1;
const SEVERAL_FAULT: c_int = 2;

/// By the address of SQLite's file object.
pub(crate) static MAINS: ForkMutex<BTreeMap<usize, Arc<Main>>> = ForkMutex::new(BTreeMap::new());

/// Whether a connection by descriptor has the file as its database or journal.
#[allow(clippy::unnecessary_cast)] // The fields' width differs between systems.
pub(crate) fn is_open(file: FileId) -> bool {
    let same = |(dev, ino): &(libc::dev_t, libc::ino_t)| (*dev as u64, *ino as u64) == (file.dev, file.ino);
    mains().values().any(|main| main.files.iter().any(same))
}

fn mains() -> MutexGuard<'static, BTreeMap<usize, Arc<Main>>> {
    MAINS.lock()
}

fn status(fd: c_int) -> Option<libc::stat> {
    // SAFETY: `stat` is plain data that fstat fills.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &mut stat) == 0).then_some(stat)
    }
}

fn duplicate(fd: c_int) -> c_int {
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
    // SAFETY: the VFS is SQLite's own and lives as long as the process; `open` has the signature above.
    unsafe {
        let vfs = sqlite::sqlite3_vfs_find(c"unix".as_ptr());
        if vfs.is_null() {
            return;
        }
        let (Some(get), Some(set)) = ((*vfs).xGetSystemCall, (*vfs).xSetSystemCall) else { return };
        let Some(open) = get(vfs, c"open".as_ptr()) else { return };
        NEXT_OPEN.store(open as usize, Ordering::Release);
        set(vfs, c"open".as_ptr(), Some(std::mem::transmute::<OpenFn, unsafe extern "C" fn()>(on_open)));
    }
}

unsafe extern "C" fn on_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    let instead = INSTEAD.replace(-1);
    if instead >= 0 {
        let given = duplicate(instead);
        GIVEN.set(given);
        return given;
    }
    // SAFETY: stored by `install` before this function could be called; the arguments are passed on unchanged.
    unsafe { std::mem::transmute::<usize, OpenFn>(NEXT_OPEN.load(Ordering::Acquire))(path, flags, mode) }
}

/// What makes a pair of descriptors unusable, as a sentence.
pub fn refuse(database: c_int, journal: c_int, readonly: bool) -> Option<String> {
    let mut files = Vec::new();
    for (fd, what) in [(database, "database"), (journal, "journal")] {
        let why = |text: &str| Some(format!("Cannot open database because the {what} file {text}"));
        // SAFETY: any number may be asked for.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        if flags < 0 {
            return why("descriptor is not open");
        }
        let Some(stat) = status(fd).filter(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG) else {
            return why("descriptor does not refer to a regular file");
        };
        match flags & libc::O_ACCMODE {
            libc::O_WRONLY => return why("descriptor was not opened for reading"),
            libc::O_RDWR => {}
            _ if readonly => {}
            _ => return why("descriptor was not opened for writing (use the \"readonly\" option)"),
        }
        if flags & libc::O_APPEND != 0 {
            return why("descriptor was opened in append mode");
        }
        if stat.st_nlink == 0 {
            return why("has been deleted");
        }
        files.push((stat.st_dev, stat.st_ino));
    }
    if files[0] == files[1] {
        return Some(
            "Cannot open database because the database and journal file descriptors refer to the same file".into(),
        );
    }
    let mut versions = [0u8; 2];
    // SAFETY: the buffer has two bytes; these are the header's format versions, 2 in WAL mode.
    let read = unsafe { libc::pread(database, versions.as_mut_ptr().cast(), 2, 18) };
    (read == 2 && versions == [2, 2])
        .then(|| "Cannot open database from a file descriptor because it is in WAL mode".into())
}

/// Opens a connection on duplicates of two descriptors; SQLite has been configured.
///
/// # Safety
/// `db` is writable.
pub(crate) unsafe fn open(
    database: c_int,
    journal: c_int,
    flags: c_int,
    db: *mut *mut sqlite::sqlite3,
) -> (c_int, Option<&'static str>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if !vfs::register() {
        return (sqlite::SQLITE_CANTOPEN, Some("this system has no unix VFS"));
    }
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let Ok(name) = CString::new(format!("fd:{database}:{id}")) else { return (sqlite::SQLITE_MISUSE, None) };
    PENDING.set(Some((id, database, journal)));
    OPEN_FAULT.set(None);
    // SAFETY: the caller's promise; the name is NUL-terminated.
    let rc = unsafe { sqlite::sqlite3_open_v2(name.as_ptr(), db, flags & !sqlite::SQLITE_OPEN_URI, VFS.as_ptr()) };
    PENDING.set(None);
    (rc, OPEN_FAULT.take().filter(|_| rc != sqlite::SQLITE_OK))
}

/// What SQLite's latest failure on a connection by descriptor really was; `None` for other connections.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub unsafe fn take_fault(db: *mut sqlite::sqlite3) -> Option<&'static str> {
    let mut file: *mut sqlite::sqlite3_file = ptr::null_mut();
    // SAFETY: the opcode writes one pointer.
    unsafe {
        let name = c"main".as_ptr();
        sqlite::sqlite3_file_control(db, name, sqlite::SQLITE_FCNTL_FILE_POINTER, (&raw mut file).cast());
    }
    match mains().get(&(file as usize))?.fault.swap(0, Ordering::Relaxed) {
        UNLINKED_FAULT => Some(UNLINKED),
        SEVERAL_FAULT => Some(SEVERAL),
        _ => None,
    }
}
