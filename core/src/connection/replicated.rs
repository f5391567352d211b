//! Waiting until what a connection has committed is at the replica.

use std::time::{Duration, Instant};

use super::errors;
use crate::connection::Connection;
use crate::error::Result;
use crate::lifecycle::shutdown_state;
use crate::replication::barrier::{self, Barrier, Token};
use crate::settings::SettingId;
use crate::sqlite;
use crate::waiting::deadline;

impl Connection {
    /// Waits until everything that was committed to the database before this call is at Litestream's replica, and gives the
    /// position there. It blocks; other threads can use the connection meanwhile. `None` waits for `replication_timeout`.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use litekeel_core::{Connection, Options};
    ///
    /// # fn main() -> litekeel_core::Result<()> {
    /// let db = Connection::open(Some("file:/srv/app.db?replication=litestream"), &Options::new())?;
    /// db.exec("INSERT INTO payment VALUES(1, 'paid')")?;
    /// let position = db.replicated(Some(Duration::from_secs(5)))?;
    /// println!("at the replica: {position}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `KEEL_NOT_REPLICATED` when that could not be confirmed; the commit stands, and nothing is rolled back. Its
    /// [`step`](crate::Error::step) says why: `timeout`, `daemon_gone` (nobody answers at `replication_socket`), `replica_refuses`
    /// (no room there, no access…), `stopped` (Litestream has stopped this database), `not_this_database`, `protocol`,
    /// `cancelled` (the connection was closed meanwhile, or the process is shutting down).
    /// `KEEL_CONFLICT` with `replication=none` and for a database in memory; `SQLITE_MISUSE` inside a transaction, whose
    /// changes are not committed yet; `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn replicated(&self, timeout: Option<Duration>) -> Result<Token> {
        self.replica_wait(timeout)?.run(&|| self.is_closed())
    }

    /// The wait of [`replicated`](Connection::replicated) for a thread of its own: what is committed at this call is waited
    /// for, and the time runs from here, whatever the connection does until [`run`](ReplicaWait::run).
    ///
    /// # Errors
    /// `KEEL_CONFLICT`, `SQLITE_MISUSE`, `KEEL_CLOSED`, `KEEL_FORKED` as there.
    pub fn replica_wait(&self, timeout: Option<Duration>) -> Result<ReplicaWait> {
        {
            let guard = self.lock()?;
            // SAFETY: the guard keeps the connection open.
            if unsafe { sqlite::sqlite3_get_autocommit(guard.raw()) } == 0 {
                return Err(errors::not_committed());
            }
        }
        self.wait_from_here(timeout)
    }

    /// As [`replica_wait`](Connection::replica_wait), for one who has seen a commit, whatever the connection does by now.
    ///
    /// # Errors
    /// `KEEL_CONFLICT` as there.
    pub fn wait_from_here(&self, timeout: Option<Duration>) -> Result<ReplicaWait> {
        let Some(path) = self.path() else {
            return Err(errors::memory_has_no_replica());
        };
        let settings = self.settings();
        if settings.is_some_and(|settings| settings.replication() == Some(crate::settings::words::Replication::None)) {
            return Err(errors::replication_is_off(path));
        }
        let socket =
            settings.and_then(|settings| settings.text(SettingId::ReplicationSocket)).unwrap_or(DEFAULT_SOCKET);
        let most = settings.and_then(|settings| settings.int(SettingId::ReplicationTimeout)).unwrap_or(10_000);
        let timeout = timeout.unwrap_or(Duration::from_millis(most.max(0) as u64)).min(LONGEST);
        // It covers what the connection has committed, so that no later call waits for that. While another thread is in a call,
        // what is noted is that call's, which has to wait for it.
        if let (Some(watch), Ok(_alone)) = (&self.identity.watch, self.state.try_lock()) {
            watch.take_unconfirmed();
        }
        Ok(ReplicaWait(Barrier {
            path: path.to_owned(),
            file: self.file_id(),
            socket: socket.into(),
            timeout,
            deadline: Instant::now() + timeout,
        }))
    }
}

impl Connection {
    /// The end of a call that has committed, with `durability=replicated`.
    pub(crate) fn wait_for_commit(&self) -> Result<()> {
        self.wait_from_here(None)?.run(&|| self.is_closed()).map(drop)
    }
}

/// One wait for the replica: see [`Connection::replica_wait`].
#[derive(Clone, Debug)]
pub struct ReplicaWait(Barrier);

impl ReplicaWait {
    /// When it ends at the latest.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Waits. It ends early when the process shuts down, and when `cancelled` says so, which is asked many times a second on
    /// this thread.
    ///
    /// # Errors
    /// `KEEL_NOT_REPLICATED`, as [`Connection::replicated`].
    pub fn run(&self, cancelled: &dyn Fn() -> bool) -> Result<Token> {
        barrier::replicated(&self.0, &|| match () {
            () if shutdown_state::has_begun() => Some("the process is shutting down"),
            () if cancelled() => Some("the connection was closed meanwhile, or the wait was cancelled"),
            () if deadline::gives_up() => Some("the time of the call is up, or its thread is ending"),
            () => None,
        })
    }
}

/// Litestream's own default.
const DEFAULT_SOCKET: &str = "/var/run/litestream.sock";
/// `Instant` can add so much everywhere.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
