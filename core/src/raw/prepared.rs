//! A compiled statement that is finalized when it is dropped.

use std::ffi::c_int;
use std::ptr::NonNull;

use rusqlite::ffi as sqlite;

/// Owns a compiled statement. Whoever has it also holds its connection, in any use and when it is dropped.
pub struct Prepared(NonNull<sqlite::sqlite3_stmt>);

impl Prepared {
    /// Takes over what `sqlite3_prepare` gave; `None` for the null that it gives for blanks and comments.
    ///
    /// # Safety
    /// `raw` is null or a live statement that nobody else finalizes. The connection outlives it, and is held by the thread
    /// that drops it.
    pub unsafe fn new(raw: *mut sqlite::sqlite3_stmt) -> Option<Prepared> {
        NonNull::new(raw).map(Prepared)
    }

    /// The statement, live as long as `self`.
    pub fn raw(&self) -> *mut sqlite::sqlite3_stmt {
        self.0.as_ptr()
    }

    /// Finalizes it: the result code of its latest step, if that has failed.
    pub fn finalize(self) -> c_int {
        let raw = self.0.as_ptr();
        std::mem::forget(self);
        // SAFETY: live, and its only owner's, as promised to `new`; the drop does not come.
        unsafe { sqlite::sqlite3_finalize(raw) }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: live, and its only owner's, as promised to `new`.
        unsafe { sqlite::sqlite3_finalize(self.0.as_ptr()) };
    }
}
