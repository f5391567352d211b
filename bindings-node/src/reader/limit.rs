//! What ends a read before its rows do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a running statement looks at now and then.
pub(super) struct Limit {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
}

impl Limit {
    pub(super) fn new(deadline: Option<Instant>) -> Limit {
        Limit { cancelled: AtomicBool::new(false), deadline }
    }

    /// The statement stops within milliseconds.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn reached(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
