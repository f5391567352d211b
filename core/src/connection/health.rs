//! Whether the connection still stands on the files it opened, and still holds the locks it needs.
//!
//! A database that is deleted or replaced while it is open goes on accepting writes that nobody will ever see. A
//! descriptor of it that anything in this process closes takes all of the process's locks along. Neither is noticed by
//! SQLite; here both are, and the connection refuses to write from then on.

use std::ffi::{CStr, c_int};

use super::errors;
use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::codes;
use crate::error::{Error, FailedStep, Result};
use crate::raw::handle;
use crate::replication::protected;
use crate::sqlite;
use crate::vfs::content::{self, Look};
use crate::vfs::copies;
use crate::vfs::errors::{of_the_files, sentence};
pub use crate::vfs::file_checks::Verdict;
use crate::vfs::file_checks::{database_file, locks, strangers, wal_file};
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::names;
use crate::vfs::replicated;
use crate::vfs::shim;
use crate::vfs::wal_guard::{Locks, confirm};

/// One thing that was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HealthCheck {
    /// `database_file`, `wal_file`, `locks`, `second_sqlite`, `names`; `attached`, one for each attached database.
    pub name: &'static str,
    /// What was found.
    pub verdict: Verdict,
    /// What that means, with path and cause; empty when good.
    pub note: String,
    /// What to do; empty when good.
    pub hint: String,
}

/// The health of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Everything that was looked at; nothing for a database in memory.
    pub checks: Vec<HealthCheck>,
    /// Set once something was found that loses data: the connection refuses to write until it is reopened.
    pub latched: Option<Error>,
}

impl Health {
    /// Nothing bad was found. What is unknown is not bad.
    pub fn is_good(&self) -> bool {
        self.latched.is_none() && self.checks.iter().all(|check| check.verdict != Verdict::Bad)
    }
}

impl Connection {
    /// Looks whether the database and its `-wal` are still the files that were opened, whether the locks that must be held
    /// are, and whether anything else in this process has the file open. What loses data is found again 50 ms later
    /// before it counts; then the connection refuses every write transaction until it is reopened.
    ///
    /// ```
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// let health = db.health()?;
    /// assert!(health.is_good(), "{:?}", health.checks);
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn health(&self) -> Result<Health> {
        let guard = self.lock()?;
        if self.path().is_none() {
            return Ok(Health::default());
        }
        let Some(watch) = &self.identity.watch else {
            let note = "the VFS does not let its files be looked at".to_owned();
            let unknown = HealthCheck { name: "database_file", verdict: Verdict::Unknown, note, hint: String::new() };
            return Ok(Health { checks: vec![unknown], latched: None });
        };
        // SAFETY: the guard keeps the connection open and to this thread.
        let checks = unsafe { looks(watch) };
        // SAFETY: as above.
        unsafe { shim::retire_logs(guard.raw()) };
        let (attached, bad) = attached(&guard);
        let latched = watch.latched().map(|code| of_the_files(watch, code)).or(bad);
        Ok(Health { checks: checks.into_iter().chain(attached).collect(), latched })
    }
}

impl Guard<'_> {
    /// Why what this connection sees is not (all of) what others find at the database's path; `None`: nothing says so.
    pub(crate) fn strayed(&self) -> Option<Error> {
        self.connection.identity.watch.as_ref().and_then(|watch| copies::strayed(watch))
    }
}

/// Why what a connection sees of its database `schema` is not (all of) what others find at its path; `None`: nothing says so.
/// For whoever copies from a handle of SQLite's that litekeel has not opened, too.
///
/// # Safety
/// `db` is open and used by this thread alone.
#[doc(hidden)]
pub unsafe fn strayed(db: *mut sqlite::sqlite3, schema: &CStr) -> Option<Error> {
    let schema = schema.to_string_lossy();
    // SAFETY: the caller's promise.
    unsafe {
        let mut files = handle::files(db).into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(&schema));
        files.find_map(|(_, file)| shim::watch_of(file)).and_then(|watch| copies::strayed(&watch))
    }
}

/// Every look at a database of a connection.
///
/// # Safety
/// The connection is used by this thread alone.
unsafe fn looks(watch: &FileMonitor) -> Vec<HealthCheck> {
    watch.kept.give_back();
    confirm(watch, Locks::AskedFor);
    let place = watch.place().display();
    // SAFETY: the caller's promise.
    let (file, content) = (database_file(watch), unsafe { content::look(watch, Look::Thorough) });
    let (file, file_note) = match (file, content) {
        (Verdict::Good, Verdict::Unknown) => (
            Verdict::Unknown,
            format!("{place} was touched, or written to by something else than SQLite, while it was open"),
        ),
        (Verdict::Good, Verdict::Bad) => (Verdict::Bad, sentence(watch, codes::DATABASE_MOVED)),
        (file, _) => (file, sentence(watch, codes::DATABASE_MOVED)),
    };
    let held = locks(watch);
    let held_note = match held {
        Verdict::Unknown => "the system does not tell which locks this process holds".to_owned(),
        _ => sentence(watch, codes::LOCKS_LOST),
    };
    let other = watch.minds_names().then(|| names::other(&watch.path, watch.place(), watch.database)).flatten();
    let several = if other.is_some() { Verdict::Bad } else { Verdict::Good };
    vec![
        check("database_file", file, file_note, codes::DATABASE_MOVED),
        check("wal_file", wal_file(watch), sentence(watch, codes::WAL_UNLINKED), codes::WAL_UNLINKED),
        check("locks", held, held_note, codes::LOCKS_LOST),
        check(
            "second_sqlite",
            strangers(watch),
            format!(
                "something else in this process has {place} open: another copy of SQLite, or a program that reads it as a \
                 plain file; when it closes it, every lock of this process is gone"
            ),
            codes::SECOND_SQLITE,
        ),
        check("names", several, other.unwrap_or_default(), codes::HARD_LINKS),
    ]
}

