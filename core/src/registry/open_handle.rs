//! What is told of an open connection, and its number.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::printable::printable;
use crate::platform::file_id::FileId;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A connection that is open in this process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenHandle {
    /// Increases with every open of this process.
    pub id: u64,
    /// The absolute path; `None` for a database in memory.
    pub path: Option<PathBuf>,
    /// The file's identity.
    pub file: Option<FileId>,
    /// Where it was opened, as the host labelled it; empty when it did not.
    pub opened_at: String,
    /// For how long it has been open.
    pub age: Duration,
    /// The thread that opened it, by a number that no other of the process has or has had.
    pub thread: usize,
    /// Whether several owners use it.
    pub shared: bool,
    /// Whether litekeel tuned it (`open`), or took it over as it was.
    pub tuned: bool,
}

impl OpenHandle {
    /// One line for people: the path, where it was opened, for how long.
    pub fn describe(&self) -> String {
        let place = self.path.as_deref().unwrap_or(Path::new(":memory:")).display();
        let at = if self.opened_at.is_empty() { String::new() } else { format!(", opened at {}", self.opened_at) };
        printable(&format!("{place}{at}, {:.1} s ago", self.age.as_secs_f64())).into_owned()
    }
}

/// The number of the connection that is opened next.
pub(crate) fn next_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The number of the latest connection of this process, for [`assert_no_leaks_since`](super::assert_no_leaks_since).
pub fn latest() -> u64 {
    NEXT.load(Ordering::Relaxed) - 1
}
