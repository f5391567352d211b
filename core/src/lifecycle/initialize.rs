//! What is set once per process, before SQLite is used for the first time.
//!
//! `sqlite3_config` only works until `sqlite3_initialize`; every door into the library therefore passes through
//! [`initialise`] first.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lifecycle::configured::{self, CONFIGURING};
use crate::lifecycle::{error_log, fork_handlers};
use crate::sqlite;
use crate::vfs::{descriptor, hooks, lock_change, open_files};

pub use crate::lifecycle::error_log::LogFn;

/// Configures SQLite on the first call; later calls cost one atomic load.
///
/// Returns whether SQLite accepted the configuration. It does not when a host of this process used SQLite through our
/// symbols before litekeel's first open: then its log goes elsewhere and recovery cannot be reported.
pub fn initialise() -> bool {
    if !configured::is_done() {
        fork_handlers::arm();
        let _configuring = CONFIGURING.lock();
        if !configured::is_done() {
            configure();
        }
    }
    configured::is_accepted()
}

fn configure() {
    // SAFETY: once per process under the lock; the callback is a static function that ignores its context.
    let accepted = unsafe {
        let log: unsafe extern "C" fn(*mut c_void, c_int, *const c_char) = error_log::on_log;
        let logged = sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_LOG, log, std::ptr::null_mut::<c_void>());
        // A file name is a file name: no host turns URIs on for the others. Where we need one, the open flag says so.
        let uri = sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_URI, 0 as c_int);
        // Statistics cost a global lock for each allocation.
        sqlite::sqlite3_config(sqlite::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        let ready = sqlite::sqlite3_initialize();
        stand_before_the_vfs();
        open_files::refuse_inherited();
        configured::owned();
        logged == sqlite::SQLITE_OK && uri == sqlite::SQLITE_OK && ready == sqlite::SQLITE_OK
    };
    configured::done(accepted);
}

/// Stands before SQLite's VFS for whoever uses its symbols before, or without, any call of litekeel's: their databases are
/// guarded too. SQLite is left as uninitialised as it was found, so that a host may still configure it. For the constructor of
/// the shared object; no other thread uses this copy of SQLite yet.
#[doc(hidden)]
pub fn guard_raw_users() {
    fork_handlers::arm();
    let _configuring = CONFIGURING.lock();
    if configured::is_done() {
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
        lock_change::install();
        hooks::hook();
    }
}

/// Sends SQLite's log to `subscriber` as well, for the rest of the process.
pub fn subscribe_log(subscriber: LogFn) {
    initialise();
    error_log::subscribe(subscriber);
}
