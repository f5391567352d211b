//! The open connections of this process: by whom, where and when opened; shared ones; leaks.
//!
//! A file is known by device and inode, as SQLite knows it: a path goes stale when a file is replaced, and misses
//! other names of the same file.

pub(crate) mod activity;
pub(crate) mod announced;
mod open_handle;
pub(crate) mod under_way;

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::error::codes;
use crate::error::{Error, Result};
use crate::platform::file_id::FileId;
use crate::platform::fork;
use crate::platform::fork::ForkMutex;
use crate::platform::threads::this_thread;
use crate::registry::activity::Activity;
use crate::vfs::file_monitor::FileMonitor;

pub(crate) use open_handle::next_id;
pub use open_handle::{OpenHandle, latest};

/// What a connection does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Nothing that would be lost.
    Nothing,
    /// Between two calls of a transaction that has written.
    Writing,
    /// In a call, of which only its own thread knows what it does.
    Running,
}

/// An open connection, as the end of the process sees it: the registry does not know the connection itself.
pub(crate) trait OpenConnection: Any + Send + Sync {
    /// What it does now, without waiting.
    fn doing(&self) -> Doing;
    /// Whether this process holds the write lock of its file; so too when the system does not tell.
    fn is_write_locked_here(&self) -> bool;
    /// Ends the running statement, as `Connection::interrupt` does.
    fn interrupt_call(&self);
    /// Closes it, waiting at most `patience` for a call that is running; returns whether it did.
    fn close_at_exit(&self, patience: Duration) -> bool;
}

pub(crate) struct Entry {
    handle: OpenHandle,
    opened: Instant,
    strict: bool,
    connection: Weak<dyn OpenConnection>,
    activity: Arc<Activity>,
    watch: Option<Arc<FileMonitor>>,
    /// The process that opened it, as [`fork::generation`] counts: a child inherits the table, but no connection.
    generation: u32,
}

pub(crate) static ENTRIES: ForkMutex<BTreeMap<u64, Entry>> = ForkMutex::new(BTreeMap::new());
static DROPPED: AtomicUsize = AtomicUsize::new(0);

fn entries() -> MutexGuard<'static, BTreeMap<u64, Entry>> {
    ENTRIES.lock()
}

/// Adds a connection. `strict`: leaving it open is a failure of the process (`profile=test`).
pub(crate) fn add(
    handle: OpenHandle,
    strict: bool,
    connection: Weak<dyn OpenConnection>,
    activity: Arc<Activity>,
    watch: Option<Arc<FileMonitor>>,
) {
    entries().insert(
        handle.id,
        Entry { handle, opened: Instant::now(), strict, connection, activity, watch, generation: fork::generation() },
    );
}

/// Removes a connection that was closed.
pub(crate) fn remove(id: u64) {
    entries().remove(&id);
}

