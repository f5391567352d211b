//! A shim between SQLite's pager and the database files of this copy of SQLite: it passes every call on, hears of locks and
//! commits on the way, and refuses what [`wal_guard`] does not allow.
//!
//! SQLite's hooks are the application's (there is room for one of each), and a hook of ours would change what
//! `PRAGMA wal_autocheckpoint` answers. The methods of an open file are a table that belongs to the file, so a copy of
//! the table with a few entries of ours does no one any harm. It works whoever drives the handle, and on every way: the
//! shim is put on by the VFS when it opens the file, of attached databases and of raw `sqlite3_open` too.

mod shm;
mod table;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;

use crate::platform::file_id::file_id;
use crate::raw::handle;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::{
    attached, closed_attached, copies, databases, file_state, firm_locks, old_log, replicated, wal_file, wal_guard,
    write_transaction,
};
use shm::{retire_log, shm_barrier, shm_lock, shm_map, shm_unmap};
use table::{Shim, let_go_of_read_lock, of, original};

/// Puts the shim on an open file; not on one without shared memory, which has no WAL.
pub(super) unsafe fn put_on(file: *mut sqlite::sqlite3_file, watch: Arc<FileMonitor>) -> bool {
    // SAFETY: the caller's file is open. Version 3 of the table has every field of ours. The shim is freed when the file is
    // closed, and by nobody else.
    unsafe {
        let original = (*file).pMethods;
        if (*original).iVersion < 3 || (*original).xShmMap.is_none() {
            return false;
        }
        let mut methods = *original;
        methods.xClose = Some(close);
        methods.xTruncate = Some(truncate);
        methods.xFileSize = Some(file_size);
        methods.xLock = Some(lock);
        methods.xUnlock = Some(unlock);
        methods.xFileControl = Some(file_control);
        methods.xShmMap = Some(shm_map);
        methods.xShmLock = Some(shm_lock);
        methods.xShmUnmap = Some(shm_unmap);
        if watch.kept.is_of_sqlites_own() {
            methods.xShmBarrier = Some(shm_barrier);
        }
        (*file).pMethods = Box::into_raw(Box::new(Shim { methods, original, watch })).cast();
        true
    }
}

/// What is known of an open file that has a shim.
///
/// # Safety
/// `file` is open.
pub(crate) unsafe fn watch_of(file: *mut sqlite::sqlite3_file) -> Option<Arc<FileMonitor>> {
    // SAFETY: the caller's promise; a table with our function is ours.
    unsafe {
        let ours = (*(*file).pMethods).xClose.is_some_and(|method| method as usize == close as *const () as usize);
        ours.then(|| of(file).watch.clone())
    }
}

/// The names of a connection's attached databases, and what is known of their files.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub(crate) unsafe fn attached_to(db: *mut sqlite::sqlite3) -> Vec<(String, Arc<FileMonitor>)> {
    // SAFETY: the caller's promise.
    let files = unsafe { handle::files(db) };
    // SAFETY: they are open.
    let known = files.into_iter().filter_map(|(name, file)| Some((name, unsafe { watch_of(file) }?)));
    known.filter(|(_, watch)| watch.attachment.policy().is_some()).collect()
}

/// Puts the logs out of use that do not fit what is at their databases' paths any more, where nothing on the connection is
/// under way: after a look that was no part of a statement.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub(crate) unsafe fn retire_logs(db: *mut sqlite::sqlite3) {
    // SAFETY: the caller's promise; a host may use the raw handle on another thread, which SQLite's own mutex keeps away.
    unsafe {
        let mutex = sqlite::sqlite3_db_mutex(db);
        sqlite::sqlite3_mutex_enter(mutex);
        for (_, file) in handle::files(db) {
            if let Some(watch) = watch_of(file) {
                retire_log(file, old_log::retires_log_at_once(&watch), true);
            }
        }
        sqlite::sqlite3_mutex_leave(mutex);
    }
}

