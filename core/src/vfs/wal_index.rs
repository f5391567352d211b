//! The WAL-index: the shared memory in which SQLite keeps how far the log goes and what each reader sees.
//!
//! It is read through the mapping that SQLite itself has of the `-shm` file. The layout is part of SQLite's file format
//! (<https://sqlite.org/walformat.html#walidxfmt>): every connection of every version has to agree on it.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::raw::handle;
use crate::raw::lock_bytes::READERS;
use crate::sqlite;

/// The header of a `-wal`, in bytes; at byte 16 it has the two salts.
pub(crate) const LOG_HEADER: usize = 32;
/// The header of a frame, before its page, in bytes.
pub(crate) const FRAME_HEADER: usize = 24;

/// What SQLite maps at a time.
pub(crate) const REGION: i32 = 32 * 1024;
/// Where the numbers of the pages stand, one for each frame, and how many of them are in the first region.
const PAGE_NUMBERS: usize = 136;
const NUMBERS: u32 = 4062;
/// How many frames a checkpoint has begun to move of a log that [`retire`](WalIndex::retire) has put out of use: SQLite looks
/// at it for snapshots alone, which it refuses then.
const RETIRED: u32 = u32::MAX;
/// A read mark that nobody uses.
const UNUSED: u32 = 0xffff_ffff;

/// A copy of the fields that say how far the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WalIndex {
    /// The last valid frame of the log.
    pub frames: u32,
    /// How many frames are in the database.
    pub backfilled: u32,
    /// How many of them a checkpoint that may still be at work has begun to move.
    pub attempted: u32,
    pub page_size: u32,
    /// The pages of the database as of the last frame.
    pub pages: u32,
    /// Counts the transactions, and what tells this log from the one before it.
    pub change: u32,
    pub salts: [u32; 2],
    /// The last frame that a reader with this mark sees; `None` for a mark out of use.
    pub marks: [Option<u32>; READERS],
}

impl WalIndex {
    /// Whether no checkpoint has written to the database between the two: commits alone move `frames`, `pages` and `change`.
    /// A new log begins with other salts.
    pub(crate) fn is_of_the_same_file(&self, other: &WalIndex) -> bool {
        (self.backfilled, self.page_size, self.salts) == (other.backfilled, other.page_size, other.salts)
    }

    /// Whether a checkpoint is at work, or has been interrupted: the file may have any of what it was to move.
    pub(crate) fn is_being_moved(&self) -> bool {
        self.attempted > self.backfilled && !self.is_retired()
    }

    /// Whether the log was put out of use: what is in it is not in the file.
    pub(crate) fn is_retired(&self) -> bool {
        self.attempted == RETIRED
    }

    /// The frames of this page that a checkpoint was to move. `None`: there are too many to tell.
    ///
    /// # Safety
    /// As for [`read`](WalIndex::read).
    pub(crate) unsafe fn frames_being_moved(&self, map: *const u8, page: u32) -> Option<Vec<u32>> {
        if self.attempted > NUMBERS || map.is_null() {
            return None;
        }
        // SAFETY: inside the first region, aligned to 4 bytes, read as the header is.
        let number = |frame: u32| unsafe {
            (*map.add(PAGE_NUMBERS + (frame as usize - 1) * 4).cast::<AtomicU32>()).load(Ordering::Acquire)
        };
        Some((self.backfilled + 1..=self.attempted).filter(|frame| number(*frame) == page).collect())
    }

