//! The statements of a connection whose rows are still being read in batches.

use std::collections::BTreeMap;

use crate::sqlite;

/// The open statements of a connection's streams, by number.
#[derive(Default)]
pub(crate) struct Streams {
    open: BTreeMap<u64, *mut sqlite::sqlite3_stmt>,
    latest: u64,
}

impl Streams {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn add(&mut self, raw: *mut sqlite::sqlite3_stmt) -> u64 {
        self.latest += 1;
        self.open.insert(self.latest, raw);
        self.latest
    }

    /// Takes one out; it is the caller's to finalize.
    pub(crate) fn remove(&mut self, number: u64) -> Option<*mut sqlite::sqlite3_stmt> {
        self.open.remove(&number)
    }

    /// Finalizes those with these numbers; the caller holds their connection.
    pub(crate) fn end(&mut self, numbers: Vec<u64>) {
        for raw in numbers.iter().filter_map(|number| self.open.remove(number)) {
            // SAFETY: taken out of the list of those that are not finalized.
            unsafe { sqlite::sqlite3_finalize(raw) };
        }
    }

    /// Finalizes all of them; the caller holds their connection.
    pub(crate) fn clear(&mut self) {
        for raw in std::mem::take(&mut self.open).into_values() {
            // SAFETY: each is in this list alone.
            unsafe { sqlite::sqlite3_finalize(raw) };
        }
    }
}
