//! Which file SQLite could not open last on this thread. Its own message is about the connection's database, whichever
//! file it was: one that is attached, a `-wal`, a temporary file.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

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
    static LATEST: RefCell<Option<FailedOpen>> = const { RefCell::new(None) };
}

/// Notes a failure; an earlier refusal of the same file stays what it was.
pub(crate) fn note(path: &Path, outside: bool) {
    // Where the thread is ending, nobody asks any more.
    let _ = LATEST.try_with(|latest| {
        let mut latest = latest.borrow_mut();
        let outside = outside || latest.as_ref().is_some_and(|earlier| earlier.outside && earlier.path == path);
        *latest = Some(FailedOpen { path: path.to_owned(), outside });
        NOTED.set(true);
    });
}

/// The latest failure; told once.
pub(crate) fn take() -> Option<FailedOpen> {
    if !NOTED.replace(false) {
        return None;
    }
    LATEST.try_with(|latest| latest.borrow_mut().take()).ok().flatten()
}

/// The call is over: what failed in it explains nothing that comes later.
pub(crate) fn forget() {
    if NOTED.get() {
        take();
    }
}
