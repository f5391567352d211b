//! A deadline for each call: SQLite's progress handler and the busy handler look at it.
//!
//! The deadline belongs to the thread, since both handlers run on the thread that runs the statement; a callback that
//! uses a second connection cannot outlast the call it is part of.
//!
//! SQLite has one progress handler for each connection. While a timeout or a hook of a host is set it is ours, and asks
//! both; without either the application may have it to itself.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::connection::guard::Guard;
use crate::error::{Error, Result};
use crate::sqlite;

/// Virtual machine instructions between two looks while a timeout is set: some 10 µs.
const INSTRUCTIONS: c_int = 1000;
/// As above while only a hook is: measured in Node, the hook then costs a tight loop less than 1 % instead of 3.5 %.
const HOOK_INSTRUCTIONS: c_int = 10_000;

/// What a host wants to be asked while a statement runs; `true` ends the statement with `SQLITE_INTERRUPT`.
pub type ProgressFn = Arc<dyn Fn() -> bool + Send + Sync>;

thread_local! {
    /// When the calls that this thread is in have to end, how long they were given, and the number of the limit.
    static LIMITS: RefCell<Vec<(Instant, Duration, u64)>> = const { RefCell::new(Vec::new()) };
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// The limit that ends first; a thread that is ending has none.
fn earliest() -> Option<(Instant, Duration, u64)> {
    LIMITS.try_with(|limits| limits.borrow().iter().min().copied()).ok().flatten()
}

/// Whether the deadline of the call that this thread is in has passed.
pub fn passed() -> bool {
    earliest().is_some_and(|(until, ..)| Instant::now() >= until)
}

/// Gives what this thread does from now on at most so long, over several calls, until it is dropped. A deadline that is
/// set already stays if it comes earlier. Only connections that have a timeout or a progress hook look at it while they
/// run; those with `busy=fair` while they wait.
pub fn limit(timeout: Duration) -> Running {
    let number = LATEST.get() + 1;
    LATEST.set(number);
    // What lies beyond the clock's range never comes.
    if let Some(until) = Instant::now().checked_add(timeout) {
        let _ = LIMITS.try_with(|limits| limits.borrow_mut().push((until, timeout, number)));
    }
    Running(number, PhantomData)
}

/// What a connection's progress handler asks. Boxed by the connection: its address is SQLite's context.
#[derive(Default)]
pub(crate) struct Progress {
    timeout: Cell<Duration>,
    hook: RefCell<Option<ProgressFn>>,
    /// Of the connection's owners, beside it.
    owners: RefCell<Vec<Weak<dyn Fn() -> bool + Send + Sync>>>,
    installed: Cell<bool>,
}

/// Takes the limit away when it is dropped, in whatever order; on the thread that it is for.
pub struct Running(u64, PhantomData<*const ()>);

impl Progress {
    /// Begins a call: `None` when no timeout is set.
    pub(crate) fn begin(&self, raw: *mut sqlite::sqlite3) -> Option<Running> {
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

    fn install(&self, raw: *mut sqlite::sqlite3) {
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

impl Drop for Running {
    fn drop(&mut self) {
        let _ = LIMITS.try_with(|limits| limits.borrow_mut().retain(|(.., number)| *number != self.0));
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

impl Connection {
    /// Gives each later call at most so long; then its statement fails with `SQLITE_INTERRUPT`, waits for a lock too.
    /// Zero: no limit. As with every interrupt, a write in a transaction takes the transaction with it.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn set_timeout(&self, timeout: Duration) -> Result<()> {
        let guard = self.lock()?;
        guard.progress().timeout.set(timeout);
        guard.progress().install(guard.raw());
        Ok(())
    }

    /// The hook that SQLite asks every 10 000 instructions (1000 with a timeout), beside the timeout; `None` takes it away. It must not use the
    /// connection. A handler of one's own on the raw handle is replaced while a hook or a timeout is set.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn set_progress(&self, hook: Option<ProgressFn>) -> Result<()> {
        let guard = self.lock()?;
        *guard.progress().hook.borrow_mut() = hook;
        guard.progress().install(guard.raw());
        Ok(())
    }

    /// As [`set_progress`](Connection::set_progress), beside the hooks that other owners of the connection have, for as
    /// long as the caller keeps `hook`.
    ///
    /// # Errors
    /// Those of [`lock`](Connection::lock).
    pub fn add_progress(&self, hook: &ProgressFn) -> Result<()> {
        let guard = self.lock()?;
        let progress = guard.progress();
        progress.owners.borrow_mut().retain(|other| other.strong_count() > 0);
        progress.owners.borrow_mut().push(Arc::downgrade(hook));
        progress.install(guard.raw());
        Ok(())
    }
}

impl Guard<'_> {
    /// A failure that the deadline caused, as what it is.
    pub(crate) fn past_deadline(&self, rc: c_int) -> Option<Error> {
        if !matches!(rc & 0xff, sqlite::SQLITE_INTERRUPT | sqlite::SQLITE_BUSY) || !passed() {
            return None;
        }
        // It may be that of an outer call, which this one is a callback of.
        let limit = earliest().map_or(Duration::ZERO, |(_, limit, _)| limit);
        let text = format!("the call was ended after its timeout of {} ms", limit.as_millis());
        let hint = "allow more time, or make it do less at once; a write in a transaction has been rolled back with it";
        Some(Error::new(sqlite::SQLITE_INTERRUPT, text).with_hint(hint).with_sqlite_code(rc))
    }
}
