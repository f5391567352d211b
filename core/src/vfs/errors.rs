//! What is wrong with a connection's files, in sentences.

use crate::error::{Error, codes};
use crate::vfs::file_monitor::FileMonitor;

/// What to do when a connection does not see what is at its path.
pub(crate) const RESCUE: &str = "to copy what is at the path now, close every connection of this process to it and reopen; to save what only \
                      this connection still sees, copy to a new file with unsafe=1: file:rescue.db?unsafe=1";

/// The error for what is wrong with a connection's files.
pub(crate) fn of_the_files(watch: &FileMonitor, code: i32) -> Error {
    Error::new(code, sentence(watch, code)).with_path(watch.place())
}

/// What is wrong, and what was kept, as a sentence.
pub(crate) fn sentence(watch: &FileMonitor, code: i32) -> String {
    let place = watch.place().display();
    let kept = || watch.file.aside().as_ref().map_or(String::new(), |aside| format!("; {}", aside.describe()));
    match code {
        codes::DATABASE_MOVED if watch.file.is_overwritten() => format!(
            "something else than SQLite has written to {place} while it was open, as a copy over it does: this process's \
             commits do not fit what is there now{}",
            kept()
        ),
        codes::DATABASE_MOVED if watch.file.is_beside_old() => format!(
            "{place} is another file than the one that a connection of this process has open by this name, and the -wal that lies \
             there belongs to that one: close that connection, then open this one"
        ),
        codes::DATABASE_MOVED => {
            format!(
                "{place} was deleted, renamed or replaced while it was open: what is written goes to a file without a name{}",
                kept()
            )
        }
        codes::WAL_UNLINKED => {
            format!(
                "the -wal or -shm of {place} was deleted or replaced while it was in use: what is committed there is seen by \
                 nobody else{}",
                kept()
            )
        }
        codes::LOCKS_LOST => format!(
            "{place}: locks that this process took are gone; something in it has opened and closed the file, and other \
             processes may write over what this one writes"
        ),
        _ => {
            let max = watch.care().map_or(0, |care| care.policy.wal_max);
            format!(
                "{place}: the WAL has grown to more than four times wal_max ({max} bytes), and wal_max_action=error"
            )
        }
    }
}
