//! The rule of this copy of SQLite: nothing moves a WAL into a database, cuts it or removes it, unless the three files
//! (database, `-wal`, `-shm`) are still the ones that were opened.
//!
//! A WAL that was unlinked while it was in use holds pages of an older state. Others write to the database through a WAL of
//! their own meanwhile, and moving the old one's pages over theirs destroys it. A look at the names alone would leave a
//! moment in which another process closes as the last one; so the locks that keep it from doing so are really taken first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::codes;
use crate::events::{self, Event};
use crate::sqlite;
use crate::vfs::content::{self, Look};
use crate::vfs::file_checks::{self, LOOKS, Verdict, database_file, holds_write_lock, locks, take_again, wal_file};
use crate::vfs::file_monitor::{FileMonitor, WRITER};
use crate::vfs::names;
use crate::vfs::set_aside::{self, Stamp, borrowed};
use crate::vfs::wal_index::WalIndex;

/// A finding counts when it is there in each of [`LOOKS`] looks, the first and the last of which lie at least 50 ms apart.
const BETWEEN: Duration = Duration::from_micros(12_600);

/// How long a good look serves the further steps of the same checkpoint or close, in milliseconds.
const STEPS: u64 = 100;

/// The slots of all locks of the WAL.
const ALL_LOCKS: (i32, i32) = (0, 8);

/// A finding without a code of its own: the same file, with the content of another.
const OVERWRITTEN: i32 = i32::MIN;

static OFF: AtomicBool = AtomicBool::new(false);
static NOT_FIRM: AtomicBool = AtomicBool::new(false);

/// Turns the rule off for the whole process, so that a test can show what happens without it.
///
/// # Safety
/// Databases that are open may be destroyed.
#[doc(hidden)]
pub unsafe fn turn_off(off: bool) {
    OFF.store(off, Ordering::Release);
}

/// Takes locks that nothing in this process can drop by closing a descriptor of its own. They may only be held while the
/// connection has the WAL-index mapped.
pub(crate) fn hold_firmly(watch: &FileMonitor) {
    if watch.is_ours() && !OFF.load(Ordering::Acquire) && !NOT_FIRM.load(Ordering::Acquire) {
        file_checks::hold_firmly(watch);
    }
}

/// Gives them back. In a forked child they are the parent's.
pub(crate) fn let_go(watch: &FileMonitor, shm: bool) {
    if watch.is_ours() {
        file_checks::let_go(watch, shm);
    }
}

/// Turns off the locks of [`hold_firmly`], as on a system that has none.
///
/// # Safety
/// As for [`turn_off`].
#[doc(hidden)]
pub unsafe fn turn_firm_locks_off(off: bool) {
    NOT_FIRM.store(off, Ordering::Release);
}

/// SQLite's code for refusing to move, cut or remove the WAL of this connection; `None` to allow it.
pub(crate) fn refuses(watch: &FileMonitor) -> Option<i32> {
    if OFF.load(Ordering::Acquire) {
        return None;
    }
    if !watch.is_ours() {
        // In a forked child: everything is the parent's.
        return Some(sqlite::SQLITE_READONLY_DBMOVED);
    }
    if let Some(code) = watch.latched() {
        return Some(watch.refuse(code));
    }
    // The steps of one checkpoint, or of one close, under a lock that was there at the look: nobody can have closed since. In
    // exclusive mode the lock is an old one.
    let closing = watch.level() == sqlite::SQLITE_LOCK_EXCLUSIVE && watch.has_wal() && !watch.alone.is();
    let locked = watch.is_checkpointing() || closing;
    if locked && watch.seen_good_within(STEPS) {
        return None;
    }
    let code = look(watch, false, Look::Thorough);
    if code == 0 {
        // SAFETY: this is a call on the connection.
        let spoiled = || unsafe { content::look_at_frames(watch) } == Verdict::Bad;
        if spoiled() {
            std::thread::sleep(BETWEEN);
            if spoiled() {
                latch(watch, codes::WAL_UNLINKED);
                return Some(watch.refuse(codes::WAL_UNLINKED));
            }
        }
        good(watch);
        return None;
    }
    confirm(watch, false);
    Some(watch.refuse(told(code)))
}

/// The code for people.
fn told(code: i32) -> i32 {
    if code == OVERWRITTEN { codes::DATABASE_MOVED } else { code }
}

fn good(watch: &FileMonitor) {
    watch.file.note_good(Stamp::of(watch));
    watch.note_good();
}

/// SQLite's code for refusing a connection its first look into the WAL-index; `None` to allow it. `mapped`: it has just been
/// mapped, and its files are known.
pub(crate) fn refuses_to_attach(watch: &FileMonitor, mapped: bool) -> Option<i32> {
    if OFF.load(Ordering::Acquire) || !watch.is_ours() {
        return None;
    }
    if mapped && watch.latched().is_none() && wal_file(watch) == Verdict::Bad {
        confirm(watch, false);
    }
    let code = watch.latched().filter(|code| *code == codes::WAL_UNLINKED)?;
    Some(watch.refuse(code))
}

