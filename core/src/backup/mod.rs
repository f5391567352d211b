//! A copy of a live database by SQLite's online backup: consistent, whatever writes meanwhile. Never a copy of the file.
//!
//! A copy that is new is written under another name, and gets its own when it is complete: a process that is killed
//! meanwhile leaves nothing behind that could be taken for a copy. A database that exists gets the new content in one
//! transaction, so that whoever has it open goes on with that.

mod destination;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::codes;
use crate::error::{Error, Result};
use crate::open::{self, Opening};
use crate::report::OpenReport;
use crate::settings::Access;
use crate::settings::{Id, Options, Resolved, TABLE, Target, resolve};
use crate::sqlite;
use crate::sqlite::handle;
use crate::vfs::copies::RESCUE;
use crate::waiting::deadline;
use destination::{NewFile, Place};

/// Pages for each step when the caller leaves it to us: the locks are free in between.
const PAGES: i32 = 256;
/// A writer in another connection makes SQLite begin anew; after so many times the rest is copied in one step.
const RESTARTS: u32 = 10;
const STEP: &str = "backup";
/// What of a URL has a meaning for a destination; the rest describes a connection.
pub const DESTINATION_SETTINGS: &[Id] = &[
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

/// How a backup is made.
#[derive(Default)]
pub struct BackupOptions<'a> {
    /// Pages to copy in each step; the locks are free in between. 0: litekeel chooses; negative: all at once.
    pub pages: i32,
    /// Replace the content of a destination that exists, in one transaction; else it is refused.
    pub overwrite: bool,
    /// A file or directory that root creates gets the owner of the directory it is created in: for a database that is
    /// to be used, not for a copy to keep, which nobody may read who may not read the original.
    pub owner_of_directory: bool,
    /// Looks at the complete copy: a new one before it has its name, else after its content was replaced. Its failure
    /// is the backup's, and a new copy is gone then.
    pub check: Option<&'a mut CheckFn<'a>>,
}

/// Looks at the file of a complete copy.
pub type CheckFn<'a> = dyn FnMut(&Path) -> Result<()> + 'a;

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Pages of the copy.
    pub pages: i64,
    /// How often another connection's write made it begin anew.
    pub restarts: u32,
    /// What could not be done as it should, though the copy is complete: its owner; or that it is, with `unsafe=1`, of what
    /// this connection alone still sees.
    pub warnings: Vec<String>,
}

impl Connection {
    /// Copies the database to the file that `url` names, in the same grammar as for open; the content of one that exists
    /// is replaced in one transaction. `pages` are copied in each step (0: litekeel chooses; negative: all at once, as
    /// one snapshot). After each step `progress` is called with the pages done and the pages in all; `true` from it
    /// stops the backup.
    ///
    /// A destination that was new is gone again after a failure; one that existed is as it was.
    ///
    /// ```
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let copy = directory.path().join("copy.db");
    /// # let copy = copy.display();
    /// db.exec("CREATE TABLE t(a)")?;
    /// let report = db.backup(&format!("file:{copy}"), 0, |done, of| {
    ///     eprintln!("{done} of {of} pages");
    ///     false
    /// })?;
    /// assert_eq!(report.pages, 2);
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The URL's codes; `KEEL_CONFLICT` for parameters without a meaning here, or an existing database with another text
    /// encoding; `KEEL_ARGUMENT` when it is the database itself or a file of SQLite's beside one; `SQLITE_NOTADB` when
    /// the database has no page, so that there is nothing to copy; `KEEL_DATABASE_MOVED`, `KEEL_WAL_UNLINKED` or
    /// `KEEL_LOCKS_LOST` when what this connection sees is not what is at its path, unless the URL says `unsafe=1`, and
    /// the report's warnings then say so; `KEEL_IN_TRANSACTION`; `SQLITE_INTERRUPT` when it was
    /// stopped, interrupted or timed out; SQLite's own.
    pub fn backup(&self, url: &str, pages: i32, progress: impl FnMut(i64, i64) -> bool) -> Result<BackupReport> {
        self.backup_with(url, BackupOptions { pages, overwrite: true, ..BackupOptions::default() }, progress)
    }

