//! Which thread this is.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

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