    /// Reads the mapping. `None` when a writer was changing the header during each of a few attempts.
    ///
    /// # Safety
    /// `map` is SQLite's mapping of the first region, and stays mapped during the call.
    pub(crate) unsafe fn read(map: *const u8) -> Option<WalIndex> {
        // SAFETY: inside the first region, aligned to 4 bytes; other processes write it at any time, so it is only read
        // by atomic loads.
        let word = |offset: usize| unsafe { (*map.add(offset).cast::<AtomicU32>()).load(Ordering::Acquire) };
        for _ in 0..100 {
            // The header stands there twice; a reader that finds both alike has a whole one.
            let first: [u32; 12] = std::array::from_fn(|at| word(at * 4));
            let second: [u32; 12] = std::array::from_fn(|at| word(48 + at * 4));
            if first == second {
                return Some(WalIndex {
                    frames: first[4],
                    backfilled: word(96),
                    attempted: word(128),
                    pages: first[5],
                    change: first[2],
                    salts: [first[8], first[9]],
                    page_size: page_size_in(first[3]),
                    marks: std::array::from_fn(|at| Some(word(100 + at * 4)).filter(|mark| *mark != UNUSED)),
                });
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Says that every frame is in the database: no checkpoint of any process moves one of them any more, new readers read the
    /// database alone, and the next writer begins the log anew.
    ///
    /// # Safety
    /// As for [`read`](WalIndex::read); the mapping may be written to, and the connection holds the locks of the writer and of
    /// the checkpointer.
    pub(crate) unsafe fn retire(&self, map: *mut u8) {
        // SAFETY: inside the first region, aligned to 4 bytes. SQLite of other processes reads them by atomic loads.
        let word = |offset: usize| unsafe { &*map.add(offset).cast::<AtomicU32>() };
        word(128).store(RETIRED, Ordering::Release);
        word(96).store(self.frames, Ordering::Release);
    }

    /// Makes the header void, as one that was half written when its writer died: whoever comes next reads the `-wal` anew, and
    /// forgets what it has in memory of the database.
    ///
    /// # Safety
    /// As for [`retire`](WalIndex::retire); the connection holds all locks of the WAL.
    pub(crate) unsafe fn make_void(map: *mut u8) {
        // SAFETY: as above; both copies of the header, each of 12 words.
        (0..24).for_each(|at| unsafe { (*map.add(at * 4).cast::<AtomicU32>()).store(0, Ordering::SeqCst) });
    }

    /// The bytes of the `-wal` file that so many frames take.
    pub(crate) fn bytes(&self, frames: i64) -> i64 {
        frames * (i64::from(self.page_size) + FRAME_HEADER as i64)
    }
}

/// The frames of the log and the counter of its transactions, each as it stands, perhaps of two moments.
///
/// # Safety
/// As for [`WalIndex::read`].
pub(crate) unsafe fn progress(map: *const u8) -> (u32, u32) {
    // SAFETY: the caller's promise; aligned words that others write.
    let word = |offset: usize| unsafe { (*map.add(offset).cast::<AtomicU32>()).load(Ordering::Relaxed) };
    (word(16), word(8))
}

/// The size of the pages, in the fourth word of the header.
fn page_size_in(word: u32) -> u32 {
    let bytes = word.to_ne_bytes();
    match u16::from_ne_bytes([bytes[2], bytes[3]]) {
        // Two bytes cannot hold it.
        1 => 65536,
        size => size.into(),
    }
}

/// The size of the log's pages; 0 where nothing has been committed to it.
///
/// # Safety
/// As for [`WalIndex::read`].
pub(crate) unsafe fn page_size(map: *const u8) -> u32 {
    // SAFETY: the caller's promise; an aligned word that others write.
    page_size_in(unsafe { (*map.add(12).cast::<AtomicU32>()).load(Ordering::Relaxed) })
}

/// SQLite's mapping of the WAL-index of a connection's main database; null when there is none.
///
/// # Safety
/// `db` is open and used by this thread alone, and has read its database in WAL mode with `locking_mode=normal`: else
/// this would create a `-shm` file.
pub(crate) unsafe fn mapping(db: *mut sqlite::sqlite3) -> *const u8 {
    let mut map = std::ptr::null_mut();
    // SAFETY: the caller's promise; the methods are those of the file's VFS. A region that exists is returned as it is,
    // and without the flag to extend nothing is made larger.
    unsafe {
        let Some(file) = handle::file_object(db) else { return std::ptr::null() };
        let methods = &*(*file).pMethods;
        if let Some(shm_map) = methods.xShmMap.filter(|_| methods.iVersion >= 2) {
            shm_map(file, 0, REGION, 0, &raw mut map);
        }
    }
    map as *const u8
}
