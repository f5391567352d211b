//! Closing: once, in a fixed order, with a report of what was left.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::connection::left_behind::{statements, why_wal_remains};
use crate::connection::{Connection, State};
use crate::error::{FailedStep, Result};
use crate::events::{self, Event, EventName};
use crate::lifecycle::{at_exit, shutdown_state};
use crate::platform::path_facts::sidecar;
use crate::platform::standard_error;
use crate::platform::threads::this_thread;
use crate::raw::handle;
use crate::raw::prepared::Prepared;
use crate::registry::OpenHandle;
use crate::registry::under_way::UnderWay;
use crate::report::{CloseReport, ClosingCheckpoint};
use crate::settings::Access;
use crate::settings::words;
use crate::vfs::confinement::confine;
use crate::vfs::errors::sentence;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::{attached, old_log, replicated, shim, wal_guard};
use crate::waiting::busy_handler::BusyHandler;
use crate::{registry, sqlite};

/// How long the checkpoint at close waits for readers, in milliseconds.
const CHECKPOINT_PATIENCE: i32 = 250;

impl Connection {
    /// Ends one owner's use. The last owner's call closes: rolls back, checkpoints, reports. Calling again gives the
    /// same report.
    ///
    /// ```
    /// # use litekeel_core::{Connection, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let url = format!("file:{}/app.db", directory.path().display());
    /// let db = Connection::open(Some(&url), &Options::new())?;
    /// db.exec("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)")?;
    /// let closed = db.close()?;
    /// assert!(closed.rolled_back, "what was not committed is undone, and told");
    /// assert!(closed.wal_removed, "everything committed is in the one file");
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `SQLITE_MISUSE` in a callback of the connection; `KEEL_PANIC` when the lock is poisoned and the connection could
    /// not be examined; SQLite's own failure to close. Another owner's call is waited for, whatever the
    /// [limit](crate::limit_calls) of this thread is.
    pub fn close(&self) -> Result<CloseReport> {
        if self.is_forked() {
            return Ok(discarded());
        }
        self.check_not_inside()?;
        let state = self.state_for_close().map_err(|error| error.with_step(FailedStep::Close))?;
        if let Some(report) = &state.closed {
            return Ok(report.clone());
        }
        let owners = self.owners.fetch_sub(1, Ordering::AcqRel) - 1;
        if owners > 0 {
            return Ok(CloseReport { owners_left: owners, ..CloseReport::default() });
        }
        Ok(close_locked(self, state, ReportReader::Caller))
    }
}

/// Who gets to see the report of a close.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportReader {
    Caller,
    /// The process ends, or nobody has the connection any more: what was kept of lost files is said on standard error.
    Nobody,
}

impl Drop for Connection {
    fn drop(&mut self) {
        on_drop(self);
    }
}

/// Leaves the busy handler to a handle that lives on, without its place in line.
fn forget(waiting: Option<Box<BusyHandler>>) {
    if let Some(waiting) = &waiting {
        waiting.end_call(sqlite::SQLITE_TXN_NONE);
    }
    std::mem::forget(waiting);
}

/// In a forked child SQLite's bookkeeping is a copy of the parent's: closing would touch the parent's files.
fn discarded() -> CloseReport {
    CloseReport { why: "discarded: the connection belongs to the parent process".into(), ..CloseReport::default() }
}

/// Closes for good. The caller holds the lock; a closed connection gives its report again.
pub(crate) fn close_locked(
    connection: &Connection,
    mut state: MutexGuard<'_, State>,
    reader: ReportReader,
) -> CloseReport {
    if let Some(report) = &state.closed {
        return report.clone();
    }
    let _under_way = UnderWay::begin();
    let _confined = confine(connection.roots());
    // What is called back from here on (a hook, a collation) is inside a call of this thread's, as elsewhere.
    connection.activity.set_user(this_thread());
    connection.subscribers.set_locked(true);
    let mut report = CloseReport::default();
    let db = state.raw.0;
    take_down(connection.identity.watch.as_deref(), &mut state);
    // SAFETY: the handle is open, and this thread holds its lock.
    unsafe {
        if sqlite::sqlite3_get_autocommit(db) == 0 {
            report.rolled_back = handle::query_text(db, c"ROLLBACK").is_ok();
        }
        end_objects(connection, db);
        report.leaked_statements = statements(db);
        let wal = connection.identity.path.as_ref().map(|path| sidecar(path, "-wal"));
        let wal_size = || wal.as_ref().and_then(|wal| fs::metadata(wal).ok()).map(|meta| meta.len());
        let wal_before = wal_size();
        let foreign = leave_foreign_files(connection.identity.watch.as_ref(), db, &mut report);
        if reader == ReportReader::Nobody {
            tell_warnings(&report);
        }
        if report.leaked_statements.is_empty() && foreign.is_none() {
            optimize(connection, &state, &mut report);
            checkpoint(connection, db, wal_before, &mut report);
        }
        let persist = asks_persist(db);
        if let Ok(mut interruptible) = connection.interruptible.lock() {
            interruptible.0 = std::ptr::null_mut();
        }
        let rc = sqlite::sqlite3_close(db);
        if rc != sqlite::SQLITE_OK {
            // Others' statements (or blobs, or backups) remain: finalizing them would leave their owners with freed
            // memory. The handle lives on behind them.
            handle::sqlite3_close_v2(db);
            if report.leaked_statements.is_empty() {
                report.warnings.push("an open blob or backup keeps the connection alive".into());
            }
            // The busy handler's state must outlive a handle that others' statements still use.
            forget(state.waiting.take());
        } else {
            state.waiting = None;
        }
        registry::remove(connection.id);
        let wal_after = wal_size();
        report.wal_bytes_left = wal_after.unwrap_or(0);
        report.wal_removed = wal_before.is_some() && wal_after.is_none();
        if let Some(foreign) = foreign {
            // What lies there now is not this connection's.
            (report.wal_removed, report.why) = (false, format!("nothing was moved or removed: {foreign}"));
        } else if wal_before.is_some() && !report.wal_removed {
            report.why = why_wal_remains(connection, &report, persist);
        }
    }
    state.closed = Some(report.clone());
    connection.subscribers.set_locked(false);
    connection.activity.set_user(0);
    drop(state);
    connection.subscribers.flush();
    report
}

