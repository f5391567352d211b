//! What a connection wants of the databases that are attached to it, whoever runs the ATTACH.
//!
//! ATTACH comes by litekeel's calls, by a host that prepares it on the raw handle, or inside a script of `sqlite3_exec`. The
//! file's own methods hear of all of them: SQLite tells each file which connection it belongs to before it reads it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::{Error, Result};
use crate::events::Subscribers;
use crate::platform::fork::ForkMutex;
use crate::vfs::file_state::FileState;

/// Settings that SQLite keeps for each database and does not carry over to one that is attached.
pub(crate) const FOLLOWING: [&str; 5] =
    ["synchronous", "cache_size", "journal_size_limit", "mmap_size", "secure_delete"];

/// What the look at an attached file found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admitted {
    /// What a careful operator should read.
    pub warnings: Vec<String>,
    /// The file system gives no coherent memory mapping.
    pub no_mmap: bool,
}

/// What SQLite opens a file for, beside the main database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// ATTACH: somebody may use it already.
    Attach,
    /// It is to become a copy, by VACUUM INTO.
    Copy,
}

type Check = dyn Fn(&Path, Purpose) -> Result<Admitted> + Send + Sync;

/// What one connection wants.
pub(crate) struct Policy {
    pub subscribers: Arc<Subscribers>,
    /// A commit is on the disk when it is acknowledged (`synchronous` full or extra).
    pub durable: bool,
    /// Litestream is looked for; the bytes of a WAL from which on the event `wal_alarm` comes.
    pub replication: Option<i64>,
    /// The file may have several names (`hard_links=1`).
    pub may_be_linked: bool,
    check: Box<Check>,
    /// A database has been attached since the settings were last carried over.
    pending: AtomicBool,
    is_refused: AtomicBool,
    refused: Mutex<Option<Error>>,
}

/// By the address of SQLite's handle.
pub(crate) static POLICIES: ForkMutex<Vec<(usize, Arc<Policy>)>> = ForkMutex::new(Vec::new());

/// From now on the databases attached to `handle` are looked at. Ends with [`leave`], before the handle is closed.
pub(crate) fn enter(handle: usize, policy: Arc<Policy>) {
    POLICIES.lock().push((handle, policy));
}

/// Ends what [`enter`] began.
pub(crate) fn leave(handle: usize) {
    POLICIES.lock().retain(|(other, _)| *other != handle);
}

/// What the connection with this handle wants; `None` for one that its host opened itself.
pub(crate) fn of(handle: usize) -> Option<Arc<Policy>> {
    POLICIES.lock().iter().find(|(other, _)| *other == handle).map(|(_, policy)| policy.clone())
}

impl Policy {
    /// `check` looks at a file before SQLite reads it, and refuses it by an error.
    pub(crate) fn new(
        subscribers: Arc<Subscribers>,
        durable: bool,
        replication: Option<i64>,
        may_be_linked: bool,
        check: impl Fn(&Path, Purpose) -> Result<Admitted> + Send + Sync + 'static,
    ) -> Policy {
        Policy {
            subscribers,
            durable,
            replication,
            may_be_linked,
            check: Box::new(check),
            pending: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            refused: Mutex::default(),
        }
    }

    /// Looks at a file that is about to be read for the first time; `None` when it is refused.
    pub(crate) fn admit(&self, path: &Path, purpose: Purpose) -> Option<Admitted> {
        match (self.check)(path, purpose) {
            Ok(admitted) => {
                self.pending.store(true, Ordering::Release);
                Some(admitted)
            }
            Err(error) => {
                self.refuse(error);
                None
            }
        }
    }

    /// What was attached is refused for this.
    pub(crate) fn refuse(&self, error: Error) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.is_refused.store(true, Ordering::Release);
    }

    /// Why the latest ATTACH was refused; told once.
    pub(crate) fn take_refused(&self) -> Option<Error> {
        if !self.is_refused.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a database has been attached since [`settled`](Policy::settled).
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Acquire)
    }

    /// The settings have been carried over.
    pub(crate) fn settled(&self) {
        self.pending.store(false, Ordering::Release);
    }
}

/// What an attached database has beside what every database file has; of any other it is empty.
#[derive(Default)]
pub(crate) struct Attachment {
    /// What its connection wants of it, and what the look at it found out.
    policy: OnceLock<Arc<Policy>>,
    admitted: OnceLock<Admitted>,
    /// The settings have been carried over, or are about to be.
    follows: AtomicBool,
    /// Settings that were set for this database by itself: their places in [`FOLLOWING`].
    explicit: AtomicU32,
    /// Its commits are to be on the disk when they are acknowledged, and SQLite's own setting is not there yet.
    sync_commits: AtomicBool,
}

impl Attachment {
    /// What its connection wants of it; `None` for a database that is not attached to a connection of ours.
    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.get()
    }

    /// Whether a commit has to wait for the disk by itself.
    pub(crate) fn syncs_commits(&self) -> bool {
        self.sync_commits.load(Ordering::Acquire)
    }

    /// SQLite has told which connection the file is attached to.
    pub(crate) fn attach(&self, policy: Arc<Policy>) {
        // Once for a file.
        let _ = self.policy.set(policy);
    }

    /// Whether the file may be read by the connection that it is attached to; looked at once, before its first lock.
    pub(crate) fn is_admitted(&self, path: &Path, purpose: Purpose, file: &FileState) -> bool {
        let Some(policy) = self.policy.get() else { return true };
        if self.admitted.get().is_some() {
            return true;
        }
        let Some(admitted) = policy.admit(path, purpose) else { return false };
        if let Some(alarm) = policy.replication {
            file.replicated.look_out(alarm);
        }
        self.sync_commits(policy.durable && !self.is_explicit("synchronous"));
        self.admitted.set(admitted).is_ok()
    }

    /// What the look at an attached file found out.
    pub(crate) fn admitted(&self) -> Option<&Admitted> {
        self.admitted.get()
    }

    /// Whether the database is attached by the call that runs, or was to be: nothing was carried over yet.
    pub(crate) fn is_new(&self) -> bool {
        self.policy.get().is_some() && !self.follows.load(Ordering::Acquire)
    }

    /// Whether the connection's settings have still to be carried over; asked once.
    pub(crate) fn begins_to_follow(&self) -> bool {
        self.policy.get().is_some() && !self.follows.swap(true, Ordering::AcqRel)
    }

    /// A pragma of this name sets a value for this database.
    pub(crate) fn set_by_pragma(&self, name: &[u8]) {
        let place = FOLLOWING.iter().position(|key| key.as_bytes().eq_ignore_ascii_case(name));
        // The connection's own are carried over by pragmas too.
        let (Some(place), false) = (place, self.follows.load(Ordering::Acquire)) else { return };
        self.explicit.fetch_or(1 << place, Ordering::AcqRel);
        if FOLLOWING[place] == "synchronous" {
            self.sync_commits(false);
        }
    }

    /// Whether the setting was set for this database by itself, before the connection's was carried over.
    pub(crate) fn is_explicit(&self, key: &str) -> bool {
        let place = FOLLOWING.iter().position(|other| *other == key);
        place.is_some_and(|place| self.explicit.load(Ordering::Acquire) & (1 << place) != 0)
    }

    /// From now on a commit waits for the disk by itself, or no more.
    pub(crate) fn sync_commits(&self, on: bool) {
        self.sync_commits.store(on, Ordering::Release);
    }
}
