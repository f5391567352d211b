//! A shim between SQLite's pager and the database file of one connection: it passes every call on, and hears of locks
//! and commits on the way.
//!
//! SQLite's hooks are the application's (there is room for one of each), and a hook of ours would change what
//! `PRAGMA wal_autocheckpoint` answers. The methods of an open file are a table that belongs to the file, so a copy of
//! the table with a few entries of ours does no one any harm. It works whoever drives the handle, and on every way.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;

use crate::platform::file_id::file_id;
use crate::sqlite;
use crate::sqlite::handle;
use crate::vfs::file_monitor::{CHECKPOINTER, WRITER, Watch};
use crate::vfs::wal_index::REGION;

/// The table of a file. SQLite sees its first field; the address leads back to the rest.
#[repr(C)]
struct Shim {
    methods: sqlite::sqlite3_io_methods,
    original: *const sqlite::sqlite3_io_methods,
    watch: Arc<Watch>,
}

/// Puts the shim on the main database file of a connection. `None` for a VFS whose files have no shared memory.
///
/// # Safety
/// `db` is open and used by this thread alone; `path` is the file it has opened.
pub(crate) unsafe fn install(db: *mut sqlite::sqlite3, path: &Path) -> Option<Arc<Watch>> {
    // SAFETY: the caller's promise. Version 3 of the table has every field of ours. The shim is freed when the file is
    // closed, and by nobody else.
    unsafe {
        let file = handle::file(db)?;
        let original = (*file).pMethods;
        if (*original).iVersion < 3 || (*original).xShmMap.is_none() {
            return None;
        }
        let watch = Arc::new(Watch::new(path.to_owned(), file_id(path)?));
        let mut methods = *original;
        methods.xClose = Some(close);
        methods.xLock = Some(lock);
        methods.xUnlock = Some(unlock);
        methods.xFileControl = Some(file_control);
        methods.xShmLock = Some(shm_lock);
        methods.xShmUnmap = Some(shm_unmap);
        let shim = Box::new(Shim { methods, original, watch: watch.clone() });
        (*file).pMethods = Box::into_raw(shim).cast();
        Some(watch)
    }
}

/// The shim of a file that has one.
///
/// # Safety
/// One of the functions below was called with the file: its table is a shim's.
unsafe fn of<'a>(file: *mut sqlite::sqlite3_file) -> &'a Shim {
    // SAFETY: the caller's promise; `close` frees it after its last use.
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

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the file's own table is put back before its VFS closes it; nobody calls the shim any more.
    unsafe {
        let shim = Box::from_raw((*file).pMethods.cast_mut().cast::<Shim>());
        (*file).pMethods = shim.original;
        shim.watch.detached();
        original!(shim, xClose(file))
    }
}

unsafe extern "C" fn lock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls it with a file that has a shim.
    unsafe {
        let shim = of(file);
        let writes = level >= sqlite::SQLITE_LOCK_RESERVED && shim.watch.level() < sqlite::SQLITE_LOCK_RESERVED;
        // In WAL mode this is the last connection's close, or a change of the journal.
        if writes
            && shim.watch.is_ours()
            && !shim.watch.has_wal()
            && let Some(rc) = shim.watch.refuses()
        {
            return rc;
        }
        let rc = original!(shim, xLock(file, level));
        if rc == sqlite::SQLITE_OK {
            shim.watch.file_locked(level);
        }
        rc
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        let rc = original!(shim, xUnlock(file, level));
        shim.watch.file_locked(level);
        rc
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as in `lock`; for a pragma the argument is an array of three strings, the second of which is its name.
    unsafe {
        let shim = of(file);
        match op {
            sqlite::SQLITE_FCNTL_COMMIT_PHASETWO if shim.watch.is_ours() => shim.watch.commits(),
            sqlite::SQLITE_FCNTL_PRAGMA => {
                let name = *argument.cast::<*const c_char>().add(1);
                if !name.is_null() && CStr::from_ptr(name).to_bytes().eq_ignore_ascii_case(b"wal_checkpoint") {
                    shim.watch.asks_for_checkpoint();
                }
            }
            _ => {}
        }
        original!(shim, xFileControl(file, op, argument))
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite::sqlite3_file, slot: c_int, slots: c_int, flags: c_int) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        let watch = &shim.watch;
        let exclusive = flags & sqlite::SQLITE_SHM_EXCLUSIVE != 0;
        if flags & sqlite::SQLITE_SHM_LOCK == 0 {
            let rc = original!(shim, xShmLock(file, slot, slots, flags));
            watch.wal_unlocked(slot, slots, exclusive);
            if !exclusive && watch.is_ours() {
                watch.released();
            }
            return rc;
        }
        if exclusive && watch.is_ours() {
            if slot == WRITER
                && watch.is_transaction()
                && let Some(rc) = watch.refuses()
            {
                return rc;
            }
            if slot == CHECKPOINTER && slots == 1 && watch.leaves_checkpoint() {
                return sqlite::SQLITE_BUSY;
            }
        }
        let rc = original!(shim, xShmLock(file, slot, slots, flags));
        if rc == sqlite::SQLITE_OK {
            watch.wal_locked(slot, slots, exclusive);
            if !watch.has_wal() {
                attach(shim, file);
            }
        }
        rc
    }
}

/// SQLite has mapped the WAL-index by now: it reads it before it takes a lock of it.
unsafe fn attach(shim: &Shim, file: *mut sqlite::sqlite3_file) {
    let mut map = std::ptr::null_mut();
    // SAFETY: the region exists, or the pointer stays null: nothing is extended.
    unsafe {
        let rc = original!(shim, xShmMap(file, 0, REGION, 0, &raw mut map));
        if !map.is_null() && matches!(rc & 0xff, sqlite::SQLITE_OK | sqlite::SQLITE_READONLY) {
            shim.watch.attached(map.cast());
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        shim.watch.detached();
        original!(shim, xShmUnmap(file, delete))
    }
}
