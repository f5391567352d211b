//! The packed table: one flat buffer for results and for parameters. Only this module knows its bytes.
//!
//! Native endian, 8-aligned. All offsets count from the buffer's first byte.
//!
//! | byte | type | what |
//! |---|---|---|
//! | 0 | u32 | magic, `0x4C45454B` ("KEEL" on a little-endian machine) |
//! | 4 | u32 | format version, 1 |
//! | 8 | u32 | flags: 1 = parameters are bound by name |
//! | 12 | u32 | columns |
//! | 16 | u64 | rows |
//! | 24 | i64 | rows changed |
//! | 32 | i64 | last inserted rowid |
//! | 40 | u64 | offset of the names: one cell a column |
//! | 48 | u64 | offset of the cells: rows × columns |
//! | 56 | u64 | length of the buffer |
//!
//! A cell is 16 bytes: u32 type (SQLite's: 1 integer, 2 float, 3 text, 4 blob, 5 null), u32 length in bytes, u64 payload
//! (the integer's bits, the double's bits, or the offset of text or blob).
//!
//! A NUL that their length does not count follows every text and blob that is encoded here, so that C can print them
//! where they lie. Nothing relies on it in what comes from outside.

use crate::error::codes;
use crate::error::{Error, Result};

/// The first four bytes.
pub const MAGIC: u32 = 0x4C45_454B;
/// The format's version.
pub const VERSION: u32 = 1;
/// Parameters are bound by name.
pub const NAMED: u32 = 1;
const HEADER: usize = 64;
const CELL: usize = 16;

/// A value of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// REAL.
    Float(f64),
    /// TEXT; SQLite does not promise that it is UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

/// Builds a packed table: header, names and cells grow in place, the bytes of texts and blobs follow at the end.
pub struct Encoder {
    columns: usize,
    /// Header, names and cells; the payload of a text or blob counts from the first byte of `heap` until the end.
    words: Vec<u64>,
    heap: Vec<u8>,
    flags: u32,
    /// Rows changed.
    pub changes: i64,
    /// Last inserted rowid.
    pub last_rowid: i64,
}

/// The beginning of a table: its header and column names.
#[derive(Clone)]
pub(crate) struct Names {
    columns: usize,
    words: Vec<u64>,
    heap: Vec<u8>,
}

fn pair(low: u32, high: u32) -> u64 {
    let (low, high) = (u64::from(low), u64::from(high));
    if cfg!(target_endian = "little") { low | high << 32 } else { low << 32 | high }
}

fn low(word: u64) -> u32 {
    (if cfg!(target_endian = "little") { word } else { word >> 32 }) as u32
}

impl Encoder {
    /// A table with these column names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Encoder {
        let (mut words, heap) = spare::take();
        words.resize(HEADER / 8, 0);
        let mut encoder = Encoder { columns: 0, words, heap, flags: 0, changes: 0, last_rowid: 0 };
        for name in names {
            encoder.push(Cell::Text(name));
            encoder.columns += 1;
        }
        encoder
    }

    /// A table that begins as `names`, an encoder without rows, does.
    pub(crate) fn like(names: &Names) -> Encoder {
        let (mut words, mut heap) = spare::take();
        words.extend_from_slice(&names.words);
        heap.extend_from_slice(&names.heap);
        Encoder { columns: names.columns, words, heap, flags: 0, changes: 0, last_rowid: 0 }
    }

    /// The beginning of this table, before its first row, for tables of the same columns.
    pub(crate) fn names(&self) -> Names {
        Names { columns: self.columns, words: self.words.clone(), heap: self.heap.clone() }
    }

    /// Marks the rows as parameters that are bound by name.
    #[must_use]
    pub fn named(mut self) -> Encoder {
        self.flags |= NAMED;
        self
    }

    /// Appends the next cell, row by row.
    #[inline]
    pub fn push(&mut self, cell: Cell<'_>) {
        let (kind, size, payload) = match cell {
            Cell::Null => (5, 0, 0),
            Cell::Int(value) => (1, 0, value as u64),
            Cell::Float(value) => (2, 0, value.to_bits()),
            Cell::Text(bytes) => (3, bytes.len() as u32, self.keep(bytes)),
            Cell::Blob(bytes) => (4, bytes.len() as u32, self.keep(bytes)),
        };
        self.words.extend_from_slice(&[pair(kind, size), payload]);
    }

    #[inline]
    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let at = self.heap.len() as u64;
        self.heap.extend_from_slice(bytes);
        self.heap.push(0);
        at
    }

    /// How many bytes the finished buffer will have.
    pub fn size(&self) -> usize {
        self.words.len() * 8 + self.heap.len()
    }

    /// The finished buffer.
    pub fn finish(mut self) -> Packed {
        let cells = (self.words.len() - HEADER / 8) / 2;
        let rows = (cells - self.columns).checked_div(self.columns).unwrap_or(0);
        let heap_at = self.words.len() * 8;
        let length = heap_at + self.heap.len();
        if !self.heap.is_empty() {
            for cell in self.words[HEADER / 8..].chunks_exact_mut(2) {
                if matches!(low(cell[0]), 3 | 4) {
                    cell[1] += heap_at as u64;
                }
            }
        }
        self.words[..HEADER / 8].copy_from_slice(&[
            pair(MAGIC, VERSION),
            pair(self.flags, self.columns as u32),
            rows as u64,
            self.changes as u64,
            self.last_rowid as u64,
            HEADER as u64,
            (HEADER + self.columns * CELL) as u64,
            length as u64,
        ]);
        let (whole, rest) = self.heap.as_chunks::<8>();
        self.words.reserve(whole.len() + 1);
        self.words.extend(whole.iter().map(|chunk| u64::from_ne_bytes(*chunk)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.words.push(u64::from_ne_bytes(last));
        }
        spare::keep_heap(self.heap);
        // A small table that is kept for long does not keep a large one's memory with it.
        if self.words.capacity() > 512 && self.words.capacity() / 4 > self.words.len() {
            let exact = self.words.clone();
            spare::keep_words(std::mem::replace(&mut self.words, exact));
        }
        Packed { words: self.words, length }
    }
}