/// A checkpoint of this connection has moved what it was to move: the database is what it has made of it.
pub(crate) fn moved(watch: &FileMonitor) {
    if watch.is_ours() && watch.latched().is_none() {
        watch.file.note_good(Stamp::of(watch));
        if watch.alone.is() {
            return cut(watch);
        }
        // SAFETY: this is a call on the connection, which holds the checkpointer's lock.
        unsafe { content::moved(watch) };
    }
}

/// The connection has the database for itself from now on: what has just been seen to be right is what is compared with.
pub(crate) fn begins_to_be_alone(watch: &FileMonitor) {
    if !watch.is_ours() {
        return;
    }
    watch.alone.begin();
    if let Some(file) = watch.descriptor().map(borrowed) {
        watch.alone.moved(&file);
    }
}

/// Others may use the database from now on: what it is like is what the WAL-index, where there is one, will be held against.
pub(crate) fn ends_to_be_alone(watch: &FileMonitor) {
    if watch.is_ours() && watch.alone.is() {
        // SAFETY: this is a call on the connection.
        let look = || unsafe { content::look(watch, Look::Thorough) };
        if look() == Verdict::Bad {
            confirm(watch, false);
        }
        watch.alone.end();
        watch.file.forget_content();
        look();
    }
}

/// A checkpoint of this connection begins to move frames into the database.
pub(crate) fn begins_to_move(watch: &FileMonitor) {
    if watch.alone.is() {
        watch.alone.begins_to_move();
    }
}

/// A checkpoint of this connection has cut the database to its size.
pub(crate) fn cut(watch: &FileMonitor) {
    if let Some(file) = watch.descriptor().map(borrowed).filter(|_| watch.alone.is()) {
        watch.alone.moved(&file);
    }
}

/// A checkpoint of this connection is about to give its lock back.
pub(crate) fn checkpointed(watch: &FileMonitor) {
    if watch.is_ours() && watch.latched().is_none() {
        // SAFETY: this is a call on the connection, which holds the checkpointer's lock.
        unsafe { content::note(watch) };
    }
}

/// A connection has the lock of its first read: what the file is like now is what it will be compared with. Once for a file.
pub(crate) fn first_read(watch: &FileMonitor) {
    if watch.is_ours() && watch.file.begins_to_be_read() {
        // SAFETY: this is a call on the connection.
        unsafe { content::look(watch, Look::Glance) };
    }
}

/// SQLite's code for refusing a write transaction that has just got its lock and begins the log anew; `None` to let it. All of
/// the old log is in the database then: what lies over it now is another's, and the frames of the new log would not fit it.
pub(crate) fn refuses_new_log(watch: &FileMonitor) -> Option<i32> {
    if OFF.load(Ordering::Acquire) || !watch.is_ours() {
        return None;
    }
    // SAFETY: this is a call on the connection.
    let bad = || unsafe {
        watch.index().is_some_and(|index| index.backfilled == index.frames)
            && content::look(watch, Look::Thorough) == Verdict::Bad
    };
    if watch.latched().is_none() && bad() {
        confirm(watch, false);
    }
    watch.latched().map(|code| watch.refuse(code))
}

/// SQLite's code for refusing to add frames to the WAL; `None` to allow it. Asked for each frame, and cheap.
pub(crate) fn refuses_frame(watch: &FileMonitor) -> Option<i32> {
    if OFF.load(Ordering::Acquire) || !watch.is_ours() {
        return None;
    }
    if watch.latched().is_none() && watch.write_lock_is_old() && holds_write_lock(watch) == Verdict::Bad {
        // Somebody may be writing to the same frames: this transaction must not become one of them.
        latch(watch, codes::LOCKS_LOST);
    }
    if watch.latched().is_none() && !watch.has_wal() && watch.is_due() {
        // In exclusive mode no lock is asked for at the start of a transaction.
        glance(watch);
    }
    watch.latched().map(|code| watch.refuse(code))
}

/// The look that a write transaction has now and then.
pub(crate) fn glance(watch: &FileMonitor) {
    if OFF.load(Ordering::Acquire) || watch.latched().is_some() {
        return;
    }
    if look(watch, false, Look::Glance) == 0 {
        good(watch);
        tell_names(watch);
    } else {
        confirm(watch, false);
    }
}

/// Tells, once, that the file has got another name. That harms nothing yet, and nothing is refused.
fn tell_names(watch: &FileMonitor) {
    if !watch.minds_names() {
        return;
    }
    let linked = names::linked(&watch.path, watch.place(), watch.database);
    if watch.file.note_names(linked.is_some())
        && let Some(linked) = linked
    {
        let name = codes::lookup(codes::HARD_LINKS).map_or("", |row| row.name);
        let event = Event::new("unhealthy").text("code", name).text("message", linked);
        watch.subscribers().emit_inside_call(events::with_database(event, Some(watch.place())));
    }
}

