//! `SQLITE_READONLY`: is it the file, the file system, the directory, or the way it was opened?

use std::path::Path;

use super::{Explanation, FailedCall};
use crate::platform::path_facts::{beside, describe, may};
use crate::settings::Access;
use crate::sqlite;

pub(super) fn find(subject: &FailedCall<'_>, rc: i32) -> Explanation {
    let Some(path) = subject.path else {
        return Explanation::new("the connection may not write (query_only)", "write through another connection");
    };
    if rc == sqlite::SQLITE_READONLY_DBMOVED {
        return Explanation::new(
            "the file was renamed, replaced or deleted while it was open",
            "close and reopen; replace a database only while nobody has it open",
        );
    }
    let needs_shm = matches!(rc, sqlite::SQLITE_READONLY_DIRECTORY | sqlite::SQLITE_READONLY_CANTINIT);
    if let (Access::Read, true, Some(parent)) = (subject.access, needs_shm, path.parent()) {
        return Explanation::new(
            format!(
                "it is a WAL database without a -shm in a directory that may not be written: {} ({})",
                parent.display(),
                describe(parent)
            ),
            "even a reader needs to create the -shm: make the directory writable, or open with immutable=1 if nobody \
             writes the file",
        );
    }
    if subject.access == Access::Read {
        return Explanation::new("it was opened with mode=ro or immutable=1", "open it with mode=rw to write");
    }
    if let Some(found) = on_disk(path) {
        return found;
    }
    match rc {
        sqlite::SQLITE_READONLY_CANTLOCK | sqlite::SQLITE_READONLY_CANTINIT | sqlite::SQLITE_READONLY_RECOVERY => {
            Explanation::new(
                format!("its {} cannot be written, which WAL needs", beside(path, "-shm").display()),
                "give this user write permission on the -shm and the directory",
            )
        }
        sqlite::SQLITE_READONLY_ROLLBACK => Explanation::new(
            "a crashed process left a journal that must be rolled back, which needs write permission",
            "open it once as a user who may write it",
        ),
        _ => Explanation::new("the connection may not write (query_only)", "write through another connection"),
    }
}

/// Why a file that exists cannot be written; `None` when the file system would allow it.
pub(crate) fn on_disk(path: &Path) -> Option<Explanation> {
    if crate::platform::filesystem::read_only(path) {
        return Some(Explanation::new(
            "the file system is mounted read-only",
            "remount it writable, or open with mode=ro (immutable=1 when nobody writes it)",
        ));
    }
    if !may(path, libc::W_OK) {
        return Some(Explanation::new(
            format!("the file may not be written ({})", describe(path)),
            "make it writable for this user (chmod u+w, chown), or open it with mode=ro",
        ));
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = beside(path, suffix);
        if companion.exists() && !may(&companion, libc::W_OK) {
            return Some(Explanation::new(
                format!("its {} may not be written ({})", companion.display(), describe(&companion)),
                "give it the database's owner (chown), or run as that user",
            ));
        }
    }
    let parent = path.parent()?;
    (!may(parent, libc::W_OK)).then(|| {
        Explanation::new(
            format!("the directory {} may not be written ({})", parent.display(), describe(parent)),
            "SQLite creates the -wal, -shm or -journal there: give this user write permission on the directory, or \
             open with mode=ro",
        )
    })
}
