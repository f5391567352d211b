//! The sentences of what a directory of databases refuses.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, codes};

/// The directory cannot be made, or be looked at.
pub(super) fn directory(path: &Path, error: &io::Error) -> Error {
    Error::new(codes::IO, format!("{}: {error}", path.display())).with_path(path)
}

pub(super) fn directory_is_not_utf8(path: &Path) -> Error {
    let text = format!("{}: the directory's name is not UTF-8, as a URL is", path.display());
    Error::new(codes::ARGUMENT, text).with_path(path)
}

pub(super) fn share_has_no_place() -> Error {
    Error::new(codes::ARGUMENT, "share has no place here: each use has a connection of its own")
}

pub(super) fn decided_by_directory(key: &str) -> Error {
    Error::new(codes::ARGUMENT, format!("{key} has no place here: the directory decides it"))
}

pub(super) fn extension(extension: &str) -> Error {
    Error::new(codes::ARGUMENT, format!("{extension:?} cannot be the extension of a database"))
        .with_hint("it is like .db or .sqlite")
}

/// `shown` is the beginning of a name that may be very long.
pub(super) fn name(shown: &str) -> Error {
    Error::new(codes::ARGUMENT, format!("{shown:?} cannot be the name of a database")).with_hint(
        "use letters, digits, \"_\", \"-\" and \".\", up to 200, a letter, digit or \"_\" first; encode other names, as \
         hexadecimal or base64url",
    )
}

pub(super) fn no_database(name: &str, path: PathBuf) -> Error {
    Error::new(codes::NO_DATABASE, format!("there is no database {name:?}: no file {}", path.display())).with_path(path)
}

pub(super) fn in_use(name: &str, users: usize, path: PathBuf) -> Error {
    Error::new(codes::ALL_IN_USE, format!("the database {name:?} is in use by {users}"))
        .with_hint("evict it when they have given it back")
        .with_path(path)
}

pub(super) fn being_closed(name: &str, path: PathBuf) -> Error {
    Error::new(codes::ALL_IN_USE, format!("a connection to the database {name:?} is still being closed"))
        .with_hint("wait longer: busy_timeout")
        .with_path(path)
}

pub(super) fn all_in_use(max: usize) -> Error {
    Error::new(codes::ALL_IN_USE, format!("all {max} connections that may be open are in use"))
        .with_hint("raise max, give connections back sooner, or wait longer (busy_timeout)")
}

/// `what` was left open on a connection that is given back.
pub(super) fn left_open(name: &str, what: &str, path: Option<&Path>) -> Error {
    let error = Error::new(codes::IN_TRANSACTION, format!("the work on {name:?} left {what} open: it was undone"))
        .with_hint("commit or roll back, and read rows to their end, before the connection is given back");
    match path {
        Some(path) => error.with_path(path),
        None => error,
    }
}

pub(super) fn closed() -> Error {
    Error::new(codes::CLOSED, "these databases are closed").with_hint("open them again")
}

pub(super) fn forked() -> Error {
    Error::new(codes::FORKED, "these databases were opened by the process that forked this one")
}
