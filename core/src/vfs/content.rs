//! Whether anything but SQLite has written to the database file while it is in use, as `cp backup.db app.db` does: the file
//! stays the same one.
//!
//! In WAL mode the file only changes by a checkpoint, and the WAL-index tells of each. A file that changed without one, or
//! that is shorter than what is in it for certain, has been written by something else. What the file is like is noted at the
//! first read and after each checkpoint of ours; after one of another process it can only be noted at the next look.

use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::vfs::file_checks::Verdict;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::set_aside::borrowed;
use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER, WalIndex};

/// What a database file begins with: its size, its change counter, the version of its schema.
const HEADER: usize = 100;

/// So many frames are looked at before a checkpoint.
const SAMPLES: usize = 32;

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

/// Notes what a checkpoint has made of the file.
///
/// # Safety
/// As for [`FileMonitor::index`]. The connection still holds the checkpointer's lock: nobody else writes to the file.
pub(crate) unsafe fn note(watch: &FileMonitor) {
    let Some(file) = watch.descriptor().map(borrowed) else { return };
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }) else { return };
    // One that failed has moved something of which the index does not tell: the next look finds out.
    if index.attempted <= index.backfilled
        && let (Some(written), Some(header)) = (written(&file), header(&file))
    {
        let index = WalIndex { marks: Default::default(), ..index };
        *watch.file.content() = Some(Content { index, written, header });
    }
}

/// A log begins with this header, written by a connection that holds the write lock and has just found the file as it should
/// be: what is known of the file goes on to the new log, of which nothing is in the file.
pub(crate) fn begins_anew(watch: &FileMonitor, header: &[u8; LOG_HEADER]) {
    if let Some(known) = watch.file.content().as_mut() {
        let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
        known.index.backfilled = 0;
        known.index.page_size = u32::from_be_bytes(word(8));
        known.index.salts = [u32::from_ne_bytes(word(16)), u32::from_ne_bytes(word(20))];
    }
}

/// Compares the `-wal` with what the WAL-index says of it: one that was cut, or that another one was copied over, has no
/// longer the frames that a checkpoint would move, and new ones would be written behind the hole.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn look_at_wal(watch: &FileMonitor) -> Verdict {
    let Some(wal) = watch.wal_descriptor().map(borrowed) else { return Verdict::Good };
    // SAFETY: the caller's promise.
    let index = || unsafe { watch.index() }.map(|index| (index.frames, index.salts, index.page_size));
    let Some(before) = index().filter(|(frames, ..)| *frames > 0) else { return Verdict::Good };
    let (frames, salts, page_size) = before;
    let mut header = [0; LOG_HEADER];
    let whole = wal.read_at(&mut header, 0).is_ok_and(|read| read == LOG_HEADER);
    let Ok(size) = wal.metadata().map(|meta| meta.len()) else { return Verdict::Unknown };
    // SQLite writes the frames before the index tells of them, and begins a log anew in the index first. What moved on
    // meanwhile is looked at the next time.
    if index() != Some(before) {
        return Verdict::Good;
    }
    let needed = LOG_HEADER as u64 + u64::from(frames) * (u64::from(page_size) + FRAME_HEADER as u64);
    // The index has copies of the header's bytes, in whatever order the machine has them.
    let same = |at: usize| whole && header[at..at + 4] == salts[(at - 16) / 4].to_ne_bytes();
    if size < needed || !same(16) || !same(20) { Verdict::Bad } else { Verdict::Good }
}

/// Whether the frames that a checkpoint would move are of this log: their headers bear the log's salts. Where the log was cut
/// and then written on, the hole in between reads as zeros. Some are looked at, evenly spread: each costs a system call.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn look_at_frames(watch: &FileMonitor) -> Verdict {
    let Some(wal) = watch.wal_descriptor().map(borrowed) else { return Verdict::Good };
    // SAFETY: the caller's promise.
    let index = || unsafe { watch.index() }.map(|index| (index.backfilled, index.frames, index.salts, index.page_size));
    let Some((backfilled, frames, salts, page_size)) = index() else { return Verdict::Good };
    let size = u64::from(page_size) + FRAME_HEADER as u64;
    let left = frames.saturating_sub(backfilled) as usize;
    let foreign = (u64::from(backfilled)..u64::from(frames)).step_by((left / SAMPLES).max(1)).any(|frame| {
        let mut found = [0; 8];
        // After the page's number and the database's size.
        let whole = wal.read_exact_at(&mut found, LOG_HEADER as u64 + frame * size + 8).is_ok();
        !whole || found[..4] != salts[0].to_ne_bytes() || found[4..] != salts[1].to_ne_bytes()
    });
    // Another process may have begun the log anew meanwhile.
    let same_log = index().is_some_and(|(_, now, now_salts, _)| now_salts == salts && now >= frames);
    if foreign && same_log { Verdict::Bad } else { Verdict::Good }
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
