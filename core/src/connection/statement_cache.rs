//! The few compiled statements that a connection keeps.

use std::ffi::c_int;

use crate::packed::Names;
use crate::raw::prepared::Prepared;

/// How many compiled statements a connection keeps.
const KEPT: usize = 32;

/// Compiled statements that wait, reset and without parameters, for their text to come again; the latest is last.
///
/// SQLite compiles a kept statement anew when the schema, the authorizer, a collation or a flag of the connection has
/// changed, so nothing here goes stale; only the column names have to be asked for after the first step.
// Boxed: an entry goes out and in again with every call.
#[allow(clippy::vec_box)]
#[derive(Default)]
pub(crate) struct StatementCache(Vec<Box<CachedStatement>>);

/// A statement that is kept, or that will be.
pub(crate) struct CachedStatement {
    pub sql: Box<str>,
    pub prepared: Prepared,
    /// The column names, and how often the statement had been compiled anew when they were read.
    pub names: Option<(c_int, Names)>,
}

impl StatementCache {
    pub(crate) fn take(&mut self, sql: &str) -> Option<Box<CachedStatement>> {
        let at = self.0.iter().rposition(|entry| *entry.sql == *sql)?;
        Some(self.0.remove(at))
    }

    pub(crate) fn put(&mut self, entry: Box<CachedStatement>) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(entry);
    }

    /// Finalizes all of them; the caller holds their connection.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