/// In a shutdown and at exit, finalizes what is left on a handle whose host touches that under the connection's lock only.
unsafe fn end_objects(connection: &Connection, db: *mut sqlite::sqlite3) {
    let guarded = connection.objects_guarded.load(Ordering::Acquire) && !connection.is_shared();
    if !guarded || !(shutdown_state::has_begun() || at_exit::begun()) {
        return;
    }
    connection.objects_ended.store(true, Ordering::Release);
    // SAFETY: the handle is open, this thread holds the lock, and the host asks under it before it touches a statement.
    unsafe {
        loop {
            let Some(statement) = Prepared::new(sqlite::sqlite3_next_stmt(db, std::ptr::null_mut())) else { return };
            drop(statement);
        }
    }
}

/// What of ours hangs on the handle, in one order however the connection ends.
fn take_down(watch: Option<&FileMonitor>, state: &mut State) {
    state.view = None;
    state.progress.remove(state.raw.0);
    state.kept.get_mut().clear();
    state.streams.get_mut().clear();
    if let Some(watch) = watch {
        watch.leave_keeper();
    }
    let db = state.raw.0;
    attached::leave(db as usize);
    // SAFETY: the handle is open, and nobody else uses the connection.
    unsafe { shim::attached_to(db) }.into_iter().for_each(|(_, watch)| watch.end_care());
}

/// Looks whether the files are still the ones that were opened. Where they are not, the WAL is neither moved nor removed, and
/// the report says what was kept of it. Returns the sentence about the main database.
unsafe fn leave_foreign_files(
    main: Option<&Arc<FileMonitor>>,
    db: *mut sqlite::sqlite3,
    report: &mut CloseReport,
) -> Option<String> {
    let mut told = None;
    // SAFETY: as in `close_locked`.
    unsafe {
        for watch in handle::files(db).into_iter().filter_map(|(_, file)| shim::watch_of(file)) {
            // Before the first read, and without a WAL, there is nothing to move.
            let asked = watch.files() != (None, None) || watch.latched().is_some();
            if !asked || wal_guard::refuses(&watch).is_none() {
                continue;
            }
            old_log::keep(&watch);
            let sentence = watch.latched().map_or_else(
                || format!("the files of {} are not the ones that were opened", watch.place().display()),
                |code| sentence(&watch, code),
            );
            if main.is_some_and(|main| Arc::ptr_eq(main, &watch)) {
                let mut on: i32 = 0;
                // Where the content is another's, the last close puts the WAL away.
                if !watch.file.is_overwritten() {
                    sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1i32, &raw mut on);
                }
                told = Some(sentence.clone());
            }
            report.warnings.push(sentence);
        }
    }
    told
}

unsafe fn optimize(connection: &Connection, state: &State, report: &mut CloseReport) {
    let db = state.raw.0;
    let wanted = connection.settings().is_some_and(|settings| settings.optimize() == Some(words::Optimize::Close));
    // SAFETY: as in `close_locked`.
    unsafe {
        let wrote = sqlite::sqlite3_total_changes64(db) != state.changes_at_open;
        if !wanted || !wrote || connection.identity.access == Access::Read || connection.path().is_none() {
            return;
        }
        // Statistics are not worth waiting for, nor a failed close: a collation may be missing by now.
        sqlite::sqlite3_busy_timeout(db, 0);
        match handle::query_text(db, c"PRAGMA optimize") {
            Ok(_) => report.optimized = true,
            Err(rc) => report.warnings.push(format!("optimize: {}", handle::last_failure(db, rc).0)),
        }
    }
}

