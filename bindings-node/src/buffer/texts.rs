//! The texts of rows, in groups of which JavaScript makes one string each.

use std::ptr;

use super::layout::{LENGTH_BITS, ROW_TEXT_BYTES};

/// V8 copies a shorter piece out of a string. A longer one is a slice, which keeps the whole string for as long as itself.
const SLICED: usize = 13;
/// From so many bytes on, groups of two cost no more time than groups of three.
const LONG: usize = 128;

/// The most characters of `T` that a group may have whose shortest slice has so many. In memory a string of its own takes
/// 24 bytes beside its characters, a slice and the string that it is cut from 56 in all, and characters come in eights of
/// bytes.
#[inline(always)]
fn most<T>(length: usize) -> usize {
    let size = size_of::<T>();
    let bytes = length * size;
    if bytes < LONG { (3 * bytes.next_multiple_of(8) + 8) / size } else { 5 * length / 2 }
}

/// Texts one after the other. Making a string costs as much as cutting six, so neighbours share one; but never so much
/// that the shortest slice of it keeps more than three times the memory that it would take by itself.
///
/// A cell says how long its text is. That of the text which begins a group says also how long the group is; the first
/// group's is not said, it is [`first`](Texts::first).
pub(crate) struct Texts<T> {
    units: Vec<T>,
    /// Where the last group begins, and where it has to end at the latest.
    group: usize,
    limit: usize,
    /// The cell that begins the last group; null while that is the first one.
    lead: *mut u64,
    first: usize,
    /// Where the groups after the first one end.
    ends: Vec<usize>,
}

impl<T> Default for Texts<T> {
    fn default() -> Texts<T> {
        Texts { units: Vec::new(), group: 0, limit: usize::MAX, lead: ptr::null_mut(), first: 0, ends: Vec::new() }
    }
}

impl<T> Texts<T> {
    pub(crate) fn clear(&mut self) {
        self.units.clear();
        self.group = 0;
        self.limit = usize::MAX;
        self.lead = ptr::null_mut();
        self.first = 0;
        self.ends.clear();
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        self.units.len() * size_of::<T>()
    }

    /// Where to append the characters of one text; `None` when so many more might not fit into the buffer.
    #[inline(always)]
    pub(crate) fn room(&mut self, length: usize) -> Option<&mut Vec<T>> {
        (self.units.len() + length <= ROW_TEXT_BYTES / size_of::<T>()).then_some(&mut self.units)
    }

    /// Takes what was appended since it had `start` characters as the text of `cell`, and gives the low word for it.
    ///
    /// # Safety
    /// `cell`, and those of earlier texts, stay writable until [`finish`](Texts::finish) or [`clear`](Texts::clear).
    #[inline(always)]
    pub(crate) unsafe fn take(&mut self, start: usize, cell: *mut u64) -> u32 {
        let end = self.units.len();
        let length = end - start;
        if length >= SLICED {
            self.limit = self.limit.min(self.group + most::<T>(length));
        }
        if end > self.limit {
            // SAFETY: the caller's promise.
            unsafe { self.close(start) };
            self.group = start;
            self.limit = if length >= SLICED { start + most::<T>(length) } else { usize::MAX };
            self.lead = cell;
        }
        length as u32
    }

    /// Says in the last group's first cell that it ends at `end`.
    #[inline(always)]
    unsafe fn close(&mut self, end: usize) {
        if self.lead.is_null() {
            self.first = end;
        } else {
            // SAFETY: a cell that was written since `take` was told of it, which stays writable (the callers).
            unsafe { *self.lead |= ((end - self.group) as u64) << LENGTH_BITS };
            self.ends.push(end);
        }
    }

    /// Ends the last group.
    ///
    /// # Safety
    /// See [`take`](Texts::take); every cell has been written.
    #[inline]
    pub(crate) unsafe fn finish(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { self.close(self.units.len()) };
        self.lead = ptr::null_mut();
    }

    /// How many groups there are after the first one.
    pub(crate) fn others(&self) -> usize {
        self.ends.len()
    }

