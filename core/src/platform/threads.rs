//! Which thread this is, whether its host wants it to end, and what several of them take turns at.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

/// A number that no other thread has or has had: who ended leaves transactions open that are not the next one's.
pub(crate) fn this_thread() -> usize {
    static LATEST: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<usize> = const { Cell::new(0) });
    match NUMBER.get() {
        0 => {
            NUMBER.set(LATEST.fetch_add(1, Ordering::Relaxed) + 1);
            NUMBER.get()
        }
        number => number,
    }
}

thread_local! {
    /// What tells whether the host of this thread is about to end it.
    static ENDING: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// From now on `asked` tells, on this thread, whether its host is about to end it.
pub(crate) fn ask_for_end(asked: fn() -> bool) {
    ENDING.set(Some(asked));
}

/// Whether the host of this thread is about to end it: then nothing is worth waiting for any more.
pub(crate) fn is_to_end() -> bool {
    ENDING.try_with(Cell::get).ok().flatten().is_some_and(|asked| asked())
}

/// Whether the host of this thread may come to end it.
pub(crate) fn may_be_ended() -> bool {
    ENDING.try_with(Cell::get).ok().flatten().is_some()
}

/// The lock, also after a panic of a thread that held it: for what no panic can leave half-way through a change.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
