//! A shim on the `-wal` files: what begins a WAL anew or cuts it is asked of the [`wal_guard`], in exclusive mode too, where
//! SQLite takes no lock of the WAL.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::wal_index::LOG_HEADER;
use crate::vfs::{content, wal_guard};

/// The table of a file, as that of a database.
#[repr(C)]
struct Shim {
    methods: sqlite::sqlite3_io_methods,
    original: *const sqlite::sqlite3_io_methods,
    watch: Arc<FileMonitor>,
}

/// Puts the shim on a `-wal` that the VFS has opened for this database.
///
/// # Safety
/// `file` is open, and SQLite has not used it yet.
pub(crate) unsafe fn install(file: *mut sqlite::sqlite3_file, watch: Arc<FileMonitor>) {
    // SAFETY: the caller's promise. The shim is freed when the file is closed, and by nobody else.
    unsafe {
        let original = (*file).pMethods;
        let mut methods = *original;
        watch.wal.set_object(file);
        methods.xClose = Some(close);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        (*file).pMethods = Box::into_raw(Box::new(Shim { methods, original, watch })).cast();
    }
}

/// Waits until the disk has what was written to an open `-wal`.
///
/// # Safety
/// `file` is open, and this thread is in a call of SQLite's on its connection.
pub(crate) unsafe fn sync(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { (*(*file).pMethods).xSync.map_or(sqlite::SQLITE_OK, |sync| sync(file, sqlite::SQLITE_SYNC_NORMAL)) }
}

/// # Safety
/// One of the functions below was called with the file: its table is a shim's.
unsafe fn of<'a>(file: *mut sqlite::sqlite3_file) -> &'a Shim {
    // SAFETY: the caller's promise; `close` frees it after its last use.
    unsafe { &*(*file).pMethods.cast::<Shim>() }
}

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the file's own table is put back before its VFS closes it; nobody calls the shim any more.
    unsafe {
        let shim = Box::from_raw((*file).pMethods.cast_mut().cast::<Shim>());
        (*file).pMethods = shim.original;
        shim.watch.wal.set_object(std::ptr::null_mut());
        shim.watch.closed_wal();
        (*shim.original).xClose.map_or(sqlite::SQLITE_ERROR, |close| close(file))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: sqlite::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite calls it with a file that has a shim.
    unsafe {
        let shim = of(file);
        // At 0 stands the header, with which the WAL begins anew.
        let begins =
            at == 0 && count == LOG_HEADER as c_int && shim.watch.latched().is_none() && !shim.watch.alone.is();
        if begins {
            content::begins_anew(&shim.watch, &*bytes.cast::<[u8; LOG_HEADER]>(), true);
        }
        let refused = if at == 0 { wal_guard::refuses(&shim.watch) } else { wal_guard::refuses_frame(&shim.watch) };
        if let Some(rc) = refused {
            return rc;
        }
        if shim.watch.alone.is() {
            shim.watch.alone.writes(std::slice::from_raw_parts(bytes.cast(), count as usize));
        }
        let rc = (*shim.original).xWrite.map_or(sqlite::SQLITE_ERROR, |write| write(file, bytes, count, at));
        if rc == sqlite::SQLITE_OK && begins {
            content::begins_anew(&shim.watch, &*bytes.cast::<[u8; LOG_HEADER]>(), false);
        }
        rc
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite::sqlite3_file, size: sqlite::sqlite3_int64) -> c_int {
    // SAFETY: as in `write`.
    unsafe {
        let shim = of(file);
        match wal_guard::refuses(&shim.watch) {
            Some(rc) => rc,
            None => (*shim.original).xTruncate.map_or(sqlite::SQLITE_ERROR, |truncate| truncate(file, size)),
        }
    }
}
