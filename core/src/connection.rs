//! One connection: serialised, interruptible, closed once.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::codes;
use crate::error::{Error, Result};
use crate::report::CloseReport;
use crate::sqlite;

/// A connection to one database, safe to use from any thread.
///
/// Calls are serialised by a lock of its own ([`lock`](Connection::lock)); SQLite itself runs without its mutex.
pub struct Connection {
    state: Mutex<State>,
    /// Held by `interrupt` and, for the moment of closing, by `close`: an interrupt must never reach freed memory
    /// and never wait for a running query.
    interruptible: Mutex<Raw>,
}

struct State {
    raw: Raw,
    closed: Option<CloseReport>,
}

#[derive(Clone, Copy)]
struct Raw(*mut sqlite::sqlite3);
// SAFETY: the pointer is only dereferenced by SQLite, under `state` or, for interrupt, `interruptible`.
unsafe impl Send for Raw {}

/// Exclusive use of a connection.
pub struct Guard<'a> {
    state: MutexGuard<'a, State>,
}

impl Guard<'_> {
    /// SQLite's own handle, valid while the guard lives.
    pub fn raw(&self) -> *mut sqlite::sqlite3 {
        self.state.raw.0
    }
}

impl Connection {
    /// Takes over a handle that the host opened itself, as it is.
    ///
    /// # Safety
    /// `raw` is an open connection of this copy of SQLite that nobody else closes.
    pub unsafe fn adopt(raw: *mut sqlite::sqlite3) -> Arc<Connection> {
        Arc::new(Connection {
            state: Mutex::new(State { raw: Raw(raw), closed: None }),
            interruptible: Mutex::new(Raw(raw)),
        })
    }

    /// Exclusive use, for one unit of work.
    ///
    /// # Errors
    /// `KEEL_CLOSED` after close.
    pub fn lock(&self) -> Result<Guard<'_>> {
        let state =
            self.state.lock().map_err(|_| Error::new(codes::PANIC, "an earlier call on this connection panicked"))?;
        if state.closed.is_some() {
            return Err(Error::new(codes::CLOSED, "the connection is closed"));
        }
        Ok(Guard { state })
    }

    /// Makes the running statement fail with `SQLITE_INTERRUPT`. Any thread; never blocks.
    pub fn interrupt(&self) {
        if let Ok(raw) = self.interruptible.lock()
            && !raw.0.is_null()
        {
            // SAFETY: `close` clears this pointer under the same lock before it frees the connection.
            unsafe { sqlite::sqlite3_interrupt(raw.0) }
        }
    }
}
