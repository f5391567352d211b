//! Databases that are opened by file descriptor.

use std::ffi::c_int;

use crate::lifecycle::initialize;
use crate::sqlite;
use crate::vfs::descriptor;

pub use crate::vfs::descriptor::{refuse, take_fault};

/// Opens a connection on duplicates of two descriptors that [`refuse`] found usable: the database and its rollback
/// journal, which has to be the file `<database>-journal`. Like `sqlite3_open_v2`; the sentence says more than SQLite's
/// message does, where there is one.
///
/// # Safety
/// `db` is writable. The handle belongs to the caller, also when it says why opening failed.
pub unsafe fn open(
    database: c_int,
    journal: c_int,
    flags: c_int,
    db: *mut *mut sqlite::sqlite3,
) -> (c_int, Option<&'static str>) {
    initialize::initialise();
    // SAFETY: the caller's promise.
    unsafe { descriptor::open(database, journal, flags, db) }
}
