//! Exclusive use of a connection, for one call: what it may do, how it fails, and what its end settles.

use std::cell::RefMut;
use std::sync::MutexGuard;
use std::time::Duration;

use super::errors;
use crate::connection::open_streams::OpenStreams;
use crate::connection::statement_cache::StatementCache;
use crate::connection::{Connection, State};
use crate::error::{Error, Result};
use crate::lifecycle::shutdown_state;
use crate::platform::threads::this_thread;
use crate::raw::sql_text;
use crate::raw::sql_text::PragmaText;
use crate::registry::activity::Execution;
use crate::settings::{SettingId, SettingStep, TABLE};
use crate::sqlite;
use crate::vfs::confinement::{Confinement, confine};
use crate::vfs::{closed_attached, failed_open};
use crate::waiting::deadline::CallLimit;
use crate::waiting::progress_handler::Progress;
use crate::waiting::writer_queue::LockNeed;

impl Connection {
    /// Exclusive use, for one unit of work; with SQLite's own calls on the handle, too.
    ///
    /// ```
    /// use litekeel_core::sqlite;
    /// # use litekeel_core::{Connection, Options};
    ///
    /// let db = Connection::open(Some(":memory:"), &Options::new())?;
    /// let guard = db.lock()?;
    /// let sql = c"CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES(7)";
    /// let none = std::ptr::null_mut();
    /// // SAFETY: the handle is open for as long as the guard lives.
    /// let rc = unsafe { sqlite::sqlite3_exec(guard.raw(), sql.as_ptr(), None, none, none.cast()) };
    /// // SQLite's code becomes an error that says who was in the way, and what to do.
    /// if rc != sqlite::SQLITE_OK {
    ///     return Err(guard.fail(rc));
    /// }
    /// drop(guard);
    /// db.close()?;
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `KEEL_CLOSED` after close; `KEEL_FORKED` in a child; `KEEL_PANIC` when an earlier call panicked; `SQLITE_INTERRUPT` when
    /// the [limit](crate::limit_calls) of this thread passes while another owner's call goes on;
    /// `SQLITE_MISUSE` when this very thread holds the connection already, as a callback does.
    pub fn lock(&self) -> Result<Guard<'_>> {
        self.check_process()?;
        let me = this_thread();
        self.check_not_inside()?;
        let state = self.state_for_call()?;
        if shutdown_state::has_begun() {
            // What has begun may go on to its end.
            // SAFETY: the handle is open, and its lock is held.
            let between = state.closed.is_some() || unsafe { sqlite::sqlite3_get_autocommit(state.raw.0) } != 0;
            between.then(shutdown_state::refuse_if_begun).transpose()?;
        }
        if state.closed.is_some() {
            return Err(self.closed_error());
        }
        self.activity.set_user(me);
        self.subscribers.set_locked(true);
        if let Some(waiting) = &state.waiting {
            waiting.begin_call();
        }
        let running = state.progress.begin(state.raw.0);
        Ok(Guard::new(state, self, running))
    }
}

/// Exclusive use of a connection.
pub struct Guard<'a> {
    state: MutexGuard<'a, State>,
    pub(super) connection: &'a Connection,
    /// The call's deadline, when it has one.
    _running: Option<CallLimit>,
    /// What the call may open.
    _confined: Confinement,
    /// After `state`: fields are dropped in this order, and subscribers are called when nothing is locked.
    _after: After<'a>,
}

/// When it is dropped, delivers the events that came up under the lock, and ends the owners that left meanwhile.
pub(super) struct After<'a>(pub(super) &'a Connection);

impl Drop for After<'_> {
    fn drop(&mut self) {
        self.0.awaited.call_ended();
        self.0.subscribers.flush();
        for _ in 0..self.0.deferred.take_owners() {
            // Nobody is there to be told of a failure: whoever wants to hear of it closes.
            let _ = self.0.close();
        }
    }
}

