//! The timeout of a connection's calls, and the hooks that are asked while they run.

use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

use super::errors;
use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::{Error, Result};
use crate::sqlite;
use crate::waiting::deadline::{earliest, passed};
use crate::waiting::progress_handler::ProgressFn;

impl Connection {
    /// Gives each later call at most so long; then its statement fails with `SQLITE_INTERRUPT`, waits for a lock too.
    /// Zero: no limit. As with every interrupt, a write in a transaction takes the transaction with it.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn set_timeout(&self, timeout: Duration) -> Result<()> {
        let guard = self.lock()?;
        guard.progress().timeout.set(timeout);
        guard.progress().install(guard.raw());
        Ok(())
    }

    /// The hook that SQLite asks every 10 000 instructions (1000 with a timeout), beside the timeout; `None` takes it away. It must not use the
    /// connection. A handler of one's own on the raw handle is replaced while a hook or a timeout is set.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn set_progress(&self, hook: Option<ProgressFn>) -> Result<()> {
        let guard = self.lock()?;
        *guard.progress().hook.borrow_mut() = hook;
        guard.progress().install(guard.raw());
        Ok(())
    }

    /// As [`set_progress`](Connection::set_progress), beside the hooks that other owners of the connection have, for as
    /// long as the caller keeps `hook`.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn add_progress(&self, hook: &ProgressFn) -> Result<()> {
        let guard = self.lock()?;
        let progress = guard.progress();
        progress.owners.borrow_mut().retain(|other| other.strong_count() > 0);
        progress.owners.borrow_mut().push(Arc::downgrade(hook));
        progress.install(guard.raw());
        Ok(())
    }
}

impl Guard<'_> {
    /// A failure that the deadline caused, as what it is.
    pub(crate) fn past_deadline(&self, rc: c_int) -> Option<Error> {
        if !matches!(rc & 0xff, sqlite::SQLITE_INTERRUPT | sqlite::SQLITE_BUSY) || !passed() {
            return None;
        }
        // It may be that of an outer call, which this one is a callback of.
        let limit = earliest().map_or(Duration::ZERO, |(_, limit, _)| limit);
        Some(errors::past_deadline(limit, rc))
    }
}
