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

use crate::codes;
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

/// Builds a packed table.
#[derive(Default)]
pub struct Encoder {
    columns: usize,
    cells: Vec<(u32, u32, u64)>,
    heap: Vec<u8>,
    flags: u32,
    /// Rows changed.
    pub changes: i64,
    /// Last inserted rowid.
    pub last_rowid: i64,
}

impl Encoder {
    /// A table with these column names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Encoder {
        let mut encoder = Encoder::default();
        for name in names {
            encoder.push(Cell::Text(name));
            encoder.columns += 1;
        }
        encoder
    }

    /// Marks the rows as parameters that are bound by name.
    #[must_use]
    pub fn named(mut self) -> Encoder {
        self.flags |= NAMED;
        self
    }

    /// Appends the next cell, row by row.
    pub fn push(&mut self, cell: Cell<'_>) {
        let heap = |heap: &mut Vec<u8>, kind: u32, bytes: &[u8]| {
            let at = heap.len() as u64;
            heap.extend_from_slice(bytes);
            (kind, bytes.len() as u32, at)
        };
        let cell = match cell {
            Cell::Null => (5, 0, 0),
            Cell::Int(value) => (1, 0, value as u64),
            Cell::Float(value) => (2, 0, value.to_bits()),
            Cell::Text(bytes) => heap(&mut self.heap, 3, bytes),
            Cell::Blob(bytes) => heap(&mut self.heap, 4, bytes),
        };
        self.cells.push(cell);
    }

    /// How many bytes the finished buffer will have.
    pub fn size(&self) -> usize {
        HEADER + self.cells.len() * CELL + self.heap.len()
    }

    /// The finished buffer.
    pub fn finish(self) -> Packed {
        let rows = (self.cells.len() - self.columns).checked_div(self.columns).unwrap_or(0);
        let heap_at = HEADER + self.cells.len() * CELL;
        let length = heap_at + self.heap.len();
        let mut words = Vec::with_capacity(length.div_ceil(8));
        let pair = |low: u32, high: u32| {
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&low.to_ne_bytes());
            bytes[4..].copy_from_slice(&high.to_ne_bytes());
            u64::from_ne_bytes(bytes)
        };
        words.extend([
            pair(MAGIC, VERSION),
            pair(self.flags, self.columns as u32),
            rows as u64,
            self.changes as u64,
            self.last_rowid as u64,
            HEADER as u64,
            (HEADER + self.columns * CELL) as u64,
            length as u64,
        ]);
        for (kind, size, payload) in self.cells {
            words.push(pair(kind, size));
            words.push(if matches!(kind, 3 | 4) { payload + heap_at as u64 } else { payload });
        }
        for chunk in self.heap.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            words.push(u64::from_ne_bytes(bytes));
        }
        Packed { words, length }
    }
}

/// A packed table in memory of our own, 8-aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    words: Vec<u64>,
    length: usize,
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
            return Err(bad("the magic number or the format version is another"));
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
        let all = (0..columns).map(|i| table.u64(40) + i * 16).chain((0..cells).map(|i| table.u64(48) + i * 16));
        for at in all {
            let at = at as usize;
            let (kind, size, payload) = (table.u32(at), u64::from(table.u32(at + 4)), table.u64(at + 8));
            let inside = payload.checked_add(size).is_some_and(|end| end <= bytes.len() as u64);
            if !(1..=5).contains(&kind) || (matches!(kind, 3 | 4) && !inside) {
                return Err(bad("a cell has an unknown type or ends outside the buffer"));
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
        let payload = self.u64(at + 8);
        let bytes = || &self.bytes[payload as usize..payload as usize + self.u32(at + 4) as usize];
        match self.u32(at) {
            1 => Cell::Int(payload as i64),
            2 => Cell::Float(f64::from_bits(payload)),
            3 => Cell::Text(bytes()),
            4 => Cell::Blob(bytes()),
            _ => Cell::Null,
        }
    }
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