/// Removes a connection that was dropped without close; returns whether that is a failure.
pub(crate) fn dropped(id: u64) -> bool {
    let strict = entries().remove(&id).is_some_and(|entry| entry.strict);
    if strict {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
    strict
}

pub(crate) fn strict_drops() -> usize {
    DROPPED.load(Ordering::Relaxed)
}

/// The connections open now, in the order in which they were opened.
pub fn open_handles() -> Vec<OpenHandle> {
    let mut all: Vec<OpenHandle> = entries().values().filter(|entry| entry.is_own()).map(Entry::view).collect();
    all.extend(announced::open_handles());
    all.sort_by_key(|handle| handle.id);
    all
}

/// The other connections of this process to the same file.
pub(crate) fn others_on(file: FileId, except: u64) -> usize {
    entries().values().filter(|entry| entry.handle.file == Some(file) && entry.handle.id != except).count()
}

impl Entry {
    fn is_own(&self) -> bool {
        self.generation == fork::generation()
    }

    fn view(&self) -> OpenHandle {
        OpenHandle { age: self.opened.elapsed(), ..self.handle.clone() }
    }
}

/// The live connections with whether a leak of them is a failure, last opened first.
pub(crate) fn live() -> Vec<(OpenHandle, bool, Weak<dyn OpenConnection>)> {
    let entries = entries();
    let own = entries.values().rev().filter(|entry| entry.is_own());
    own.map(|entry| (entry.view(), entry.strict, entry.connection.clone())).collect()
}

/// What the connections of this process to `file` are doing, in the order in which they were opened, with what they hear of
/// the file: nothing under a VFS whose files have no shared memory. Never by the connections themselves: whoever looks might be left with the
/// last reference to one, and would have to close it wherever it stands.
pub(crate) fn on_file(file: FileId) -> Vec<(OpenHandle, Arc<Activity>, Option<Arc<FileMonitor>>)> {
    let entries = entries();
    let same = entries.values().filter(|entry| entry.is_own() && entry.handle.file == Some(file));
    same.map(|entry| (entry.view(), entry.activity.clone(), entry.watch.clone())).collect()
}

/// Whether another connection to `file` has a transaction in the way that this very thread leaves open on purpose.
pub(crate) fn is_blocked_by_this_thread(file: FileId, except: u64) -> bool {
    let entries = entries();
    let mut others = entries.values().filter(|entry| entry.handle.file == Some(file) && entry.handle.id != except);
    others.any(|entry| {
        // What is used now, not what was asked for: a file that others use may keep its journal, and a pragma changes it.
        let wal = entry.watch.as_ref().is_none_or(|watch| watch.has_wal());
        entry.is_own() && entry.activity.blocks_this_thread(wal)
    })
}

/// Checks that every connection of the process is closed: for the end of a test.
///
/// # Errors
/// `KEEL_LEAK`, naming each one with where it was opened and for how long.
pub fn assert_no_leaks() -> Result<()> {
    let open = open_handles();
    leaks(&open, strict_drops())
}

/// As [`assert_no_leaks`], for what this thread has opened after the connection with the number `earlier`: what other
/// threads test at the same time is their own affair.
///
/// ```
/// use litekeel_core::{Connection, Options, assert_no_leaks_since, codes, latest_handle};
///
/// let before = latest_handle();
/// let db = Connection::open(Some(":memory:"), &Options::new())?;
/// let error = assert_no_leaks_since(before).unwrap_err();
/// assert_eq!(error.code(), codes::LEAK);
/// db.close()?;
/// assert_no_leaks_since(before)?;
/// # Ok::<(), litekeel_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`assert_no_leaks`].
pub fn assert_no_leaks_since(earlier: u64) -> Result<()> {
    let mut open = open_handles();
    open.retain(|handle| handle.id > earlier && handle.thread == this_thread());
    leaks(&open, 0)
}

fn leaks(open: &[OpenHandle], dropped: usize) -> Result<()> {
    if open.is_empty() && dropped == 0 {
        return Ok(());
    }
    let mut lines: Vec<String> = open.iter().map(OpenHandle::describe).collect();
    if dropped > 0 {
        lines.push(format!("{dropped} dropped without close"));
    }
    Err(Error::new(codes::LEAK, format!("{} connection(s) not closed: {}", open.len() + dropped, lines.join("; "))))
}

pub(crate) static CREATING: ForkMutex<BTreeMap<PathBuf, Arc<Mutex<()>>>> = ForkMutex::new(BTreeMap::new());

/// Serialises the opening of one shared database, so that two hosts that ask at once get the same connection. Another
/// database's opening, which may wait for seconds, does not stand in the way.
pub(crate) fn creation_lock(path: &Path) -> Arc<Mutex<()>> {
    // Without its symbolic links: two names of one file wait for each other. The file may not exist yet, nor its directory.
    let key = std::fs::canonicalize(path).or_else(|error| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(std::fs::canonicalize(parent)?.join(name)),
        _ => Err(error),
    });
    let mut creating = CREATING.lock();
    creating.retain(|_, lock| Arc::strong_count(lock) > 1);
    creating.entry(key.unwrap_or_else(|_| path.to_owned())).or_default().clone()
}

/// The locks of opens that were under way on other threads at the fork would never be free here; and what the parent
/// dropped is not this process's failure.
pub(crate) fn in_child() {
    DROPPED.store(0, Ordering::Relaxed);
    CREATING.lock().clear();
}

/// The live connections, in the order in which they were opened.
pub(crate) fn connections() -> Vec<Weak<dyn OpenConnection>> {
    entries().values().filter(|entry| entry.is_own()).map(|entry| entry.connection.clone()).collect()
}
