//! The table of a file that has a shim: where its own methods are, and what is known of it.

use std::sync::Arc;

use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;

/// The table of a file. SQLite sees its first field; the address leads back to the rest.
#[repr(C)]
pub(super) struct Shim {
    pub methods: sqlite::sqlite3_io_methods,
    pub original: *const sqlite::sqlite3_io_methods,
    pub watch: Arc<FileMonitor>,
}

/// The shim of a file that has one.
///
/// # Safety
/// One of the shim's functions was called with the file: its table is a shim's.
#[inline]
pub(super) unsafe fn of<'a>(file: *mut sqlite::sqlite3_file) -> &'a Shim {
    // SAFETY: the caller's promise; the shim's `close` frees it after its last use.
    unsafe { &*(*file).pMethods.cast::<Shim>() }
}

/// Calls the method of the VFS. A table that had none has none in its copy either, so it is there.
macro_rules! original {
    ($shim:expr, $method:ident ( $($argument:expr),* )) => {
        match (*$shim.original).$method {
            Some(method) => method($($argument),*),
            None => sqlite::SQLITE_ERROR,
        }
    };
}

pub(super) use original;

/// Gives back the WAL's read lock, where the connection has only kept it. In a forked child it is the parent's.
pub(super) fn let_go_of_read_lock(watch: &FileMonitor) {
    if watch.is_ours() {
        watch.kept.give_back();
    }
}
