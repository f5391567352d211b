//! The signs that Litestream replicates a database.

use std::ffi::{CStr, c_void};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::platform::path_facts::litestream_directory;
use crate::replication::protected::TABLES;
use crate::sqlite;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The directory that it keeps beside the database.
    Directory(PathBuf),
    /// A table of its own in the database. It may keep its directory elsewhere (`meta-path`).
    Table(&'static str),
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Directory(path) => write!(f, "the directory {} is there", path.display()),
            Sign::Table(name) => write!(f, "the database has the table {name}"),
        }
    }
}

/// What lies beside the database at `path`, by its own name and by the one that links lead to.
pub(crate) fn beside(path: &Path) -> Option<Sign> {
    // A link to a directory on the way leads to the same neighbours; one in the file's own place does not.
    let is_link = || std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let real = || is_link().then(|| std::fs::canonicalize(path).ok()).flatten();
    litestream_directory(path).or_else(|| litestream_directory(&real()?)).map(Sign::Directory)
}

/// A table of Litestream's in the database that `schema` names. Reads no page once the schema is known.
///
/// # Safety
/// `db` is open and used by this thread alone.
pub(crate) unsafe fn table(db: *mut sqlite::sqlite3, schema: &CStr) -> Option<&'static str> {
    TABLES.into_iter().find_map(|(name, text)| {
        let none: *mut c_void = std::ptr::null_mut();
        // SAFETY: the caller's promise; without a column and without places for answers only the table is looked for.
        let rc = unsafe {
            sqlite::sqlite3_table_column_metadata(
                db,
                schema.as_ptr(),
                name.as_ptr(),
                std::ptr::null(),
                none.cast(),
                none.cast(),
                none.cast(),
                none.cast(),
                none.cast(),
            )
        };
        (rc == sqlite::SQLITE_OK).then_some(text)
    })
}
