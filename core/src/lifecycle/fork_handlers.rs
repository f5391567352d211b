//! Forking while other threads work: every lock of this copy is held over the fork, in one order, and free in both
//! processes after it. The one file that knows every static lock.
//!
//! The child has only the thread that forked. A lock that another thread held at that moment would stay locked in the
//! child for ever, and the first call there, be it only to be told `KEEL_FORKED`, would hang.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::lifecycle::{configured, error_log, shutdown_state};
use crate::platform::fork::{self, ForkMutex, Forkable};
use crate::platform::signals;
use crate::registry::under_way;
use crate::vfs::{attached, databases, descriptor, file_state, open_files, read_lock_keeper};
use crate::waiting::writer_queue;
use crate::wal::readers;
use crate::{events, registry, sqlite};

type Watched = ForkMutex<Vec<&'static dyn Forkable>>;

/// Locks of the floors above, taken before ours: their holders may call into the core, never the other way round.
static WATCHED: Watched = ForkMutex::new(Vec::new());

/// Locks of the floors above that are taken inside SQLite's calls, as its log callback does.
static WATCHED_BELOW: Watched = ForkMutex::new(Vec::new());

/// Our own locks before SQLite's: those under which SQLite is called.
static OURS: &[&dyn Forkable] = &[
    &signals::INSTALLING,
    &configured::CONFIGURING,
    &registry::CREATING,
    &registry::ENTRIES,
    &registry::announced::ANNOUNCED,
    &writer_queue::QUEUES,
    events::PROCESS_LIST,
    &readers::SEEN,
];

/// SQLite's own, in the order in which its functions nest them: the list of shared caches; registration; the unix VFS
/// (under which it asks for memory and random numbers); page cache; memory; random numbers.
const SQLITES: [i32; 12] = [
    sqlite::SQLITE_MUTEX_STATIC_OPEN,
    sqlite::SQLITE_MUTEX_STATIC_MASTER,
    sqlite::SQLITE_MUTEX_STATIC_APP1,
    sqlite::SQLITE_MUTEX_STATIC_APP2,
    sqlite::SQLITE_MUTEX_STATIC_APP3,
    sqlite::SQLITE_MUTEX_STATIC_VFS3,
    sqlite::SQLITE_MUTEX_STATIC_VFS2,
    sqlite::SQLITE_MUTEX_STATIC_VFS1,
    sqlite::SQLITE_MUTEX_STATIC_LRU,
    sqlite::SQLITE_MUTEX_STATIC_LRU2,
    sqlite::SQLITE_MUTEX_STATIC_PRNG,
    sqlite::SQLITE_MUTEX_STATIC_MEM,
];

/// Under SQLite's: its VFS calls us back while it holds some of them.
static BELOW: &[&dyn Forkable] = &[
    &error_log::SUBSCRIBERS,
    &read_lock_keeper::KEEPER,
    &databases::DATABASES,
    &attached::POLICIES,
    &file_state::FILES,
    &descriptor::MAINS,
    &open_files::DESCRIPTORS,
];

/// Registers the handlers, once. Before the first use of any lock here.
pub fn arm() {
    static ARMED: AtomicBool = AtomicBool::new(false);
    // No `Once`: a fork in the middle of it would leave the child waiting for a thread that it does not have.
    if !ARMED.swap(true, Ordering::AcqRel) {
        // SAFETY: static functions; the library is never unloaded. Without memory for them a fork is as unsafe as ever.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    }
}

/// Holds this lock of an upper floor over every later fork.
pub fn hold_over_forks(lock: &'static dyn Forkable) {
    arm();
    WATCHED.lock().push(lock);
}

/// As [`hold_over_forks`], for a lock that is taken inside SQLite's calls.
pub fn hold_over_forks_inside_sqlite(lock: &'static dyn Forkable) {
    arm();
    WATCHED_BELOW.lock().push(lock);
}

/// Calls `act` for each of SQLite's static mutexes, in their order; none before SQLite is configured, which it would
/// initialise.
fn each_of_sqlites(act: unsafe extern "C" fn(*mut sqlite::sqlite3_mutex)) {
    if !configured::is_done() {
        return;
    }
    for id in SQLITES {
        // SAFETY: SQLite is initialised; a static mutex lives as long as the process.
        unsafe { act(sqlite::sqlite3_mutex_alloc(id)) };
    }
}

fn hold_watched(locks: &'static Watched) {
    locks.hold();
    // SAFETY: this thread holds the lock; it is its own guard that is read.
    let held = unsafe { locks.held_value() };
    held.into_iter().flat_map(|locks| locks.iter()).for_each(|lock| lock.hold());
}

fn release_watched(locks: &'static Watched) {
    // SAFETY: as in `hold_watched`; the guard is given back last.
    let held = unsafe { locks.held_value() };
    held.into_iter().flat_map(|locks| locks.iter().rev()).for_each(|lock| lock.release());
    locks.release();
}

unsafe extern "C" fn prepare() {
    // Before the locks under which SQLite is called, as this does.
    read_lock_keeper::before_fork();
    hold_watched(&WATCHED);
    OURS.iter().for_each(|lock| lock.hold());
    each_of_sqlites(sqlite::sqlite3_mutex_enter);
    BELOW.iter().for_each(|lock| lock.hold());
    hold_watched(&WATCHED_BELOW);
}

unsafe extern "C" fn parent() {
    release_watched(&WATCHED_BELOW);
    BELOW.iter().rev().for_each(|lock| lock.release());
    each_of_sqlites(sqlite::sqlite3_mutex_leave);
    OURS.iter().rev().for_each(|lock| lock.release());
    release_watched(&WATCHED);
    read_lock_keeper::after_fork();
}

unsafe extern "C" fn child() {
    fork::next_generation();
    // SAFETY: the child's copy of the thread that ran `prepare`.
    unsafe { parent() };
    configured::in_child();
    shutdown_state::in_child();
    under_way::in_child();
    registry::in_child();
    open_files::in_child();
    read_lock_keeper::in_child();
    if configured::is_done() {
        // Its generator is a copy of the parent's: both would draw the same numbers, random() of the user's too.
        // SAFETY: its lock is free again; no buffer asks for a new seed.
        unsafe { sqlite::sqlite3_randomness(0, std::ptr::null_mut()) };
    }
}
