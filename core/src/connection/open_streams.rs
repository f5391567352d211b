//! The statements of a connection whose rows are still being read in batches.

use std::collections::BTreeMap;

use crate::raw::prepared::Prepared;

/// The open statements of a connection's streams, by number.
#[derive(Default)]
pub(crate) struct OpenStreams {
    open: BTreeMap<u64, Prepared>,
    latest: u64,
}

impl OpenStreams {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn add(&mut self, statement: Prepared) -> u64 {
        self.latest += 1;
        self.open.insert(self.latest, statement);
        self.latest
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Prepared> {
        self.open.remove(&number)
    }

    /// Finalizes those with these numbers; the caller holds their connection.
    pub(crate) fn end(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.open.remove(number);
        }
    }

    /// Finalizes all of them; the caller holds their connection.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }
}
