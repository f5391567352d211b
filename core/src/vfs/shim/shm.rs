//! The calls for the WAL-index, which is shared memory (`xShm…`): the locks of the WAL are taken and given back there.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{Ordering, fence};

use super::table::{Shim, let_go_of_read_lock, of, original};
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::lock_state::{CHECKPOINTER, FIRST_READER, WRITER};
use crate::vfs::{
    file_checks, firm_locks, lock_change, old_log, open_files, read_lock_keeper, replicated, wal_guard,
    write_transaction,
};

pub(super) unsafe extern "C" fn shm_map(
    file: *mut sqlite::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    map: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls it with a file that has a shim.
    unsafe {
        let shim = of(file);
        let watch = &shim.watch;
        if watch.has_wal() {
            return original!(shim, xShmMap(file, region, size, extend, map));
        }
        // The `-shm` is one for the process: beside a connection whose files are gone, a new one would read them with the
        // `-wal` that is there now.
        if let Some(rc) = wal_guard::refuses_to_attach(watch, false) {
            return rc;
        }
        let (rc, seen) = open_files::observe(|| original!(shim, xShmMap(file, region, size, extend, map)));
        if let Some((fd, id)) = seen.opened {
            watch.file.opened_shm(fd, id.ino);
        }
        if region == 0 && !(*map).is_null() && matches!(rc & 0xff, sqlite::SQLITE_OK | sqlite::SQLITE_READONLY) {
            watch.attached((*map).cast());
            watch.file.join();
            firm_locks::hold_firmly(watch);
            if let Some(rc) = wal_guard::refuses_to_attach(watch, true) {
                return rc;
            }
        }
        rc
    }
}

pub(super) unsafe extern "C" fn shm_lock(
    file: *mut sqlite::sqlite3_file,
    slot: c_int,
    slots: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: as in `shm_map`.
    unsafe {
        let shim = of(file);
        let watch = &shim.watch;
        let exclusive = flags & sqlite::SQLITE_SHM_EXCLUSIVE != 0;
        let reads = !exclusive && slot >= FIRST_READER && watch.is_ours();
        let takes = flags & sqlite::SQLITE_SHM_LOCK != 0;
        let left = watch.locks.take_moved().filter(|_| watch.is_ours());
        if let Some(left) = left.filter(|left| !(takes && reads && *left == slot)) {
            // Not what was expected.
            unlock_moved(shim, file, left);
        }
        if !takes {
            if exclusive && slot == CHECKPOINTER && slots == 1 {
                wal_guard::checkpointed(watch);
            }
            let wrote = reads && watch.kept.take_wrote();
            if reads {
                // Before it is kept: from then on it is nobody's read.
                watch.locks.wal_unlocked(slot, slots, exclusive);
                if !wrote && watch.keeps_read_lock(file, slot, read_lock_keeper::enlist) {
                    return sqlite::SQLITE_OK;
                }
                watch.kept.loosen();
            }
            watch.locks.forget_size();
            let moved = exclusive && slots == 1 && watch.locks.moves_mark(slot) && changes_locks(watch);
            let unlock = || original!(shim, xShmLock(file, slot, slots, flags));
            let stays = wrote && leaves_byte_locked(watch, slot);
            let rc = if moved || stays { lock_change::in_the_books(unlock) } else { unlock() };
            if moved {
                watch.locks.has_moved_mark(slot);
            }
            if reads {
                watch.kept.called();
            } else {
                watch.locks.wal_unlocked(slot, slots, exclusive);
            }
            if !exclusive && watch.is_ours() {
                write_transaction::ended(watch);
                // Not only at the end: the checkpoint of another process would move it meanwhile.
                retire_log(file, old_log::retires_log_at_once(watch), true);
            }
            if stays {
                watch.kept.leave_byte(file, slot, read_lock_keeper::enlist);
            }
            return rc;
        }
        if reads && watch.latched().is_some() {
            // Whether it may read at all is asked below.
            let_go_of_read_lock(watch);
        }
        if reads && watch.kept.begin(slot) {
            watch.locks.reads_on(slot, watch.kept.began());
            return sqlite::SQLITE_OK;
        }
        watch.locks.forget_size();
        let mut stayed = false;
        if exclusive && watch.is_ours() {
            if slots == 1 && slot >= FIRST_READER {
                stayed = watch.kept.becomes_exclusive(slot);
            } else {
                let_go_of_read_lock(watch);
            }
            read_lock_keeper::take_away(watch.database, slot, slots);
            if slot == WRITER {
                watch.kept.writes();
            }
            if slot == WRITER
                && watch.locks.is_transaction()
                && let Some(rc) = write_transaction::refuses(watch)
            {
                return rc;
            }
            if slot == CHECKPOINTER
                && slots == 1
                && let Some(rc) = replicated::refuses(watch)
            {
                return rc;
            }
            if slot == CHECKPOINTER && slots == 1 && watch.leaves_checkpoint() {
                return sqlite::SQLITE_BUSY;
            }
        }
        if exclusive && ((slot == CHECKPOINTER && slots == 1) || (slot > FIRST_READER && slots > 1)) {
            // A checkpoint; all readers' locks but the first are taken where the WAL begins anew.
            if slot == CHECKPOINTER {
                watch.forget_good();
            }
            if let Some(rc) = wal_guard::refuses(watch) {
                // Nothing else may come on this connection for a long time.
                retire_log(file, old_log::retires_log_at_once(watch), true);
                return rc;
            }
        }
        let rc = original!(shim, xShmLock(file, slot, slots, flags));
        if rc != sqlite::SQLITE_OK {
            if let Some(left) = left.filter(|_| reads) {
                unlock_moved(shim, file, left);
            }
            if stayed {
                watch.kept.give_up(slot);
            }
            return rc;
        }
        if !exclusive
            && slot >= FIRST_READER
            && let Some(refused) = old_log::refuses_read(watch)
        {
            original!(shim, xShmLock(file, slot, slots, sqlite::SQLITE_SHM_UNLOCK | sqlite::SQLITE_SHM_SHARED));
            return refused;
        }
        watch.locks.wal_locked(slot, slots, exclusive);
        if reads {
            watch.kept.called();
        }
        if !exclusive && slot >= FIRST_READER {
            wal_guard::first_read(watch);
        }
        if exclusive
            && slot == WRITER
            && slots == 1
            && watch.locks.is_transaction()
            && let Some(rc) = wal_guard::refuses_new_log(watch)
        {
            shm_lock(file, slot, slots, sqlite::SQLITE_SHM_UNLOCK | sqlite::SQLITE_SHM_EXCLUSIVE);
            return rc;
        }
        rc
    }
}