    /// As [`Connection::backup`], with its options.
    ///
    /// # Errors
    /// As there; `KEEL_CONFLICT` with the errno `EEXIST` when the destination exists and is not to be overwritten.
    pub fn backup_with(
        &self,
        url: &str,
        options: BackupOptions<'_>,
        mut progress: impl FnMut(i64, i64) -> bool,
    ) -> Result<BackupReport> {
        let guard = self.lock()?;
        // A transaction that only reads is welcome: it holds what its owner has looked at before.
        // SAFETY: the guard holds the connection.
        let state = unsafe { sqlite::sqlite3_txn_state(guard.raw(), c"main".as_ptr()) };
        if state == sqlite::SQLITE_TXN_WRITE {
            return Err(Error::new(
                codes::IN_TRANSACTION,
                "a backup inside a transaction that writes would copy what may be undone",
            )
            .with_step(STEP));
        }
        self.refuse_nothing(&guard)?;
        let mut resolved = resolve(Some(url), &Options::default())?;
        resolved.roots = self.roots().cloned();
        let path = wanted(&resolved)?;
        if let Some(roots) = &resolved.roots {
            roots.check(path)?;
        }
        refuse_strayed(&guard, &resolved)?;
        let mut made = OpenReport::default();
        let done = self.copy_to(&guard, &resolved, path, options, &mut made, &mut progress);
        if done.is_err() {
            made.created_directories.iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
        }
        let mut report = done.map_err(|error| error.with_step(STEP))?;
        let strayed = guard.strayed();
        report.warnings.extend(
            strayed.map(|error| format!("the copy is of what this connection sees alone: {}", error.message())),
        );
        Ok(report)
    }

    /// An empty file is what a full disk or a cut upload leaves, not a copy: it must not replace anything.
    fn refuse_nothing(&self, guard: &Guard<'_>) -> Result<()> {
        // SAFETY: the guard holds the connection.
        let pages = unsafe { handle::query_text(guard.raw(), c"PRAGMA page_count") }.map_err(|rc| guard.fail(rc))?;
        if pages.as_deref() != Some("0") {
            return Ok(());
        }
        let place = self.path().map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
        let error = Error::new(sqlite::SQLITE_NOTADB, format!("{place} is empty: there is nothing to copy"))
            .with_hint("a full disk or a cut upload leaves an empty file: use a copy that has content")
            .with_step(STEP);
        Err(match self.path() {
            Some(path) => error.with_path(path),
            None => error,
        })
    }

    fn copy_to(
        &self,
        guard: &Guard<'_>,
        resolved: &Resolved,
        path: &Path,
        mut options: BackupOptions<'_>,
        made: &mut OpenReport,
        progress: &mut dyn FnMut(i64, i64) -> bool,
    ) -> Result<BackupReport> {
        let access = resolved.settings.access();
        open::target::make_directories_for(resolved, access, made)?;
        // Only now does every `..` and every link on the way lead somewhere.
        let place = Place::find(path, access)?;
        place.refuse_files_of(self.path())?;
        let owner = options.owner_of_directory && destination::is_root();
        let pages = if options.pages == 0 { PAGES } else { options.pages };
        if place.exists {
            if !options.overwrite {
                return Err(place.exists_already());
            }
            place.refuse_replicated()?;
            let target = Resolved { target: Target::File(place.real.clone()), ..resolved.clone() };
            let mut report = OpenReport::default();
            let to = open::destination(&target, &Options::default(), access, &mut report)?;
            readable(&to)?;
            other_encoding(guard, &to)?;
            let look = || self.refuse_nothing(guard).and_then(|()| refuse_strayed(guard, resolved));
            let report = copy(guard, &to, pages, progress, &look)?;
            drop(to);
            if let Some(check) = &mut options.check {
                check(&place.real)?;
            }
            return Ok(report);
        }
        place.refuse_leftovers(resolved)?;
        // A copy may be read by nobody who may not read the original.
        let mode = self
            .path()
            .and_then(|path| fs::metadata(path).ok())
            .map(|meta| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777);
        let file = NewFile::create(&place, mode, resolved.roots.as_deref())?;
        let target = Resolved { target: Target::File(file.path.clone()), ..resolved.clone() };
        let mut report = OpenReport::default();
        let mut to = open::destination(&target, &Options::default(), access, &mut report)?;
        file.check_opened(&place)?;
        // What fails is about the copy, by its own name.
        to.path = Some(place.real.clone());
        let mut report = copy(guard, &to, pages, progress, &|| self.refuse_nothing(guard))?;
        if owner {
            report.warnings.extend(destination::adopt(&file, &made.created_directories));
        }
        file.set_mode(mode)?;
        drop(to);
        if let Some(check) = &mut options.check {
            check(&file.path)?;
        }
        refuse_strayed(guard, resolved)?;
        file.place(&place)?;
        Ok(report)
    }
}

