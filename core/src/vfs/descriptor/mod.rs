//! Databases that are opened by file descriptor instead of by path.
//!
//! A process without the right to open anything in the database's directory can still use a database whose files were
//! opened for it. SQLite's own unix VFS does the work, locks included, so such a connection and one by path respect each
//! other in this process too: only its `open` is answered with a duplicate of the descriptor, and only what would need
//! the directory is replaced. The journal cannot be created anew, so it is emptied where SQLite would delete it, which
//! SQLite reads as no journal. If one of the two files is deleted, crash recovery by others is lost: every later
//! transaction fails.

mod main_files;
mod vfs;

use std::ffi::{CString, c_int};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sqlite;

use crate::vfs::open_files::status;
pub(crate) use main_files::{MAINS, install, is_open, is_opening};
use main_files::{OPEN_FAULT, PENDING, SEVERAL, SEVERAL_FAULT, UNLINKED, UNLINKED_FAULT, VFS, mains};

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