/// The buffers of this thread's latest table: the next one is often of the same size.
mod spare {
    use std::cell::Cell;

    /// What a thread keeps at most of each, in bytes.
    const LIMIT: usize = 1 << 20;

    struct Spare {
        words: Cell<Vec<u64>>,
        heap: Cell<Vec<u8>>,
    }

    thread_local!(static SPARE: Spare = const { Spare { words: Cell::new(Vec::new()), heap: Cell::new(Vec::new()) } });

    pub(super) fn take() -> (Vec<u64>, Vec<u8>) {
        // A thread that is ending has none.
        SPARE.try_with(|spare| (spare.words.take(), spare.heap.take())).unwrap_or_default()
    }

    pub(super) fn keep_words(mut words: Vec<u64>) {
        if words.capacity() * 8 <= LIMIT {
            words.clear();
            let _ = SPARE.try_with(|spare| spare.words.set(words));
        }
    }

    pub(super) fn keep_heap(mut heap: Vec<u8>) {
        if heap.capacity() <= LIMIT {
            heap.clear();
            let _ = SPARE.try_with(|spare| spare.heap.set(heap));
        }
    }
}

/// A packed table in memory of our own, 8-aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    words: Vec<u64>,
    length: usize,
}

impl Drop for Packed {
    fn drop(&mut self) {
        spare::keep_words(std::mem::take(&mut self.words));
    }
}

impl Packed {
    /// The buffer.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `words` covers at least `length` bytes, any byte is a valid u8, and u64 is stricter in alignment.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.length) }
    }

    /// The same table without its rows.
    #[must_use]
    pub fn without_rows(&self) -> Packed {
        let table = self.table();
        let mut empty = Encoder::new((0..table.columns()).map(|column| table.name(column)));
        (empty.changes, empty.last_rowid) = (table.changes(), table.last_rowid());
        empty.finish()
    }

    /// Reads the buffer.
    pub fn table(&self) -> Table<'_> {
        Table { bytes: self.bytes() }
    }
}

/// Reads a packed table that has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

