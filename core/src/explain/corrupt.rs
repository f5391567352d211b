//! `SQLITE_CORRUPT`: quick facts, and the steps that save what can be saved.

use std::fs;

use super::failed_call::{Explanation, FailedCall};
use crate::platform::path_facts::sidecar;
use crate::raw::handle;
use crate::sqlite;
use crate::vfs::shim;

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
    let others = attached_files(subject);
    if !others.is_empty() {
        why = format!("the content of the file, or of one that is attached ({}), is inconsistent", others.join(", "));
    }
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

/// The files that are attached: SQLite does not say which one it was about.
fn attached_files(subject: &FailedCall<'_>) -> Vec<String> {
    if subject.attached || subject.id.is_none() || subject.raw.is_null() {
        return Vec::new();
    }
    // SAFETY: the subject's handle is open, and the caller holds its lock.
    let files = unsafe { handle::files(subject.raw) };
    let attached = files.into_iter().filter(|(name, _)| name != "main");
    // SAFETY: the files are open as long as the handle is in use by this thread.
    attached
        .filter_map(|(_, file)| unsafe { shim::watch_of(file) })
        .map(|watch| watch.place().display().to_string())
        .collect()
}
