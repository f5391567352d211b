//! Whether anything but SQLite has written to the database file while it is in use, as `cp backup.db app.db` does: the file
//! stays the same one.
//!
//! In WAL mode the file only changes by a checkpoint, and the WAL-index tells of each. A file that changed without one, or
//! that is shorter than what is in it for certain, has been written by something else. What the file is like is noted at the
//! first read and after each checkpoint of ours; after one of another process, what the log says was moved has to be there.

use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;

use crate::vfs::alone::Found;
use crate::vfs::beginning::{header, written};
use crate::vfs::committed_frames::frame_sums;
use crate::vfs::file_checks::Verdict;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::known_content::Content;
use crate::vfs::known_pages::{KnownPages, frame_of};
use crate::vfs::open_files::borrowed;
use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER, WalIndex};

/// Where it says by which means it is read and written, and the value for a WAL.
const VERSIONS: std::ops::Range<usize> = 18..20;
const WAL: [u8; 2] = [2, 2];

/// So many frames are looked at before a checkpoint.
const SAMPLES: usize = 32;

/// How closely the file is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// What `fstat` tells; into the file where that is not what it was.
    Glance,
    /// Into the file as well: two changes may lie within the same tick of the kernel's clock.
    Thorough,
}

/// Compares the database file with what the WAL-index says of it. Unknown: it was touched, or overwritten by something that
/// is alike wherever it is looked at.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn look(watch: &FileMonitor, how: Look) -> Verdict {
    let Some(file) = watch.descriptor().map(borrowed) else { return Verdict::Good };
    if watch.alone.is() {
        return match watch.alone.look(&file, how == Look::Glance) {
            Found::Same => Verdict::Good,
            Found::Touched => Verdict::Unknown,
            Found::Another => Verdict::Bad,
        };
    }
    // SAFETY: the caller's promise.
    let index = || unsafe { watch.index() }.map(|index| WalIndex { marks: Default::default(), ..index });
    let Some(before) = index() else { return Verdict::Good };
    let mut last = watch.file.content();
    // A commit moves the index and leaves the file alone: what was seen before it counts.
    let known = last.as_ref().filter(|known| known.index.is_of_the_same_file(&before));
    let Some(written) = written(&file) else { return Verdict::Good };
    if how == Look::Glance && known.is_some_and(|known| known.written == written) {
        return Verdict::Good;
    }
    let Some(header) = header(&file) else { return Verdict::Good };
    // SAFETY: the caller's promise.
    let versions =
        |number: u32, is: &mut dyn FnMut(&[u8]) -> bool| unsafe { is_being_moved(watch, &before, number, is) };
    let (verdict, pages) = match known {
        Some(known) => {
            let begins_alike = known.header == header || versions(1, &mut |page| page.starts_with(&header));
            let verdict =
                if !begins_alike || !known.pages.are_in(&file, before.pages, before.is_being_moved(), versions) {
                    Verdict::Bad
                } else if known.written == written || before.is_being_moved() {
                    Verdict::Good
                } else {
                    Verdict::Unknown
                };
            (verdict, None)
        }
        None => {
            let moved = watch.wal.descriptor().and_then(|wal| KnownPages::moved(&borrowed(wal), &before));
            let moved = moved.filter(|_| !before.is_retired());
            match moved {
                // All of it is there, and so is the last of each page.
                Some(moved) if before.backfilled == before.frames => {
                    let there = moved.are_in(&file, before.pages, false, |_, _| false);
                    (if there { Verdict::Good } else { Verdict::Bad }, Some(moved))
                }
                Some(moved) => (Verdict::Good, Some(moved.again(&file))),
                None => (Verdict::Good, Some(known_or_spread(last.as_ref(), &file, &before, written.0, &header))),
            }
        }
    };
    // What moved on meanwhile is looked at the next time.
    if index() != Some(before) {
        return Verdict::Good;
    }
    let all = before.backfilled == before.frames;
    let short = all && written.0 < u64::from(before.pages) * u64::from(before.page_size);
    let of_another_kind = header.get(VERSIONS).is_some_and(|versions| versions != WAL);
    if short || of_another_kind || verdict == Verdict::Bad {
        return Verdict::Bad;
    }
    if let Some(pages) = pages {
        *last = Some(Content { index: before, written, header, pages });
    } else if let Some(known) = last.as_mut() {
        known.index = before;
    }
    verdict
}

/// Where nothing tells what was moved last: the pages that were known before, if they are still there, else some.
fn known_or_spread(
    last: Option<&Content>,
    file: &std::fs::File,
    index: &WalIndex,
    size: u64,
    header: &[u8],
) -> KnownPages {
    let known = last.map(|known| &known.pages).filter(|known| known.are_in(file, index.pages, false, |_, _| false));
    known.cloned().unwrap_or_else(|| KnownPages::spread(file, size, header))
}

/// Whether a checkpoint that is at work, or that was interrupted, may have written this page to the file: in one of the
/// versions for which `is` answers so.
///
/// # Safety
/// As for [`FileMonitor::index`].
unsafe fn is_being_moved(
    watch: &FileMonitor,
    index: &WalIndex,
    number: u32,
    is: &mut dyn FnMut(&[u8]) -> bool,
) -> bool {
    if !index.is_being_moved() {
        return false;
    }
    let Some(wal) = watch.wal.descriptor().map(borrowed) else { return true };
    // SAFETY: the caller's promise.
    let Some(frames) = (unsafe { index.frames_being_moved(watch.map(), number) }) else { return true };
    // A larger page may have been written in part.
    let torn = index.page_size > 4096 && !frames.is_empty();
    torn || frames.into_iter().any(|frame| frame_of(&wal, index, frame).is_none_or(|(_, page)| is(&page)))
}

