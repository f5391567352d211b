//! One connection: serialised, interruptible, closed once.

mod at_end;
pub(crate) mod attached;
mod awaited;
pub(crate) mod close;
pub(crate) mod deferred;
pub(crate) mod errors;
mod events;
mod failure;
pub(crate) mod followers;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod hold;
pub(crate) mod kept_keys;
mod left_behind;
pub(crate) mod open_streams;
mod owners;
pub(crate) mod replica_copy;
pub(crate) mod replicated;
pub(crate) mod statement_cache;
mod timeout;
pub(crate) mod transaction;
mod wal;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::connection::awaited::Awaited;
use crate::connection::deferred::DeferredReleases;
use crate::connection::followers::Followers;
use crate::connection::kept_keys::KeptKeys;
use crate::connection::open_streams::OpenStreams;
use crate::connection::statement_cache::StatementCache;
use crate::error::{Error, Result};
use crate::events::Subscribers;
use crate::lifecycle::at_exit;
use crate::platform::allowed_roots::Roots;
use crate::platform::file_id::FileId;
use crate::platform::file_id::FileStamp;
use crate::platform::fork;
use crate::platform::threads::this_thread;
use crate::raw::handle::RawHandle;
use crate::registry;
use crate::registry::OpenConnection;
use crate::registry::OpenHandle;
use crate::registry::activity::Activity;
use crate::report::{CloseReport, OpenReport};
use crate::settings::Access;
use crate::settings::{Resolved, SettingId, Settings};
use crate::sqlite;
use crate::vfs::file_monitor::FileMonitor;
use crate::waiting::busy_handler::BusyHandler;
use crate::waiting::progress_handler::Progress;

/// A connection to one database, safe to use from any thread.
///
/// Calls are serialised by a lock of its own ([`lock`](Connection::lock)); SQLite itself runs without its mutex.
/// In a child process after `fork` every call is refused: the connection belongs to the parent.
pub struct Connection {
    pub(crate) id: u64,
    pub(crate) state: Mutex<State>,
    /// Held by `interrupt` and, for the moment of closing, by `close`: an interrupt must never reach freed memory
    /// and never wait for a running query.
    pub(crate) interruptible: Mutex<RawHandle>,
    /// How often [`Connection::interrupt`] was called. SQLite forgets an interrupt when the next statement begins; what runs several in
    /// one call, as a backup does, is told by this.
    interrupts: AtomicU64,
    /// What it is doing, for other threads; also which thread is inside [`lock`](Connection::lock), so that a
    /// callback's second call is refused instead of waiting for itself.
    pub(crate) activity: Arc<Activity>,
    generation: u32,
    pub(crate) shared: AtomicBool,
    pub(crate) owners: AtomicUsize,
    /// Who waits for another owner's call to end.
    pub(crate) awaited: Awaited,
    pub(crate) identity: Identity,
    pub(crate) subscribers: Arc<Subscribers>,
    /// The host uses what hangs on the handle under the lock only, see [`guard_objects`](Connection::guard_objects).
    pub(crate) objects_guarded: AtomicBool,
    /// What hung on the handle was ended with it.
    pub(crate) objects_ended: AtomicBool,
    /// What the open transaction has asked for in vain.
    pub(crate) kept_keys: KeptKeys,
    /// What a callback has let go of, to be ended when the call is over that it is part of.
    pub(crate) deferred: DeferredReleases,
}

/// What never changes while the connection lives.
pub(crate) struct Identity {
    pub path: Option<PathBuf>,
    pub file: Option<FileId>,
    pub access: Access,
    pub opened_at: String,
    pub report: OpenReport,
    /// How to open another one like it; `None` for an adopted handle.
    pub resolved: Option<Resolved>,
    /// Set when it was opened with `share=1`: by this it is found.
    pub share_key: Option<FileId>,
    pub strict: bool,
    /// A commit returns when it is at the replica.
    pub replicates_commits: bool,
    /// What its file does; `None` in memory and on a VFS without shared memory.
    pub watch: Option<Arc<FileMonitor>>,
    /// What follows ATTACH; `None` for an adopted handle.
    pub followers: Option<Followers>,
    /// The state of the file when it began to be read without locks.
    pub inspected: Option<FileStamp>,
}

