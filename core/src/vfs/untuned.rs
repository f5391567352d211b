//! What a connection has of litekeel's that a host has opened by SQLite's own call.

use crate::raw::handle;
use crate::sqlite;
use crate::vfs::shim;

/// Keeps the read lock of the connection's main database between close reads, or does not: see the setting `read_lock`. No
/// effect on a database without a file, and on a VFS that is not SQLite's own.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub unsafe fn keep_read_lock(db: *mut sqlite::sqlite3, on: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let watch = handle::file_object(db).and_then(|file| shim::watch_of(file));
        if let Some(watch) = watch {
            watch.kept.allow(on);
        }
    }
}
