//! Reading a packed table.

use super::{CELL, Cell, HEADER, MAGIC, NAMED, VERSION};
use crate::error::{Error, Result, codes};

/// Reads a packed table that has been checked: one flat buffer for results and for parameters.
///
/// Native endian, 8-aligned. All offsets count from the buffer's first byte.
///
/// | byte | type | what |
/// |---|---|---|
/// | 0 | u32 | magic, `0x4C45454B` ("KEEL" on a little-endian machine) |
/// | 4 | u32 | format version, 1 |
/// | 8 | u32 | flags: 1 = parameters are bound by name |
/// | 12 | u32 | columns |
/// | 16 | u64 | rows |
/// | 24 | i64 | rows changed |
/// | 32 | i64 | last inserted rowid |
/// | 40 | u64 | offset of the names: one cell a column |
/// | 48 | u64 | offset of the cells: rows × columns |
/// | 56 | u64 | length of the buffer |
///
/// A cell is 16 bytes: u32 type (SQLite's: 1 integer, 2 float, 3 text, 4 blob, 5 null), u32 length in bytes, u64 payload
/// (the integer's bits, the double's bits, or the offset of text or blob).
///
/// A NUL that their length does not count follows every text and blob that is encoded here, so that C can print them
/// where they lie. Nothing relies on it in what comes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
}

impl<'a> Table<'a> {
    /// A table that was encoded here.
    pub(super) fn of(bytes: &'a [u8]) -> Table<'a> {
        Table { bytes }
    }

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
