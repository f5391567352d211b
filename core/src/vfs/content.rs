//! Whether anything but SQLite has written to the database file while it is in use, as `cp backup.db app.db` does: the file
//! stays the same one.
//!
//! In WAL mode the file only changes by a checkpoint, and the WAL-index tells of each. A file that changed without one, or
//! that is shorter than what is in it for certain, has been written by something else.

use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::vfs::file_checks::Verdict;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::set_aside::borrowed;
use crate::vfs::wal_index::WalIndex;

/// What a database file begins with: its size, its change counter, the version of its schema.
const HEADER: usize = 100;

/// The file as it was while no checkpoint moved anything into it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content {
    index: WalIndex,
    written: (u64, i64, i64),
    header: Vec<u8>,
}

/// Compares the database file with what the WAL-index says of it. Unknown: it was touched, or overwritten by something that
/// begins alike.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn look(watch: &FileMonitor) -> Verdict {
    let Some(file) = watch.descriptor().map(borrowed) else { return Verdict::Good };
    // SAFETY: the caller's promise.
    let index = || unsafe { watch.index() }.map(|index| WalIndex { marks: Default::default(), ..index });
    let Some(before) = index() else { return Verdict::Good };
    // A checkpoint of another process may be at work.
    if before.attempted > before.backfilled {
        return Verdict::Good;
    }
    let mut last = watch.file.content();
    // A commit moves the index and leaves the file alone: what was seen before it counts.
    let known = last.as_ref().filter(|known| known.index.is_of_the_same_file(&before));
    let Some(written) = written(&file) else { return Verdict::Good };
    let header = if known.is_some_and(|known| known.written == written) { None } else { header(&file) };
    if index() != Some(before) {
        return Verdict::Good;
    }
    let all = before.backfilled == before.frames;
    if all && written.0 < u64::from(before.pages) * u64::from(before.page_size) {
        return Verdict::Bad;
    }
    match (known, header) {
        (Some(_), None) => Verdict::Good,
        (Some(known), Some(header)) if known.header != header => Verdict::Bad,
        (Some(_), Some(_)) => Verdict::Unknown,
        (None, Some(header)) => {
            *last = Some(Content { index: before, written, header });
            Verdict::Good
        }
        (None, None) => Verdict::Good,
    }
}

fn written(file: &ManuallyDrop<std::fs::File>) -> Option<(u64, i64, i64)> {
    let meta = file.metadata().ok()?;
    Some((meta.len(), meta.mtime(), meta.mtime_nsec()))
}

fn header(file: &ManuallyDrop<std::fs::File>) -> Option<Vec<u8>> {
    let mut header = vec![0; HEADER];
    let read = file.read_at(&mut header, 0).ok()?;
    header.truncate(read);
    Some(header)
}
