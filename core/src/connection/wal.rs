//! The write-ahead log of a connection's database: its state and its readers, without a trace.

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::{FailedStep, Result};
use crate::raw::handle;
use crate::sqlite;
use crate::vfs::wal_index::{WalIndex, mapping};
use crate::wal::readers::{Pins, WalStatus, pins, status};

impl Connection {
    /// How large the WAL is and how much of it is in the database, without touching either. `None` for a database that
    /// has no WAL, or keeps it to itself (`locking_mode=exclusive`).
    ///
    /// # Errors
    /// `KEEL_CLOSED`, `KEEL_FORKED`; SQLite's.
    pub fn wal_status(&self) -> Result<Option<WalStatus>> {
        let guard = self.lock()?;
        let Some(path) = self.path() else { return Ok(None) };
        Ok(index(self, &guard)?.map(|index| status(&index, path)))
    }

    /// The readers of the WAL, with the frame at which each one stands. `None` as for
    /// [`wal_status`](Connection::wal_status), and where the system does not tell who holds a lock.
    ///
    /// # Errors
    /// As for [`wal_status`](Connection::wal_status).
    pub fn pins(&self) -> Result<Option<Pins>> {
        let Some(path) = self.path() else { return Ok(None) };
        let index = {
            let guard = self.lock()?;
            index(self, &guard)?
        };
        Ok(index.and_then(|index| pins(&index, path)))
    }
}

/// The WAL-index as it is now.
fn index(connection: &Connection, guard: &Guard<'_>) -> Result<Option<WalIndex>> {
    let db = guard.raw();
    // SAFETY: the guard keeps the connection open and to this thread.
    unsafe {
        let fail = |rc| connection.fail(db, rc, Some(FailedStep::WalStatus));
        let journal = handle::query_text(db, c"PRAGMA journal_mode").map_err(fail)?;
        let locking = handle::query_text(db, c"PRAGMA locking_mode").map_err(fail)?;
        if journal.as_deref() != Some("wal") || locking.as_deref() != Some("normal") {
            return Ok(None);
        }
        // NOOP opens the WAL where nothing has been read yet. It is refused to a transaction and to a reader of a
        // read-only file, who have read it.
        let rc = sqlite::sqlite3_wal_checkpoint_v2(
            db,
            c"main".as_ptr(),
            sqlite::SQLITE_CHECKPOINT_NOOP,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        if !matches!(
            rc & 0xff,
            sqlite::SQLITE_OK | sqlite::SQLITE_LOCKED | sqlite::SQLITE_READONLY | sqlite::SQLITE_BUSY
        ) {
            return Err(fail(rc));
        }
        let map = mapping(db);
        Ok(if map.is_null() { None } else { WalIndex::read(map) })
    }
}
