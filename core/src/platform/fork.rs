//! A lock that is held over a fork, and how many forks lie behind this process.
//!
//! Which locks these are is known on a floor above, in `lifecycle`: here stands only how one is held.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Set in a child that was forked after the fork handlers were registered.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// A mutex for a static that may be needed in a forked child. It has to be among those that the fork
/// handlers hold.
///
/// A panic under it does not poison it: what it protects is whole between any two statements.
pub struct ForkMutex<T: 'static> {
    mutex: Mutex<T>,
    /// The guard while this process forks; touched only by the thread that has the lock.
    held: UnsafeCell<Option<MutexGuard<'static, T>>>,
}

// SAFETY: `held` is only touched by the thread that holds `mutex`, see `Forkable`.
unsafe impl<T: Send> Sync for ForkMutex<T> {}
// SAFETY: `held` is empty but in a static during a fork, and a static is not moved.
unsafe impl<T: Send> Send for ForkMutex<T> {}

impl<T> ForkMutex<T> {
    /// A free lock.
    pub const fn new(value: T) -> ForkMutex<T> {
        ForkMutex { mutex: Mutex::new(value), held: UnsafeCell::new(None) }
    }

    /// What the guard of the fork holds, for the thread that forks.
    ///
    /// # Safety
    /// This thread called [`hold`](Forkable::hold) and has not called [`release`](Forkable::release).
    pub(crate) unsafe fn held_value(&self) -> Option<&T> {
        // SAFETY: the caller's promise: nobody else touches the place.
        unsafe { (*self.held.get()).as_deref() }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A lock that is held over a fork.
pub trait Forkable: Sync {
    /// Takes it, before the fork.
    fn hold(&'static self);
    /// Gives it back, in the parent and in the child, on the thread that took it.
    fn release(&'static self);
}

impl<T: Default> Default for ForkMutex<T> {
    fn default() -> ForkMutex<T> {
        ForkMutex::new(T::default())
    }
}

impl<T: Send> Forkable for ForkMutex<T> {
    fn hold(&'static self) {
        let guard = self.lock();
        // SAFETY: this thread has the lock.
        unsafe { *self.held.get() = Some(guard) };
    }

    fn release(&'static self) {
        // SAFETY: this thread, or the child's copy of it, took the lock in `hold`. The place is emptied first: once the
        // lock is free it may be another thread's.
        drop(unsafe { (*self.held.get()).take() });
    }
}

/// How many forks lie between the first use of this library and this process. A connection remembers its own: in a
/// child the numbers differ, at the price of one load instead of a system call.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// One more, in the child.
pub(crate) fn next_generation() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
