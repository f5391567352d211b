//! `SQLITE_CANTOPEN`: the one code for a dozen causes.

use std::fs;
use std::path::Path;

use super::{Explanation, FailedCall};
use crate::platform::path_facts::{Obstacle, beside, describe, kind, may, obstacle, strerror};
use crate::settings::Access;
use crate::sqlite;

pub(super) fn find(subject: &FailedCall<'_>, rc: i32, errno: i32) -> Explanation {
    let Some(path) = subject.path else {
        return Explanation::new("SQLite could not open a temporary file", "check that TMPDIR exists and is writable");
    };
    if matches!(errno, libc::EMFILE | libc::ENFILE) {
        return Explanation::new(
            format!("no file descriptor is left ({})", strerror(errno)),
            "close what is no longer used, or raise the limit (ulimit -n)",
        );
    }
    directory(path, subject)
        .or_else(|| file(path, subject, rc))
        .or_else(|| companions(path, subject))
        .unwrap_or_else(|| Explanation::new(other(errno), "look at the path named, from its root down"))
}

fn other(errno: i32) -> String {
    if errno == 0 { "the operating system gave no reason".to_owned() } else { strerror(errno) }
}

fn directory(path: &Path, subject: &FailedCall<'_>) -> Option<Explanation> {
    let parent = path.parent()?;
    let note = subject.path_note.map(|note| format!(" ({note})")).unwrap_or_default();
    Some(match obstacle(parent)? {
        Obstacle::Missing(dir) => Explanation::new(
            format!("the directory {} does not exist", dir.display()),
            match subject.access {
                Access::Create => format!("create it, or let mkdir=1 do so{note}"),
                _ => format!("check the path; only mode=rwc creates directories{note}"),
            },
        ),
        Obstacle::NotADirectory(at) => Explanation::new(
            format!("{} is a file, not a directory", at.display()),
            format!("correct the path, or move that file away{note}"),
        ),
        Obstacle::NotSearchable(dir) => Explanation::new(
            format!("the directory {} may not be searched ({})", dir.display(), describe(&dir)),
            format!("give this user search permission: chmod +x {}{note}", dir.display()),
        ),
        Obstacle::Loop(at) => Explanation::new(
            format!("{} is a symbolic link that leads back to itself", at.display()),
            "correct the link",
        ),
    })
}

fn file(path: &Path, subject: &FailedCall<'_>, rc: i32) -> Option<Explanation> {
    let parent = path.parent()?;
    if rc == sqlite::SQLITE_CANTOPEN_SYMLINK {
        return Some(Explanation::new(
            "a component of the path is a symbolic link, and nofollow forbids following it",
            "open the file by its real path, or without nofollow",
        ));
    }
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(_) => {
            if let Ok(target) = fs::read_link(path) {
                return Some(Explanation::new(
                    format!("it is a symbolic link to {}, which does not exist", target.display()),
                    "correct the link, or create what it points to",
                ));
            }
            if subject.access != Access::Create {
                let mode = if subject.access == Access::Read { "mode=ro" } else { "mode=rw" };
                return Some(Explanation::new(
                    format!("the file does not exist, and {mode} creates none"),
                    "check the path, or open it with mode=rwc to create it",
                ));
            }
            return (!may(parent, libc::W_OK)).then(|| unwritable(parent));
        }
    };
    if let Some(kind) = kind(&meta) {
        return Some(Explanation::new(
            format!("it is {kind}, not a file"),
            if meta.is_dir() { "name the database file inside the directory" } else { "name a regular file" },
        ));
    }
    if !may(path, libc::R_OK) {
        return Some(Explanation::new(
            format!("the file may not be read ({})", describe(path)),
            format!("give this user permission: chmod u+rw {0}, or chown it", path.display()),
        ));
    }
    None
}

fn unwritable(parent: &Path) -> Explanation {
    Explanation::new(
        format!("the directory {} may not be written ({})", parent.display(), describe(parent)),
        "SQLite creates the database and its -wal there: give this user write permission on the directory",
    )
}

/// The file itself is fine: then it is one of the files beside it, or the directory that should hold them.
fn companions(path: &Path, subject: &FailedCall<'_>) -> Option<Explanation> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let companion = beside(path, suffix);
        if companion.exists() && !(may(&companion, libc::R_OK) && may(&companion, libc::W_OK)) {
            return Some(Explanation::new(
                format!("its {} may not be opened ({})", companion.display(), describe(&companion)),
                "it belongs to another user's process: give it the database's owner (chown), or run as that user",
            ));
        }
    }
    let parent = path.parent()?;
    if !may(parent, libc::W_OK) {
        if subject.access == Access::Read {
            return Some(Explanation::new(
                format!(
                    "it is a WAL database without a -wal in a directory that may not be written: {} ({})",
                    parent.display(),
                    describe(parent)
                ),
                "even a reader needs to create the -shm: make the directory writable, or open with immutable=1 if \
                 nobody writes the file",
            ));
        }
        return Some(unwritable(parent));
    }
    None
}
