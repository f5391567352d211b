//! What is set once per process, before SQLite is used for the first time.
//!
//! `sqlite3_config` only works until `sqlite3_initialize`; every door into the library therefore passes through
//! [`initialise`] first. SQLite has room for one log callback: it is ours, and it fans out to whoever subscribed.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use crate::lifecycle::fork_handlers;
use crate::platform::fork::ForkMutex;
use crate::sqlite;
use crate::vfs::{descriptor, hooks, open_files};

/// Receives what SQLite writes to its log: an extended result code and a sentence. Called on any thread, possibly in
/// the middle of an SQLite call: it must not call SQLite or litekeel, nor fork.
pub type LogFn = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// Replaced as a whole, so that nobody calls a subscriber with the lock held.
pub(crate) static SUBSCRIBERS: ForkMutex<Option<Arc<Vec<LogFn>>>> = ForkMutex::new(None);
/// Held while SQLite is configured; a lock instead of a `OnceLock`, which a fork could leave half-done in the child.
pub(crate) static CONFIGURED: ForkMutex<()> = ForkMutex::new(());
static STATE: AtomicU8 = AtomicU8::new(NEW);
const NEW: u8 = 0;
const REFUSED: u8 = 1;
const ACCEPTED: u8 = 2;

/// The process that uses this library: the first one, or a child forked from it.
static OWNER: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// Frames (or, for a rollback journal, pages) recovered on this thread since the last [`take_recovered`].
    static RECOVERED: Cell<u64> = const { Cell::new(0) };
}

/// Configures SQLite on the first call; later calls cost one atomic load.
///
/// Returns whether SQLite accepted the configuration. It does not when a host of this process used SQLite through our
/// symbols before litekeel's first open: then its log goes elsewhere and recovery cannot be reported.
pub fn initialise() -> bool {
    if !configured() {
        fork_handlers::arm();
        let _configuring = CONFIGURED.lock();
        if !configured() {
            configure();
        }
    }
    STATE.load(Ordering::Acquire) == ACCEPTED
}

/// Whether [`initialise`] is done.
pub(crate) fn configured() -> bool {
    STATE.load(Ordering::Acquire) != NEW
}

fn configure() {
    // SAFETY: once per process under the lock; the callback is a static function that ignores its context.
    let accepted = unsafe {
        let log: unsafe extern "C" fn(*mut c_void, c_int, *const c_char) = on_log;
        let logged = sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_LOG, log, std::ptr::null_mut::<c_void>());
        // A file name is a file name: no host turns URIs on for the others. Where we need one, the open flag says so.
        let uri = sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_URI, 0 as c_int);
        // Statistics cost a global lock for each allocation.
        sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        let ready = sqlite::sqlite3_initialize();
        stand_before_the_vfs();
        open_files::refuse_inherited();
        OWNER.store(std::process::id(), Ordering::Relaxed);
        logged == sqlite::SQLITE_OK && uri == sqlite::SQLITE_OK && ready == sqlite::SQLITE_OK
    };
    STATE.store(if accepted { ACCEPTED } else { REFUSED }, Ordering::Release);
}

/// Stands before SQLite's VFS for whoever uses its symbols before, or without, any call of litekeel's: their databases are
/// guarded too. SQLite is left as uninitialised as it was found, so that a host may still configure it. For the constructor of
/// the shared object; no other thread uses this copy of SQLite yet.
#[doc(hidden)]
pub fn guard_raw_users() {
    fork_handlers::arm();
    let _configuring = CONFIGURED.lock();
    if configured() {
        return;
    }
    // SAFETY: the caller's promise; what was initialised here alone is shut down again.
    unsafe {
        if sqlite::sqlite3_initialize() == sqlite::SQLITE_OK {
            stand_before_the_vfs();
            sqlite::sqlite3_shutdown();
        }
    }
}

/// Once: SQLite's VFSes are static, and stay as they are when it is shut down and initialised again.
fn stand_before_the_vfs() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        // The books of descriptors come after, so that they see these too.
        descriptor::install();
        open_files::install();
        hooks::hook();
    }
}

/// Sends SQLite's log to `subscriber` as well, for the rest of the process.
pub fn subscribe_log(subscriber: LogFn) {
    initialise();
    let mut subscribers = SUBSCRIBERS.lock();
    let mut grown = subscribers.as_deref().cloned().unwrap_or_default();
    grown.push(subscriber);
    *subscribers = Some(Arc::new(grown));
}

/// The frames that SQLite recovered on this thread since the last call: what a process that did not close left behind.
pub(crate) fn take_recovered() -> u64 {
    RECOVERED.replace(0)
}

unsafe extern "C" fn on_log(_: *mut c_void, code: c_int, message: *const c_char) {
    // No panic may unwind into SQLite, and a failing subscriber must not disturb the statement that logged.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: SQLite passes a NUL-terminated string that lives for this call.
        let text = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        if code == sqlite::SQLITE_NOTICE_RECOVER_WAL || code == sqlite::SQLITE_NOTICE_RECOVER_ROLLBACK {
            let units = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(1);
            RECOVERED.set(RECOVERED.get().saturating_add(units));
        }
        let subscribers = SUBSCRIBERS.lock().clone();
        for subscriber in subscribers.iter().flat_map(|all| all.iter()) {
            subscriber(code, &text);
        }
    }));
}

/// In a forked child, which may go on from here: none of the parent's connections is its own, but those are that it opens.
pub(crate) fn in_child() {
    if configured() {
        OWNER.store(std::process::id(), Ordering::Relaxed);
    }
}

/// Whether this process was made from one that uses this library without running the fork handlers (`vfork`, a raw
/// `clone`): nothing here can tell what is its own then. Compares process ids.
pub(crate) fn forked() -> bool {
    OWNER.load(Ordering::Relaxed) != std::process::id()
}
