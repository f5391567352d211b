//! What stands before the `xOpen`, `xDelete` and `xSleep` of SQLite's unix VFSes: it puts the shims on every database file
//! and every `-wal` of this copy of SQLite, lets no `-wal` be deleted that is not the one which was used, and lets the host
//! of a thread end its waits.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::path_facts::sidecar;
use crate::platform::threads;
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::{databases, descriptor, file_checks, file_state, open_files, replica_copy, shim, wal_file, wal_guard};

type OpenFn = unsafe extern "C" fn(
    *mut sqlite::sqlite3_vfs,
    *const c_char,
    *mut sqlite::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;
type DeleteFn = unsafe extern "C" fn(*mut sqlite::sqlite3_vfs, *const c_char, c_int) -> c_int;
type SleepFn = unsafe extern "C" fn(*mut sqlite::sqlite3_vfs, c_int) -> c_int;

/// The VFS's own functions, which ours stand before.
static OPEN: AtomicUsize = AtomicUsize::new(0);
static DELETE: AtomicUsize = AtomicUsize::new(0);
static SLEEP: AtomicUsize = AtomicUsize::new(0);

/// Stands before the unix VFSes' `xOpen`, `xDelete` and `xSleep`; once per process, after the hooks of [`open_files`]. Their names, and
/// which one is the default, stay as they are. Other VFSes are somebody else's.
pub(crate) fn hook() {
    // SAFETY: SQLite's list of VFSes, whose structures it expects to be changed only before use: this is called once, when
    // the library is initialised.
    unsafe {
        let unix = sqlite::sqlite3_vfs_find(c"unix".as_ptr());
        if unix.is_null() {
            return;
        }
        let (Some(open), Some(delete), Some(sleep)) = ((*unix).xOpen, (*unix).xDelete, (*unix).xSleep) else { return };
        OPEN.store(open as usize, Ordering::Release);
        DELETE.store(delete as usize, Ordering::Release);
        SLEEP.store(sleep as usize, Ordering::Release);
        let mut vfs = sqlite::sqlite3_vfs_find(std::ptr::null());
        while !vfs.is_null() {
            if (*vfs).xOpen.is_some_and(|other| other as usize == open as usize)
                && (*vfs).xDelete.is_some_and(|other| other as usize == delete as usize)
            {
                (*vfs).xOpen = Some(on_open);
                (*vfs).xDelete = Some(on_delete);
                if (*vfs).xSleep.is_some_and(|other| other as usize == sleep as usize) {
                    (*vfs).xSleep = Some(on_sleep);
                }
            }
            vfs = (*vfs).pNext;
        }
    }
}

unsafe extern "C" fn on_open(
    vfs: *mut sqlite::sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: stored by `hook` before this function could be called; the arguments are SQLite's.
    unsafe {
        let open = std::mem::transmute::<usize, OpenFn>(OPEN.load(Ordering::Acquire));
        let database = flags & sqlite::SQLITE_OPEN_MAIN_DB != 0;
        // A database by descriptor has methods and a rule of its own, and no WAL.
        if name.is_null() || !(database || flags & sqlite::SQLITE_OPEN_WAL != 0) || descriptor::is_opening() {
            return open(vfs, name, file, flags, out_flags);
        }
        let (rc, seen) = open_files::observe(|| open(vfs, name, file, flags, out_flags));
        if rc != sqlite::SQLITE_OK || (*file).pMethods.is_null() {
            return rc;
        }
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        if !database {
            if let (Some((fd, id)), Some(watch)) = (seen.opened, databases::of_wal(path, name as usize)) {
                watch.opened_wal(fd, id.ino);
                wal_file::install(file, watch);
            }
            return rc;
        }
        if let Some((_, id)) = seen.examined.filter(|_| replica_copy::is_opening()) {
            replica_copy::put_on(file, path, id);
            return rc;
        }
        if let Some((fd, id)) = seen.examined {
            // Other kinds of locks than POSIX's cannot be taken again.
            let posix = CStr::from_ptr((*vfs).zName) == c"unix" && cfg!(target_os = "linux");
            let watch = Arc::new(FileMonitor::new(path.to_owned(), id, posix.then_some(fd)));
            if let Some(shm_lock) = (*(*file).pMethods).xShmLock.filter(|_| posix) {
                watch.kept.is_of(shm_lock);
            }
            if shim::put_on(file, watch.clone()) {
                databases::opened(name as usize, watch);
            } else {
                file_state::closed(id);
            }
        }
        rc
    }
}

unsafe extern "C" fn on_delete(vfs: *mut sqlite::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: as in `on_open`.
    unsafe {
        if !name.is_null() {
            let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
            if path.as_os_str().as_bytes().ends_with(b"-wal") {
                match deletion(path) {
                    Deletion::Allowed => {}
                    Deletion::Refused => return sqlite::SQLITE_IOERR_DELETE,
                    Deletion::SetAside => return set_orphan_aside(path),
                }
            }
        }
        std::mem::transmute::<usize, DeleteFn>(DELETE.load(Ordering::Acquire))(vfs, name, sync_directory)
    }
}

/// SQLite's own busy handler sleeps here between two looks, and asks nobody: the host is told that its thread still waits.
unsafe extern "C" fn on_sleep(vfs: *mut sqlite::sqlite3_vfs, microseconds: c_int) -> c_int {
    // SAFETY: as in `on_open`.
    let slept = unsafe { std::mem::transmute::<usize, SleepFn>(SLEEP.load(Ordering::Acquire))(vfs, microseconds) };
    // Who is about to end the thread takes the connection's patience in the answer.
    threads::is_to_end();
    slept
}

enum Deletion {
    Allowed,
    Refused,
    SetAside,
}

/// Whether SQLite may delete this `-wal`: when the connection that has just closed it, as the last one of all, closed the file
/// that has the name now. Beside an empty database SQLite deletes one that it has not even opened.
fn deletion(wal: &Path) -> Deletion {
    let owners = databases::owners_of_wal(wal);
    let closing =
        |watch: &&Arc<FileMonitor>| watch.locks.level() == sqlite::SQLITE_LOCK_EXCLUSIVE && watch.wal.last().is_some();
    if let Some(watch) = owners.iter().find(closing) {
        let same = file_checks::named(watch, "-wal", watch.wal.last()) != file_checks::Verdict::Bad;
        return if same && wal_guard::refuses(watch).is_none() { Deletion::Allowed } else { Deletion::Refused };
    }
    let orphan = !owners.is_empty()
        && owners.iter().all(|watch| watch.files().0.is_none())
        && std::fs::metadata(wal).is_ok_and(|meta| meta.len() > 0);
    if orphan { Deletion::SetAside } else { Deletion::Allowed }
}

/// What SQLite would delete gets another name.
fn set_orphan_aside(wal: &Path) -> c_int {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    match std::fs::rename(wal, sidecar(wal, &format!(".orphan-{now}"))) {
        Ok(()) => sqlite::SQLITE_OK,
        Err(_) => sqlite::SQLITE_IOERR_DELETE,
    }
}
