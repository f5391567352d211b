//! Whether the connection still stands on the file it was opened on, and still holds the locks it needs.

use crate::error::{Error, Result};

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Good,
    /// Not as it must be.
    Bad,
    /// It cannot be found out on this system or at this moment.
    Unknown,
}

impl Verdict {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// `locks`, `wal_file`, `database_file`, `second_sqlite`.
    pub name: &'static str,
    /// What was found.
    pub verdict: Verdict,
    /// What that means, with path and cause; empty when good.
    pub note: String,
    /// What to do; empty when good.
    pub hint: String,
}

/// The health of a connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Health {
    /// Everything that was looked at.
    pub checks: Vec<Check>,
    /// Set once something was found that loses data: the connection refuses to write until it is reopened.
    pub latched: Option<Error>,
}

impl Health {
    /// Nothing bad was found. What is unknown is not bad.
    pub fn is_good(&self) -> bool {
        self.latched.is_none() && self.checks.iter().all(|check| check.verdict != Verdict::Bad)
    }
}

impl crate::Connection {
    /// Looks whether the database is still the file that was opened.
    ///
    /// # Errors
    /// `KEEL_CLOSED`, `KEEL_FORKED`.
    pub fn health(&self) -> Result<Health> {
        let _guard = self.lock()?;
        let Some(path) = self.path() else { return Ok(Health::default()) };
        let mut check =
            Check { name: "database_file", verdict: Verdict::Good, note: String::new(), hint: String::new() };
        if crate::open::target::file_id(path) != self.file_id() {
            check.verdict = Verdict::Bad;
            check.note = format!("{} is no longer the file that was opened", path.display());
            check.hint = "close and reopen".into();
        }
        Ok(Health { checks: vec![check], latched: None })
    }
}
