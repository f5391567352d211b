//! `SQLITE_NOTADB`, and a schema in a format that no SQLite writes: what the file looks like instead, by its first bytes.

use super::failed_call::{Explanation, FailedCall};
use crate::raw::handle::{self, Beginning};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// All that SQLite says, with `SQLITE_ERROR`, of a schema whose format it does not know, and of one that is attached and seems to
/// have its text in another encoding.
const UNKNOWN_SCHEMA: &str = "unsupported file format";
pub(super) const OTHER_ENCODING: &str = "attached databases must use the same text encoding as main database";

/// Whether the message is about what stands in a header of its schema.
pub(super) fn is_about_schema(message: &str) -> bool {
    message == UNKNOWN_SCHEMA || message == OTHER_ENCODING
}

pub(super) fn find(subject: &FailedCall<'_>) -> Explanation {
    // SAFETY: the subject's handle is null or open, and the caller holds its lock.
    let Some(bytes) = subject.beginning.or_else(|| unsafe { handle::beginning(subject.raw) }) else {
        return Explanation::new("it is not a SQLite 3 database", "check the path");
    };
    if bytes.starts_with(MAGIC) && bytes[19] > 2 {
        return Explanation::new(
            format!("its format is one that this SQLite does not read (read version {} in its header)", bytes[19]),
            "a newer SQLite or another branch of it made it (wal2 is 3): open it there, and set \
             PRAGMA journal_mode=delete, which makes it one of the usual format",
        );
    }
    let (what, hint) = looks_like(&bytes);
    Explanation::new(format!("it is not a SQLite 3 database: its first bytes look like {what}"), hint)
}

/// The schema's format is none of 1 to 4; `None` where it is one.
pub(super) fn find_schema(subject: &FailedCall<'_>) -> Option<Explanation> {
    // SAFETY: as in `find`.
    let bytes = subject.beginning.or_else(|| unsafe { handle::beginning(subject.raw) })?;
    (!is_database(&bytes)).then(|| {
        Explanation::new(
            format!("every SQLite database has a schema of format 1 to 4, and this one says {}", schema_format(&bytes)),
            "its header is damaged, or it is encrypted but for its first bytes (cipher_plaintext_header_size of SQLCipher): \
             litekeel opens no encrypted files, so decrypt it first; if it should not be encrypted, restore a backup",
        )
    })
}

/// Whether SQLite would take a file that begins like this for a database, as far as the first look goes.
pub(super) fn is_database(bytes: &Beginning) -> bool {
    // An empty one is, too.
    let readable =
        bytes.starts_with(MAGIC) && bytes[19] <= 2 && bytes[21..24] == [64, 32, 32] && schema_format(bytes) <= 4;
    readable || bytes.iter().all(|byte| *byte == 0)
}

fn schema_format(bytes: &Beginning) -> u32 {
    u32::from_be_bytes([bytes[44], bytes[45], bytes[46], bytes[47]])
}

/// What a file with these first bytes is, and what to do with it.
fn looks_like(bytes: &Beginning) -> (&'static str, &'static str) {
    const KNOWN: &[(&[u8], &str, &str)] = &[
        (b"\x1f\x8b", "gzip", "unpack it first: gunzip"),
        (b"PK\x03\x04", "a zip archive", "unpack it first: unzip"),
        (b"\x28\xb5\x2f\xfd", "Zstandard", "unpack it first: zstd -d"),
        (b"\xfd7zXZ", "xz", "unpack it first: xz -d"),
        (b"BZh", "bzip2", "unpack it first: bunzip2"),
        (b"** This file con", "an SQLite 2 database", "convert it: sqlite OLD .dump | sqlite3 NEW"),
        (
            b"ZV-",
            "a compressed database of SQLite's ZIPVFS",
            "open it with the program that made it, and copy it: VACUUM INTO",
        ),
        (b"LTX1", "a file of Litestream", "restore the database from the replica: litestream restore"),
        (b"\x04\x22\x4d\x18", "LZ4", "unpack it first: lz4 -d"),
        (b"PAR1", "a Parquet file", "check the path"),
        (b"version https://", "a Git LFS pointer", "fetch the content: git lfs pull"),
        (b"SQLite format 3\0", "SQLite 3 with a damaged header", "restore a backup, or try sqlite3 FILE .recover"),
        (&[0x37, 0x7f, 0x06, 0x82], "an SQLite WAL", "open the database itself, not its -wal"),
        (&[0x37, 0x7f, 0x06, 0x83], "an SQLite WAL", "open the database itself, not its -wal"),
        (&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7], "an SQLite rollback journal", "open the database itself"),
        (b"\x7fELF", "a program", "check the path"),
        (b"%PDF", "a PDF document", "check the path"),
        (b"\x89PNG", "a PNG image", "check the path"),
    ];
    // Those that have their mark further on.
    const WITHIN: &[(usize, &[u8], &str, &str)] = &[
        (
            8,
            b"DUCK",
            "a DuckDB database",
            "open it with DuckDB; ATTACH … (TYPE sqlite) there copies its tables to a SQLite file",
        ),
        (4, b"Standard Jet DB", "a Microsoft Access database", "convert it: mdb-export or an ODBC program reads it"),
        (4, b"Standard ACE DB", "a Microsoft Access database", "convert it: mdb-export or an ODBC program reads it"),
    ];
    for (magic, what, hint) in KNOWN {
        if bytes.starts_with(magic) {
            return (what, hint);
        }
    }
    for (at, magic, what, hint) in WITHIN {
        if bytes[*at..].starts_with(magic) {
            return (what, hint);
        }
    }
    let bytes = &bytes[..16];
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
            let mut bytes = [0u8; 48];
            bytes[..start.len()].copy_from_slice(start);
            bytes
        };
        for (start, what) in [
            (&b"\x1f\x8b\x08"[..], "gzip"),
            (b"PK\x03\x04\x14", "a zip archive"),
            (b"** This file contains an SQLite 2.1 database **", "an SQLite 2 database"),
            (b"\x5e\x11\x94\xce\x00\x01\x02\x03DUCK\x40", "a DuckDB database"),
            (b"\x00\x01\x00\x00Standard Jet DB\x00", "a Microsoft Access database"),
            (b"ZV-", "a compressed database of SQLite's ZIPVFS"),
            (b"LTX1\x00\x00", "a file of Litestream"),
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