    /// The characters of each group after the first one.
    pub(crate) fn each_other(&self) -> impl Iterator<Item = &[T]> {
        let mut start = self.first;
        self.ends.iter().map(move |end| {
            let group = &self.units[start..*end];
            start = *end;
            group
        })
    }

    pub(crate) fn all(&self) -> &[T] {
        &self.units
    }

    /// The characters of the first group, then those of the others; to be called when it is finished.
    #[inline]
    pub(crate) fn parts(&self) -> (&[T], &[T]) {
        self.units.split_at(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::{SLICED, Texts};
    use crate::buffer::layout::LENGTH_BITS;

    /// The groups that texts of such lengths form, as lengths of each.
    fn groups<T: Clone + Default>(lengths: &[usize]) -> Vec<Vec<usize>> {
        let mut texts = Texts::<T>::default();
        let mut cells = vec![0u64; lengths.len()];
        for (cell, length) in cells.iter_mut().zip(lengths) {
            let start = texts.bytes() / size_of::<T>();
            texts.room(*length).expect("room").resize(start + length, T::default());
            // SAFETY: the cells outlive the use of the texts.
            unsafe {
                let cell = std::ptr::from_mut(cell);
                *cell = u64::from(texts.take(start, cell));
            }
        }
        // SAFETY: as above.
        unsafe { texts.finish() };
        let (first, others) = texts.parts();
        let mut ends = vec![first.len()];
        let mut found = vec![Vec::new()];
        for cell in cells {
            let (total, length) = ((cell >> LENGTH_BITS) as usize, (cell & ((1 << LENGTH_BITS) - 1)) as usize);
            if total > 0 {
                ends.push(total);
                found.push(Vec::new());
            }
            found.last_mut().expect("a group").push(length);
        }
        let sums: Vec<usize> = found.iter().map(|group| group.iter().sum()).collect();
        assert_eq!(sums, ends, "every group ends where the next one begins");
        assert_eq!(sums.iter().sum::<usize>(), first.len() + others.len());
        assert_eq!(found.concat(), lengths, "no text is lost");
        found
    }

    #[test]
    fn short_texts_share_one_string() {
        assert_eq!(groups::<u8>(&[12; 500]), [vec![12; 500]]);
        assert_eq!(groups::<u16>(&[0, 1, 12]), [vec![0, 1, 12]]);
        assert_eq!(groups::<u8>(&[]), [Vec::<usize>::new()]);
    }

    #[test]
    fn neighbours_of_one_length_share_a_string() {
        assert_eq!(groups::<u8>(&[20; 9]), [vec![20; 4], vec![20; 4], vec![20]]);
        assert_eq!(groups::<u8>(&[1000; 5]), [vec![1000; 2], vec![1000; 2], vec![1000]]);
        assert_eq!(groups::<u8>(&[8, 20, 8, 20, 8, 20]), [vec![8, 20, 8, 20, 8], vec![20]]);
    }

    #[test]
    fn no_slice_keeps_three_times_what_it_would_take_by_itself() {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5EED_u64);
        println!("SEED={seed}");
        let mut state = seed;
        for _ in 0..300 {
            let lengths: Vec<usize> = (0..60)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let bits = (state >> 60) % 11;
                    (state >> 33) as usize & ((1 << bits) - 1)
                })
                .collect();
            for (size, groups) in [(1, groups::<u8>(&lengths)), (2, groups::<u16>(&lengths[..30]))] {
                for group in groups {
                    let bytes = |length: usize| (length * size).next_multiple_of(8);
                    let whole = bytes(group.iter().sum());
                    let Some(shortest) = group.iter().filter(|length| **length >= SLICED).min() else { continue };
                    // A group of one is that string itself.
                    let kept = if group.len() == 1 { whole + 24 } else { whole + 56 };
                    assert!(kept <= 3 * (bytes(*shortest) + 24), "SEED={seed}: {group:?}");
                }
            }
        }
    }
}
