//! A copy of a live database by SQLite's online backup: consistent, whatever writes meanwhile. Never a copy of the file.
//!
//! A copy that is new is written under another name, and gets its own when it is complete: a process that is killed
//! meanwhile leaves nothing behind that could be taken for a copy. A database that exists gets the new content in one
//! transaction, so that whoever has it open goes on with that.

mod copy;
mod destination;
mod errors;
mod options;

use std::fs;
use std::path::Path;

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::Result;
use crate::open::{self, Opening};
use crate::raw::handle;
use crate::report::OpenReport;
use crate::settings::Access;
use crate::settings::{Options, Resolved, SettingId, TABLE, Target, resolve};
use crate::sqlite;
use crate::vfs::errors::RESCUE;
use copy::copy;
use destination::{NewFile, Place};
use options::STEP;
pub use options::{BackupOptions, BackupReport, DESTINATION_SETTINGS};

/// Pages for each step when the caller leaves it to us: the locks are free in between.
const PAGES: i32 = 256;
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
            return Err(errors::writing_source());
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
        Err(errors::empty_source(self.path()))
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
        return Err(errors::in_memory());
    };
    let settings = &resolved.settings;
    if settings.access() == Access::Read {
        return Err(errors::read_only());
    }
    let other = TABLE.iter().find(|row| settings.is_explicit(row.id) && !DESTINATION_SETTINGS.contains(&row.id));
    if let Some(row) = other {
        return Err(errors::no_setting_of_a_destination(row.key));
    }
    Ok(path)
}

/// Whoever makes a backup believes it to be one of the file at the path.
fn refuse_strayed(source: &Guard<'_>, resolved: &Resolved) -> Result<()> {
    if resolved.settings.bool(SettingId::Unsafe) {
        return Ok(());
    }
    source.strayed().map_or(Ok(()), |error| Err(error.with_hint(RESCUE).with_step(STEP)))
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
    Err(errors::other_encoding(path, &into, &from))
}