pub(crate) struct State {
    pub raw: RawHandle,
    /// rusqlite's view of the same handle; it never closes it.
    pub view: Option<rusqlite::Connection>,
    pub waiting: Option<Box<BusyHandler>>,
    /// `sqlite3_total_changes64` when open was done: what the user's statements changed is the difference.
    pub changes_at_open: i64,
    pub closed: Option<CloseReport>,
    /// Compiled statements of ours. A cell: the guard hands them out by reference.
    pub kept: RefCell<StatementCache>,
    /// Statements of ours that streams read.
    pub streams: RefCell<OpenStreams>,
    /// Boxed: SQLite knows its address.
    pub progress: Box<Progress>,
}

// SAFETY: everything in it is used by the thread that holds the mutex; SQLite (compiled threadsafe) allows a handle to
// move between threads, and the busy handler runs on the thread that runs the statement.
unsafe impl Send for State {}

impl Connection {
    /// Makes the object around an open handle and registers it.
    ///
    /// # Safety
    /// `raw` is an open connection of this copy of SQLite that nobody else closes.
    pub(crate) unsafe fn assemble(
        raw: *mut sqlite::sqlite3,
        mut waiting: Option<Box<BusyHandler>>,
        identity: Identity,
    ) -> Arc<Connection> {
        let id = registry::next_id();
        // SAFETY: the handle is open; the view is dropped before it is closed.
        let (view, changes_at_open) =
            unsafe { (rusqlite::Connection::from_handle(raw).ok(), sqlite::sqlite3_total_changes64(raw)) };
        let handle = OpenHandle {
            id,
            path: identity.path.clone(),
            file: identity.file,
            opened_at: identity.opened_at.clone(),
            age: Duration::ZERO,
            thread: this_thread(),
            shared: identity.share_key.is_some(),
            tuned: identity.resolved.is_some(),
        };
        let strict = identity.strict;
        let subscribers = identity.watch.as_ref().map(|watch| watch.subscribers().clone()).unwrap_or_default();
        let activity = waiting.as_ref().map_or_else(|| Arc::new(Activity::new()), |waiting| waiting.activity.clone());
        if let (Some(waiting), Some(file), Some(path)) = (&mut waiting, identity.file, &identity.path) {
            waiting.attach_queue(file, path.clone(), id, subscribers.clone());
        }
        let connection = Arc::new(Connection {
            id,
            state: Mutex::new(State {
                raw: RawHandle(raw),
                view,
                waiting,
                changes_at_open,
                closed: None,
                kept: RefCell::default(),
                streams: RefCell::default(),
                progress: Box::default(),
            }),
            interruptible: Mutex::new(RawHandle(raw)),
            interrupts: AtomicU64::new(0),
            activity,
            generation: fork::generation(),
            shared: AtomicBool::new(identity.share_key.is_some()),
            owners: AtomicUsize::new(1),
            awaited: Awaited::default(),
            identity,
            subscribers,
            kept_keys: KeptKeys::default(),
            deferred: DeferredReleases::default(),
            objects_guarded: AtomicBool::new(false),
            objects_ended: AtomicBool::new(false),
        });
        at_exit::arm();
        let weak = Arc::downgrade(&connection) as Weak<dyn OpenConnection>;
        registry::add(handle, strict, weak, connection.activity.clone(), connection.identity.watch.clone());
        connection
    }

    /// # Errors
    /// `SQLITE_MISUSE` when this very thread is in a call on the connection: in a callback, which would wait for itself.
    pub fn check_not_inside(&self) -> Result<()> {
        if self.is_used_by_this_thread() {
            return Err(errors::in_own_call());
        }
        Ok(())
    }

    /// Whether this very thread is inside [`lock`](Connection::lock).
    pub(crate) fn is_used_by_this_thread(&self) -> bool {
        self.activity.user() == this_thread()
    }

    pub(crate) fn closed_error(&self) -> Error {
        errors::closed(self.path())
    }

