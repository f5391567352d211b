//! Another copy of SQLite in this process on the same file.
//!
//! POSIX locks belong to the process, not to a copy: neither sees the other's, and the first close of either drops both.
//! Two copies lose acknowledged updates while `integrity_check` says ok.

use std::path::Path;

use super::errors;
use crate::error::Result;
use crate::platform::file_id::{FileId, file_id};
use crate::platform::path_facts::sidecar;
use crate::platform::procfs;
use crate::preflight::loaded_sqlite;
use crate::raw::lock_bytes;
use crate::settings::words::ForeignSqlite;
use crate::vfs::attached::Purpose;
use crate::vfs::file_checks::{self, Verdict};
use crate::vfs::{descriptor, file_state, open_files};

/// What a look before opening can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    None,
    /// Something that reads it, and holds no lock.
    Reader,
    Foreign,
    /// No table of locks, or no hook: nothing can be said.
    Unknown,
}

/// A look at the table and one at our descriptors are not one moment. A lock counts only when it is there in each of
/// this many looks, none of which met an open or close of ours.
const LOOKS: usize = 3;

/// Refuses (or, with `warn`, returns a warning) when another copy of SQLite in this process has the file open: by a lock
/// that it holds; or, where another copy is loaded, by a descriptor through which the file can be written. One that only
/// reads may be a program's that reads it as a plain file, which is a warning. A copy that opens the file later is not seen
/// here but by `health`.
///
/// # Errors
/// `KEEL_SECOND_SQLITE`; `KEEL_FORKED` for a file that the parent process had open at the fork.
pub(crate) fn check(path: &Path, action: Option<ForeignSqlite>) -> Result<Option<String>> {
    if file_id(path).is_some_and(open_files::inherited) {
        return Err(errors::open_in_the_parent(path));
    }
    if action == Some(ForeignSqlite::Off) {
        return Ok(None);
    }
    judge(path, look(path), action)
}

/// As [`check`], for a file that this copy of SQLite has just opened beside a connection's main database, and not locked yet.
/// What is to become a copy is empty, and nobody reads it: its program may have it open for writing.
///
/// # Errors
/// `KEEL_SECOND_SQLITE`.
pub(crate) fn check_attached(path: &Path, purpose: Purpose, action: Option<ForeignSqlite>) -> Result<Option<String>> {
    if action == Some(ForeignSqlite::Off) {
        return Ok(None);
    }
    let found = match (file_id(path), purpose) {
        (None, _) => Presence::None,
        (Some(file), Purpose::Copy) => locks_before_ours(file),
        (Some(file), Purpose::Attach) => by_descriptors(path, file, || locks_before_ours(file)),
    };
    judge(path, found, action)
}

/// The warning, or the refusal, for what was found.
fn judge(path: &Path, found: Presence, action: Option<ForeignSqlite>) -> Result<Option<String>> {
    let place = path.display();
    match found {
        Presence::None => Ok(None),
        Presence::Reader => Ok(Some(format!(
            "{place}: something else in this process reads it, another copy of SQLite or a program that reads it as a plain \
             file: when it closes it, the locks of this process are gone"
        ))),
        Presence::Unknown => Ok(Some(format!(
            "{place}: whether another copy of SQLite in this process uses it cannot be found out on this system"
        ))),
        Presence::Foreign => {
            let text = format!(
                "{place}: another copy of SQLite in this process has it open; the two do not see each other's locks, and \
                 updates get lost"
            );
            if action == Some(ForeignSqlite::Warn) { Ok(Some(text)) } else { Err(errors::second_sqlite(path, text)) }
        }
    }
}

fn look(path: &Path) -> Presence {
    let Some(file) = file_id(path) else { return Presence::None };
    by_descriptors(path, file, || locks(file, &with_shm(path, file)))
}

fn with_shm(path: &Path, file: FileId) -> Vec<FileId> {
    [Some(file), file_id(&sidecar(path, "-shm"))].into_iter().flatten().collect()
}

/// `locks`: what the locks on the file tell, where the descriptors do not.
fn by_descriptors(path: &Path, file: FileId, locks: impl Fn() -> Presence) -> Presence {
    if !open_files::is_hooked() {
        return Presence::Unknown;
    }
    let files = with_shm(path, file);
    // Whoever opened a database by its descriptor has one of its own. In a program that none is loaded into, one may still be
    // linked together with ours, and a short table of locks is quicker to read than a list of descriptors.
    if !loaded_sqlite::may_be() || files.iter().any(|file| descriptor::is_open(*file)) {
        return locks();
    }
    // A lock needs a descriptor: where there is none of a stranger's, the system's table of locks need not be read, which
    // takes milliseconds in a process with hundreds of databases open. The one without a lock is between two transactions in
    // rollback mode; or its locks cannot be told from ours, since we have the file open too.
    match file_checks::strange_descriptors(&files) {
        (Verdict::Good, _) => Presence::None,
        (Verdict::Unknown, _) => locks(),
        (Verdict::Bad, true) => Presence::Foreign,
        (Verdict::Bad, false) => match locks() {
            Presence::Foreign => Presence::Foreign,
            _ => Presence::Reader,
        },
    }
}

fn locks(file: FileId, files: &[FileId]) -> Presence {
    let me = std::process::id();
    let mut seen = 0;
    // Bounded: with ever new opens of ours nothing certain can be said, and nobody is accused.
    for _ in 0..LOOKS * 4 {
        let before = open_files::change_count();
        if open_files::has_open(files) {
            return Presence::None;
        }
        let Some(locks) = procfs::posix_locks(files) else { return Presence::Unknown };
        let sqlite_bytes = |lock: &procfs::PosixLock| {
            let (from, to) = if lock.ino == file.ino {
                (lock_bytes::PENDING, lock_bytes::SHARED_LAST)
            } else {
                (lock_bytes::WRITE, lock_bytes::USER)
            };
            lock.pid == me && lock.start <= to && lock.end >= from
        };
        if !locks.iter().any(sqlite_bytes) {
            return Presence::None;
        }
        if before.is_some() && open_files::change_count() == before && !open_files::has_open(files) {
            seen += 1;
            if seen == LOOKS {
                return Presence::Foreign;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Presence::None
}

/// For a file that one connection of ours has open, and has no lock on: whoever in this process has one is another copy.
fn locks_before_ours(file: FileId) -> Presence {
    for _ in 0..LOOKS {
        match file_checks::has_sqlite_lock(file) {
            Verdict::Good => {}
            Verdict::Bad | Verdict::Unknown => return Presence::None,
        }
        // Another one of ours may have come meanwhile, and locked it.
        if file_state::connections(file) > 1 || descriptor::is_open(file) {
            return Presence::None;
        }
    }
    Presence::Foreign
}
