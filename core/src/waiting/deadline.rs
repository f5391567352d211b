//! A deadline for each call: SQLite's progress handler and the busy handler look at it.
//!
//! The deadline belongs to the thread, since both handlers run on the thread that runs the statement; a callback that
//! uses a second connection cannot outlast the call it is part of.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use crate::platform::threads;

thread_local! {
    /// When the calls that this thread is in have to end, how long they were given, and the number of the limit.
    static LIMITS: RefCell<Vec<(Instant, Duration, u64)>> = const { RefCell::new(Vec::new()) };
    static LATEST: Cell<u64> = const { Cell::new(0) };
}

/// The limit that ends first; a thread that is ending has none.
pub(crate) fn earliest() -> Option<(Instant, Duration, u64)> {
    LIMITS.try_with(|limits| limits.borrow().iter().min().copied()).ok().flatten()
}

/// Whether the deadline of the call that this thread is in has passed.
pub fn passed() -> bool {
    earliest().is_some_and(|(until, ..)| Instant::now() >= until)
}

/// Lets waits for a lock on this thread end, as if their time was up, when `asked` says that the host is about to end the
/// thread: nobody else can tell them. It is asked again and again during a wait, at most about 2000 times a second; must not
/// panic, and must not use a connection that waits. For hosts that end their threads themselves, as Node does its workers.
pub fn end_waits_when(asked: fn() -> bool) {
    threads::ask_for_end(asked);
}

/// Whether what waits on this thread waits in vain: its deadline has passed, or its host is about to end it.
pub(crate) fn gives_up() -> bool {
    passed() || threads::is_to_end()
}

/// Whether a wait on this thread may come to be in vain.
pub(crate) fn may_give_up() -> bool {
    earliest().is_some() || threads::may_be_ended()
}

/// Gives what this thread does from now on at most so long, over several calls, until it is dropped. A deadline that is
/// set already stays if it comes earlier. Only connections that have a timeout or a progress hook look at it while they
/// run; those with `busy=fair` while they wait.
pub fn limit(timeout: Duration) -> CallLimit {
    let number = LATEST.get() + 1;
    LATEST.set(number);
    // What lies beyond the clock's range never comes.
    if let Some(until) = Instant::now().checked_add(timeout) {
        let _ = LIMITS.try_with(|limits| limits.borrow_mut().push((until, timeout, number)));
    }
    CallLimit(number, PhantomData)
}

/// Takes the limit away when it is dropped, in whatever order; on the thread that it is for.
pub struct CallLimit(u64, PhantomData<*const ()>);

impl Drop for CallLimit {
    fn drop(&mut self) {
        let _ = LIMITS.try_with(|limits| limits.borrow_mut().retain(|(.., number)| *number != self.0));
    }
}
