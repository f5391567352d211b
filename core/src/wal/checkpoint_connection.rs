//! A connection for nothing but checkpoints: a busy timeout of its own, and no part in anybody's transaction.

use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::platform::file_id::FileId;
use crate::platform::file_id::file_id;
use crate::raw::handle;
use crate::sqlite;
use crate::vfs::wal_index;
use crate::vfs::wal_index::WalIndex;

/// The log of one database, as its checkpointer sees it.
pub(crate) struct CheckpointConnection(*mut sqlite::sqlite3);

/// What a checkpoint left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Frames in the log, and how many of them are in the database.
    pub frames: i64,
    pub done: i64,
    /// A reader or writer kept it from doing what its mode promises.
    pub busy: bool,
}

// SAFETY: a connection of a SQLite that is compiled threadsafe, used under a mutex.
unsafe impl Send for CheckpointConnection {}

impl CheckpointConnection {
    pub(crate) const PASSIVE: c_int = sqlite::SQLITE_CHECKPOINT_PASSIVE;
    pub(crate) const RESTART: c_int = sqlite::SQLITE_CHECKPOINT_RESTART;
    pub(crate) const TRUNCATE: c_int = sqlite::SQLITE_CHECKPOINT_TRUNCATE;

    /// Opens the database at `path`, if that is still the file that is meant.
    pub(crate) fn open(path: &Path, file: FileId, vfs: Option<&CStr>) -> Result<CheckpointConnection, String> {
        let moved = || format!("{} is no longer the file that was opened", path.display());
        if file_id(path) != Some(file) {
            return Err(moved());
        }
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| moved())?;
        let flags = sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_NOMUTEX | sqlite::SQLITE_OPEN_EXRESCODE;
        let mut db = std::ptr::null_mut();
        // SAFETY: a NUL-terminated name; the handle is owned by the log, which closes it on every path.
        unsafe {
            let rc = sqlite::sqlite3_open_v2(name.as_ptr(), &mut db, flags, vfs.map_or(std::ptr::null(), CStr::as_ptr));
            let log = CheckpointConnection(db);
            if rc != sqlite::SQLITE_OK {
                return Err(handle::last_failure(db, rc).0);
            }
            // Closing must not move anything, nor remove the WAL under the application's last connection.
            let mut on: c_int = 0;
            sqlite::sqlite3_db_config(db, sqlite::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 as c_int, &raw mut on);
            // Until it has read something a connection does not know that there is a WAL. This reads no schema.
            handle::query_text(db, c"PRAGMA schema_version").map_err(|rc| handle::last_failure(db, rc).0)?;
            if file_id(path) != Some(file) {
                return Err(moved());
            }
            Ok(log)
        }
    }

    pub(crate) fn raw(&self) -> *mut sqlite::sqlite3 {
        self.0
    }

    /// `None` when somebody else is checkpointing, or the work was interrupted.
    pub(crate) fn checkpoint(&self, mode: c_int, patience_ms: c_int) -> Result<Option<Outcome>, String> {
        let (mut frames, mut done) = (-1, -1);
        // SAFETY: open, and used by the thread that holds the log's mutex.
        unsafe {
            sqlite::sqlite3_busy_timeout(self.0, patience_ms);
            let rc = sqlite::sqlite3_wal_checkpoint_v2(self.0, c"main".as_ptr(), mode, &raw mut frames, &raw mut done);
            match rc & 0xff {
                // BUSY with figures: as far as readers and writers let it.
                code @ (sqlite::SQLITE_OK | sqlite::SQLITE_BUSY) if frames >= 0 => {
                    Ok(Some(Outcome { frames: frames.into(), done: done.into(), busy: code == sqlite::SQLITE_BUSY }))
                }
                // AUTH: Litestream replicates the database.
                sqlite::SQLITE_OK
                | sqlite::SQLITE_BUSY
                | sqlite::SQLITE_LOCKED
                | sqlite::SQLITE_INTERRUPT
                | sqlite::SQLITE_AUTH => Ok(None),
                _ => Err(handle::last_failure(self.0, rc).0),
            }
        }
    }

    /// The WAL-index as it is now.
    pub(crate) fn index(&self) -> Option<WalIndex> {
        // SAFETY: as above; a checkpoint has been made, so the WAL is open where there is one.
        unsafe {
            let journal = handle::query_text(self.0, c"PRAGMA journal_mode").ok()?;
            if journal.as_deref() != Some("wal") {
                return None;
            }
            let map = wal_index::mapping(self.0);
            if map.is_null() { None } else { WalIndex::read(map) }
        }
    }
}

impl Drop for CheckpointConnection {
    fn drop(&mut self) {
        // SAFETY: opened here; it has no statements.
        unsafe { sqlite::sqlite3_close(self.0) };
    }
}
