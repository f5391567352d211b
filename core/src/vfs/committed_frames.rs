//! The committed frames of a log, read as recovery reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::vfs::wal_index::{FRAME_HEADER, LOG_HEADER};

/// How far a log is whole: up to the last frame that ends a transaction.
pub(crate) struct Committed {
    pub frames: u64,
    pub page: u64,
    /// The pages of the database as of the last of them.
    pub pages: u32,
    pub salts: (u32, u32),
}

impl Committed {
    /// The size of the log up to there.
    pub(crate) fn bytes(&self) -> u64 {
        LOG_HEADER as u64 + self.frames * (self.page + FRAME_HEADER as u64)
    }

    /// By the number of the page: where in the file its last frame has it.
    pub(crate) fn last_frames(&self, wal: &File) -> io::Result<BTreeMap<u32, u64>> {
        let mut number = [0; 4];
        let size = self.page + FRAME_HEADER as u64;
        let all = (0..self.frames).map(|frame| LOG_HEADER as u64 + frame * size);
        all.map(|at| {
            wal.read_exact_at(&mut number, at)?;
            Ok((u32::from_be_bytes(number), at + FRAME_HEADER as u64))
        })
        .collect()
    }

    /// How many pages the database has otherwise than the log's last frame of each.
    pub(crate) fn missing_in(&self, wal: &File, database: &File) -> u64 {
        let Ok(last) = self.last_frames(wal) else { return self.frames };
        let (mut ours, mut theirs) = (vec![0; self.page as usize], vec![0; self.page as usize]);
        let differs = |(page, at): (u32, u64)| {
            let read = wal.read_exact_at(&mut ours, at).is_ok()
                && database.read_exact_at(&mut theirs, u64::from(page.max(1) - 1) * self.page).is_ok();
            !read || ours != theirs
        };
        last.into_iter().map(differs).filter(|differs| *differs).count() as u64
    }

    /// Reads a WAL as recovery does (<https://sqlite.org/fileformat2.html#wal_file_format>). `None` for none.
    pub(crate) fn read(file: &File) -> Option<Committed> {
        let mut header = [0; LOG_HEADER];
        file.read_exact_at(&mut header, 0).ok()?;
        let big_endian = match be(&header, 0) {
            0x377f_0683 => true,
            0x377f_0682 => false,
            _ => return None,
        };
        let page = u64::from(be(&header, 8));
        if !(512..=65536).contains(&page) || !page.is_power_of_two() {
            return None;
        }
        let mut sum = (0, 0);
        checksum(&mut sum, &header[..24], big_endian);
        if sum != (be(&header, 24), be(&header, 28)) {
            return None;
        }
        let mut log = Committed { frames: 0, page, pages: 0, salts: (be(&header, 16), be(&header, 20)) };
        let mut frame = vec![0; FRAME_HEADER + page as usize];
        for number in 1.. {
            let at = LOG_HEADER as u64 + (number - 1) * frame.len() as u64;
            if file.read_exact_at(&mut frame, at).is_err() || (be(&frame, 8), be(&frame, 12)) != log.salts {
                break;
            }
            checksum(&mut sum, &frame[..8], big_endian);
            checksum(&mut sum, &frame[FRAME_HEADER..], big_endian);
            if sum != (be(&frame, 16), be(&frame, 20)) {
                break;
            }
            if be(&frame, 4) != 0 {
                (log.frames, log.pages) = (number, be(&frame, 4));
            }
        }
        (log.frames > 0).then_some(log)
    }
}

fn be(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The sums that the header of a frame should tell, of a log with this header, where `before` are those of the frame before it.
pub(crate) fn frame_sums(log: &[u8; LOG_HEADER], before: [u8; 8], frame: &[u8]) -> [u8; 8] {
    let big_endian = be(log, 0) == 0x377f_0683;
    let mut sum = (be(&before, 0), be(&before, 4));
    checksum(&mut sum, &frame[..8], big_endian);
    checksum(&mut sum, &frame[FRAME_HEADER..], big_endian);
    let mut sums = [0; 8];
    sums[..4].copy_from_slice(&sum.0.to_be_bytes());
    sums[4..].copy_from_slice(&sum.1.to_be_bytes());
    sums
}

fn checksum(sum: &mut (u32, u32), bytes: &[u8], big_endian: bool) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        sum.0 = sum.0.wrapping_add(word(&pair[..4])).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(&pair[4..])).wrapping_add(sum.0);
    }
}
