//! The log of a database that something else has written to, or whose name another file has: it belongs to what the database
//! was before. What only it holds is kept elsewhere, and it is put out of use before anybody moves it over what is there now.

use crate::error::codes;
use crate::events::{self, Event, EventName};
use crate::platform::path_facts::sidecar;
use crate::sqlite;
use crate::vfs::beginning;
use crate::vfs::content::{self, Look};
use crate::vfs::databases;
use crate::vfs::file_checks::{self, Verdict};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::firm_locks::{hold_firmly, let_go};
use crate::vfs::lock_state::WRITER;
use crate::vfs::set_aside;
use crate::vfs::switches;
use crate::vfs::wal_index::WalIndex;

/// The slots of all locks of the WAL.
const ALL_LOCKS: (i32, i32) = (0, 8);

/// Keeps what only an unlinked WAL holds; again, when more has been committed since. In a call of SQLite's on the connection,
/// or with the connection locked.
pub(crate) fn keep(watch: &FileMonitor) {
    let Some(code) = watch.latched() else { return };
    let why = match code {
        _ if watch.file.is_overwritten() => "overwritten",
        _ if watch.file.is_replaced() => "replaced",
        codes::WAL_UNLINKED if !file_checks::is_wal_in_place(watch) => "unlinked",
        _ => return,
    };
    if why != "unlinked" && !has_old_log(watch) {
        return;
    }
    // Elsewhere the figure may be of what others have moved to the file that has the name now.
    // SAFETY: the caller is in a call on the connection.
    let backfilled = unsafe { watch.index() }.filter(|_| why == "overwritten").map(|index| index.backfilled.into());
    let mut aside = watch.file.aside();
    let Some(kept) = set_aside::keep(watch, backfilled, watch.file.last_good(), aside.as_ref(), why) else { return };
    let event = Event::new(EventName::WalSetAside)
        .text("wal", kept.wal.as_ref().map_or(String::new(), |path| path.display().to_string()))
        .text("copy", kept.database.as_ref().map_or(String::new(), |path| path.display().to_string()))
        .int("pages", kept.missing as i64)
        .text("message", kept.describe());
    *aside = Some(kept);
    drop(aside);
    watch.subscribers().emit_inside_call(events::with_database(event, Some(watch.place())));
}

/// Under the exclusive lock of the last close of a database that something else has written to: the WAL's frames belong to
/// what was there before, and the next opening would put them over what is there now. They are kept elsewhere, and go.
pub(crate) fn put_away(watch: &FileMonitor) {
    if !watch.file.is_overwritten() || watch.locks.level() != sqlite::SQLITE_LOCK_EXCLUSIVE || !has_old_log(watch) {
        return;
    }
    keep(watch);
    // SAFETY: the caller is in a call on the connection.
    let pending = unsafe { watch.index() }.is_none_or(|index| index.frames > index.backfilled);
    if !pending || watch.file.aside().as_ref().is_some_and(|aside| aside.wal.is_ok()) {
        set_aside::empty_wal(watch);
    }
}

/// Whether the log is still the one that belongs to what the database was. Somebody who works with what is there now may have
/// begun another one, and its commits are theirs. In a call on the connection.
fn has_old_log(watch: &FileMonitor) -> bool {
    // SAFETY: the caller's.
    match (watch.file.old_log(), unsafe { watch.index() }) {
        // An empty one has nothing of before, whatever it has now.
        (Some(old), Some(index)) => old.salts == index.salts && (old.frames > 0 || index.frames == 0),
        // In exclusive mode nobody else uses it.
        _ => true,
    }
}

/// Whether others have added to a log that was all in the database when something else was put in its place.
fn has_others_commits(watch: &FileMonitor, index: &WalIndex) -> bool {
    watch.file.old_log().is_some_and(|old| old.backfilled == old.frames && index.frames > old.frames)
}

/// Which locks to take before the log is put out of use that this connection leaves behind: the first slot and how many, the
/// first of these that can be had. None where it is to stay.
///
/// Its frames belong to what the database was before something else wrote to it: whoever closes last would move them over what
/// is there now, SQLite of other processes too. Where another file has the database's name, they would be recovered into that
/// one; but who has opened it already works with this WAL, and SQLite itself does nothing more for a file that was moved.
pub(crate) fn retires_log(watch: &FileMonitor) -> &'static [(i32, i32)] {
    if !watch.is_ours() || !watch.has_wal() || switches::is_guard_off() {
        return &[];
    }
    if watch.file.is_overwritten() {
        // Where readers go on, the writer's and the checkpointer's.
        return &[ALL_LOCKS, (WRITER, 2)];
    }
    let alone = watch.file.is_replaced() && file_checks::is_wal_in_place(watch) && watch.file.users() == 1;
    if alone { &[ALL_LOCKS] } else { &[] }
}

