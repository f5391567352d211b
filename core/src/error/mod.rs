//! One error type: a code for machines, sentences for people.

pub mod codes;
mod holder;
pub(crate) mod printable;
mod sqlite_codes;
mod step;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use holder::{Holder, HolderRole, HolderState};
use printable::printable;
pub use sqlite_codes::{codes_js, sqlite_name};
pub(crate) use step::FailedStep;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, why, and what to do.
///
/// [`code`](Error::code) is SQLite's extended result code when positive and one of [`crate::error::codes`] when negative.
/// `Display` prints the message and, after it, the hint.
///
/// ```
/// use litekeel_core::{Connection, Options, codes};
///
/// let error = Connection::open(Some("file:app.db?busy_timout=5s"), &Options::new()).unwrap_err();
/// assert_eq!((error.code(), error.name()), (codes::UNKNOWN_PARAM, "KEEL_UNKNOWN_PARAM"));
/// assert!(error.hint().contains("busy_timeout"));
/// ```
#[derive(Clone)]
pub struct Error(Box<Repr>);

#[derive(Clone)]
struct Repr {
    code: i32,
    message: String,
    hint: String,
    path: Option<PathBuf>,
    step: Option<FailedStep>,
    offset: Option<i32>,
    errno: i32,
    sqlite_code: i32,
    busy: Option<Busy>,
}

/// Why a lock could not be taken, for how long it was waited for, and who holds it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Busy {
    /// Which of the situations that SQLite reports as BUSY this is.
    pub kind: BusyKind,
    /// How long this call waited.
    pub waited: Duration,
    /// Who holds the lock, as far as could be found out.
    pub holders: Vec<Holder>,
}

impl Busy {
    /// A description with no holders found yet.
    pub fn new(kind: BusyKind, waited: Duration) -> Busy {
        Busy { kind, waited, holders: Vec::new() }
    }
}

/// The situations that SQLite reports as BUSY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusyKind {
    /// The lock was waited for until the timeout.
    Timeout,
    /// A read transaction wanted to write; SQLite refuses at once, whatever the timeout.
    Upgrade,
    /// Another connection is recovering the WAL.
    Recovery,
    /// Another connection is converting the journal mode.
    WalConversion,
    /// Another connection is closing and removing the WAL.
    CloseInProgress,
    /// An asynchronous transaction of this very thread holds the lock.
    OwnAsyncTransaction,
}

impl BusyKind {
    /// The name in reports and error objects.
    pub fn as_str(self) -> &'static str {
        match self {
            BusyKind::Timeout => "timeout",
            BusyKind::Upgrade => "upgrade",
            BusyKind::Recovery => "recovery",
            BusyKind::WalConversion => "wal_conversion",
            BusyKind::CloseInProgress => "close_in_progress",
            BusyKind::OwnAsyncTransaction => "own_async_transaction",
        }
    }
}

impl Error {
    /// An error with the code table's own hint. What a terminal would obey in the message is written out.
    pub fn new(code: i32, message: impl Into<String>) -> Error {
        let message = message.into();
        Error::verbatim(
            code,
            match printable(&message) {
                Cow::Borrowed(_) => message,
                Cow::Owned(shown) => shown,
            },
        )
    }

    /// SQLite's own sentence, unchanged: what a host compares it with says the same.
    pub(crate) fn verbatim(code: i32, message: impl Into<String>) -> Error {
        let hint = codes::lookup(code).map_or("", |row| row.hint);
        Error(Box::new(Repr {
            code,
            message: message.into(),
            hint: hint.to_owned(),
            path: None,
            step: None,
            offset: None,
            errno: 0,
            sqlite_code: if code > 0 { code } else { 0 },
            busy: None,
        }))
    }

    /// Replaces the hint: what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        let hint = hint.into();
        self.0.hint = match printable(&hint) {
            Cow::Borrowed(_) => hint,
            Cow::Owned(shown) => shown,
        };
        self
    }

    /// Names the absolute path concerned.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Error {
        self.0.path = Some(path.into());
        self
    }

    /// Names the step of open or close that failed. The first step named stays.
    #[must_use]
    pub(crate) fn with_step(mut self, step: FailedStep) -> Error {
        self.0.step.get_or_insert(step);
        self
    }

    /// Adds the byte offset in the SQL text or URL.
    #[must_use]
    pub fn with_offset(mut self, offset: i32) -> Error {
        self.0.offset = (offset >= 0).then_some(offset);
        self
    }

    /// Adds the operating system's `errno`.
    #[must_use]
    pub fn with_errno(mut self, errno: i32) -> Error {
        self.0.errno = errno;
        self
    }

    /// Adds SQLite's extended result code to an error that has a code of ours.
    #[must_use]
    pub fn with_sqlite_code(mut self, code: i32) -> Error {
        self.0.sqlite_code = code;
        self
    }

    /// Adds who holds the lock.
    #[must_use]
    pub fn with_busy(mut self, busy: Busy) -> Error {
        self.0.busy = Some(busy);
        self
    }

    /// SQLite's extended result code (positive), or one of [`crate::error::codes`] (negative).
    pub fn code(&self) -> i32 {
        self.0.code
    }

    /// `SQLITE_BUSY_SNAPSHOT`, `KEEL_UNKNOWN_PARAM`…; for a code without a name, `SQLITE_UNKNOWN`.
    pub fn name(&self) -> &'static str {
        match codes::lookup(self.0.code) {
            Some(row) => row.name,
            None => sqlite_name(self.0.code).unwrap_or("SQLITE_UNKNOWN"),
        }
    }

    /// What happened, which path or value, and why.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do; empty when there is nothing better to say.
    pub fn hint(&self) -> &str {
        &self.0.hint
    }

    /// The absolute path concerned.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The step of open or close that failed.
    pub fn step(&self) -> Option<&'static str> {
        self.0.step.map(FailedStep::as_str)
    }

    /// The byte offset in the SQL text or URL.
    pub fn offset(&self) -> Option<i32> {
        self.0.offset
    }

    /// The operating system's `errno`, or 0.
    pub fn errno(&self) -> i32 {
        self.0.errno
    }

    /// SQLite's extended result code, or 0.
    pub fn sqlite_code(&self) -> i32 {
        self.0.sqlite_code
    }

    /// For BUSY: which kind, how long it was waited, who holds the lock.
    pub fn busy(&self) -> Option<&Busy> {
        self.0.busy.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !self.0.hint.is_empty() {
            write!(f, " ({})", self.0.hint)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self)
    }
}

impl std::error::Error for Error {}
