//! Which attached database SQLite closed last on this thread, and how its file begins. A file that cannot be attached is closed
//! again before the failure is told, and SQLite's message for it does not name it: one would look at the main database.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::latest::Latest;
use crate::raw::handle::Beginning;

/// An attached database that was closed.
#[derive(Debug)]
pub(crate) struct ClosedAttached {
    /// The path as SQLite gave it to the system: absolute, without links.
    pub path: PathBuf,
    /// How the file begins; `None` when it could not be read.
    pub beginning: Option<Beginning>,
}

thread_local! {
    static NOTED: Cell<bool> = const { Cell::new(false) };
    static VALUE: RefCell<Option<ClosedAttached>> = const { RefCell::new(None) };
}

const LATEST: Latest<ClosedAttached> = Latest { is_noted: &NOTED, value: &VALUE };

/// Notes an attached database that is about to be closed.
pub(super) fn note(path: &Path, beginning: Option<Beginning>) {
    LATEST.note(|_| ClosedAttached { path: path.to_owned(), beginning });
}

/// The latest one; told once.
pub(crate) fn take() -> Option<ClosedAttached> {
    LATEST.take()
}

/// The call is over: what was closed in it explains nothing that comes later.
pub(crate) fn forget() {
    LATEST.forget();
}
