//! `SQLITE_CORRUPT`: quick facts, and the steps that save what can be saved.

use std::fs;

use super::failed_call::{Explanation, FailedCall};
use crate::platform::path_facts::sidecar;
use crate::sqlite;

pub(super) fn find(subject: &FailedCall<'_>, rc: i32) -> Explanation {
    if rc == sqlite::SQLITE_CORRUPT_INDEX {
        return Explanation::new(
            "an index does not match its table",
            "rebuild it: REINDEX; then PRAGMA integrity_check",
        );
    }
    if rc == sqlite::SQLITE_CORRUPT_VTAB {
        return Explanation::new(
            "the content of a virtual table is inconsistent",
            "for full-text search: INSERT INTO t(t) VALUES('rebuild')",
        );
    }
    let mut why = "the content of the file is inconsistent".to_owned();
    if let Some(path) = subject.path {
        if let Ok(meta) = fs::metadata(path) {
            why.push_str(&format!("; {} bytes", meta.len()));
            if meta.len() % 512 != 0 {
                why.push_str(", no multiple of a page: it was cut off");
            }
        }
        if let Ok(wal) = fs::metadata(sidecar(path, "-wal")) {
            why.push_str(&format!("; a -wal of {} bytes is beside it", wal.len()));
        }
    }
    Explanation::new(
        why,
        "stop all writers, copy the file with its -wal, look at PRAGMA integrity_check on the copy, save what is readable \
         with sqlite3 COPY .recover | sqlite3 NEW, or restore a backup",
    )
}