/// The path that the URL names, when what it says makes sense for a destination.
fn wanted(resolved: &Resolved) -> Result<&Path> {
    let Target::File(path) = &resolved.target else {
        return Err(Error::new(codes::ARGUMENT, "a backup in memory would be gone at once")
            .with_hint("name a file")
            .with_step(STEP));
    };
    let settings = &resolved.settings;
    if settings.access() == Access::Read {
        return Err(Error::new(codes::CONFLICT, "a backup cannot be written with mode=ro").with_step(STEP));
    }
    let other = TABLE.iter().find(|row| settings.is_explicit(row.id) && !DESTINATION_SETTINGS.contains(&row.id));
    if let Some(row) = other {
        let keys: Vec<_> = DESTINATION_SETTINGS.iter().map(|id| id.key()).collect();
        return Err(Error::new(codes::CONFLICT, format!("{} means nothing for a backup's destination", row.key))
            .with_hint(format!("remove it; it takes {}", keys.join(" ")))
            .with_step(STEP));
    }
    Ok(path)
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

/// Whoever makes a backup believes it to be one of the file at the path.
fn refuse_strayed(source: &Guard<'_>, resolved: &Resolved) -> Result<()> {
    if resolved.settings.bool(Id::Unsafe) {
        return Ok(());
    }
    source.strayed().map_or(Ok(()), |error| Err(error.with_hint(RESCUE).with_step(STEP)))
}

/// `look` is asked before every step: whichever copies the last page gives the destination its new content, and that may be
/// any where somebody makes the source smaller meanwhile.
fn copy(
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
        look()?;
        // SAFETY: the backup is live, and this thread holds both connections.
        let (rc, total, left) = unsafe {
            let rc = sqlite::sqlite3_backup_step(backup.0, count);
            (rc, sqlite::sqlite3_backup_pagecount(backup.0), sqlite::sqlite3_backup_remaining(backup.0))
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
            sqlite::SQLITE_BUSY | sqlite::SQLITE_LOCKED if moved.elapsed() < patience => {
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
        // SAFETY: the guard holds the connection.
        let interrupted = unsafe { sqlite::sqlite3_is_interrupted(source.raw()) } != 0;
        if stop || interrupted || deadline::gives_up() {
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
    let size = |db| unsafe { handle::query_text(db, c"PRAGMA page_size") }.ok().flatten();
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

/// What is so damaged that SQLite does not take it for a database cannot be replaced in a transaction.
fn readable(to: &Opening) -> Result<()> {
    // SAFETY: nobody else has the destination.
    match unsafe { handle::query_text(to.raw, c"PRAGMA schema_version") } {
        Err(rc) if matches!(rc & 0xff, sqlite::SQLITE_NOTADB | sqlite::SQLITE_CORRUPT) => {
            let hint = "it cannot be replaced in a transaction: move it and its -wal away, and write to the free name";
            Err(to.fail(rc, STEP).with_hint(hint))
        }
        _ => Ok(()),
    }
}

/// An open connection keeps the text encoding that it found: with another one every statement of it would fail.
fn other_encoding(source: &Guard<'_>, to: &Opening) -> Result<()> {
    // SAFETY: the guard holds the source, and nobody else has the destination.
    let ask = |db, sql| unsafe { handle::query_text(db, sql) }.ok().flatten();
    let encoding = |db| ask(db, c"PRAGMA encoding");
    // One without a page takes any encoding, and what cannot be read is to be replaced.
    if ask(to.raw, c"PRAGMA page_count").is_none_or(|pages| pages == "0") {
        return Ok(());
    }
    let (Some(from), Some(into), Some(path)) = (encoding(source.raw()), encoding(to.raw), &to.path) else {
        return Ok(());
    };
    if from == into {
        return Ok(());
    }
    let text = format!(
        "{} has its texts in {into} and the source in {from}: connections that have it open could not go on",
        path.display()
    );
    Err(Error::new(codes::CONFLICT, text)
        .with_hint("with nobody using it, move it and its -wal away, then try again")
        .with_path(path))
}
