//! What a connection wants of the databases that are attached to it, whoever runs the ATTACH.
//!
//! ATTACH comes by litekeel's calls, by a host that prepares it on the raw handle, or inside a script of `sqlite3_exec`. The
//! file's own methods hear of all of them: SQLite tells each file which connection it belongs to before it reads it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::events::Subscribers;
use crate::platform::fork::ForkMutex;

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

type Check = dyn Fn(&Path) -> Result<Admitted> + Send + Sync;

/// What one connection wants.
pub(crate) struct Policy {
    pub subscribers: Arc<Subscribers>,
    /// A commit is on the disk when it is acknowledged (`synchronous` full or extra).
    pub durable: bool,
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
        check: impl Fn(&Path) -> Result<Admitted> + Send + Sync + 'static,
    ) -> Policy {
        Policy {
            subscribers,
            durable,
            check: Box::new(check),
            pending: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            refused: Mutex::default(),
        }
    }

    /// Looks at a file that is about to be read for the first time; `None` when it is refused.
    pub(crate) fn admit(&self, path: &Path) -> Option<Admitted> {
        match (self.check)(path) {
            Ok(admitted) => {
                self.pending.store(true, Ordering::Release);
                Some(admitted)
            }
            Err(error) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.is_refused.store(true, Ordering::Release);
                None
            }
        }
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
