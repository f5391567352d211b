//! The copy itself: SQLite's backup, step by step.

use std::time::{Duration, Instant};

use super::errors;
use super::options::{BackupReport, STEP};
use crate::connection::guard::Guard;
use crate::error::{Error, Result};
use crate::open::Opening;
use crate::raw::handle;
use crate::sqlite;
use crate::waiting::deadline;

/// A writer in another connection makes SQLite begin anew; after so many times the rest is copied in one step.
const RESTARTS: u32 = 10;

/// The running backup; finished when it is dropped, which undoes a part of one.
struct Backup(*mut sqlite::sqlite3_backup);

impl Drop for Backup {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made below, finished once, before either connection closes.
            unsafe { sqlite::sqlite3_backup_finish(self.0) };
        }
    }
}

/// A read transaction of the source, unless its host has one: what a look finds is what the next step copies.
struct Seen(*mut sqlite::sqlite3);

impl Seen {
    fn of(source: &Guard<'_>) -> Option<Seen> {
        // An authorizer of the host's may refuse it.
        // SAFETY: the guard holds the connection.
        let begun = !source.in_transaction() && unsafe { handle::query_text(source.raw(), c"BEGIN") }.is_ok();
        begun.then(|| Seen(source.raw()))
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // SAFETY: it lives within the call that holds the connection.
        let _ = unsafe { handle::query_text(self.0, c"COMMIT") };
    }
}

/// `look` is asked before every step: whichever copies the last page gives the destination its new content, and that may be
/// any where somebody makes the source smaller meanwhile.
pub(super) fn copy(
    source: &Guard<'_>,
    to: &Opening,
    pages: i32,
    progress: &mut dyn FnMut(i64, i64) -> bool,
    look: &dyn Fn() -> Result<()>,
) -> Result<BackupReport> {
    // An interrupt meant for an earlier call is forgotten when a statement begins.
    // SAFETY: the guard holds the connection.
    let _ = unsafe { handle::query_text(source.raw(), c"SELECT 1") };
    // SAFETY: both handles are open and ours; the names are NUL-terminated.
    let backup =
        Backup(unsafe { sqlite::sqlite3_backup_init(to.raw, c"main".as_ptr(), source.raw(), c"main".as_ptr()) });
    if backup.0.is_null() {
        // SAFETY: the destination's handle carries the failure.
        return Err(to.fail(unsafe { sqlite::sqlite3_extended_errcode(to.raw) }, STEP));
    }
    let patience = to.busy_timeout().map_or(Duration::ZERO, |ms| Duration::from_millis(ms.max(0) as u64));
    let mut moved = Instant::now();
    let (mut report, mut before) = (BackupReport::default(), 0);
    let interrupts = source.interrupts();
    // Nothing is copied by the first step: it tells how much there is.
    let mut rest = None;
    loop {
        let wanted = if pages < 0 || report.restarts >= RESTARTS { i32::MAX } else { pages };
        let count = match rest {
            None => 0,
            Some(rest @ 2..) => wanted.min(rest - 1),
            Some(_) => -1,
        };
        let seen = Seen::of(source);
        // A lock that keeps the look from reading would keep the step from it, too.
        let locked = match look() {
            Ok(()) => false,
            Err(error) if is_busy(error.code()) && moved.elapsed() < patience => true,
            Err(error) => return Err(error),
        };
        // SAFETY: the backup is live, and this thread holds both connections.
        let (rc, total, left, interrupted) = unsafe {
            let rc = if locked { sqlite::SQLITE_BUSY } else { sqlite::sqlite3_backup_step(backup.0, count) };
            // The end of the transaction forgets it.
            let interrupted = sqlite::sqlite3_is_interrupted(source.raw()) != 0;
            (rc, sqlite::sqlite3_backup_pagecount(backup.0), sqlite::sqlite3_backup_remaining(backup.0), interrupted)
        };
        drop(seen);
        let copied = i64::from(total) - i64::from(left);
        report.pages = total.into();
        match rc & 0xff {
            sqlite::SQLITE_OK => {
                moved = Instant::now();
                rest = Some(left);
                report.restarts += u32::from(copied < before);
                before = copied;
            }
            sqlite::SQLITE_DONE => {}
            // Somebody holds a lock. The busy handlers have waited; what they do not see is asked for again.
            _ if is_busy(rc) && moved.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(1));
            }
            sqlite::SQLITE_READONLY if let Some(error) = other_page_size(source, to, rc) => return Err(error),
            _ => return Err(source.past_deadline(rc).unwrap_or_else(|| to.fail(rc, STEP))),
        }
        if count == 0 && left > 1 {
            continue;
        }
        let stop = progress(copied, total.into());
        if rc == sqlite::SQLITE_DONE {
            break;
        }
        if stop || interrupted || source.interrupts() != interrupts || deadline::gives_up() {
            let late = source.past_deadline(sqlite::SQLITE_INTERRUPT);
            return Err(late.unwrap_or_else(errors::stopped).with_step(STEP));
        }
    }
    let raw = backup.0;
    std::mem::forget(backup);
    // SAFETY: finished here, and only here.
    match unsafe { sqlite::sqlite3_backup_finish(raw) } {
        sqlite::SQLITE_OK => Ok(report),
        rc => Err(to.fail(rc, STEP)),
    }
}

fn is_busy(code: i32) -> bool {
    code > 0 && matches!(code & 0xff, sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED)
}

/// A database in WAL mode cannot change its page size; SQLite says READONLY to that.
fn other_page_size(source: &Guard<'_>, to: &Opening, rc: i32) -> Option<Error> {
    // SAFETY: the guard holds the source, and nobody else has the destination.
    let size = |db| unsafe { handle::query_text(db, c"PRAGMA page_size") }.ok().flatten();
    let (from, into) = (size(source.raw())?, size(to.raw)?);
    let path = to.path.as_deref().filter(|_| from != into)?;
    Some(errors::other_page_size(rc, path, &into, &from))
}
