//! `SQLITE_READONLY`: is it the file, the file system, the directory, or the way it was opened?

use std::path::Path;

use super::failed_call::{Explanation, FailedCall};
use crate::platform::path_facts::{can_access, kind_if_not_file, owner_and_mode, sidecar};
use crate::raw::handle;
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
    // Whoever reads has to roll it back as well, so this comes before what the connection asked for.
    if rc == sqlite::SQLITE_READONLY_ROLLBACK {
        return hot_journal(path);
    }
    let needs_shm = matches!(rc, sqlite::SQLITE_READONLY_DIRECTORY | sqlite::SQLITE_READONLY_CANTINIT);
    if let (Access::Read, true, Some(parent)) = (subject.access, needs_shm, path.parent()) {
        return Explanation::new(
            format!(
                "it is a WAL database without a -shm in a directory that may not be written: {} ({})",
                parent.display(),
                owner_and_mode(parent)
            ),
            "even a reader needs to create the -shm: make the directory writable, or open with immutable=1 if nobody \
             writes the file",
        );
    }
    if subject.access == Access::Read && rc == sqlite::SQLITE_READONLY_RECOVERY {
        return Explanation::new(
            format!("its {} has to be recovered first, which needs write permission", sidecar(path, "-wal").display()),
            "open it once as a user who may write it, which recovers it",
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
                format!("its {} cannot be written, which WAL needs", sidecar(path, "-shm").display()),
                "give this user write permission on the -shm and the directory",
            )
        }
        // SAFETY: the subject's handle is null or open, and the caller holds its lock.
        _ => unsafe { other_format(subject.raw) }.unwrap_or_else(|| {
            Explanation::new("the connection may not write (query_only)", "write through another connection")
        }),
    }
}

/// The format of another SQLite, which this one reads and does not write.
///
/// # Safety
/// The handle is null or open, and used by this thread alone.
pub(crate) unsafe fn other_format(db: *mut sqlite::sqlite3) -> Option<Explanation> {
    // SAFETY: the caller's promise.
    let write = unsafe { handle::beginning(db) }.map(|bytes| bytes[18]).filter(|write| *write > 2)?;
    Some(Explanation::new(
        format!("its format is one that this SQLite reads but does not write (write version {write} in its header)"),
        "write it with the SQLite that made it, or open it with mode=ro and copy it: VACUUM INTO makes one of the usual \
         format",
    ))
}

/// A journal with content whose transaction was cut off.
fn hot_journal(path: &Path) -> Explanation {
    let journal = sidecar(path, "-journal");
    if let Some(kind) = std::fs::symlink_metadata(&journal).ok().as_ref().and_then(kind_if_not_file) {
        return Explanation::new(
            format!("its {} is {kind}, not a file", journal.display()),
            "SQLite keeps a file of its own under that name: move it away",
        );
    }
    Explanation::new(
        format!(
            "a process that crashed left {}, which has to be rolled back first, and that needs write permission on the \
             database and its directory ({})",
            journal.display(),
            owner_and_mode(path.parent().unwrap_or(Path::new("/")))
        ),
        "open it once as a user who may write both; never delete the journal",
    )
}

fn has_hot_journal(path: &Path) -> bool {
    std::fs::metadata(sidecar(path, "-journal")).is_ok_and(|meta| meta.len() > 0)
}

/// How somebody who may not write can still read, for a hint.
fn to_read(path: &Path) -> &'static str {
    let writes_dir = path.parent().is_some_and(|parent| can_access(parent, libc::W_OK));
    // A reader of a WAL database needs the -shm; whether it is one is in its header, which is not read here.
    if writes_dir || sidecar(path, "-shm").exists() {
        "open it with mode=ro"
    } else {
        "open it with mode=ro (a WAL database with immutable=1, which takes for granted that nobody writes it)"
    }
}

/// Why a file that exists cannot be written; `None` when the file system would allow it.
pub(crate) fn on_disk(path: &Path) -> Option<Explanation> {
    let unwritable = |path: &Path| !can_access(path, libc::W_OK);
    if has_hot_journal(path) && (unwritable(path) || path.parent().is_some_and(unwritable)) {
        return Some(hot_journal(path));
    }
    if crate::platform::filesystem::read_only(path) {
        let has_rows = std::fs::metadata(sidecar(path, "-wal")).is_ok_and(|meta| meta.len() > 0);
        if has_rows && !sidecar(path, "-shm").exists() {
            return Some(super::cantopen::on_read_only(path));
        }
        return Some(Explanation::new(
            "the file system is mounted read-only",
            "remount it writable, or open with mode=ro (immutable=1 when nobody writes it)",
        ));
    }
    if !can_access(path, libc::W_OK) {
        return Some(Explanation::new(
            format!("the file may not be written ({})", owner_and_mode(path)),
            format!("make it writable for this user (chmod u+w, chown), or {}", to_read(path)),
        ));
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = sidecar(path, suffix);
        if companion.exists() && !can_access(&companion, libc::W_OK) {
            return Some(Explanation::new(
                format!("its {} may not be written ({})", companion.display(), owner_and_mode(&companion)),
                "give it the database's owner (chown), or run as that user",
            ));
        }
    }
    let parent = path.parent()?;
    (!can_access(parent, libc::W_OK)).then(|| {
        Explanation::new(
            format!("the directory {} may not be written ({})", parent.display(), owner_and_mode(parent)),
            format!(
                "SQLite creates the -wal, -shm or -journal there: give this user write permission on the directory, or {}",
                to_read(path)
            ),
        )
    })
}