/// Notes what a checkpoint has made of the file.
///
/// # Safety
/// As for [`FileMonitor::index`]. The connection still holds the checkpointer's lock: nobody else writes to the file.
pub(crate) unsafe fn note(watch: &FileMonitor) {
    let Some(file) = watch.descriptor().map(borrowed) else { return };
    // Where the log has begun anew since, it tells no more what was moved.
    let moved = watch.file.moved().take();
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }) else { return };
    let mut last = watch.file.content();
    // One that failed has moved something of which the index does not tell, and one that had nothing to move left it alone.
    if index.is_being_moved() || last.as_ref().is_some_and(|known| known.index.is_of_the_same_file(&index)) {
        return;
    }
    if let (Some(written), Some(header)) = (written(&file), header(&file)) {
        let pages = moved.unwrap_or_else(|| known_or_spread(last.as_ref(), &file, &index, written.0, &header));
        let index = WalIndex { marks: Default::default(), ..index };
        *last = Some(Content { index, written, header, pages });
    }
}

/// A checkpoint of this connection has moved what it was to move, and the index does not tell of it yet: notes what.
///
/// # Safety
/// As for [`FileMonitor::index`]. The connection holds the checkpointer's lock.
pub(crate) unsafe fn moved(watch: &FileMonitor) {
    let (Some(file), Some(wal)) = (watch.descriptor().map(borrowed), watch.wal.descriptor().map(borrowed)) else {
        return;
    };
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }).filter(|index| index.is_being_moved()) else { return };
    let all = index.attempted == index.frames;
    let pages = KnownPages::moved(&wal, &WalIndex { backfilled: index.attempted, ..index });
    *watch.file.moved() = pages.map(|pages| if all { pages } else { pages.again(&file) });
}

/// A log begins with this header, written by a connection that holds the write lock and has just found the file as it should
/// be: what is known of the file goes on to the new log, of which nothing is in the file. In the index a log that follows
/// another one has begun before its header is written, the first one begins with its first commit; `before` the header is
/// written the former counts alone.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn begins_anew(watch: &FileMonitor, header: &[u8; LOG_HEADER], before: bool) {
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let salts = [u32::from_ne_bytes(word(16)), u32::from_ne_bytes(word(20))];
    // SAFETY: the caller's promise.
    let Some(index) = (unsafe { watch.index() }).filter(|index| !before || index.salts == salts) else { return };
    // Transactions are counted on.
    if let Some(known) = watch.file.content().as_mut().filter(|known| known.index.change == index.change) {
        known.index.backfilled = 0;
        known.index.page_size = u32::from_be_bytes(word(8));
        known.index.salts = salts;
    }
}

/// Compares the `-wal` with what the WAL-index says of it: one that was cut, or that another one was copied over, has no
/// longer the frames that a checkpoint would move, and new ones would be written behind the hole.
///
/// # Safety
/// As for [`FileMonitor::index`].
pub(crate) unsafe fn look_at_wal(watch: &FileMonitor) -> Verdict {
    let Some(wal) = watch.wal.descriptor().map(borrowed) else { return Verdict::Good };
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
    let Some(wal) = watch.wal.descriptor().map(borrowed) else { return Verdict::Good };
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
    // Writing behind a cut leaves a hole, which no log has of itself; on file systems that make holes of zeros it may.
    let end = LOG_HEADER as u64 + u64::from(frames) * size;
    let hole = hole_from(&wal, LOG_HEADER as u64 + u64::from(backfilled) * size).filter(|hole| *hole < end);
    let foreign =
        foreign || hole.is_some_and(|hole| !is_whole(&wal, size, (hole - LOG_HEADER as u64) / size, frames.into()));
    // Another process may have begun the log anew meanwhile.
    let same_log = index().is_some_and(|(_, now, now_salts, _)| now_salts == salts && now >= frames);
    if foreign && same_log { Verdict::Bad } else { Verdict::Good }
}

/// Where the first hole behind this place begins, or the end of the file. SQLite, whose descriptor it is, places its reads and
/// writes by themselves.
#[cfg(target_os = "linux")]
fn hole_from(wal: &ManuallyDrop<std::fs::File>, from: u64) -> Option<u64> {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is SQLite's own and open; this thread is in a call on its connection.
    let found = unsafe { libc::lseek(wal.as_raw_fd(), i64::try_from(from).ok()?, libc::SEEK_HOLE) };
    u64::try_from(found).ok()
}

#[cfg(not(target_os = "linux"))]
fn hole_from(_: &ManuallyDrop<std::fs::File>, _: u64) -> Option<u64> {
    None
}

/// Whether the frame in which a hole begins, and the one behind it, have the sums that their headers tell.
fn is_whole(wal: &std::fs::File, size: u64, frame: u64, frames: u64) -> bool {
    let at = |frame: u64| LOG_HEADER as u64 + frame * size;
    let mut header = [0; LOG_HEADER];
    let mut before = [0; 8];
    // Each goes on from the sums of the one before it, the first from those of the log's header.
    let sums = if frame == 0 { 24 } else { at(frame - 1) + 16 };
    if wal.read_exact_at(&mut header, 0).is_err() || wal.read_exact_at(&mut before, sums).is_err() {
        return false;
    }
    let mut bytes = vec![0; size as usize];
    (frame..frames.min(frame + 2)).all(|frame| {
        let whole =
            wal.read_exact_at(&mut bytes, at(frame)).is_ok() && frame_sums(&header, before, &bytes) == bytes[16..24];
        before.copy_from_slice(&bytes[16..24]);
        whole
    })
}
