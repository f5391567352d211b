//! What a database file begins with, and what `fstat` tells of it.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

/// What a database file begins with: its size, its change counter, the version of its schema.
const HEADER: usize = 100;

/// The size of a file, and when its bytes and its attributes were changed.
pub(super) type Written = (u64, i64, i64, i64, i64);

pub(super) fn written(file: &File) -> Option<Written> {
    let meta = file.metadata().ok()?;
    Some((meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
}

/// What of it is otherwise when something was written to the file: not when its attributes alone were changed.
pub(super) fn content(written: Written) -> (u64, i64, i64) {
    (written.0, written.1, written.2)
}

pub(super) fn header(file: &File) -> Option<Vec<u8>> {
    let mut header = vec![0; HEADER];
    let read = file.read_at(&mut header, 0).ok()?;
    header.truncate(read);
    Some(header)
}
