//! What was kept of a WAL that nobody else can reach any more.

use std::path::PathBuf;

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    /// The WAL's committed frames as a file of their own; `None` when it could not be written.
    pub wal: Result<PathBuf, String>,
    /// A copy of the database with them; where nobody has written to the database since.
    pub database: Option<PathBuf>,
    /// Committed frames in it, and how many of them are in no database.
    pub frames: u64,
    pub missing: u64,
}

impl Aside {
    /// One sentence for people.
    pub(crate) fn describe(&self) -> String {
        match (&self.wal, &self.database) {
            (Ok(wal), Some(database)) => format!(
                "what this process committed there ({} pages) is kept as the database {}, and as a WAL in {}",
                self.missing,
                database.display(),
                wal.display()
            ),
            (Ok(wal), None) => format!(
                "what this process committed there ({} pages) is kept in {}, a WAL that fits the database as it was then",
                self.missing,
                wal.display()
            ),
            (Err(why), _) => {
                format!("what this process committed there ({} pages) cannot be kept: {why}", self.missing)
            }
        }
    }
}
