//! Those who wait for another owner's call and may be told to give up meanwhile. They cannot sleep in the mutex's own queue, and
//! between two looks of theirs an owner that makes one call after the other would always have it again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks whether another owner's call has ended. The end wakes one of those who wait; it may be missed.
const SHORTEST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);
/// For so long a newcomer lets one of them go first: who wakes has not got a processor yet.
const COURTESY: Duration = Duration::from_millis(2);

/// How many there are, and what wakes them.
#[derive(Default)]
pub(crate) struct Awaited {
    waiters: AtomicUsize,
    sleeping: Mutex<()>,
    ended: Condvar,
}

/// One of them, until it is dropped.
pub(super) struct Waiter<'a> {
    awaited: &'a Awaited,
    pause: Duration,
}

impl Awaited {
    pub(super) fn enter(&self) -> Waiter<'_> {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        Waiter { awaited: self, pause: SHORTEST_PAUSE }
    }

    /// A call has ended, and nothing of it is locked any more.
    #[inline]
    pub(super) fn call_ended(&self) {
        if self.waiters.load(Ordering::Relaxed) != 0 {
            self.ended.notify_one();
        }
    }

    /// For who comes anew: one of those who wait goes first.
    #[inline]
    pub(super) fn let_one_go_first(&self) {
        let before = self.waiters.load(Ordering::Relaxed);
        if before != 0 {
            self.let_one_of(before);
        }
    }

    #[cold]
    fn let_one_of(&self, before: usize) {
        let began = Instant::now();
        while self.waiters.load(Ordering::Relaxed) >= before && began.elapsed() < COURTESY {
            std::thread::sleep(SHORTEST_PAUSE);
        }
    }
}

impl Waiter<'_> {
    /// Sleeps until a call has ended, or it is time to look again.
    pub(super) fn sleep(&mut self) {
        let sleeping = self.awaited.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.awaited.ended.wait_timeout(sleeping, self.pause));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.awaited.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
