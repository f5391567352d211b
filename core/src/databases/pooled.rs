//! A connection in use, and what becomes of it after that.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::errors;
use super::places::Places;
use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::Result;
use crate::sqlite;

/// A connection of [`Databases`](super::Databases) in use. It is its user's alone until it is given back.
pub struct PooledConnection {
    places: Arc<Places>,
    name: String,
    connection: Arc<Connection>,
    newly_opened: bool,
    given_back: AtomicBool,
}

impl PooledConnection {
    pub(super) fn new(
        places: Arc<Places>,
        name: &str,
        connection: Arc<Connection>,
        newly_opened: bool,
    ) -> PooledConnection {
        let given_back = AtomicBool::new(false);
        PooledConnection { places, name: name.to_owned(), connection, newly_opened, given_back }
    }

    /// Whether the connection was opened for this use: the moment for what each connection needs once.
    pub fn is_newly_opened(&self) -> bool {
        self.newly_opened
    }

    /// The connection itself, which is somebody else's once it was given back.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Ends the use. A transaction, or rows that are still being read, belong to nobody then: they are undone with the
    /// connection, so that the next user does not find itself in them. Dropping does the same, and tells nobody.
    ///
    /// # Errors
    /// `KEEL_IN_TRANSACTION` when something was undone; `SQLITE_MISUSE` in a callback of the connection, where the use ends
    /// when the call is over that the callback is part of; what closing failed with, where the connection had to be closed.
    pub fn give_back(self) -> Result<()> {
        self.end()
    }

    /// Once; in a forked child never, since there it is the parent's.
    fn end(&self) -> Result<()> {
        if self.connection.is_forked() {
            return Ok(());
        }
        self.connection.check_not_inside()?;
        if self.given_back.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let left = match self.left_behind() {
            Left::Nothing => match self.places.give_back(&self.name, self.connection.clone()) {
                None => return Ok(()),
                Some(_) => None,
            },
            Left::Work(what) => Some(what),
            Left::Changes => None,
        };
        let closed = self.places.leave(&self.name, self.connection.clone()).close();
        if let Some(what) = left {
            return Err(errors::left_open(&self.name, what, self.connection.path()));
        }
        closed
    }

    /// What the user has left on the connection.
    fn left_behind(&self) -> Left {
        // Another owner keeps it; or it was closed meanwhile, as by a shutdown.
        let Ok(guard) = self.connection.lock() else { return Left::Changes };
        if guard.in_transaction() {
            return Left::Work("a transaction");
        }
        if !guard.streams().is_empty() || is_reading(&guard) {
            return Left::Work("rows");
        }
        // SAFETY: the guard keeps the connection open; 0 and 1 are `main` and `temp`.
        let has_attached = unsafe { !sqlite::sqlite3_db_name(guard.raw(), 2).is_null() };
        if has_attached || self.connection.is_shared() { Left::Changes } else { Left::Nothing }
    }
}

/// What stands in the way of another use.
enum Left {
    Nothing,
    /// Another owner, or another file: the connection goes, and nothing is lost.
    Changes,
    /// Work that is not done.
    Work(&'static str),
}

/// Whether a statement on the handle stands on a row.
fn is_reading(guard: &Guard<'_>) -> bool {
    let mut statement = std::ptr::null_mut();
    loop {
        // SAFETY: the guard keeps the connection open; the statement before is still on it, since its lock is held.
        unsafe {
            statement = sqlite::sqlite3_next_stmt(guard.raw(), statement);
            if statement.is_null() {
                return false;
            }
            if sqlite::sqlite3_stmt_busy(statement) != 0 {
                return true;
            }
        }
    }
}

impl Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.connection.is_forked() {
            return;
        }
        if self.connection.is_used_by_this_thread() {
            // In a callback it cannot be closed; its owner leaves when the call is over that the callback is part of.
            if !self.given_back.swap(true, Ordering::AcqRel) {
                self.connection.release();
                self.places.give_up(&self.name);
            }
            return;
        }
        let _ = self.end();
    }
}

impl std::fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledConnection").field("name", &self.name).finish_non_exhaustive()
    }
}