impl<'a> Guard<'a> {
    fn new(state: MutexGuard<'a, State>, connection: &'a Connection, running: Option<CallLimit>) -> Guard<'a> {
        let confined = confine(connection.roots());
        // Of another connection's call on this thread, which nobody has asked about.
        failed_open::forget();
        closed_attached::forget();
        Guard { state, connection, _running: running, _confined: confined, _after: After(connection) }
    }

    /// SQLite's own handle, valid while the guard lives.
    pub fn raw(&self) -> *mut sqlite::sqlite3 {
        self.state.raw.0
    }

    /// How often the connection was interrupted, ever.
    pub(crate) fn interrupts(&self) -> u64 {
        self.connection.interrupts()
    }

    /// rusqlite's view of the connection, valid while the guard lives.
    pub fn sqlite(&self) -> &rusqlite::Connection {
        self.state.view.as_ref().expect("an open connection has its view")
    }

    /// The statements that are kept for their text to come again.
    pub(crate) fn kept(&self) -> RefMut<'_, StatementCache> {
        self.state.kept.borrow_mut()
    }

    /// The statements that streams read.
    pub(crate) fn streams(&self) -> RefMut<'_, OpenStreams> {
        self.state.streams.borrow_mut()
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.state.progress
    }

    /// The busy timeout that is in force.
    pub fn busy_timeout(&self) -> Option<Duration> {
        self.state.waiting.as_ref().map(|waiting| waiting.timeout())
    }

    /// Changes the busy timeout, and reinstalls the handler that `PRAGMA busy_timeout` or `sqlite3_busy_timeout` may
    /// have replaced.
    pub fn set_busy_timeout(&self, ms: u32) {
        // SAFETY: the connection is open and ours while the guard lives; the boxed handler lives until it is closed.
        unsafe {
            match &self.state.waiting {
                Some(waiting) => {
                    waiting.set_timeout(ms);
                    waiting.install();
                }
                None => {
                    sqlite::sqlite3_busy_timeout(self.raw(), i32::try_from(ms).unwrap_or(i32::MAX));
                }
            }
        }
    }

    /// How long the statement that just failed had waited for a lock.
    pub fn take_waited(&self) -> Duration {
        self.state.waiting.as_ref().map_or(Duration::ZERO, |waiting| waiting.take_waited())
    }

    /// The failure of a statement as an explained error; for BUSY with how long it waited.
    pub fn fail(&self, rc: i32) -> Error {
        self.fail_in(rc, None)
    }

    /// The same for a statement of this text: it may say more of what failed.
    pub fn fail_in(&self, rc: i32, sql: Option<&[u8]>) -> Error {
        let late = self.past_deadline(rc);
        if rc & 0xff != sqlite::SQLITE_BUSY
            && let Some(error) = late
        {
            return error;
        }
        let raw = self.raw();
        // SAFETY: this guard's own handle.
        let error = unsafe { self.connection.fail_of(raw, rc, None, sql) };
        let interrupted = self.state.waiting.as_ref().is_some_and(|waiting| waiting.was_interrupted());
        self.take_waited();
        // SQLite says BUSY for a wait that the deadline or an interrupt has ended. Who was in the way is told all the same.
        let ended = match late {
            Some(late) => late.message().to_owned(),
            None if rc & 0xff == sqlite::SQLITE_BUSY && interrupted => "interrupted".to_owned(),
            None => return error,
        };
        errors::wait_ended(&ended, &error, rc)
    }

    /// Notes for other threads that `statement` is being run, until the result is dropped; and where others of this
    /// process wait for the write lock that it is going to need, waits behind them. Before the first step.
    ///
    /// # Safety
    /// `statement` is a live statement of this connection, and stays one until the result is dropped.
    pub unsafe fn executing(&self, statement: *mut sqlite::sqlite3_stmt) -> Execution<'_> {
        let db = self.raw();
        // SAFETY: the caller's promise; this thread holds the connection.
        unsafe {
            let writes = sqlite::sqlite3_stmt_readonly(statement) == 0;
            let execution = Execution::begin(&self.connection.activity, db, statement, writes);
            if let Some(waiting) = &self.state.waiting {
                waiting.begin_statement();
                if writes {
                    // Of the statements that control a transaction only BEGIN IMMEDIATE and BEGIN EXCLUSIVE write.
                    let sql = std::ffi::CStr::from_ptr(sqlite::sqlite3_sql(statement));
                    let begins = sql_text::is_begin(sql.to_bytes());
                    waiting.queue_before_write(if begins { LockNeed::Certain } else { LockNeed::Possible });
                }
            }
            execution
        }
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        // SAFETY: the connection is open while the guard lives.
        unsafe { sqlite::sqlite3_get_autocommit(self.raw()) == 0 }
    }

    /// Ends a unit of work. On a shared connection every unit ends in autocommit: a transaction left open is rolled
    /// back, so that one owner's rollback never takes another owner's acknowledged rows with it.
    ///
    /// # Errors
    /// `KEEL_SHARED` when a transaction had to be rolled back.
    #[inline]
    pub fn settle(self) -> Result<()> {
        if self.connection.identity.replicates_commits {
            return self.settle_at_replica();
        }
        self.settle_here()
    }

    /// With `durability=replicated`: when nothing is held any more, waits until what the call has committed is at the replica.
    #[cold]
    fn settle_at_replica(self) -> Result<()> {
        let connection = self.connection;
        // What a script has committed before it began another transaction is waited for when that one ends: Litestream may
        // need the lock that is held until then.
        let waits =
            !self.in_transaction() && connection.identity.watch.as_ref().is_some_and(|watch| watch.take_unconfirmed());
        self.settle_here()?;
        if waits { connection.wait_for_commit() } else { Ok(()) }
    }

    fn settle_here(self) -> Result<()> {
        if !self.roll_back_if_shared() {
            return Ok(());
        }
        Err(errors::transaction_left_open())
    }

    /// Several owners opened a shared connection with the settings that it has: none of them changes them for the others.
    ///
    /// # Errors
    /// `KEEL_SHARED` when the statement at the beginning of `sql` would.
    pub(crate) fn refuse_change_of_shared(&self, sql: &[u8]) -> Result<()> {
        if self.connection.is_shared()
            && let Some(id) = PragmaText::parse(sql).and_then(|pragma| changed_setting(&pragma))
        {
            return Err(errors::setting_is_shared(id.key()));
        }
        Ok(())
    }

    /// Refuses a DROP TABLE that would take other tables' rows along, see [`KeptKeys`](crate::KeptKeys). Before it is compiled.
    pub(crate) fn refuse_drop_with_keys_kept(&self, sql: &[u8]) -> Result<()> {
        // SAFETY: the connection is open and ours while the guard lives.
        unsafe { self.connection.kept_keys.before_compiling(self.raw(), sql) }
    }

    fn roll_back_if_shared(&self) -> bool {
        let left_open = self.connection.is_shared() && self.in_transaction();
        if left_open {
            // SAFETY: the connection is open and ours while the guard lives.
            unsafe {
                sqlite::sqlite3_exec(self.raw(), c"ROLLBACK".as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut())
            };
        }
        left_open
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        failed_open::forget();
        closed_attached::forget();
        self.settle_attached();
        self.state.streams.get_mut().end(&self.connection.deferred.take_streams());
        self.roll_back_if_shared();
        // SAFETY: the connection is open and ours while the guard lives.
        let transaction = unsafe { sqlite::sqlite3_txn_state(self.raw(), std::ptr::null()) };
        self.connection.activity.note_transaction(transaction);
        if let Some(event) = self.state.waiting.as_ref().and_then(|waiting| waiting.end_call(transaction)) {
            self.connection.emit(event);
        }
        self.connection.subscribers.set_locked(false);
        self.connection.activity.set_user(0);
    }
}

/// The setting of the connection that a PRAGMA changes; `None` when it only asks, or is about something else.
fn changed_setting(pragma: &PragmaText<'_>) -> Option<SettingId> {
    pragma.value?;
    let of_connection = TABLE.iter().filter(|row| row.step == SettingStep::Pragma || row.id == SettingId::BusyTimeout);
    of_connection.map(|row| row.id).find(|id| pragma.is(id.key().as_bytes()))
}
