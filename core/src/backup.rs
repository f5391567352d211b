//! A copy of a live database by SQLite's online backup: consistent, whatever writes meanwhile. Never a copy of the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::codes;
use crate::error::{Error, Result};
use crate::explain::Access;
use crate::open::target::file_id;
use crate::open::{self, Opening};
use crate::report::OpenReport;
use crate::settings::{Id, Options, Resolved, TABLE, Target, resolve};
use crate::sqlite;
use crate::sqlite::handle;
use crate::waiting::deadline;

/// Pages for each step when the caller leaves it to us: the locks are free in between.
const PAGES: i32 = 256;
/// A writer in another connection makes SQLite begin anew; after so many times the rest is copied in one step.
const RESTARTS: u32 = 10;
const STEP: &str = "backup";

/// What of a URL has a meaning for a destination; the rest describes a connection.
const ALLOWED: &[Id] = &[
    Id::Mode,
    Id::BusyTimeout,
    Id::Busy,
    Id::Vfs,
    Id::Mkdir,
    Id::NetworkFs,
    Id::HardLinks,
    Id::ForeignSqlite,
    Id::OnOrphanWal,
    Id::Unsafe,
    Id::Nolock,
    Id::Psow,
    Id::Modeof,
];

/// What a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Pages of the copy.
    pub pages: i64,
    /// How often another connection's write made it begin anew.
    pub restarts: u32,
}

impl Connection {
    /// Copies the database to the file that `url` names, in the same grammar as for open; its content is replaced in
    /// one transaction. `pages` are copied in each step (0: litekeel chooses; negative: all at once, as one snapshot).
    /// After each step `progress` hears the pages done and the pages in all; `true` from it stops the backup.
    ///
    /// A destination that was new is gone again after a failure; one that existed is as it was.
    ///
    /// # Errors
    /// The URL's codes; `KEEL_CONFLICT` for parameters without a meaning here; `KEEL_ARGUMENT` when it is the database
    /// itself; `KEEL_IN_TRANSACTION`; `SQLITE_INTERRUPT` when it was stopped, interrupted or timed out; SQLite's own.
    pub fn backup(&self, url: &str, pages: i32, mut progress: impl FnMut(i64, i64) -> bool) -> Result<BackupReport> {
        let guard = self.lock()?;
        if guard.in_transaction() {
            return Err(Error::new(
                codes::IN_TRANSACTION,
                "a backup inside a transaction would copy what may be undone",
            )
            .with_step(STEP));
        }
        let mode = self.path().and_then(|path| fs::metadata(path).ok()).map(|meta| {
            // A copy may be read by nobody who may not read the original.
            std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777
        });
        let options = Options { file_mode: mode, ..Options::default() };
        let resolved = resolve(Some(url), &options)?;
        let path = self.destination(&resolved)?;
        let is_new = fs::symlink_metadata(&path).is_err();
        let mut report = OpenReport::default();
        let opened = open::destination(&resolved, &options, access(&resolved), &mut report);
        let pages = if pages == 0 { PAGES } else { pages };
        let done = opened.and_then(|opening| copy(&guard, &opening, pages, &mut progress));
        if done.is_err() && is_new {
            remove_empty(&path);
            report.created_directories.iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
        }
        done
    }

    fn destination(&self, resolved: &Resolved) -> Result<PathBuf> {
        let Target::File(path) = &resolved.target else {
            return Err(Error::new(codes::ARGUMENT, "a backup in memory would be gone at once")
                .with_hint("name a file")
                .with_step(STEP));
        };
        let settings = &resolved.settings;
        if access(resolved) == Access::Read {
            return Err(Error::new(codes::CONFLICT, "a backup cannot be written with mode=ro").with_step(STEP));
        }
        let other = TABLE.iter().find(|row| settings.is_explicit(row.id) && !ALLOWED.contains(&row.id));
        if let Some(row) = other {
            let keys: Vec<_> = ALLOWED.iter().map(|id| id.key()).collect();
            return Err(Error::new(codes::CONFLICT, format!("{} means nothing for a backup's destination", row.key))
                .with_hint(format!("remove it; it takes {}", keys.join(" ")))
                .with_step(STEP));
        }
        if self.file_id().is_some() && file_id(path) == self.file_id() {
            return Err(Error::new(codes::ARGUMENT, format!("{} is the database itself", path.display()))
                .with_hint("name another file")
                .with_path(path)
                .with_step(STEP));
        }
        Ok(path.clone())
    }
}