/// The code of what is wrong with the connection's files; 0: nothing.
fn look(watch: &FileMonitor, with_locks: bool, how: Look) -> i32 {
    // With the locks that must be held nobody can unlink a file between the look and what comes after it.
    if with_locks && locks(watch) == Verdict::Bad {
        // Which of the files is gone says more.
        return match files(watch, how) {
            0 => codes::LOCKS_LOST,
            code => code,
        };
    }
    if !with_locks && take_again(watch) == Verdict::Bad {
        return codes::LOCKS_LOST;
    }
    if watch.level() < sqlite::SQLITE_LOCK_EXCLUSIVE && watch.has_wal() {
        hold_firmly(watch);
    }
    files(watch, how)
}

fn files(watch: &FileMonitor, how: Look) -> i32 {
    if database_file(watch) == Verdict::Bad {
        codes::DATABASE_MOVED
    // SAFETY: a look is part of a call on the connection.
    } else if wal_file(watch) == Verdict::Bad || unsafe { content::look_at_wal(watch) } == Verdict::Bad {
        codes::WAL_UNLINKED
    // SAFETY: a look is part of a call on the connection.
    } else if unsafe { content::look(watch, how) } == Verdict::Bad {
        OVERWRITTEN
    } else {
        0
    }
}

/// Latches what is bad in each of several looks.
pub(crate) fn confirm(watch: &FileMonitor, with_locks: bool) {
    if watch.latched().is_some() {
        return;
    }
    let code = look(watch, with_locks, Look::Thorough);
    for _ in 1..LOOKS {
        if code == 0 || look(watch, with_locks, Look::Thorough) != code {
            return;
        }
        std::thread::sleep(BETWEEN);
    }
    if code != 0 && look(watch, with_locks, Look::Thorough) == code {
        latch(watch, code);
    }
}

/// From now on nothing of this process writes to the file. What only an unlinked WAL holds is kept.
fn latch(watch: &FileMonitor, code: i32) {
    if code == OVERWRITTEN {
        watch.file.note_overwritten();
    }
    let code = told(code);
    if code == codes::DATABASE_MOVED && file_checks::is_replaced(watch) {
        watch.file.note_replaced();
    }
    if watch.file.is_overwritten() || watch.file.is_replaced() {
        // SAFETY: the caller is in a call on the connection.
        watch.file.note_old_log(unsafe { watch.index() });
    }
    if !watch.file.latch(code) {
        return;
    }
    let name = codes::lookup(code).map_or("", |row| row.name);
    let event = Event::new("unhealthy").text("code", name).text("message", sentence(watch, code));
    watch.subscribers().emit_inside_call(events::with_database(event, Some(watch.place())));
    keep(watch);
}

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
    let event = Event::new("wal_set_aside")
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
    if !watch.file.is_overwritten() || watch.level() != sqlite::SQLITE_LOCK_EXCLUSIVE || !has_old_log(watch) {
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
    if !watch.is_ours() || !watch.has_wal() || OFF.load(Ordering::Acquire) {
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
    let idle = to_retire && !watch.has_wal_lock() && watch.level() == sqlite::SQLITE_LOCK_SHARED;
    if !idle || !has_old_log(watch) || !watch.is_ours() || !watch.has_wal() || OFF.load(Ordering::Acquire) {
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
    let replaced = watch.is_ours() && watch.file.is_replaced() && !OFF.load(Ordering::Acquire);
    // SAFETY: the caller is in a call on the connection.
    let others = || unsafe { watch.index() }.is_some_and(|index| index.frames > 0) && !has_old_log(watch);
    (replaced && others()).then(|| watch.refuse(codes::DATABASE_MOVED))
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
        let (now, good) = (Stamp::of(watch), watch.file.last_good());
        now.zip(good).is_some_and(|(now, good)| now.content() == good.content())
            // SAFETY: the caller is in a call on the connection.
            && unsafe { content::look(watch, Look::Thorough) } != Verdict::Bad
    };
    let mut moved = false;
    file_checks::undisturbed(watch, || {
        moved = (file_checks::is_nameless(watch) || is_as_it_was()) && set_aside::move_log(watch).is_ok();
    });
    moved
}

/// What is wrong, and what was kept, as a sentence.
pub(crate) fn sentence(watch: &FileMonitor, code: i32) -> String {
    let place = watch.place().display();
    let kept = || watch.file.aside().as_ref().map_or(String::new(), |aside| format!("; {}", aside.describe()));
    match code {
        codes::DATABASE_MOVED if watch.file.is_overwritten() => format!(
            "something else than SQLite has written to {place} while it was open, as a copy over it does: this process's \
             commits do not fit what is there now{}",
            kept()
        ),
        codes::DATABASE_MOVED => {
            format!(
                "{place} was deleted, renamed or replaced while it was open: what is written goes to a file without a name{}",
                kept()
            )
        }
        codes::WAL_UNLINKED => {
            format!(
                "the -wal or -shm of {place} was deleted or replaced while it was in use: what is committed there is seen by \
                 nobody else{}",
                kept()
            )
        }
        codes::LOCKS_LOST => format!(
            "{place}: locks that this process took are gone; something in it has opened and closed the file, and other \
             processes may write over what this one writes"
        ),
        _ => {
            let max = watch.care().map_or(0, |care| care.policy.wal_max);
            format!(
                "{place}: the WAL has grown to more than four times wal_max ({max} bytes), and wal_max_action=error"
            )
        }
    }
}
