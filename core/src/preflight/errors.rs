//! The sentences of what is refused before SQLite touches the file.

use std::io;
use std::path::Path;

use crate::error::{Error, codes};
use crate::platform::path_facts::strerror;

/// `size`: of the `-wal`, in bytes; `state`: what is wrong with the database.
pub(super) fn orphan_wal(database: &Path, wal: &Path, size: u64, state: &str) -> Error {
    let text =
        format!("{}: {size} bytes of committed data, but the database {} {state}", wal.display(), database.display());
    Error::new(codes::ORPHAN_WAL, text)
        .with_hint(
            "SQLite would delete the -wal: put the database back beside it, or keep the -wal under another name with \
             on_orphan_wal=set_aside",
        )
        .with_path(database)
}

pub(super) fn not_set_aside(database: &Path, wal: &Path, error: &io::Error) -> Error {
    let errno = error.raw_os_error().unwrap_or(0);
    Error::new(codes::IO, format!("{}: cannot be renamed: {}", wal.display(), strerror(errno)))
        .with_path(database)
        .with_errno(errno)
}

pub(super) fn open_in_the_parent(path: &Path) -> Error {
    let text =
        format!("{} was open in the process that forked this one: SQLite would take no lock here", path.display());
    Error::new(codes::FORKED, text).with_path(path)
}

/// `text` says so: with `foreign_sqlite=warn` the same is a warning.
pub(super) fn second_sqlite(path: &Path, text: String) -> Error {
    Error::new(codes::SECOND_SQLITE, text).with_path(path)
}

/// `text` says how many: with `foreign_sqlite=warn` the same is a warning. `copies`: where each was loaded from.
pub(super) fn two_copies(text: String, copies: &[String]) -> Error {
    let hint = format!("let every host load the same file; loaded are {}", copies.join(" and "));
    Error::new(codes::TWO_COPIES, text).with_hint(hint)
}
