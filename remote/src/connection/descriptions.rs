//! What is known of statements: one at a time, and what is kept of many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What the server knows of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The parameters in order of their index: the name with its prefix character, none for `?`.
    pub parameters: Vec<Option<String>>,
    /// The columns of its rows: the name, and the type that the table declares. Empty for a statement that returns none.
    pub columns: Vec<(String, Option<String>)>,
    /// It changes nothing.
    pub readonly: bool,
}

/// Descriptions by text: what they say of parameters and of whether rows come depends on nothing else.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<String, Arc<Description>>>);

/// So many are kept, of texts of so many bytes.
const MOST: usize = 500;
const LONGEST: usize = 16 << 10;

impl Kept {
    pub(super) fn get(&self, sql: &str) -> Option<Arc<Description>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned()
    }

    pub(super) fn keep(&self, sql: &str, description: &Arc<Description>) {
        if sql.len() > LONGEST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(sql.to_owned(), description.clone());
    }
}
