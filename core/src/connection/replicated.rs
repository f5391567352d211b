//! Waiting until what a connection has committed is at the replica.

use std::path::Path;
use std::time::Duration;

use crate::connection::Connection;
use crate::error::codes;
use crate::error::{Error, Result};
use crate::replication::barrier::{self, Token};
use crate::settings::Id;
use crate::sqlite;

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
    /// [`step`](Error::step) says why: `timeout`, `daemon_gone` (nobody answers at `replication_socket`), `replica_refuses`
    /// (no room there, no access…), `stopped` (Litestream has stopped this database), `not_this_database`, `protocol`.
    /// `KEEL_CONFLICT` with `replication=none` and for a database in memory; `SQLITE_MISUSE` inside a transaction, whose
    /// changes are not committed yet; `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn replicated(&self, timeout: Option<Duration>) -> Result<Token> {
        {
            let guard = self.lock()?;
            // SAFETY: the guard keeps the connection open.
            if unsafe { sqlite::sqlite3_get_autocommit(guard.raw()) } == 0 {
                let text = "a transaction is open: what it has written is not committed, so it is not at the replica";
                return Err(
                    Error::new(sqlite::SQLITE_MISUSE, text).with_hint("commit first, then wait for the replica")
                );
            }
        }
        let Some(path) = self.path() else {
            return Err(Error::new(codes::CONFLICT, "a database in memory has no replica")
                .with_hint("open a database in a file"));
        };
        let settings = self.settings();
        if settings.is_some_and(|settings| settings.replication() == Some(crate::settings::words::Replication::None)) {
            return Err(Error::new(codes::CONFLICT, "the database was opened with replication=none")
                .with_hint("remove replication=none, so that checkpoints are left to Litestream")
                .with_path(path));
        }
        let socket = settings.and_then(|settings| settings.text(Id::ReplicationSocket)).unwrap_or(DEFAULT_SOCKET);
        let most = settings.and_then(|settings| settings.int(Id::ReplicationTimeout)).unwrap_or(10_000);
        let timeout = timeout.unwrap_or(Duration::from_millis(most.max(0) as u64)).min(LONGEST);
        barrier::replicated(path, self.file_id(), Path::new(socket), timeout)
    }
}

/// Litestream's own default.
const DEFAULT_SOCKET: &str = "/var/run/litestream.sock";
/// `Instant` can add so much everywhere.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
