//! What happened to a file last on this thread, for whoever explains the failure of the call that it happened in.

use std::cell::{Cell, RefCell};
use std::thread::LocalKey;

/// The latest of its kind, told once. The flag beside it can be asked as long as the thread lives, and costs next to nothing.
pub(super) struct Latest<T: 'static> {
    pub is_noted: &'static LocalKey<Cell<bool>>,
    pub value: &'static LocalKey<RefCell<Option<T>>>,
}

impl<T> Latest<T> {
    /// Notes what `made` makes of the earlier one.
    pub fn note(&self, made: impl FnOnce(Option<&T>) -> T) {
        // Where the thread is ending, nobody asks any more.
        let _ = self.value.try_with(|latest| {
            let mut latest = latest.borrow_mut();
            *latest = Some(made(latest.as_ref()));
            self.is_noted.set(true);
        });
    }

    pub fn take(&self) -> Option<T> {
        if !self.is_noted.replace(false) {
            return None;
        }
        self.value.try_with(|latest| latest.borrow_mut().take()).ok().flatten()
    }

    /// The call is over: what happened in it explains nothing that comes later.
    #[inline]
    pub fn forget(&self) {
        if self.is_noted.get() {
            self.take();
        }
    }
}