    /// # Errors
    /// `KEEL_FORKED` in a child of the process that opened the connection.
    pub fn check_process(&self) -> Result<()> {
        if self.is_forked() {
            return Err(errors::forked());
        }
        Ok(())
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Makes the running statement fail with `SQLITE_INTERRUPT`. Any thread; never blocks.
    pub fn interrupt(&self) {
        if self.is_forked() {
            return;
        }
        self.interrupts.fetch_add(1, Ordering::AcqRel);
        if let Ok(raw) = self.interruptible.lock()
            && !raw.0.is_null()
        {
            // SAFETY: `close` clears this pointer under the same lock before it frees the connection.
            unsafe { sqlite::sqlite3_interrupt(raw.0) }
        }
    }

    pub(crate) fn interrupts(&self) -> u64 {
        self.interrupts.load(Ordering::Acquire)
    }

    /// Whether it has been closed. Any thread; waits for no call that is running.
    pub fn is_closed(&self) -> bool {
        self.interruptible.lock().is_ok_and(|raw| raw.0.is_null())
    }

    /// Whether all that this connection has read so far is of one state of the database. Locks see to that; only one that
    /// inspects a database nobody has open reads without them, and learns here whether somebody has written meanwhile.
    pub fn saw_one_state(&self) -> bool {
        self.identity.inspected.as_ref().is_none_or(FileStamp::is_unchanged)
    }

    /// What open found and did.
    pub fn report(&self) -> &OpenReport {
        &self.identity.report
    }

    /// Every setting; `None` for an adopted handle.
    pub fn settings(&self) -> Option<&Settings> {
        self.identity.resolved.as_ref().map(|resolved| &resolved.settings)
    }

    /// The directories that it may open files under; `None` for all.
    pub(crate) fn roots(&self) -> Option<&Arc<Roots>> {
        self.identity.resolved.as_ref().and_then(|resolved| resolved.roots.as_ref())
    }

    /// Whether a file may be opened under its `allowed_roots`, as far as can be told before it is.
    ///
    /// # Errors
    /// `KEEL_PATH_NOT_ALLOWED`.
    #[doc(hidden)]
    pub fn check_allowed(&self, path: &Path) -> Result<()> {
        self.roots().map_or(Ok(()), |roots| roots.check(path))
    }

    /// The absolute path; `None` for a database in memory.
    pub fn path(&self) -> Option<&Path> {
        self.identity.path.as_deref()
    }

    /// The identity of the file, by which the process's connections to it find each other.
    pub fn file_id(&self) -> Option<FileId> {
        self.identity.file
    }

    /// Whether several owners use it: it was opened with `share=1` or retained. That never changes back.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    pub(crate) fn share_key(&self) -> Option<FileId> {
        self.identity.share_key
    }

    /// Everyone who holds a lock on the database, this connection excepted; `None` where the system does not tell.
    ///
    /// ```
    /// # use litekeel_core::{Connection, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let url = format!("file:{}/app.db", directory.path().display());
    /// let (db, other) = (Connection::open(Some(&url), &Options::new())?, Connection::open(Some(&url), &Options::new())?);
    /// other.exec("BEGIN IMMEDIATE; CREATE TABLE t(a)")?;
    /// if let Some(holders) = db.holders() {
    ///     let writer = holders.iter().find(|holder| holder.role.writes()).unwrap();
    ///     assert_eq!(writer.pid, std::process::id());
    ///     assert_eq!(writer.sql.as_deref(), Some("CREATE TABLE t(a)"));
    /// }
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    pub fn holders(&self) -> Option<Vec<crate::error::Holder>> {
        crate::locks::holders::holders(self.path()?, Some(self.id))
    }

    /// Marks the open transaction as one that goes on while this thread does something else, as an asynchronous
    /// transaction of an event loop does; `false` takes the mark away. While it is marked, another connection of this
    /// thread to the same file that would have to wait for it fails at once: waiting would keep the thread from ending
    /// the transaction. Call it on the thread that drives the connection.
    pub fn set_async_transaction(&self, on: bool) {
        self.activity.mark_async(on);
    }

    /// The host promises (or takes back) that it touches statements, sessions and whatever else it has on the handle only
    /// while it holds [`lock`](Connection::lock) or [`hold`](Connection::lock_for_teardown), and no longer once
    /// [`has_ended_objects`](Connection::has_ended_objects) says that they are gone. Then a shutdown can close the connection
    /// from a thread of its own: it finalizes the statements itself.
    pub fn guard_objects(&self, on: bool) {
        self.objects_guarded.store(on, Ordering::Release);
    }

    /// Whether a shutdown, or the end of the process, has closed the connection and ended what the host had on it: nothing of it may be touched any more.
    /// To be asked under [`hold`](Connection::lock_for_teardown).
    pub fn has_ended_objects(&self) -> bool {
        self.objects_ended.load(Ordering::Acquire)
    }

    /// The timeout the settings ask for, in milliseconds.
    pub fn configured_busy_timeout(&self) -> Option<i64> {
        self.settings().and_then(|settings| settings.int(SettingId::BusyTimeout))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("path", &self.identity.path).finish_non_exhaustive()
    }
}
