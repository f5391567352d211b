//! SQLite's progress handler: one for each connection. While a timeout or a hook of a host is set it is ours, and asks
//! both; without either the application may have it to itself.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::sqlite;
use crate::waiting::deadline::{CallLimit, limit, passed};

/// Virtual machine instructions between two looks while a timeout is set: some 10 µs.
const INSTRUCTIONS: c_int = 1000;
/// As above while only a hook is: measured in Node, the hook then costs a tight loop less than 1 % instead of 3.5 %.
const HOOK_INSTRUCTIONS: c_int = 10_000;

/// What a host wants to be asked while a statement runs; `true` ends the statement with `SQLITE_INTERRUPT`.
pub type ProgressFn = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a connection's progress handler asks. Boxed by the connection: its address is SQLite's context.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) timeout: Cell<Duration>,
    pub(crate) hook: RefCell<Option<ProgressFn>>,
    /// Of the connection's owners, beside it.
    pub(crate) owners: RefCell<Vec<Weak<dyn Fn() -> bool + Send + Sync>>>,
    installed: Cell<bool>,
}

impl Progress {
    /// Begins a call: `None` when no timeout is set.
    pub(crate) fn begin(&self, raw: *mut sqlite::sqlite3) -> Option<CallLimit> {
        if self.timeout.get().is_zero() {
            return None;
        }
        // The application may have set a handler of its own on the raw handle since; the promised deadline goes first.
        self.install(raw);
        Some(limit(self.timeout.get()))
    }

    /// Takes the handler away before the connection closes: others' statements may keep its handle alive.
    pub(crate) fn remove(&self, raw: *mut sqlite::sqlite3) {
        self.timeout.set(Duration::ZERO);
        self.hook.borrow_mut().take();
        self.owners.borrow_mut().clear();
        self.install(raw);
    }

    pub(crate) fn install(&self, raw: *mut sqlite::sqlite3) {
        let wanted = !self.timeout.get().is_zero() || self.hook.borrow().is_some() || !self.owners.borrow().is_empty();
        if wanted || self.installed.get() {
            let (every, handler, context) = if wanted {
                let every = if self.timeout.get().is_zero() { HOOK_INSTRUCTIONS } else { INSTRUCTIONS };
                (every, Some(on_progress as unsafe extern "C" fn(*mut c_void) -> c_int), self)
            } else {
                (0, None, self)
            };
            // SAFETY: the caller holds the open connection, which keeps `self` boxed until it is closed.
            unsafe {
                sqlite::sqlite3_progress_handler(raw, every, handler, std::ptr::from_ref(context) as *mut c_void)
            };
            self.installed.set(wanted);
        }
    }
}

unsafe extern "C" fn on_progress(context: *mut c_void) -> c_int {
    // SAFETY: `install` registered a live `Progress`, and SQLite calls this on the thread that uses the connection.
    let progress = unsafe { &*(context as *const Progress) };
    let hook = progress.hook.borrow().clone();
    // No panic may unwind into SQLite; a hook that panics ends the statement.
    let asked = |hook: &ProgressFn| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook())).unwrap_or(true);
    let stop = hook.is_some_and(|hook| asked(&hook))
        || progress.owners.borrow().iter().filter_map(Weak::upgrade).any(|hook| asked(&hook));
    c_int::from(stop || passed())
}
