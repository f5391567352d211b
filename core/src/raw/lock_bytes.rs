//! The bytes of a file that SQLite locks. They are part of its file formats: every program that uses the same files locks
//! the same bytes (<https://sqlite.org/walformat.html>, section 2.3, and the comment on locking in SQLite's `os_unix.c`).

/// Of the database file: taken by a writer that waits for the readers to end.
pub(crate) const PENDING: u64 = 0x4000_0000;
/// Of the database file: taken by the one writer in rollback mode.
pub(crate) const RESERVED: u64 = PENDING + 1;
/// Of the database file: the first of those that every reader locks; whoever has all of them alone is exclusive.
pub(crate) const SHARED: u64 = PENDING + 2;
/// How many of them there are.
pub(crate) const SHARED_SIZE: u64 = 510;
/// The last of them.
pub(crate) const SHARED_LAST: u64 = SHARED + SHARED_SIZE - 1;

/// Of the `-shm`, taken by the writer of the WAL.
pub(crate) const WRITE: u64 = 120;
/// By who moves the WAL into the database.
pub(crate) const CHECKPOINT: u64 = 121;
/// By who builds the WAL-index anew.
pub(crate) const RECOVER: u64 = 122;
/// The first of those of the read marks.
pub(crate) const READ: u64 = 123;
/// How many read marks there are.
pub(crate) const READERS: usize = 5;
/// The last of their bytes.
pub(crate) const READ_LAST: u64 = READ + READERS as u64 - 1;
/// By every user of the WAL, as long as it has the `-shm` open (the "dead man's switch").
pub(crate) const USER: u64 = 128;