unsafe fn checkpoint(connection: &Connection, db: *mut sqlite::sqlite3, wal: Option<u64>, report: &mut CloseReport) {
    let Some(settings) = connection.settings() else { return };
    let mode = match settings.close_checkpoint() {
        Some(words::CloseCheckpoint::Truncate) => sqlite::SQLITE_CHECKPOINT_TRUNCATE,
        Some(words::CloseCheckpoint::Passive) => sqlite::SQLITE_CHECKPOINT_PASSIVE,
        _ => return,
    };
    if connection.identity.watch.as_ref().is_some_and(|watch| replicated::is_replicated(watch)) {
        return;
    }
    // The last connection of all checkpoints in sqlite3_close and removes the file; an empty WAL has nothing to move.
    if wal.unwrap_or(0) == 0 || connection.identity.access == Access::Read {
        return;
    }
    let (mut log, mut done) = (-1, -1);
    // SAFETY: as in `close_locked`.
    let rc = unsafe {
        sqlite::sqlite3_busy_timeout(db, CHECKPOINT_PATIENCE);
        sqlite::sqlite3_wal_checkpoint_v2(db, c"main".as_ptr(), mode, &mut log, &mut done)
    };
    match rc & 0xff {
        sqlite::SQLITE_OK | sqlite::SQLITE_BUSY => {
            report.checkpoint = Some(ClosingCheckpoint { log, done, busy: rc != sqlite::SQLITE_OK });
        }
        // SAFETY: as above.
        _ => report.warnings.push(format!("checkpoint: {}", unsafe { handle::last_failure(db, rc).0 })),
    }
}

unsafe fn asks_persist(db: *mut sqlite::sqlite3) -> bool {
    let mut value: i32 = -1;
    // SAFETY: the handle is open; the opcode reads and writes one int.
    let rc = unsafe {
        sqlite::sqlite3_file_control(db, c"main".as_ptr(), sqlite::SQLITE_FCNTL_PERSIST_WAL, (&raw mut value).cast())
    };
    rc == sqlite::SQLITE_OK && value == 1
}

/// A connection that is dropped without close is closed all the same, with a warning.
fn on_drop(connection: &mut Connection) {
    if connection.is_forked() {
        // Everything that hangs on the handle is a copy of the parent's, locks included: it is left alone.
        if let Ok(state) = connection.state.get_mut() {
            let statements = (state.kept.take(), state.streams.take());
            std::mem::forget((state.view.take(), state.waiting.take(), statements));
        }
        return;
    }
    let state = match connection.state.get_mut() {
        Ok(state) => state,
        Err(poisoned) => poisoned.into_inner(),
    };
    if state.closed.is_some() {
        return;
    }
    let _under_way = UnderWay::begin();
    let handle = registry::open_handles().into_iter().find(|handle| handle.id == connection.id);
    let strict = registry::dropped(connection.id);
    take_down(connection.identity.watch.as_deref(), state);
    let db = state.raw.0;
    let roots = connection.identity.resolved.as_ref().and_then(|resolved| resolved.roots.as_ref());
    let _confined = confine(roots);
    // SAFETY: nobody else has the connection any more. `close_v2` lets statements of others live on.
    unsafe {
        let mut report = CloseReport::default();
        leave_foreign_files(connection.identity.watch.as_ref(), db, &mut report);
        tell_warnings(&report);
        let waiting = state.waiting.take();
        if sqlite::sqlite3_close(db) != sqlite::SQLITE_OK {
            // Others' statements, or a backup of theirs, keep the handle alive, and with it the busy handler.
            handle::sqlite3_close_v2(db);
            forget(waiting);
        }
    }
    if let Some(handle) = handle {
        tell_leak(&handle, strict);
    }
}

/// For a host whose object will not come to be dropped: closes as the drop would, with the same warning.
pub(crate) fn end_undropped(connection: &Connection) {
    if connection.is_forked() {
        return;
    }
    let state = connection.state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.closed.is_some() {
        return;
    }
    let _under_way = UnderWay::begin();
    let handle = registry::open_handles().into_iter().find(|handle| handle.id == connection.id);
    let strict = registry::dropped(connection.id);
    close_locked(connection, state, ReportReader::Nobody);
    if let Some(handle) = handle {
        tell_leak(&handle, strict);
    }
}

fn tell_warnings(report: &CloseReport) {
    report.warnings.iter().for_each(|warning| standard_error::line(warning));
}

fn tell_leak(handle: &OpenHandle, strict: bool) {
    let status = if strict { " (profile=test: exit status 1)" } else { "" };
    standard_error::line(&format!("a connection was dropped without close: {}{status}", handle.describe()));
    let leak = Event::new(EventName::Leak)
        .text("opened_at", handle.opened_at.as_str())
        .int("age_ms", handle.age.as_millis().try_into().unwrap_or(i64::MAX));
    events::tell(&events::with_database(leak, handle.path.as_deref()));
}
