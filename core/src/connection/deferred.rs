//! What is let go of where it cannot be ended: in a callback, whose connection is in the middle of a call. A garbage
//! collector runs its finalizers anywhere.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The leftovers of one connection, which its guard ends.
#[derive(Default)]
pub(crate) struct DeferredReleases {
    any: AtomicBool,
    owners: AtomicUsize,
    streams: Mutex<Vec<u64>>,
}

impl DeferredReleases {
    /// An owner has left.
    pub(crate) fn defer_owner(&self) {
        self.owners.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn take_owners(&self) -> usize {
        if self.owners.load(Ordering::Acquire) == 0 { 0 } else { self.owners.swap(0, Ordering::AcqRel) }
    }

    /// Nobody reads the stream with this number any more.
    pub(crate) fn defer_stream(&self, number: u64) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn take_streams(&self) -> Vec<u64> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.any.store(false, Ordering::Release);
        std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
