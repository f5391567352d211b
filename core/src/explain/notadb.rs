//! `SQLITE_NOTADB`: what the file looks like instead, by its first 16 bytes.

use super::failed_call::{Explanation, FailedCall};
use crate::raw::handle;
use crate::sqlite;

pub(super) fn find(subject: &FailedCall<'_>) -> Explanation {
    match header(subject.raw) {
        Some(bytes) => {
            // SAFETY: the subject's handle is open, and the caller holds its lock.
            let versions = unsafe { handle::format_versions(subject.raw) };
            if let (true, Some((_, version @ 3..))) = (bytes.starts_with(b"SQLite format 3\0"), versions) {
                return Explanation::new(
                    format!("its format is one that this SQLite does not read (read version {version} in its header)"),
                    "a newer SQLite or another branch of it made it (wal2 is 3): open it there, and set \
                     PRAGMA journal_mode=delete, which makes it one of the usual format",
                );
            }
            let (what, hint) = looks_like(&bytes);
            Explanation::new(format!("it is not a SQLite 3 database: its first bytes look like {what}"), hint)
        }
        None => Explanation::new("it is not a SQLite 3 database", "check the path"),
    }
}

/// The first 16 bytes, read through SQLite's own descriptor: a descriptor of our own would, when closed, drop every
/// lock this process holds on the file.
fn header(db: *mut sqlite::sqlite3) -> Option<[u8; 16]> {
    if db.is_null() {
        return None;
    }
    let mut bytes = [0u8; 16];
    // SAFETY: the handle is open, and xRead fills at most the 16 bytes of the buffer.
    unsafe {
        let file = handle::file_object(db)?;
        let read = (*(*file).pMethods).xRead?;
        let rc = read(file, bytes.as_mut_ptr().cast(), 16, 0);
        // A file shorter than 16 bytes is filled up with zeros.
        (rc == sqlite::SQLITE_OK || rc == sqlite::SQLITE_IOERR_SHORT_READ).then_some(bytes)
    }
}

/// What a file with these first bytes is, and what to do with it.
fn looks_like(bytes: &[u8; 16]) -> (&'static str, &'static str) {
    const KNOWN: &[(&[u8], &str, &str)] = &[
        (b"\x1f\x8b", "gzip", "unpack it first: gunzip"),
        (b"PK\x03\x04", "a zip archive", "unpack it first: unzip"),
        (b"\x28\xb5\x2f\xfd", "Zstandard", "unpack it first: zstd -d"),
        (b"\xfd7zXZ", "xz", "unpack it first: xz -d"),
        (b"BZh", "bzip2", "unpack it first: bunzip2"),
        (b"** This file con", "an SQLite 2 database", "convert it: sqlite OLD .dump | sqlite3 NEW"),
        (b"version https://", "a Git LFS pointer", "fetch the content: git lfs pull"),
        (b"SQLite format 3\0", "SQLite 3 with a damaged header", "restore a backup, or try sqlite3 FILE .recover"),
        (&[0x37, 0x7f, 0x06, 0x82], "an SQLite WAL", "open the database itself, not its -wal"),
        (&[0x37, 0x7f, 0x06, 0x83], "an SQLite WAL", "open the database itself, not its -wal"),
        (&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7], "an SQLite rollback journal", "open the database itself"),
        (b"\x7fELF", "a program", "check the path"),
        (b"%PDF", "a PDF document", "check the path"),
        (b"\x89PNG", "a PNG image", "check the path"),
    ];
    for (magic, what, hint) in KNOWN {
        if bytes.starts_with(magic) {
            return (what, hint);
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = &bytes[..end];
    if end == 0 {
        return ("zeros", "the file was preallocated or lost its content in a crash: restore a backup");
    }
    if text.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)) {
        let upper = text.to_ascii_uppercase();
        return if [&b"PRAGMA"[..], b"BEGIN", b"CREATE", b"INSERT", b"--"].iter().any(|word| upper.starts_with(word)) {
            ("an SQL script", "load it into a new database: sqlite3 NEW < FILE")
        } else {
            ("text", "check the path")
        };
    }
    (
        "random bytes, as of an encrypted database",
        "litekeel opens no encrypted files (SQLCipher, SEE): decrypt it first; if it should not be encrypted, restore a backup",
    )
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn known_headers_are_named() {
        let padded = |start: &[u8]| {
            let mut bytes = [0u8; 16];
            bytes[..start.len()].copy_from_slice(start);
            bytes
        };
        for (start, what) in [
            (&b"\x1f\x8b\x08"[..], "gzip"),
            (b"PK\x03\x04\x14", "a zip archive"),
            (b"** This file con", "an SQLite 2 database"),
            (b"version https://", "a Git LFS pointer"),
            (b"create table t(", "an SQL script"),
            (b"hello", "text"),
            (b"", "zeros"),
            (b"\x93\xf1\x02\xaa\x00\x81", "random bytes, as of an encrypted database"),
        ] {
            assert_eq!(looks_like(&padded(start)).0, what);
        }
    }
}
