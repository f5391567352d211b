//! A compiled statement that is finalized when it is dropped.

use std::ptr::NonNull;

use crate::sqlite;

/// Owns a compiled statement. Whoever has it also holds its connection, in any use and when it is dropped.
pub(crate) struct Prepared(NonNull<sqlite::sqlite3_stmt>);

impl Prepared {
    /// Takes over what `sqlite3_prepare` gave; `None` for the null that it gives for blanks and comments.
    ///
    /// # Safety
    /// `raw` is null or a live statement that nobody else finalizes. The connection outlives it, and is held by the thread
    /// that drops it.
    pub(crate) unsafe fn new(raw: *mut sqlite::sqlite3_stmt) -> Option<Prepared> {
        NonNull::new(raw).map(Prepared)
    }

    /// The statement, live as long as `self`.
    pub(crate) fn raw(&self) -> *mut sqlite::sqlite3_stmt {
        self.0.as_ptr()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: live, and its only owner's, as promised to `new`.
        unsafe { sqlite::sqlite3_finalize(self.0.as_ptr()) };
    }
}