impl<'a> Table<'a> {
    /// Checks a buffer from outside: every offset and length in it lies inside it. No alignment is asked for.
    ///
    /// # Errors
    /// `KEEL_PACKED`, saying what does not fit.
    pub fn check(bytes: &'a [u8]) -> Result<Table<'a>> {
        let bad = |what: &str| Error::new(codes::PACKED, format!("the packed parameters are malformed: {what}"));
        if bytes.len() < HEADER {
            return Err(bad("shorter than the header of 64 bytes"));
        }
        let table = Table { bytes };
        if table.u32(0) != MAGIC || table.u32(4) != VERSION {
            return Err(bad("the magic number or the format version does not match"));
        }
        let columns = table.columns() as u64;
        let cells = table.u64(16).checked_mul(columns).ok_or_else(|| bad("rows × columns overflows"))?;
        let fits = |at: u64, count: u64| {
            count
                .checked_mul(CELL as u64)
                .and_then(|size| at.checked_add(size))
                .is_some_and(|end| end <= bytes.len() as u64)
        };
        if !fits(table.u64(40), columns) || !fits(table.u64(48), cells) {
            return Err(bad("the names or cells end outside the buffer"));
        }
        if columns == 0 && table.u64(16) > 0 {
            return Err(bad("rows without columns"));
        }
        for (at, count) in [(table.u64(40), columns), (table.u64(48), cells)] {
            let at = at as usize;
            for cell in bytes[at..at + count as usize * CELL].as_chunks::<CELL>().0 {
                let (kind, size, payload) = fields(cell);
                let inside = payload.checked_add(size.into()).is_some_and(|end| end <= bytes.len() as u64);
                if !(1..=5).contains(&kind) || (matches!(kind, 3 | 4) && !inside) {
                    return Err(bad("a cell has an unknown type or ends outside the buffer"));
                }
            }
        }
        Ok(table)
    }

    fn u32(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_ne_bytes(word)
    }

    fn u64(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_ne_bytes(word)
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.u32(12) as usize
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.u64(16) as usize
    }

    /// Rows changed.
    pub fn changes(&self) -> i64 {
        self.u64(24) as i64
    }

    /// Last inserted rowid.
    pub fn last_rowid(&self) -> i64 {
        self.u64(32) as i64
    }

    /// Parameters are bound by name.
    pub fn is_named(&self) -> bool {
        self.u32(8) & NAMED != 0
    }

    /// A column's name.
    pub fn name(&self, column: usize) -> &'a [u8] {
        match self.at(self.u64(40) as usize + column * CELL) {
            Cell::Text(name) => name,
            _ => b"",
        }
    }

    /// A cell.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'a> {
        self.at(self.u64(48) as usize + (row * self.columns() + column) * CELL)
    }

    fn at(&self, at: usize) -> Cell<'a> {
        let Some(cell) = self.bytes[at..].first_chunk::<CELL>() else { return Cell::Null };
        let (kind, size, payload) = fields(cell);
        let bytes = || &self.bytes[payload as usize..payload as usize + size as usize];
        match kind {
            1 => Cell::Int(payload as i64),
            2 => Cell::Float(f64::from_bits(payload)),
            3 => Cell::Text(bytes()),
            4 => Cell::Blob(bytes()),
            _ => Cell::Null,
        }
    }
}

/// A cell's type, length and payload.
fn fields(cell: &[u8; CELL]) -> (u32, u32, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *cell;
    let word = u32::from_ne_bytes;
    (word([a, b, c, d]), word([e, f, g, h]), u64::from_ne_bytes([i, j, k, l, m, n, o, p]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut encoder = Encoder::new([b"a".as_slice(), b"long name".as_slice()]);
        let cells = [
            Cell::Int(i64::MIN),
            Cell::Text(b"x\0y"),
            Cell::Null,
            Cell::Blob(b""),
            Cell::Float(-0.5),
            Cell::Blob(&[9; 20]),
        ];
        cells.iter().for_each(|cell| encoder.push(*cell));
        encoder.changes = 7;
        let packed = encoder.finish();
        let table = Table::check(packed.bytes()).unwrap();
        assert_eq!((table.columns(), table.rows(), table.changes(), table.name(1)), (2, 3, 7, b"long name".as_slice()));
        for (index, cell) in cells.iter().enumerate() {
            assert_eq!(table.cell(index / 2, index % 2), *cell);
        }
    }

    #[test]
    fn no_damaged_buffer_is_read_outside_itself() {
        let mut encoder = Encoder::new([b"a".as_slice()]);
        encoder.push(Cell::Text(b"hello"));
        let good = encoder.finish();
        assert!(Table::check(good.bytes()).is_ok());
        for at in 0..good.bytes().len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = good.bytes().to_vec();
                bytes[at] = value;
                if let Ok(table) = Table::check(&bytes) {
                    // Reading every cell must not panic.
                    for column in 0..table.columns() {
                        let _ = table.name(column);
                        (0..table.rows()).for_each(|row| assert!(format!("{:?}", table.cell(row, column)).len() > 1));
                    }
                }
            }
            assert!(at >= good.bytes().len() - 1 || Table::check(&good.bytes()[..at]).is_err());
        }
    }
}
