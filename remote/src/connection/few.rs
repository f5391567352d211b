//! Which statements have few rows: those are asked for at once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The statements whose rows were few when they were read to their end.
#[derive(Default)]
pub(super) struct Few(Mutex<HashSet<String>>);

/// So many are remembered, of so many bytes.
const MOST: usize = 500;
const LONGEST: usize = 16 << 10;

impl Few {
    fn texts(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether they were the last time.
    pub(super) fn are_of(&self, sql: &str) -> bool {
        self.texts().contains(sql)
    }

    pub(super) fn note(&self, sql: &str, are_few: bool) {
        let mut texts = self.texts();
        if !are_few {
            texts.remove(sql);
        } else if sql.len() <= LONGEST {
            if texts.len() >= MOST {
                texts.clear();
            }
            texts.insert(sql.to_owned());
        }
    }
}
