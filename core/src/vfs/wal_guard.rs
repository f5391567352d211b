//! The rule of this copy of SQLite: nothing moves a WAL into a database, cuts it or removes it, unless the three files
//! (database, `-wal`, `-shm`) are still the ones that were opened.
//!
//! A WAL that was unlinked while it was in use holds pages of an older state. Others write to the database through a WAL of
//! their own meanwhile, and moving the old one's pages over theirs destroys it. A look at the names alone would leave a
//! moment in which another process closes as the last one; so the locks that keep it from doing so are really taken first.

use std::time::Duration;

use crate::error::codes;
use crate::events::{self, Event, EventName};
use crate::sqlite;
use crate::vfs::content::{self, Look};
use crate::vfs::errors::sentence;
use crate::vfs::file_checks::{self, LOOKS, Verdict, database_file, holds_write_lock, locks, take_again, wal_file};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::firm_locks::hold_firmly;
use crate::vfs::names;
use crate::vfs::old_log::{self, keep};
use crate::vfs::open_files::borrowed;
use crate::vfs::switches;

/// A finding counts when it is there in each of [`LOOKS`] looks, the first and the last of which lie at least 50 ms apart.
const BETWEEN: Duration = Duration::from_micros(12_600);

/// How long a good look serves the further steps of the same checkpoint or close, in milliseconds.
const STEPS: u64 = 100;

/// What a look does about the locks that must be held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locks {
    /// The kernel is asked whether they are there; those of a transaction too, which are not taken again.
    AskedFor,
    /// Those that last from the first read to the end are taken again.
    TakenAgain,
}

/// A finding without a code of its own: the same file, with the content of another.
const OVERWRITTEN: i32 = i32::MIN;

/// SQLite's code for refusing to move, cut or remove the WAL of this connection; `None` to allow it.
pub(crate) fn refuses(watch: &FileMonitor) -> Option<i32> {
    if switches::is_guard_off() {
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
    let closing = watch.locks.level() == sqlite::SQLITE_LOCK_EXCLUSIVE && watch.has_wal() && !watch.alone.is();
    let locked = watch.locks.is_checkpointing() || closing;
    if locked && watch.seen_good_within(STEPS) {
        return None;
    }
    let code = look(watch, Locks::TakenAgain, Look::Thorough);
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
    confirm(watch, Locks::TakenAgain);
    Some(watch.refuse(told(code)))
}

/// The code for people.
fn told(code: i32) -> i32 {
    if code == OVERWRITTEN { codes::DATABASE_MOVED } else { code }
}

fn good(watch: &FileMonitor) {
    watch.file.note_good(watch.written());
    watch.note_good();
}

/// SQLite's code for refusing a connection its first look into the WAL-index; `None` to allow it. `mapped`: it has just been
/// mapped, and its files are known.
pub(crate) fn refuses_to_attach(watch: &FileMonitor, mapped: bool) -> Option<i32> {
    if switches::is_guard_off() || !watch.is_ours() {
        return None;
    }
    if !mapped {
        let beside_old = old_log::is_in_use_here(watch);
        watch.file.note_beside_old(beside_old);
        if beside_old {
            return Some(watch.refuse(codes::DATABASE_MOVED));
        }
    }
    if mapped && watch.latched().is_none() && wal_file(watch) == Verdict::Bad {
        confirm(watch, Locks::TakenAgain);
    }
    let code = watch.latched().filter(|code| *code == codes::WAL_UNLINKED)?;
    Some(watch.refuse(code))
}

/// A checkpoint of this connection has moved what it was to move: the database is what it has made of it.
pub(crate) fn moved(watch: &FileMonitor) {
    if watch.is_ours() && watch.latched().is_none() {
        watch.file.note_good(watch.written());
        if watch.alone.is() {
            return cut(watch);
        }
        // SAFETY: this is a call on the connection, which holds the checkpointer's lock.
        unsafe { content::moved(watch) };
    }
}

/// Others may use the database from now on: what it is like is what the WAL-index, where there is one, will be held against.
pub(crate) fn ends_to_be_alone(watch: &FileMonitor) {
    if watch.is_ours() && watch.alone.is() {
        // SAFETY: this is a call on the connection.
        let look = || unsafe { content::look(watch, Look::Thorough) };
        if look() == Verdict::Bad {
            confirm(watch, Locks::TakenAgain);
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
    if switches::is_guard_off() || !watch.is_ours() {
        return None;
    }
    // SAFETY: this is a call on the connection.
    let bad = || unsafe {
        watch.index().is_some_and(|index| index.backfilled == index.frames)
            && content::look(watch, Look::Thorough) == Verdict::Bad
    };
    if watch.latched().is_none() && bad() {
        confirm(watch, Locks::TakenAgain);
    }
    watch.latched().map(|code| watch.refuse(code))
}

/// SQLite's code for refusing to add frames to the WAL; `None` to allow it. Asked for each frame, and cheap.
pub(crate) fn refuses_frame(watch: &FileMonitor) -> Option<i32> {
    if switches::is_guard_off() || !watch.is_ours() {
        return None;
    }
    if watch.latched().is_none() && watch.locks.write_lock_is_old() && holds_write_lock(watch) == Verdict::Bad {
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
    if switches::is_guard_off() || watch.latched().is_some() {
        return;
    }
    if look(watch, Locks::TakenAgain, Look::Glance) == 0 {
        good(watch);
        tell_names(watch);
    } else {
        confirm(watch, Locks::TakenAgain);
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
        let event = Event::new(EventName::Unhealthy).text("code", name).text("message", linked);
        watch.subscribers().emit_inside_call(events::with_database(event, Some(watch.place())));
    }
}

/// The code of what is wrong with the connection's files; 0: nothing.
fn look(watch: &FileMonitor, of_locks: Locks, how: Look) -> i32 {
    // With the locks that must be held nobody can unlink a file between the look and what comes after it.
    if of_locks == Locks::AskedFor && locks(watch) == Verdict::Bad {
        // Which of the files is gone says more.
        return match files(watch, how) {
            0 => codes::LOCKS_LOST,
            code => code,
        };
    }
    if of_locks == Locks::TakenAgain && take_again(watch) == Verdict::Bad {
        return codes::LOCKS_LOST;
    }
    if watch.locks.level() < sqlite::SQLITE_LOCK_EXCLUSIVE && watch.has_wal() {
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
pub(crate) fn confirm(watch: &FileMonitor, of_locks: Locks) {
    if watch.latched().is_some() {
        return;
    }
    let code = look(watch, of_locks, Look::Thorough);
    for _ in 1..LOOKS {
        if code == 0 || look(watch, of_locks, Look::Thorough) != code {
            return;
        }
        std::thread::sleep(BETWEEN);
    }
    if code != 0 && look(watch, of_locks, Look::Thorough) == code {
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
    let event = Event::new(EventName::Unhealthy).text("code", name).text("message", sentence(watch, code));
    watch.subscribers().emit_inside_call(events::with_database(event, Some(watch.place())));
    keep(watch);
}