/// What is known of the main database file of a connection. Under a VFS of somebody else's the shim is put on that VFS's file.
/// `None` for a VFS whose files have no shared memory.
///
/// # Safety
/// `db` is open and used by this thread alone; `path` is the file it has opened.
pub(crate) unsafe fn install(db: *mut sqlite::sqlite3, path: &Path) -> Option<Arc<FileMonitor>> {
    // SAFETY: the caller's promise.
    unsafe {
        let file = handle::file_object(db)?;
        if let Some(watch) = watch_of(file) {
            watch.show_as(path);
            return Some(watch);
        }
        let id = file_id(path)?;
        let watch = Arc::new(FileMonitor::new(path.to_owned(), id, None));
        if put_on(file, watch.clone()) {
            return Some(watch);
        }
        file_state::closed(id);
        None
    }
}

unsafe extern "C" fn close(file: *mut sqlite::sqlite3_file) -> c_int {
    // SAFETY: the file's own table is put back before its VFS closes it; nobody calls the shim any more.
    unsafe {
        let_go_of_read_lock(&of(file).watch);
        if of(file).watch.attachment.is_new() {
            closed_attached::note(of(file).watch.place(), handle::beginning_of(file));
        }
        let shim = Box::from_raw((*file).pMethods.cast_mut().cast::<Shim>());
        (*file).pMethods = shim.original;
        shim.watch.detached();
        databases::closed(&shim.watch);
        // Before the descriptor is free: with the last one of a deleted file goes its number, and another thread's new file has it.
        if shim.watch.is_ours() {
            file_state::closed(shim.watch.database);
        }
        original!(shim, xClose(file))
    }
}

