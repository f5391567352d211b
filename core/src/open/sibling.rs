//! Other connections like one that is open.

use std::sync::Arc;

use super::errors;
use crate::connection::Connection;
use crate::error::Result;
use crate::open::{self, Assistant};
use crate::platform::file_id::file_id;
use crate::settings::Resolved;

impl Connection {
    /// Another connection to the same file with the same settings and a transaction state of its own.
    ///
    /// # Errors
    /// `KEEL_NO_SIBLING` for a database in memory or an adopted handle; `KEEL_DATABASE_MOVED` when the path names
    /// another file by now, or none; `KEEL_CLOSED`, `KEEL_FORKED`; those of open.
    pub fn sibling(&self) -> Result<Arc<Connection>> {
        open::sibling(self.opened_as()?, &self.identity.opened_at)
    }

    /// How to open its file once more.
    fn opened_as(&self) -> Result<&Resolved> {
        self.check_process()?;
        // Not by the lock of its calls, which a long query holds.
        if self.interruptible.lock().is_ok_and(|raw| raw.0.is_null()) {
            return Err(self.closed_error());
        }
        let Some(resolved) = &self.identity.resolved else {
            return Err(errors::not_opened_here());
        };
        let Some(path) = &self.identity.path else {
            return Err(errors::private_memory());
        };
        // Opening would create a new database there, or open another one.
        if self.identity.file.is_some() && file_id(path) != self.identity.file {
            return Err(errors::another_file_by_now(path));
        }
        Ok(resolved)
    }

    /// A sibling for one task of this connection's host, labelled with what it is for: it neither checkpoints nor
    /// optimizes when it closes, which has to be before this one does.
    ///
    /// # Errors
    /// As for [`sibling`](Connection::sibling).
    pub fn assistant(&self, label: &str, may: Assistant) -> Result<Arc<Connection>> {
        let resolved = self.opened_as()?;
        let opened_at = match self.identity.opened_at.as_str() {
            "" => label.to_owned(),
            at => format!("{label} of {at}"),
        };
        open::assistant(resolved, &opened_at, may)
    }
}
