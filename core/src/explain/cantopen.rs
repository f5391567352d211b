//! `SQLITE_CANTOPEN`: the one code for a dozen causes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::failed_call::{Explanation, FailedCall};
use crate::platform::filesystem;
use crate::platform::path_facts::{
    Obstacle, can_access, kind_if_not_file, owner_and_mode, path_obstacle, sidecar, strerror,
};
use crate::raw::handle;
use crate::settings::Access;
use crate::sqlite;

pub(super) fn find(subject: &FailedCall<'_>, rc: i32, errno: i32) -> Explanation {
    let Some(path) = subject.path else {
        return Explanation::new("SQLite could not open a temporary file", "check that TMPDIR exists and is writable");
    };
    if is_temporary(path) {
        let directory = path.parent().unwrap_or(Path::new("/"));
        return Explanation::new(
            format!("SQLite could not open a temporary file there: {}", other(errno)),
            format!("check that {} exists and is writable, or set TMPDIR", directory.display()),
        );
    }
    if matches!(errno, libc::EMFILE | libc::ENFILE) {
        return Explanation::new(
            format!("no file descriptor is left ({})", strerror(errno)),
            "close what is no longer used, or raise the limit (ulimit -n)",
        );
    }
    a_url(path, subject)
        .or_else(|| directory(path, subject))
        .or_else(|| file(path, subject, rc))
        .or_else(|| companions(path, subject))
        .unwrap_or_else(|| Explanation::new(other(errno), "look at the path named, from its root down"))
}

/// SQLite's own files beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Whether a file that could not be opened is the connection's database or lies beside it.
pub(super) fn is_of(file: &Path, database: Option<&Path>) -> bool {
    let Some(database) = database else { return false };
    let base = without_suffix(file).unwrap_or(file);
    // SQLite has resolved the links of the path; where it does not exist, those of its directory.
    let resolved = |path: &Path| {
        let in_directory = || Some(fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
        fs::canonicalize(path).ok().or_else(in_directory)
    };
    base == database || resolved(database).is_some_and(|real| real == base || Some(real) == resolved(base))
}

/// The file that ATTACH's message names, by its absolute path.
pub(super) fn named_by_attach(message: &str) -> Option<PathBuf> {
    let name = message.strip_prefix("unable to open database: ")?;
    std::path::absolute(name).ok()
}

fn without_suffix(file: &Path) -> Option<&Path> {
    let bytes = file.as_os_str().as_bytes();
    let base = COMPANIONS.iter().find_map(|suffix| bytes.strip_suffix(suffix.as_bytes()))?;
    Some(Path::new(OsStr::from_bytes(base)))
}

/// The database that the file lies beside, if it does.
pub(super) fn database_of(file: &Path) -> PathBuf {
    without_suffix(file).filter(|base| base.exists()).unwrap_or(file).to_owned()
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"etilqs_"))
}

/// What ATTACH asks of a file.
///
/// # Safety
/// The call's handle is null or open, and the caller holds its lock.
pub(super) unsafe fn access_of_attached(subject: &FailedCall<'_>) -> Access {
    let op = sqlite::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE;
    // SAFETY: the caller's promise.
    let creates = !subject.raw.is_null() && unsafe { handle::is_switched_on(subject.raw, op) } == Some(true);
    if subject.access != Access::Read && creates { Access::Create } else { Access::Write }
}

fn other(errno: i32) -> String {
    if errno == 0 { "the operating system gave no reason".to_owned() } else { strerror(errno) }
}

/// `ATTACH 'file:b.db'`: a file of that name is looked for, since a URL of SQL's own could set aside what `open` was told.
fn a_url(path: &Path, subject: &FailedCall<'_>) -> Option<Explanation> {
    let text = path.to_str().filter(|_| subject.attached && !path.exists())?;
    let (_, rest) = text.split_once("/file:")?;
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let plain = rest.strip_prefix("//").unwrap_or(rest);
    Some(Explanation::new("ATTACH takes a path, and this is a URL", format!("write ATTACH '{plain}'")))
}

