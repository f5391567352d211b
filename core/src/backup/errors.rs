//! The sentences of what a backup refuses.

use std::io;
use std::path::Path;

use super::options::{DESTINATION_SETTINGS, STEP};
use crate::error::{Error, codes};
use crate::platform::path_facts::strerror;
use crate::sqlite;

// What the source is.

pub(super) fn writing_source() -> Error {
    Error::new(codes::IN_TRANSACTION, "a backup inside a transaction that writes would copy what may be undone")
        .with_step(STEP)
}

pub(super) fn empty_source(path: Option<&Path>) -> Error {
    let place = path.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
    let error = Error::new(sqlite::SQLITE_NOTADB, format!("{place} is empty: there is nothing to copy"))
        .with_hint("a full disk or a cut upload leaves an empty file: use a copy that has content")
        .with_step(STEP);
    match path {
        Some(path) => error.with_path(path),
        None => error,
    }
}

/// The destination has pages of `into` bytes; SQLite says `rc` to that.
pub(super) fn other_page_size(rc: i32, path: &Path, into: &str, from: &str) -> Error {
    let text = format!(
        "{} has pages of {into} bytes and the source pages of {from}: in WAL mode a page size never changes",
        path.display()
    );
    let hint =
        "with nobody using it, convert it (PRAGMA journal_mode=delete) or move it and its -wal away, then try again";
    Error::new(rc, text).with_hint(hint).with_path(path).with_step(STEP)
}

pub(super) fn other_encoding(path: &Path, into: &str, from: &str) -> Error {
    let text = format!(
        "{} has its texts in {into} and the source in {from}: connections that have it open could not go on",
        path.display()
    );
    Error::new(codes::CONFLICT, text)
        .with_hint("with nobody using it, move it and its -wal away, then try again")
        .with_path(path)
}

pub(super) fn stopped() -> Error {
    Error::new(sqlite::SQLITE_INTERRUPT, "the backup was stopped before its end")
        .with_hint("nothing of it remains; begin it anew")
}

// What the URL says.

pub(super) fn in_memory() -> Error {
    Error::new(codes::ARGUMENT, "a backup in memory would be gone at once").with_hint("name a file").with_step(STEP)
}

pub(super) fn read_only() -> Error {
    Error::new(codes::CONFLICT, "a backup cannot be written with mode=ro").with_step(STEP)
}

pub(super) fn no_setting_of_a_destination(key: &str) -> Error {
    let keys: Vec<_> = DESTINATION_SETTINGS.iter().map(|id| id.key()).collect();
    Error::new(codes::CONFLICT, format!("{key} means nothing for a backup's destination"))
        .with_hint(format!("remove it; it takes {}", keys.join(" ")))
        .with_step(STEP)
}

// What is at the path.

pub(super) fn a_directory(path: &Path) -> Error {
    Error::new(codes::NOT_A_FILE, format!("{} names a directory", path.display()))
        .with_hint("name the file in it")
        .with_path(path)
}

pub(super) fn cannot_be_looked_at(path: &Path, error: &io::Error) -> Error {
    Error::new(codes::IO, format!("{} cannot be looked at: {error}", path.display()))
        .with_path(path)
        .with_errno(error.raw_os_error().unwrap_or(0))
}

pub(super) fn the_source(path: &Path) -> Error {
    another_file(format!("{} is the database itself", path.display()), path)
}

pub(super) fn a_side_file_of_the_source(path: &Path, suffix: &str) -> Error {
    another_file(format!("{} is the database's own {suffix} file", path.display()), path)
}

pub(super) fn a_side_file(path: &Path, suffix: &str, database: &Path) -> Error {
    another_file(format!("{} is where SQLite keeps the {suffix} of {}", path.display(), database.display()), path)
}

fn another_file(what: String, path: &Path) -> Error {
    Error::new(codes::ARGUMENT, what).with_hint("name another file").with_path(path)
}

pub(super) fn exists_already(path: &Path) -> Error {
    Error::new(codes::CONFLICT, format!("{} exists already", path.display()))
        .with_hint("name another file")
        .with_path(path)
        .with_errno(libc::EEXIST)
}

pub(super) fn a_journal_is_left(path: &Path, journal: &Path) -> Error {
    Error::new(codes::CONFLICT, format!("{} was left by another database of that name", journal.display()))
        .with_hint("SQLite would roll the copy back by it: move it away, or name another file")
        .with_path(path)
}

/// Litestream's `directory` lies beside it.
pub(super) fn replicated(path: &Path, directory: &Path) -> Error {
    let text = format!(
        "Litestream replicates {} ({} is there): its content is not replaced under it",
        path.display(),
        directory.display()
    );
    Error::new(codes::REPLICATED, text)
        .with_hint("stop Litestream and move its directory away, or name another file")
        .with_path(path)
}

pub(super) fn another_directory(path: &Path) -> Error {
    Error::new(codes::IO, format!("{}: its directory was replaced while the copy was begun", path.display()))
        .with_hint("try again")
        .with_path(path)
}

/// A call of the operating system about the copy, or its directory, has failed.
pub(super) fn destination_failed(real: &Path, what: &str, error: &io::Error) -> Error {
    let errno = error.raw_os_error().unwrap_or(0);
    Error::new(codes::IO, format!("{} {what}: {}", real.display(), strerror(errno))).with_path(real).with_errno(errno)
}
