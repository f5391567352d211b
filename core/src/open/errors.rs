//! The sentences of what opening refuses.

use std::path::Path;

use crate::error::{Error, FailedStep, codes};
use crate::platform::path_facts::{owner_and_mode, sidecar, strerror};
use crate::settings::SettingId;
use crate::sqlite;
use crate::url::shown_name;

/// What one means who writes three slashes may be a relative file.
pub(super) const TRIPLE_SLASH: &str = "sqlite:///x is the absolute path /x; for a relative file write sqlite:x";

fn at(error: Error, path: Option<&Path>) -> Error {
    match path {
        Some(path) => error.with_path(path),
        None => error,
    }
}

// Of the path.

/// `parent` is the database's directory, on whose way `link` lies.
pub(super) fn link_on_the_way(link: &Path, parent: &Path) -> Error {
    let text = format!("{} is a symbolic link, and nofollow forbids following it", link.display());
    Error::new(sqlite::SQLITE_CANTOPEN_SYMLINK, text)
        .with_hint("open the file by its real path, or without nofollow")
        .with_path(parent)
}

/// `first` is the first directory on the way to `parent` that is missing. `triple_slash`: the URL was written `sqlite:///x`.
pub(super) fn no_directory(parent: &Path, first: &Path, errno: i32, triple_slash: bool) -> Error {
    let above = first.parent().unwrap_or(Path::new("/"));
    let mut hint = format!("create it yourself, or give this user write permission on {}", above.display());
    if triple_slash {
        hint.push_str("; ");
        hint.push_str(TRIPLE_SLASH);
    }
    let text = format!(
        "the directory {} does not exist and cannot be created: {} ({}: {})",
        first.display(),
        strerror(errno),
        above.display(),
        owner_and_mode(above)
    );
    Error::new(codes::IO, text).with_hint(hint).with_path(parent).with_errno(errno)
}

/// `text` says which file system it is and what is wrong there: where it is allowed, the same is a warning.
pub(super) fn network_file_system(path: &Path, text: String) -> Error {
    Error::new(codes::NETWORK_FS, text)
        .with_hint("move the database to a local disk; network_fs=warn if one machine alone uses it")
        .with_path(path)
}

pub(super) fn not_a_file(path: &Path, kind: &str, hint: &str) -> Error {
    Error::new(codes::NOT_A_FILE, format!("{} is {kind}, not a file", path.display())).with_hint(hint).with_path(path)
}

/// `text` names the links: for a reader the same is a warning.
pub(super) fn several_names(path: &Path, text: String) -> Error {
    Error::new(codes::HARD_LINKS, text).with_path(path)
}

/// `text` says so: for a reader the same is a warning.
pub(super) fn mounted_alone(path: &Path, text: String) -> Error {
    Error::new(codes::HARD_LINKS, text)
        .with_hint(
            "mount the directory instead (-v /srv/data:/data); or add hard_links=1 if nobody opens it by its other path",
        )
        .with_path(path)
}

pub(super) fn immutable_with_log(path: &Path, wal: &Path) -> Error {
    let text = format!("immutable=1, but {} is not empty: its committed rows would be hidden", wal.display());
    Error::new(codes::CONFLICT, text)
        .with_hint("open it once without immutable=1 and close it, which empties the -wal")
        .with_path(path)
}

/// Opened for writing, but it can only be read.
pub(crate) fn not_writable(path: &Path, why: &str, hint: &str) -> Error {
    Error::new(codes::FILE_NOT_WRITABLE, format!("{} was opened for writing, but {why}", path.display()))
        .with_hint(hint)
        .with_path(path)
}

pub(super) fn not_created(path: &Path, errno: i32) -> Error {
    Error::new(codes::IO, format!("{} cannot be created: {}", path.display(), strerror(errno)))
        .with_path(path)
        .with_errno(errno)
}

/// The permissions that were asked for, and those that the file has, as bits.
pub(super) fn mode_not_applied(path: &Path, mode: u32, has: u32) -> Error {
    let text = format!("{}: file_mode was set to {mode:04o} and reads back as {has:04o}", path.display());
    Error::new(codes::SETTING_NOT_APPLIED, text)
        .with_hint("the file system may keep no permissions (FAT, some network mounts): leave file_mode out")
        .with_path(path)
}

// Of the handle.

pub(super) fn nul_in_path() -> Error {
    Error::new(codes::NUL_IN_URL, "the path contains a NUL")
}

/// `registered`: the names of the VFSes that there are.
pub(super) fn unknown_vfs(name: &str, registered: &[String]) -> Error {
    Error::new(codes::INVALID_VALUE, format!("vfs={} is not registered", shown_name(name)))
        .with_hint(format!("registered are: {}", registered.join(" ")))
        .with_step(FailedStep::Open)
}

