//! What open found and did, and what close left.

use std::path::PathBuf;
use std::time::Duration;

/// One line of an open report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRow {
    /// The setting's key, or the fact's name.
    pub name: &'static str,
    /// What was read back from the connection.
    pub value: String,
    /// What was asked for; empty for a fact.
    pub wanted: String,
    /// Who asked: `built-in`, `profile`, `environment`, `url`, `option`; `file` or `system` for a fact.
    pub source: &'static str,
    /// What else a reader should know.
    pub note: String,
}

/// What open found and did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenReport {
    /// The absolute path; `None` for a database in memory.
    pub path: Option<PathBuf>,
    /// The URL without its secrets.
    pub url: String,
    /// Where the URL came from: `argument`, `env` or `default`.
    pub url_source: &'static str,
    /// Whether open created the database (or found an empty file).
    pub new_database: bool,
    /// The directories that open created.
    pub created_directories: Vec<PathBuf>,
    /// WAL frames (or journal pages) that SQLite recovered: the process before did not close.
    pub recovered_frames: u64,
    /// The name of the file system, where it is known.
    pub file_system: Option<String>,
    /// How long open took.
    pub elapsed: Duration,
    /// What a careful operator should read.
    pub warnings: Vec<String>,
    /// Every value that replaced another: `synchronous: full (url) over normal (profile)`.
    pub overrides: Vec<String>,
    /// Every setting and fact.
    pub rows: Vec<ReportRow>,
}

impl OpenReport {
    /// The row of this name.
    pub fn row(&self, name: &str) -> Option<&ReportRow> {
        self.rows.iter().find(|row| row.name == name)
    }

    pub(crate) fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.rows.push(ReportRow { name, value: value.into(), source: "system", ..ReportRow::default() });
    }
}

/// A database that is attached to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// The name that SQL knows it by.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The settings that SQLite keeps for each database: as they are, and as the connection's are.
    pub rows: Vec<ReportRow>,
    /// What a careful operator should read.
    pub warnings: Vec<String>,
}

/// The checkpoint that close made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosingCheckpoint {
    /// Frames in the WAL.
    pub log: i32,
    /// Frames of it that are in the database now.
    pub done: i32,
    /// Whether another connection kept it from finishing.
    pub busy: bool,
}

/// What close did and left.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloseReport {
    /// An open transaction was rolled back.
    pub rolled_back: bool,
    /// The SQL of statements that others prepared on the raw handle and did not finalize. The connection stays alive
    /// behind them until they do.
    pub leaked_statements: Vec<String>,
    /// `PRAGMA optimize` ran.
    pub optimized: bool,
    /// What the checkpoint did; `None` when none was needed or wanted.
    pub checkpoint: Option<ClosingCheckpoint>,
    /// There was a `-wal` and it is gone.
    pub wal_removed: bool,
    /// The size of the `-wal` that remains. No data is lost: the next open reads it.
    pub wal_bytes_left: u64,
    /// Why a `-wal` remains.
    pub why: String,
    /// Owners of a shared connection that go on using it; 0 when the connection is really closed.
    pub owners_left: usize,
    /// What went wrong without making close fail.
    pub warnings: Vec<String>,
}