fn access(resolved: &Resolved) -> Access {
    match resolved.settings.word(Id::Mode) {
        "ro" => Access::Read,
        "rw" => Access::Write,
        _ => Access::Create,
    }
}

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

fn copy(
    source: &Guard<'_>,
    to: &Opening,
    pages: i32,
    progress: &mut dyn FnMut(i64, i64) -> bool,
) -> Result<BackupReport> {
    // An interrupt meant for an earlier call is forgotten when a statement begins.
    // SAFETY: the guard holds the connection.
    let _ = unsafe { handle::text(source.raw(), c"SELECT 1") };
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
    loop {
        let count = if report.restarts < RESTARTS { pages } else { -1 };
        // SAFETY: the backup is live, and this thread holds both connections.
        let (rc, total, left) = unsafe {
            let rc = sqlite::sqlite3_backup_step(backup.0, count);
            (rc, sqlite::sqlite3_backup_pagecount(backup.0), sqlite::sqlite3_backup_remaining(backup.0))
        };
        let copied = i64::from(total) - i64::from(left);
        report.pages = total.into();
        match rc & 0xff {
            sqlite::SQLITE_OK => {
                moved = Instant::now();
                report.restarts += u32::from(copied < before);
                before = copied;
            }
            sqlite::SQLITE_DONE => {}
            // Somebody holds a lock. The busy handlers have waited; what they do not see is asked for again.
            sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED if moved.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(1));
            }
            sqlite::SQLITE_READONLY if let Some(error) = other_page_size(source, to, rc) => return Err(error),
            _ => return Err(source.past_deadline(rc).unwrap_or_else(|| to.fail(rc, STEP))),
        }
        let stop = progress(copied, total.into());
        if rc == sqlite::SQLITE_DONE {
            break;
        }
        // SAFETY: the guard holds the connection.
        let interrupted = unsafe { sqlite::sqlite3_is_interrupted(source.raw()) } != 0;
        if stop || interrupted || deadline::passed() {
            let stopped = Error::new(sqlite::SQLITE_INTERRUPT, "the backup was stopped before its end")
                .with_hint("nothing of it remains; begin it anew");
            return Err(source.past_deadline(sqlite::SQLITE_INTERRUPT).unwrap_or(stopped).with_step(STEP));
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

/// A database in WAL mode cannot change its page size; SQLite says READONLY to that.
fn other_page_size(source: &Guard<'_>, to: &Opening, rc: i32) -> Option<Error> {
    // SAFETY: the guard holds the source, and nobody else has the destination.
    let size = |db| unsafe { handle::text(db, c"PRAGMA page_size") }.ok().flatten();
    let (from, into) = (size(source.raw())?, size(to.raw)?);
    let path = to.path.as_deref().filter(|_| from != into)?;
    let text = format!(
        "{} has pages of {into} bytes and the source pages of {from}: in WAL mode a page size never changes",
        path.display()
    );
    let hint =
        "with nobody using it, convert it (PRAGMA journal_mode=delete) or move it and its -wal away, then try again";
    Some(Error::new(rc, text).with_hint(hint).with_path(path).with_step(STEP))
}

/// Takes away the file that the failed backup created. It was rolled back to nothing; with content it is somebody else's.
fn remove_empty(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0) {
        let _ = fs::remove_file(path);
    }
}