pub(super) fn follower_on_another_vfs() -> Error {
    let text = "role=follower is not applied: the process's default VFS is not SQLite's own";
    Error::new(codes::SETTING_NOT_APPLIED, text).with_hint("add vfs=unix").with_step(FailedStep::Open)
}

// Of the settings, as they read back.

/// One of SQLite's switches; `rc` is what SQLite said to it.
pub(super) fn switch_not_applied(name: &str, wanted: i32, got: i32, rc: i32) -> Error {
    let text = format!("{name} was set to {wanted} and reads back as {got}: this SQLite does not carry it");
    Error::new(codes::SETTING_NOT_APPLIED, text).with_sqlite_code(rc)
}

pub(super) fn setting_not_applied(path: Option<&Path>, id: SettingId, value: &str, has: &str, why: &str) -> Error {
    let text = format!("{} was set to {value} and reads back as {has}: {why}", id.key());
    let error = Error::new(codes::SETTING_NOT_APPLIED, text);
    at(error.with_hint(format!("remove {}, or ask for {has}", id.key())), path)
}

/// A setting that only a new database takes; `has` is what this one has.
pub(super) fn exists_with_another(path: Option<&Path>, id: SettingId, value: &str, has: &str) -> Error {
    let place = path.map(|path| path.display().to_string()).unwrap_or_default();
    let text = format!("{}={value}, but {place} exists already with {has}", id.key());
    at(Error::new(codes::CREATE_ONLY_PARAM, text).with_step(FailedStep::Create), path)
}

pub(super) fn not_as_litestream_needs(name: &str, has: &str, wanted: &str) -> Error {
    let text = format!("{name} reads back as {has} instead of {wanted}, which Litestream needs");
    Error::new(codes::SETTING_NOT_APPLIED, text)
        .with_hint("this VFS or this SQLite does not keep it: open the database with the default VFS")
}

pub(super) fn sqlite_too_old(version: &str) -> Error {
    let text = format!("SQLite {version} can corrupt a database when a WAL is reset while it is checkpointed");
    Error::new(codes::SQLITE_TOO_OLD, text)
}

// Of an inspection.

pub(super) fn never_at_rest(path: &Path) -> Error {
    let text = format!("{} is opened, written and closed all the time", path.display());
    Error::new(sqlite::SQLITE_BUSY, text)
        .with_hint("it cannot be looked at without a trace now: try again, or look while a process has it open")
        .with_path(path)
}

/// `size`: of the `-wal`, in bytes.
pub(super) fn log_without_shared_memory(path: &Path, size: u64) -> Error {
    let text = format!(
        "{} has {size} bytes and no -shm: no process has the database open, and reading it would create one",
        sidecar(path, "-wal").display()
    );
    Error::new(sqlite::SQLITE_CANTOPEN, text)
        .with_hint("open and close it once in the usual way, which moves the -wal into the database")
        .with_path(path)
}

// Of a connection beside another.

pub(super) fn shared_memory_database() -> Error {
    Error::new(codes::CONFLICT, "share=1 needs a database in a file").with_hint("remove share=1, or name a file")
}

/// `opened_at`: where the connection that is there was opened, which may be empty; `different`: what is not the same.
pub(super) fn shared_with_other_settings(path: Option<&Path>, opened_at: &str, different: &[String]) -> Error {
    let place = path.map(|path| path.display().to_string()).unwrap_or_default();
    let at = if opened_at.is_empty() { String::new() } else { format!(", first opened at {opened_at}") };
    let text = format!("{place} is shared with other settings{at}: {}", different.join("; "));
    Error::new(codes::MISMATCH, text).with_path(path.unwrap_or(Path::new("")))
}

pub(super) fn not_opened_here() -> Error {
    Error::new(codes::NO_SIBLING, "the connection was not opened through litekeel's open")
}

pub(super) fn private_memory() -> Error {
    Error::new(codes::NO_SIBLING, "a private database in memory has one connection")
}

pub(super) fn another_file_by_now(path: &Path) -> Error {
    let text = format!("{} is no longer the file that this connection has opened", path.display());
    Error::new(codes::DATABASE_MOVED, text).with_path(path)
}

pub(super) fn restore_in_roots() -> Error {
    let text = "restore runs Litestream's program, which allowed_roots cannot confine";
    Error::new(codes::CONFLICT, text)
        .with_hint("restore before: litekeel restore-if-missing")
        .with_step(FailedStep::Restore)
}
