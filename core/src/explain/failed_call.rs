//! What an explanation is given to look at, and what it finds.

use std::path::Path;
use std::time::Duration;

use crate::raw::handle::Beginning;
use crate::registry::activity::Activity;
use crate::settings::Access;
use crate::sqlite;

/// What failed: everything an explanation may look at.
#[derive(Clone, Copy)]
pub(crate) struct FailedCall<'a> {
    /// The connection, or null when there is none.
    pub raw: *mut sqlite::sqlite3,
    /// The absolute path of the database, if it lies in a file.
    pub path: Option<&'a Path>,
    pub access: Access,
    /// Added to the hint when a directory is missing: what the form of the URL may have meant.
    pub path_note: Option<&'a str>,
    /// The connection's id, so that it is not named as the one in its own way.
    pub id: Option<u64>,
    /// What the connection is doing.
    pub activity: Option<&'a Activity>,
    /// The statement that failed, where it is known.
    pub sql: Option<&'a [u8]>,
    /// The journal mode was to be changed, and has been waited for for so long.
    pub conversion: Option<Duration>,
    /// The path is not the connection's own: it is attached, or was to be.
    pub attached: bool,
    /// How the file begins, where that has been read already.
    pub beginning: Option<Beginning>,
}

impl<'a> FailedCall<'a> {
    /// A connection of which no more is known.
    pub(crate) fn of(raw: *mut sqlite::sqlite3, path: Option<&'a Path>, access: Access) -> FailedCall<'a> {
        FailedCall {
            raw,
            path,
            access,
            path_note: None,
            id: None,
            activity: None,
            sql: None,
            conversion: None,
            attached: false,
            beginning: None,
        }
    }
}

/// One family's finding: why, and what to do.
pub(crate) struct Explanation {
    pub why: String,
    pub hint: String,
}

impl Explanation {
    pub(super) fn new(why: impl Into<String>, hint: impl Into<String>) -> Explanation {
        Explanation { why: why.into(), hint: hint.into() }
    }
}
