//! `SQLITE_FULL` and `SQLITE_IOERR`: free space, limits, the operation that failed.

use super::failed_call::{Explanation, FailedCall};
use crate::error::sqlite_name;
use crate::platform::filesystem;
use crate::platform::path_facts::strerror;
use crate::settings::Access;
use crate::sqlite;

/// No room.
pub(super) fn full(subject: &FailedCall<'_>) -> Explanation {
    let Some(path) = subject.path else {
        return Explanation::new(
            "the database has reached its largest size",
            "delete data, or raise PRAGMA max_page_count",
        );
    };
    match filesystem::free_bytes(path) {
        Some(free) if free > 1 << 20 => Explanation::new(
            format!("its file system has {} MiB free, so it is the limit of the database", free >> 20),
            "raise PRAGMA max_page_count; SQLite's own limit is 281 TB. If a temporary file was meant, look at TMPDIR",
        ),
        Some(free) => Explanation::new(
            format!("its file system has {} KiB free", free >> 10),
            "free space; the connection stays usable, and what was committed is safe",
        ),
        None => Explanation::new("its file system has no room", "free space"),
    }
}

/// An operation of the file system failed.
pub(super) fn find(subject: &FailedCall<'_>, rc: i32, errno: i32) -> Explanation {
    if subject.access == Access::Read && errno == libc::EBADF {
        return Explanation::new(
            "a checkpoint writes to the database, and this connection was opened with mode=ro",
            "checkpoint through a connection that may write, or leave it to the process that writes",
        );
    }
    let name = sqlite_name(rc).unwrap_or("SQLITE_IOERR");
    let operation = match name.strip_prefix("SQLITE_IOERR_") {
        None => "an operation".to_owned(),
        Some(word) => format!("the operation {}", word.to_ascii_lowercase()),
    };
    let reason = if errno == 0 { "no errno given".to_owned() } else { strerror(errno) };
    let hint = match errno {
        libc::EFBIG => "a file size limit (ulimit -f) is reached: raise it",
        libc::EDQUOT => "this user's disk quota is used up",
        libc::ENOSPC => "free space on the file system",
        libc::ENOLCK => "the file system gives no locks (NFS without a lock daemon?): use a local disk",
        libc::EIO => "the disk or its connection fails: look at the kernel's log, and copy the data elsewhere",
        libc::ESTALE => "the network file system lost the file: use a local disk",
        _ if rc == sqlite::SQLITE_IOERR_SHORT_READ => "the file is shorter than its header says: restore a backup",
        _ => "look at the file system and the kernel's log",
    };
    let free = subject.path.and_then(filesystem::free_bytes);
    let room = free.map(|free| format!("; {} MiB free", free >> 20)).unwrap_or_default();
    Explanation::new(format!("{operation} failed: {reason}{room}"), hint)
}