/// Likewise for a connection that stays, after each of its reads and refused writes: none where it has a lock of its own.
pub(crate) fn retires_log_at_once(watch: &FileMonitor) -> &'static [(i32, i32)] {
    let to_retire = watch.file.is_overwritten() || watch.file.is_replaced();
    let idle = to_retire && !watch.locks.has_any_of_wal() && watch.locks.level() == sqlite::SQLITE_LOCK_SHARED;
    if !idle || !has_old_log(watch) || !watch.is_ours() || !watch.has_wal() || switches::is_guard_off() {
        &[]
    } else if watch.file.is_overwritten() {
        retires_log(watch)
    } else if file_checks::is_wal_in_place(watch) {
        &[ALL_LOCKS]
    } else {
        &[]
    }
}

/// Whether the log is another's by now, of the file that has got the database's name: what this connection would read is one
/// half of each.
pub(crate) fn refuses_read(watch: &FileMonitor) -> Option<i32> {
    let replaced = watch.is_ours() && watch.file.is_replaced() && !switches::is_guard_off();
    // SAFETY: the caller is in a call on the connection.
    let others = || unsafe { watch.index() }.is_some_and(|index| index.frames > 0) && !has_old_log(watch);
    (replaced && others()).then(|| watch.refuse(codes::DATABASE_MOVED))
}

/// Whether a connection of this process works with the log at this connection's path for the file that had the name before, and
/// that log was not put out of use. In one process no lock keeps the two apart, and each would read the frames of the other as its own.
pub(crate) fn is_in_use_here(watch: &FileMonitor) -> bool {
    let of_another = |other: &FileMonitor| {
        let is_old = other.database != watch.database && other.is_ours() && other.has_wal();
        // One that is latched writes no more, and is told when it reads what is not its own.
        let is_over = other.latched().is_some() && other.file.is_retired();
        is_old && !is_over && file_checks::named(other, "-shm", other.files().1) == Verdict::Good
    };
    databases::owners_of_wal(&sidecar(&watch.path, "-wal")).iter().any(|other| of_another(other))
}

/// Puts it out of use, where its frames are kept. `stays`: the connection is not being closed.
///
/// # Safety
/// This is a call on the connection, which holds these locks.
pub(crate) unsafe fn retire_log(watch: &FileMonitor, locks: (i32, i32), stays: bool) {
    let replaced = !watch.file.is_overwritten();
    if replaced {
        // Whoever begins to use the log from now on waits for the locks.
        let_go(watch, true);
        let used = file_checks::is_wal_used(watch);
        if stays {
            hold_firmly(watch);
        }
        if used {
            return;
        }
    }
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }) else { return };
    if !has_old_log(watch) || has_others_commits(watch, &index) {
        return;
    }
    keep(watch);
    let frames = u64::from(index.frames);
    let kept = watch.file.aside().as_ref().is_some_and(|aside| aside.wal.is_ok() && aside.frames >= frames);
    let done = kept || index.backfilled == index.frames;
    // Those who stay go on reading the file that they have, which has to have all of it.
    if done && (!replaced || !stays || moves_log(watch)) {
        // SAFETY: the caller's promise; SQLite could take the locks, so that its mapping may be written to.
        unsafe { if locks == ALL_LOCKS { WalIndex::make_void(watch.map()) } else { index.retire(watch.map()) } };
        // In this order: with an index that is right, a log that is cut would be a damaged one.
        if locks == ALL_LOCKS {
            set_aside::empty_wal(watch);
            watch.file.note_retired();
        }
    }
}

/// Moves all of the log of a database whose name another file has into the file that the connection has open, as the last
/// checkpoint of a close would; whether it is there. Only where nobody can have written to that file since it was last seen to
/// be the right one: it has no name any more, or is as it was. No other process uses the log.
///
/// The connection holds all locks of the WAL.
fn moves_log(watch: &FileMonitor) -> bool {
    // A file that is renamed gets another time of change.
    let is_as_it_was = || {
        let (now, good) = (watch.written(), watch.file.last_good());
        now.zip(good).is_some_and(|(now, good)| beginning::content(now) == beginning::content(good))
            // SAFETY: the caller is in a call on the connection.
            && unsafe { content::look(watch, Look::Thorough) } != Verdict::Bad
    };
    let mut moved = false;
    file_checks::undisturbed(watch, || {
        moved = (file_checks::is_nameless(watch) || is_as_it_was()) && set_aside::move_log(watch).is_ok();
    });
    moved
}