fn check(name: &'static str, verdict: Verdict, note: String, code: i32) -> HealthCheck {
    match verdict {
        Verdict::Good => HealthCheck { name, verdict, note: String::new(), hint: String::new() },
        Verdict::Unknown => HealthCheck { name, verdict, note, hint: String::new() },
        Verdict::Bad => {
            HealthCheck { name, verdict, note, hint: codes::lookup(code).map_or("", |row| row.hint).to_owned() }
        }
    }
}

/// One check for each attached database, which is the worst of its own, and what makes one of them unfit to write.
fn attached(guard: &Guard<'_>) -> (Vec<HealthCheck>, Option<Error>) {
    let (mut checks, mut bad) = (Vec::new(), None);
    // SAFETY: the guard keeps the connection open and to this thread.
    for (_, watch) in unsafe { shim::attached_to(guard.raw()) } {
        // SAFETY: as above.
        let looks = unsafe { looks(&watch) };
        let latched = watch.latched();
        let worst = looks.into_iter().find(|look| look.verdict == Verdict::Bad);
        checks.push(match (latched, worst) {
            (Some(code), _) => check("attached", Verdict::Bad, sentence(&watch, code), code),
            (None, Some(worst)) => HealthCheck { name: "attached", ..worst },
            (None, None) => check("attached", Verdict::Good, String::new(), 0),
        });
        bad = bad.or_else(|| latched.map(|code| of_the_files(&watch, code)));
    }
    (checks, bad)
}

/// The error for a write transaction that the shim refused; and, for a failure of locks or files, the look that shows
/// whether they are gone. `None`: the failure is SQLite's own.
///
/// # Safety
/// `db` is the connection's handle, open and used by this thread alone.
pub(crate) unsafe fn refusal(connection: &Connection, db: *mut sqlite::sqlite3, rc: c_int) -> Option<Error> {
    if let Some(error) = connection.identity.followers.as_ref().and_then(|followers| followers.policy.take_refused()) {
        return Some(error.with_step(FailedStep::Attach));
    }
    let watch = connection.identity.watch.as_ref().filter(|watch| watch.is_ours())?;
    match rc & 0xff {
        sqlite::SQLITE_FULL | sqlite::SQLITE_READONLY => {
            // SAFETY: the caller's promise.
            let attached = unsafe { shim::attached_to(db) }.into_iter().map(|(_, watch)| watch);
            std::iter::once(watch.clone())
                .chain(attached)
                .find_map(|watch| watch.take_refused().map(|code| of_the_files(&watch, code).with_sqlite_code(rc)))
        }
        sqlite::SQLITE_AUTH | sqlite::SQLITE_ERROR => {
            // SAFETY: the caller's promise.
            unsafe { replicated_refusal(watch, db, rc) }
        }
        sqlite::SQLITE_BUSY | sqlite::SQLITE_IOERR => {
            confirm(watch, Locks::AskedFor);
            // SAFETY: the caller's promise.
            unsafe { shim::retire_logs(db) };
            None
        }
        _ => None,
    }
}

/// The error for what the shim refused before there is a connection; `None`: the failure is SQLite's own.
///
/// # Safety
/// `db` is a handle that nobody else uses, as `sqlite3_open_v2` has left it: null where there was no memory for it.
pub(crate) unsafe fn refusal_at_open(db: *mut sqlite::sqlite3, rc: c_int) -> Option<Error> {
    if db.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let watch = unsafe { shim::watch_of(handle::file_object(db)?) }?;
    let refused = (rc & 0xff == sqlite::SQLITE_READONLY).then(|| watch.take_refused()).flatten()?;
    Some(of_the_files(&watch, refused).with_sqlite_code(rc))
}

/// What was refused because Litestream replicates the database: a pragma, a checkpoint, a change of its tables.
///
/// # Safety
/// As for [`refusal`].
unsafe fn replicated_refusal(watch: &FileMonitor, db: *mut sqlite::sqlite3, rc: c_int) -> Option<Error> {
    // SAFETY: the caller's promise.
    let (failed, attached) = unsafe { (handle::last_failure(db, rc).0, shim::attached_to(db)) };
    let told = |text: String| Some(errors::refused_for_litestream(watch.place(), text, rc));
    if rc & 0xff == sqlite::SQLITE_ERROR {
        return if failed.starts_with(replicated::REFUSED) { told(failed) } else { None };
    }
    let places = std::iter::once(watch.place()).chain(attached.iter().map(|(_, watch)| watch.place()));
    let replicated = attached.iter().any(|(_, watch)| watch.file.replicated.is_known());
    if !watch.file.replicated.is_known() && !replicated {
        return None;
    }
    let places: Vec<_> = places.map(|place| place.display().to_string()).collect();
    if protected::take_refused() {
        let text =
            format!("the tables _litestream_seq and _litestream_lock of {} are Litestream's own", places.join(", "));
        return Some(told(text)?.with_hint("leave them as they are: Litestream keeps its place in the WAL by them"));
    }
    let text = format!("{} ({}): only Litestream may checkpoint", replicated::REFUSED, places.join(", "));
    // The sentence of the code alone: an authorizer's refusal has another.
    // SAFETY: a static string.
    let plain = unsafe { handle::copy_text(sqlite::sqlite3_errstr(rc & 0xff)) };
    if plain.as_deref() == Some(failed.as_str()) { told(text) } else { None }
}
