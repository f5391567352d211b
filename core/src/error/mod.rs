//! One error type: a code for machines, sentences for people.

pub mod codes;
pub mod printable;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use printable::printable;

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
    step: Option<&'static str>,
    offset: Option<i32>,
    errno: i32,
    sqlite_code: i32,
    busy: Option<Busy>,
}

/// Why a lock could not be had, for how long it was waited for, and who holds it.
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

/// A process, or a connection of this process, that holds a lock.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Holder {
    /// The process id; this process's own when the holder is one of its connections.
    pub pid: u32,
    /// `writer`, `checkpointer`, `recoverer`, `reader`, `exclusive`, `reserved`, `pending` or `shared`.
    pub role: &'static str,
    /// The command line, empty when it may not be read.
    pub command: String,
    /// `running`, `sleeping`, `stopped`, `zombie`; empty when unknown. For a connection of this process `running` while
    /// it is in a call, `idle` between two calls of a transaction.
    pub state: &'static str,
    /// For how long, as far as known: never for another process; for a connection of this process, since it has the
    /// lock.
    pub since: Option<Duration>,
    /// For a connection of this process: the running statement, or the latest one of its transaction.
    pub sql: Option<String>,
    /// For a connection of this process: where it was opened.
    pub opened_at: Option<String>,
    /// The connection's open transaction was last used by the thread that asks, which therefore waits in vain.
    pub by_this_thread: bool,
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
    pub fn with_step(mut self, step: &'static str) -> Error {
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
        self.0.step
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

macro_rules! sqlite_names {
    ($($name:ident)*) => {
        /// The name of a primary or extended result code of SQLite: `SQLITE_CONSTRAINT_UNIQUE`.
        pub fn sqlite_name(code: i32) -> Option<&'static str> {
            $(if code == crate::sqlite::$name { return Some(stringify!($name)); })*
            None
        }
    };
}

sqlite_names! {
    SQLITE_OK SQLITE_ERROR SQLITE_INTERNAL SQLITE_PERM SQLITE_ABORT SQLITE_BUSY SQLITE_LOCKED SQLITE_NOMEM
    SQLITE_READONLY SQLITE_INTERRUPT SQLITE_IOERR SQLITE_CORRUPT SQLITE_NOTFOUND SQLITE_FULL SQLITE_CANTOPEN
    SQLITE_PROTOCOL SQLITE_EMPTY SQLITE_SCHEMA SQLITE_TOOBIG SQLITE_CONSTRAINT SQLITE_MISMATCH SQLITE_MISUSE
    SQLITE_NOLFS SQLITE_AUTH SQLITE_FORMAT SQLITE_RANGE SQLITE_NOTADB SQLITE_NOTICE SQLITE_WARNING SQLITE_ROW
    SQLITE_DONE
    SQLITE_ERROR_MISSING_COLLSEQ SQLITE_ERROR_RETRY SQLITE_ERROR_SNAPSHOT SQLITE_IOERR_READ SQLITE_IOERR_SHORT_READ
    SQLITE_IOERR_WRITE SQLITE_IOERR_FSYNC SQLITE_IOERR_DIR_FSYNC SQLITE_IOERR_TRUNCATE SQLITE_IOERR_FSTAT
    SQLITE_IOERR_UNLOCK SQLITE_IOERR_RDLOCK SQLITE_IOERR_DELETE SQLITE_IOERR_BLOCKED SQLITE_IOERR_NOMEM
    SQLITE_IOERR_ACCESS SQLITE_IOERR_CHECKRESERVEDLOCK SQLITE_IOERR_LOCK SQLITE_IOERR_CLOSE SQLITE_IOERR_DIR_CLOSE
    SQLITE_IOERR_SHMOPEN SQLITE_IOERR_SHMSIZE SQLITE_IOERR_SHMLOCK SQLITE_IOERR_SHMMAP SQLITE_IOERR_SEEK
    SQLITE_IOERR_DELETE_NOENT SQLITE_IOERR_MMAP SQLITE_IOERR_GETTEMPPATH SQLITE_IOERR_CONVPATH SQLITE_IOERR_VNODE
    SQLITE_IOERR_AUTH SQLITE_IOERR_BEGIN_ATOMIC SQLITE_IOERR_COMMIT_ATOMIC SQLITE_IOERR_ROLLBACK_ATOMIC
    SQLITE_IOERR_DATA SQLITE_IOERR_CORRUPTFS SQLITE_LOCKED_SHAREDCACHE SQLITE_LOCKED_VTAB SQLITE_BUSY_RECOVERY
    SQLITE_BUSY_SNAPSHOT SQLITE_BUSY_TIMEOUT SQLITE_CANTOPEN_NOTEMPDIR SQLITE_CANTOPEN_ISDIR
    SQLITE_CANTOPEN_FULLPATH SQLITE_CANTOPEN_CONVPATH SQLITE_CANTOPEN_SYMLINK SQLITE_CORRUPT_VTAB
    SQLITE_CORRUPT_SEQUENCE SQLITE_CORRUPT_INDEX SQLITE_READONLY_RECOVERY SQLITE_READONLY_CANTLOCK
    SQLITE_READONLY_ROLLBACK SQLITE_READONLY_DBMOVED SQLITE_READONLY_CANTINIT SQLITE_READONLY_DIRECTORY
    SQLITE_ABORT_ROLLBACK SQLITE_CONSTRAINT_CHECK SQLITE_CONSTRAINT_COMMITHOOK SQLITE_CONSTRAINT_FOREIGNKEY
    SQLITE_CONSTRAINT_FUNCTION SQLITE_CONSTRAINT_NOTNULL SQLITE_CONSTRAINT_PRIMARYKEY SQLITE_CONSTRAINT_TRIGGER
    SQLITE_CONSTRAINT_UNIQUE SQLITE_CONSTRAINT_VTAB SQLITE_CONSTRAINT_ROWID SQLITE_CONSTRAINT_PINNED
    SQLITE_CONSTRAINT_DATATYPE SQLITE_NOTICE_RECOVER_WAL SQLITE_NOTICE_RECOVER_ROLLBACK SQLITE_WARNING_AUTOINDEX
    SQLITE_AUTH_USER
}
