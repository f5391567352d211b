//! Which file SQLite could not open last on this thread. Its own message is about the connection's database, whichever
//! file it was: one that is attached, a `-wal`, a temporary file.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::latest::Latest;

/// A file that could not be opened.
#[derive(Debug)]
pub(crate) struct FailedOpen {
    /// The path as SQLite gave it to the system: absolute, without links.
    pub path: PathBuf,
    /// It lies outside the directories that the connection may open.
    pub outside: bool,
}

thread_local! {
    static NOTED: Cell<bool> = const { Cell::new(false) };
    static VALUE: RefCell<Option<FailedOpen>> = const { RefCell::new(None) };
}

const LATEST: Latest<FailedOpen> = Latest { is_noted: &NOTED, value: &VALUE };

/// Notes a failure; an earlier refusal of the same file stays what it was.
pub(crate) fn note(path: &Path, outside: bool) {
    LATEST.note(|earlier| {
        let outside = outside || earlier.is_some_and(|earlier| earlier.outside && earlier.path == path);
        FailedOpen { path: path.to_owned(), outside }
    });
}

/// The latest failure; told once.
pub(crate) fn take() -> Option<FailedOpen> {
    LATEST.take()
}

/// The call is over: what failed in it explains nothing that comes later.
pub(crate) fn forget() {
    LATEST.forget();
}
