//! Copies of a database, by VACUUM INTO or SQLite's backup: whoever makes one believes it to be one of the file at the path. A
//! connection whose files were deleted or replaced sees something else.

use std::ffi::c_int;
use std::sync::Arc;

use crate::error::{Error, FailedStep, codes};
use crate::raw::handle;
use crate::sqlite;
use crate::vfs::errors::{RESCUE, of_the_files};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_guard::{Locks, confirm};

/// Why what a connection sees is not (all of) what others find at the database's path; `None`: nothing says so. In a call on the
/// connection, or with it locked.
pub(crate) fn strayed(watch: &FileMonitor) -> Option<Error> {
    if !watch.is_ours() {
        return None;
    }
    confirm(watch, Locks::AskedFor);
    let code = watch.latched()?;
    matches!(code, codes::DATABASE_MOVED | codes::WAL_UNLINKED | codes::LOCKS_LOST).then(|| of_the_files(watch, code))
}

/// Notes what a file that SQLite has just opened for a connection is a copy of, when a running VACUUM INTO is what opens it.
/// `watch_of`: what is known of an open file.
///
/// # Safety
/// `db` is the connection, used by this thread alone.
pub(super) unsafe fn note(
    copy: &Arc<FileMonitor>,
    db: *mut sqlite::sqlite3,
    watch_of: unsafe fn(*mut sqlite::sqlite3_file) -> Option<Arc<FileMonitor>>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(name) = handle::vacuuming(db) else { return };
        let mut files = handle::files(db).into_iter().filter(|(other, _)| other.eq_ignore_ascii_case(&name));
        let source = files.find_map(|(_, file)| watch_of(file));
        if let Some(source) = source.filter(|source| !Arc::ptr_eq(source, copy)) {
            copy.copies(&source);
        }
    }
}

/// SQLite's code for refusing the first lock of a file that is to become a copy of what is not at the source's path.
pub(super) fn refuses(copy: &FileMonitor) -> Option<c_int> {
    let error = strayed(&*copy.copied()?)?;
    if let Some(policy) = copy.attachment.policy() {
        policy.refuse(error.with_hint(RESCUE).with_step(FailedStep::Backup));
    }
    Some(sqlite::SQLITE_READONLY_DBMOVED)
}
