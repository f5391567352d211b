//! The sentences of what the operating system, or a limit to it, refuses.

use std::io;
use std::path::Path;

use super::path_facts::strerror;
use crate::error::{Error, codes};

/// The last call of the operating system has failed while `doing`.
pub(super) fn last_call(doing: &str) -> Error {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Error::new(codes::IO, format!("{doing}: {}", strerror(errno))).with_errno(errno)
}

/// The path lies in none of the directories that are allowed.
pub(crate) fn outside_the_roots(path: &Path) -> Error {
    Error::new(codes::PATH_NOT_ALLOWED, format!("{} is outside the allowed directories", path.display()))
        .with_hint("name a file under one of allowed_roots, without .. and without a link that leads out")
        .with_path(path)
}