unsafe extern "C" fn lock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls it with a file that has a shim.
    unsafe {
        let shim = of(file);
        let writes = level >= sqlite::SQLITE_LOCK_RESERVED && shim.watch.locks.level() < sqlite::SQLITE_LOCK_RESERVED;
        // In WAL mode this is the last connection's close, or a change of the journal: the WAL is moved and removed.
        if level == sqlite::SQLITE_LOCK_SHARED && !shim.watch.is_admitted() {
            return sqlite::SQLITE_CANTOPEN;
        }
        if level == sqlite::SQLITE_LOCK_SHARED
            && let Some(rc) = copies::refuses(&shim.watch)
        {
            return rc;
        }
        let ends_wal = level == sqlite::SQLITE_LOCK_EXCLUSIVE && shim.watch.files() != (None, None);
        if !ends_wal
            && writes
            && shim.watch.is_ours()
            && !shim.watch.has_wal()
            && let Some(rc) = write_transaction::refuses(&shim.watch)
        {
            return rc;
        }
        if ends_wal
            && shim.watch.is_ours()
            && let Some(rc) = replicated::refuses(&shim.watch)
        {
            return rc;
        }
        let before = shim.watch.locks.level();
        if level > sqlite::SQLITE_LOCK_SHARED {
            let_go_of_read_lock(&shim.watch);
        }
        if ends_wal {
            shim.watch.end_care();
            firm_locks::let_go(&shim.watch, true);
            shim.watch.forget_good();
        }
        let rc = original!(shim, xLock(file, level));
        if rc != sqlite::SQLITE_OK {
            if ends_wal {
                firm_locks::hold_firmly(&shim.watch);
            }
            return rc;
        }
        shim.watch.locks.file_locked(level);
        // Under the lock: until it was there somebody else could close as the last one.
        if ends_wal && let Some(rc) = wal_guard::refuses(&shim.watch) {
            old_log::put_away(&shim.watch);
            if before < level {
                unlock(file, sqlite::SQLITE_LOCK_SHARED);
            }
            return rc;
        }
        // A close gives its read lock back first.
        if ends_wal && before < level && shim.watch.has_wal() && shim.watch.locks.reading().is_some() {
            shim.watch.begins_to_be_alone();
        }
        rc
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        let was = shim.watch.locks.level();
        if level < sqlite::SQLITE_LOCK_SHARED {
            let_go_of_read_lock(&shim.watch);
        }
        if level < was {
            wal_guard::ends_to_be_alone(&shim.watch);
        }
        let rc = original!(shim, xUnlock(file, level));
        shim.watch.locks.file_locked(level);
        if was == sqlite::SQLITE_LOCK_EXCLUSIVE && level == sqlite::SQLITE_LOCK_SHARED && shim.watch.has_wal() {
            firm_locks::hold_firmly(&shim.watch);
        }
        rc
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as in `lock`; for a pragma the argument is an array of three strings, the second of which is its name.
    unsafe {
        let shim = of(file);
        match op {
            sqlite::SQLITE_FCNTL_COMMIT_PHASETWO if shim.watch.is_ours() => {
                shim.watch.commits();
                // It had passed every look already.
                old_log::keep(&shim.watch);
                if let Some(wal) = shim.watch.wal_to_sync() {
                    let rc = wal_file::sync(wal);
                    if rc != sqlite::SQLITE_OK {
                        return rc;
                    }
                }
            }
            sqlite::SQLITE_FCNTL_PDB => {
                copies::note(&shim.watch, *argument.cast::<*mut sqlite::sqlite3>(), watch_of);
                // SQLite tells every file of a database which connection it is for, before it reads it. The main one comes
                // before there is anybody to ask.
                if let Some(policy) = attached::of(*argument.cast::<usize>()) {
                    shim.watch.attachment.attach(policy);
                }
            }
            sqlite::SQLITE_FCNTL_CKPT_START => {
                // Its answer is ignored, that of the call for the file's size, which is next, is not. A checkpoint under the
                // checkpointer's lock has been asked for before; one in exclusive mode takes no lock.
                let refuses = !shim.watch.locks.is_checkpointing()
                    && (replicated::is_replicated(&shim.watch) || wal_guard::refuses(&shim.watch).is_some());
                shim.watch.set_refuses_checkpoint(refuses);
                if !refuses {
                    wal_guard::begins_to_move(&shim.watch);
                }
            }
            sqlite::SQLITE_FCNTL_CKPT_DONE => {
                if !shim.watch.refuses_checkpoint() {
                    wal_guard::moved(&shim.watch);
                }
                shim.watch.set_refuses_checkpoint(false);
            }
            sqlite::SQLITE_FCNTL_PRAGMA => {
                let (name, value) =
                    (*argument.cast::<*const c_char>().add(1), *argument.cast::<*const c_char>().add(2));
                let name = if name.is_null() { b"" } else { CStr::from_ptr(name).to_bytes() };
                let text = if value.is_null() { None } else { Some(CStr::from_ptr(value).to_bytes()) };
                if let Some(why) = replicated::refuses_pragma(&shim.watch, name, text) {
                    // SQLite frees it, and shows it as the statement's error.
                    *argument.cast::<*mut c_char>() = handle::sqlite_text(&why);
                    return sqlite::SQLITE_ERROR;
                }
                if name.eq_ignore_ascii_case(b"wal_checkpoint") {
                    shim.watch.asks_for_checkpoint();
                }
                if !value.is_null() && shim.watch.attachment.policy().is_some() {
                    shim.watch.attachment.set_by_pragma(name);
                }
            }
            _ => {}
        }
        original!(shim, xFileControl(file, op, argument))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite::sqlite3_file, size: sqlite::sqlite3_int64) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        let rc = original!(shim, xTruncate(file, size));
        wal_guard::cut(&shim.watch);
        rc
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite::sqlite3_file, size: *mut sqlite::sqlite3_int64) -> c_int {
    // SAFETY: as in `lock`.
    unsafe {
        let shim = of(file);
        if shim.watch.refuses_checkpoint() {
            return sqlite::SQLITE_READONLY_DBMOVED;
        }
        if let Some(known) = shim.watch.locks.known_size() {
            *size = known;
            return sqlite::SQLITE_OK;
        }
        let rc = original!(shim, xFileSize(file, size));
        if rc == sqlite::SQLITE_OK {
            shim.watch.locks.has_size(*size);
        }
        rc
    }
}
