//! A few pages of the database file, by which it is told from another one that begins alike and is as large: in WAL mode the
//! change counter of the header stands still, and whoever only updates rows changes nothing of the first page.
//!
//! The pages that a checkpoint moved last are those that a backup of an earlier state has otherwise. The log still has them
//! when another process made the checkpoint.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::FileExt;

use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER, WalIndex};

/// So many pages are compared, and each costs a system call.
pub(super) const PAGES: usize = 4;
/// So many frames are looked into for them: the same page may have been written again and again.
const FRAMES: u32 = 16;

/// Pages and what was in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownPages {
    page_size: usize,
    /// By the page's number.
    hashes: Vec<(u32, u64)>,
}

impl KnownPages {
    /// Those that were moved last, as the log has them. `None` where nothing was moved, or the log is no longer this one.
    pub(crate) fn moved(wal: &File, index: &WalIndex) -> Option<KnownPages> {
        let mut hashes: Vec<(u32, u64)> = Vec::with_capacity(PAGES);
        for frame in (1..=index.backfilled).rev().take(FRAMES as usize) {
            let (number, page) = frame_of(wal, index, frame)?;
            // What was cut off since is in the log alone.
            if number <= index.pages && hashes.iter().all(|(known, _)| *known != number) {
                hashes.push((number, hash(&page)));
            }
            if hashes.len() == PAGES {
                break;
            }
        }
        (!hashes.is_empty()).then_some(KnownPages { page_size: index.page_size as usize, hashes })
    }

    /// The same pages as the file has them.
    pub(crate) fn again(&self, file: &File) -> KnownPages {
        KnownPages::read(file, self.page_size, self.hashes.iter().map(|(number, _)| *number))
    }

    /// Pages all over the file, where nothing tells which ones change. `header` is what it begins with.
    pub(crate) fn spread(file: &File, size: u64, header: &[u8]) -> KnownPages {
        let Some(page_size) = page_size(header) else { return KnownPages::default() };
        let pages = u32::try_from(size / page_size as u64).unwrap_or(u32::MAX);
        let part = (pages / PAGES as u32).max(1);
        KnownPages::read(
            file,
            page_size,
            (0..PAGES as u32).map_while(|at| pages.checked_sub(at * part)).filter(|at| *at > 0),
        )
    }

    /// The pages of these numbers, of a file that begins with `header`.
    pub(crate) fn these(file: &File, header: &[u8], numbers: &[u32]) -> KnownPages {
        let Some(page_size) = page_size(header) else { return KnownPages::default() };
        KnownPages::read(file, page_size, numbers.iter().copied())
    }

    fn read(file: &File, page_size: usize, numbers: impl Iterator<Item = u32>) -> KnownPages {
        let of = |number| page(file, page_size, number).ok().flatten();
        let hashes = numbers.filter_map(|number| Some((number, hash(&of(number)?)))).collect();
        KnownPages { page_size, hashes }
    }

    /// Whether the file has them all, up to the page `last`. One that is otherwise may still be as one of `versions` is.
    /// `may_be_cut`: a checkpoint is at work or was interrupted. It cuts the file before the index tells that it is done; a
    /// commit may have made the database larger since, and then the file lacks pages, or has zeros for them.
    pub(crate) fn are_in(
        &self,
        file: &File,
        last: u32,
        may_be_cut: bool,
        versions: impl Fn(u32, &mut dyn FnMut(&[u8]) -> bool) -> bool,
    ) -> bool {
        self.hashes.iter().filter(|(number, _)| *number <= last).all(|(number, known)| {
            match page(file, self.page_size, *number) {
                // A page that cannot be read tells nothing: whoever needs it is told of the error.
                Err(_) => true,
                Ok(None) => may_be_cut,
                Ok(Some(found)) => {
                    hash(&found) == *known
                        || (may_be_cut && found.iter().all(|byte| *byte == 0))
                        || versions(*number, &mut |version| version == found)
                }
            }
        })
    }
}

/// One frame of this log: its page's number, and the page.
pub(crate) fn frame_of(wal: &File, index: &WalIndex, frame: u32) -> Option<(u32, Vec<u8>)> {
    let size = FRAME_HEADER + index.page_size as usize;
    let mut bytes = vec![0; size];
    wal.read_exact_at(&mut bytes, LOG_HEADER as u64 + (u64::from(frame) - 1) * size as u64).ok()?;
    let same = bytes[8..12] == index.salts[0].to_ne_bytes() && bytes[12..16] == index.salts[1].to_ne_bytes();
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    same.then(|| (number, bytes.split_off(FRAME_HEADER)))
}

/// The size of its pages, as the beginning of the file tells it.
fn page_size(header: &[u8]) -> Option<usize> {
    match header.get(16..18).map(|size| u16::from_be_bytes([size[0], size[1]]))? {
        1 => Some(65536),
        size @ 512.. => Some(usize::from(size)),
        _ => None,
    }
}

/// `None`: the file ends before it.
fn page(file: &File, page_size: usize, number: u32) -> io::Result<Option<Vec<u8>>> {
    let mut page = vec![0; page_size];
    match file.read_exact_at(&mut page, u64::from(number.saturating_sub(1)) * page_size as u64) {
        Ok(()) => Ok(Some(page)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash(page: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    page.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::*;

    #[test]
    fn a_page_that_is_otherwise_is_told_from_one_that_cannot_be_read_and_from_one_that_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        fs::write(&path, [1; 4 * 512]).unwrap();
        let known = KnownPages::read(&File::open(&path).unwrap(), 512, [2, 4].into_iter());
        let is_in = |may_be_cut| known.are_in(&File::open(&path).unwrap(), 4, may_be_cut, |_, _| false);
        assert!(is_in(false));
        // An error of the disk is none of somebody who overwrites the file.
        assert!(known.are_in(&OpenOptions::new().append(true).open(&path).unwrap(), 4, false, |_, _| false));
        fs::write(&path, [[1; 512], [2; 512], [1; 512], [1; 512]].concat()).unwrap();
        assert!(!is_in(false) && !is_in(true), "another page");
        for (what, bytes) in [("cut", vec![1; 3 * 512]), ("grown again", [vec![1; 3 * 512], vec![0; 512]].concat())] {
            fs::write(&path, bytes).unwrap();
            assert!(!is_in(false) && is_in(true), "{what}");
        }
    }
}
