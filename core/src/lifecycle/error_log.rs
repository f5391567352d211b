//! SQLite's log: the one callback that it has room for, which fans out to whoever subscribed, and what it tells of recovery.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::platform::fork::ForkMutex;
use crate::sqlite;

/// Receives what SQLite writes to its log: an extended result code and a sentence. Called on any thread, possibly in
/// the middle of an SQLite call: it must not call SQLite or litekeel, nor fork.
pub type LogFn = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// Replaced as a whole, so that nobody calls a subscriber with the lock held.
pub(super) static SUBSCRIBERS: ForkMutex<Option<Arc<Vec<LogFn>>>> = ForkMutex::new(None);

thread_local! {
    /// Frames (or, for a rollback journal, pages) recovered on this thread since the last [`take_recovered`].
    static RECOVERED: Cell<u64> = const { Cell::new(0) };
}

/// Sends the log to `subscriber` as well, for the rest of the process.
pub(super) fn subscribe(subscriber: LogFn) {
    let mut subscribers = SUBSCRIBERS.lock();
    let mut grown = subscribers.as_deref().cloned().unwrap_or_default();
    grown.push(subscriber);
    *subscribers = Some(Arc::new(grown));
}

/// The frames that SQLite recovered on this thread since the last call: what a process that did not close left behind.
pub(crate) fn take_recovered() -> u64 {
    RECOVERED.replace(0)
}

/// For `SQLITE_CONFIG_LOG`.
pub(super) unsafe extern "C" fn on_log(_: *mut c_void, code: c_int, message: *const c_char) {
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
