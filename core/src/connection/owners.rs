//! The owners of one connection, and other connections like it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::errors;
use crate::connection::Connection;
use crate::error::Result;

impl Connection {
    /// Adds an owner, which makes the connection shared.
    ///
    /// # Errors
    /// `KEEL_IN_TRANSACTION` while a transaction is open; `KEEL_CLOSED`.
    pub fn retain(self: &Arc<Self>) -> Result<Arc<Connection>> {
        let guard = self.lock()?;
        if guard.in_transaction() {
            return Err(errors::another_owner_in_transaction());
        }
        if !guard.streams().is_empty() {
            return Err(errors::another_owner_beside_streams());
        }
        self.owners.fetch_add(1, Ordering::AcqRel);
        self.shared.store(true, Ordering::Release);
        Ok(self.clone())
    }

    /// Refuses what only the sole owner may do.
    ///
    /// # Errors
    /// `KEEL_SHARED`.
    pub fn require_sole_owner(&self, doing: &str) -> Result<()> {
        if self.is_shared() {
            return Err(errors::needs_one_owner(doing));
        }
        Ok(())
    }

    /// As [`close`](Connection::close) for whoever cannot be told of a failure, such as a finalizer that runs anywhere:
    /// in a callback of the connection, when the call is over that the callback is part of.
    pub fn release(&self) {
        if self.is_used_by_this_thread() {
            self.deferred.defer_owner();
        } else {
            let _ = self.close();
        }
    }
}