/// Whether a lock of the WAL can be changed into another kind by one call: in files of SQLite's own VFS.
fn changes_locks(watch: &FileMonitor) -> bool {
    lock_change::is_possible() && watch.kept.is_of_sqlites_own() && watch.is_ours()
}

/// The connection ends a transaction that has written: whether the byte of its read lock stays locked.
fn leaves_byte_locked(watch: &FileMonitor, slot: c_int) -> bool {
    slot > FIRST_READER
        && changes_locks(watch)
        && watch.latched().is_none()
        && watch.locks.level() < sqlite::SQLITE_LOCK_EXCLUSIVE
        && watch.has_wal()
        && watch.kept.follows_closely(|| file_checks::is_alone(watch))
}

/// Unlocks the byte of a mark that was moved, where nobody of this process has taken it since.
///
/// # Safety
/// As in `shm_map`; the connection has no lock of the slot, by SQLite's books.
unsafe fn unlock_moved(shim: &Shim, file: *mut sqlite::sqlite3_file, slot: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        let alone = |what| original!(shim, xShmLock(file, slot, 1, what | sqlite::SQLITE_SHM_EXCLUSIVE));
        if alone(sqlite::SQLITE_SHM_LOCK) == sqlite::SQLITE_OK {
            alone(sqlite::SQLITE_SHM_UNLOCK);
        }
    }
}

/// The unix VFS's own takes a mutex of the whole process beside, "for redundancy", twice for each read.
pub(super) unsafe extern "C" fn shm_barrier(_: *mut sqlite::sqlite3_file) {
    fence(Ordering::SeqCst);
}

/// Puts the log out of use under the first of these locks that can be had. Whoever has one of them will have to find out for
/// itself.
///
/// `stays`: the connection is not being closed.
///
/// # Safety
/// As in `shm_map`; the connection has none of them, by SQLite's books.
pub(super) unsafe fn retire_log(file: *mut sqlite::sqlite3_file, locks: &[(c_int, c_int)], stays: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let shim = of(file);
        for &(first, count) in locks {
            read_lock_keeper::take_away(shim.watch.database, first, count);
            let all = |what| original!(shim, xShmLock(file, first, count, what | sqlite::SQLITE_SHM_EXCLUSIVE));
            if all(sqlite::SQLITE_SHM_LOCK) == sqlite::SQLITE_OK {
                old_log::retire_log(&shim.watch, (first, count), stays);
                all(sqlite::SQLITE_SHM_UNLOCK);
                return;
            }
        }
    }
}

pub(super) unsafe extern "C" fn shm_unmap(file: *mut sqlite::sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: as in `shm_map`.
    unsafe {
        let shim = of(file);
        if let Some(left) = shim.watch.locks.take_moved().filter(|_| shim.watch.is_ours()) {
            unlock_moved(shim, file, left);
        }
        let_go_of_read_lock(&shim.watch);
        let delete = c_int::from(delete != 0 && wal_guard::refuses(&shim.watch).is_none());
        retire_log(file, old_log::retires_log(&shim.watch), false);
        if shim.watch.has_wal() {
            let last = shim.watch.file.leave();
            firm_locks::let_go(&shim.watch, last);
            if last {
                shim.watch.file.forget_content();
            }
        }
        shim.watch.detached();
        original!(shim, xShmUnmap(file, delete))
    }
}