fn directory(path: &Path, subject: &FailedCall<'_>) -> Option<Explanation> {
    let parent = path.parent()?;
    let note = subject.path_note.map(|note| format!(" ({note})")).unwrap_or_default();
    Some(match path_obstacle(parent)? {
        Obstacle::Missing(dir) => Explanation::new(
            format!("the directory {} does not exist", dir.display()),
            match subject.access {
                _ if subject.attached => "check the path, or create it: ATTACH creates no directories".to_owned(),
                Access::Create => format!("create it, or let mkdir=1 do so{note}"),
                _ => format!("check the path; only mode=rwc creates directories{note}"),
            },
        ),
        Obstacle::NotADirectory(at) => Explanation::new(
            format!("{} is a file, not a directory", at.display()),
            format!("correct the path, or move that file away{note}"),
        ),
        Obstacle::NotSearchable(dir) => Explanation::new(
            format!("the directory {} may not be searched ({})", dir.display(), owner_and_mode(&dir)),
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
            if subject.attached && subject.access != Access::Create {
                return Some(Explanation::new(
                    "the file does not exist, and ATTACH does not create it (attach=existing)",
                    "check the path, or open the connection with attach=any",
                ));
            }
            if subject.access != Access::Create {
                let mode = if subject.access == Access::Read { "mode=ro" } else { "mode=rw" };
                return Some(Explanation::new(
                    format!("the file does not exist, and {mode} does not create it"),
                    "check the path, or open it with mode=rwc to create it",
                ));
            }
            return (!can_access(parent, libc::W_OK)).then(|| unwritable(parent));
        }
    };
    if let Some(kind) = kind_if_not_file(&meta) {
        return Some(Explanation::new(
            format!("it is {kind}, not a file"),
            if meta.is_dir() { "name the database file inside the directory" } else { "name a regular file" },
        ));
    }
    if !can_access(path, libc::R_OK) {
        return Some(Explanation::new(
            format!("the file may not be read ({})", owner_and_mode(path)),
            format!("give this user permission: chmod u+rw {0}, or chown it", path.display()),
        ));
    }
    None
}

/// A snapshot or an image: nothing can be created there, not even by a reader.
pub(super) fn on_read_only(path: &Path) -> Explanation {
    let size = fs::metadata(sidecar(path, "-wal")).map_or(0, |meta| meta.len());
    if size == 0 {
        return Explanation::new(
            "it is a WAL database on a file system that is mounted read-only: a reader needs to create the -shm",
            "open it with immutable=1, since nobody can write it there",
        );
    }
    Explanation::new(
        format!(
            "its -wal has {size} bytes, and the file system is mounted read-only: to read them SQLite needs to create the -shm"
        ),
        "copy the database and its -wal together to a directory that may be written, and open the copy (immutable=1 would \
         leave out what is in the -wal)",
    )
}

fn unwritable(parent: &Path) -> Explanation {
    if filesystem::read_only(parent) {
        return Explanation::new(
            format!("the directory {} is on a file system that is mounted read-only", parent.display()),
            "SQLite creates the database and its -wal there: remount it writable, or name a file elsewhere",
        );
    }
    Explanation::new(
        format!("the directory {} may not be written ({})", parent.display(), owner_and_mode(parent)),
        "SQLite creates the database and its -wal there: give this user write permission on the directory",
    )
}

/// The file itself is fine: then it is one of the files beside it, or the directory that should hold them.
fn companions(path: &Path, subject: &FailedCall<'_>) -> Option<Explanation> {
    for suffix in COMPANIONS {
        let companion = sidecar(path, suffix);
        if let Some(kind) = fs::symlink_metadata(&companion).ok().as_ref().and_then(kind_if_not_file) {
            return Some(Explanation::new(
                format!("its {} is {kind}, not a file", companion.display()),
                "SQLite keeps a file of its own under that name: move it away",
            ));
        }
    }
    if filesystem::read_only(path) {
        return Some(on_read_only(path));
    }
    for suffix in COMPANIONS {
        let companion = sidecar(path, suffix);
        if companion.exists() && !(can_access(&companion, libc::R_OK) && can_access(&companion, libc::W_OK)) {
            return Some(Explanation::new(
                format!("its {} may not be opened ({})", companion.display(), owner_and_mode(&companion)),
                "it belongs to another user's process: give it the database's owner (chown), or run as that user",
            ));
        }
    }
    let parent = path.parent()?;
    if !can_access(parent, libc::W_OK) {
        if subject.access == Access::Read {
            return Some(Explanation::new(
                format!(
                    "it is a WAL database without a -wal in a directory that may not be written: {} ({})",
                    parent.display(),
                    owner_and_mode(parent)
                ),
                "even a reader needs to create the -shm: make the directory writable, or open with immutable=1 if \
                 nobody writes the file",
            ));
        }
        return Some(unwritable(parent));
    }
    None
}
