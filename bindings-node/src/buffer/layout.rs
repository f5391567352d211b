//! The buffer through which `lib/` and this crate exchange everything that is hot: one ArrayBuffer per environment.
//!
//! It is an array of 8-byte cells: a header of int32 fields, the cells of parameters, the cells of rows, an area of bytes
//! for short texts to bind, and areas for the BLOBs and the texts of rows. A cell is a double, or a NaN whose high word is a tag and whose low word says more.
//! SQLite has no NaN, so the two cannot be confused. `lib/buffer.js` has the same constants; `PROTOCOL` says so.

use std::ptr::NonNull;

/// Grows with every change of this layout or of the meaning of a field; `lib/` refuses another number.
pub(crate) const PROTOCOL: i32 = 4;

/// Fields of the header, as indices of int32s. The caller writes the first ones, the native side the others.
pub(crate) mod field {
    /// Number of the statement.
    pub(crate) const STATEMENT: usize = 0;
    /// How many parameters are in the buffer.
    pub(crate) const PARAMETERS: usize = 1;
    /// How many of them are arguments of the call.
    pub(crate) const ARGUMENTS: usize = 2;
    /// Bytes that the UTF-8 of all string arguments may take; for `compile` and `exec`, of the SQL.
    pub(crate) const SCRATCH: usize = 3;
    /// The most rows to fetch.
    pub(crate) const LIMIT: usize = 4;
    /// How many columns are wanted; 0 for all.
    pub(crate) const COLUMNS: usize = 5;
    /// See [`flag`](flag).
    pub(crate) const FLAGS: usize = 6;
    /// The statement's generation, for `finalize`: a number may have been given to another one since.
    pub(crate) const GENERATION: usize = 7;

    /// See [`status`](status).
    pub(crate) const STATUS: usize = 8;
    pub(crate) const ROWS: usize = 9;
    /// The number that stands for the column names of the result; without `flag::NAMES`, −2 − columns.
    pub(crate) const SHAPE: usize = 10;
    /// How many values are in the list of extras.
    pub(crate) const EXTRAS: usize = 11;
    /// How long the first group of texts in UTF-16 is; 0 for none.
    pub(crate) const WIDE: usize = 12;
    /// Where in the extras the failure is; −1 for none.
    pub(crate) const FAILURE: usize = 13;
    pub(crate) const CHANGES: usize = 14;
    /// 1 when prepared statements may be out of date: the transaction was rolled back, or a script ran.
    pub(crate) const STALE: usize = 15;
    /// How often SQLite has prepared the statement anew.
    pub(crate) const REPREPARED: usize = 16;
    /// How many columns the statement has.
    pub(crate) const COLUMN_COUNT: usize = 17;
    pub(crate) const READONLY: usize = 18;
    pub(crate) const PARAMETER_COUNT: usize = 19;
    /// 1 when a parameter has a name.
    pub(crate) const NAMED: usize = 20;
    /// See [`Kind`](crate::statement::kind::Kind).
    pub(crate) const KIND: usize = 21;
    /// Where the next statement of the SQL begins, in bytes; −1 when only blanks and comments follow.
    pub(crate) const NEXT: usize = 22;
    pub(crate) const IN_TRANSACTION: usize = 23;
    /// A 64-bit field: the last rowid, a double, or an int64 with `flag::SAFE`.
    pub(crate) const ROWID: usize = 24;
    /// How many parameters come before those in the buffer.
    pub(crate) const FIRST: usize = 26;
}

/// Bits of `field::FLAGS`.
pub(crate) mod flag {
    /// Integers are BigInts.
    pub(crate) const SAFE: i32 = 1;
    /// The values stay bound when the call ends.
    pub(crate) const KEEP: i32 = 2;
    /// The values are bound already.
    pub(crate) const BOUND: i32 = 4;
    /// The column names are wanted.
    pub(crate) const NAMES: i32 = 8;
}

/// Values of `field::STATUS`.
pub(crate) mod status {
    /// The results have ended; the statement is reset.
    pub(crate) const DONE: i32 = 0;
    /// Rows came, more may follow.
    pub(crate) const ROW: i32 = 1;
    /// SQLite failed (after `ROWS` rows); the statement is reset.
    pub(crate) const FAILED: i32 = 2;
    /// A value could not be bound; its result code is in `ROWS`.
    pub(crate) const UNBOUND: i32 = 3;
}

/// High words of cells that are no doubles.
pub(crate) mod tag {
    const BASE: u32 = 0xFFF8_0000;
    pub(crate) const NULL: u32 = BASE | 1;
    /// An int32.
    pub(crate) const INT: u32 = BASE | 2;
    /// In the lower [`LENGTH_BITS`](super::LENGTH_BITS) that many characters of a group of texts (see
    /// [`Texts`](super::super::texts::Texts)); above, if it begins a group, how many characters the group has. Of a
    /// parameter: bytes of the byte area, ASCII.
    pub(crate) const LATIN: u32 = BASE | 3;
    /// The same of a group of texts in UTF-16; of a parameter: the next argument, a string of that many units.
    pub(crate) const WIDE: u32 = BASE | 4;
    /// An index into the extras; of a parameter: the next argument.
    pub(crate) const EXTRA: u32 = BASE | 5;
    /// A parameter: the next argument, a string of that many Latin-1 characters.
    pub(crate) const NARROW: u32 = BASE | 6;
    /// Bytes of the BLOB area: where they begin, in units of 8, and in the lower [`BLOB_BITS`](BLOB_BITS) how many.
    pub(crate) const BLOB: u32 = BASE | 7;
    /// Tags have these bits in common.
    pub(crate) const MASK: u32 = 0xFFFF_FFF8;
    pub(crate) const ALL: u32 = BASE;
}

pub(crate) const HEADER: usize = 16;
/// A statement with more parameters binds them in several calls.
pub(crate) const PARAMETERS: usize = 1024;
/// SQLite's limit of 2000 columns fits.
pub(crate) const ROW_CELLS: usize = 8192;
/// Bytes for the ASCII texts to bind.
pub(crate) const TEXT_BYTES: usize = 16384;
/// Bytes for the BLOBs of rows; JavaScript copies them, which for a small one takes a third of N-API's time.
pub(crate) const BLOB_BYTES: usize = 65536;
pub(crate) const BLOB_BITS: u32 = 17;
/// A text of a row that is longer than this many bits can say is an extra.
pub(crate) const LENGTH_BITS: u32 = 12;
/// Bytes for the texts of rows: in Latin-1, and as many again in UTF-16.
pub(crate) const ROW_TEXT_BYTES: usize = 32768;

pub(crate) const FIRST_PARAMETER: usize = HEADER;
pub(crate) const FIRST_ROW: usize = HEADER + PARAMETERS;
const TEXT: usize = (FIRST_ROW + ROW_CELLS) * 8;
const BLOBS: usize = TEXT + TEXT_BYTES;
const LATIN_TEXTS: usize = BLOBS + BLOB_BYTES;
const WIDE_TEXTS: usize = LATIN_TEXTS + ROW_TEXT_BYTES;
pub(crate) const SIZE: usize = WIDE_TEXTS + ROW_TEXT_BYTES;

/// The memory of the ArrayBuffer, which V8 owns and a strong reference keeps.
#[derive(Clone, Copy)]
pub(crate) struct Buffer(*mut u8);

impl Buffer {
    /// # Safety
    /// `memory` has [`SIZE`] bytes, aligned to 8, that live as long as the environment.
    pub(crate) unsafe fn new(memory: *mut u8) -> Buffer {
        Buffer(memory)
    }

    /// A field of the header.
    #[inline(always)]
    pub(crate) fn get(self, field: usize) -> i32 {
        debug_assert!(field < HEADER * 2);
        // SAFETY: inside the header; only this thread uses the buffer.
        unsafe { self.0.cast::<i32>().add(field).read() }
    }

    #[inline(always)]
    pub(crate) fn set(self, field: usize, value: i32) {
        debug_assert!(field < HEADER * 2);
        // SAFETY: as in `get`.
        unsafe { self.0.cast::<i32>().add(field).write(value) }
    }

    /// A 64-bit field of the header.
    #[inline(always)]
    pub(crate) fn set_wide(self, field: usize, bits: u64) {
        debug_assert!(field < HEADER * 2 && field.is_multiple_of(2));
        // SAFETY: as in `get`; even indices are aligned to 8.
        unsafe { self.0.cast::<i32>().add(field).cast::<u64>().write(bits) }
    }

    /// The cell of a parameter, counted from 0.
    #[inline(always)]
    pub(crate) fn parameter(self, at: usize) -> u64 {
        debug_assert!(at < PARAMETERS);
        // SAFETY: inside the parameters (the callers' counts are checked).
        unsafe { self.0.cast::<u64>().add(FIRST_PARAMETER + at).read() }
    }

    /// The cells of rows, [`ROW_CELLS`] of them.
    #[inline(always)]
    pub(crate) fn rows(self) -> *mut u64 {
        // SAFETY: inside the buffer.
        unsafe { self.0.cast::<u64>().add(FIRST_ROW) }
    }

    /// The byte area, [`TEXT_BYTES`] long.
    #[inline(always)]
    pub(crate) fn text(self) -> *const u8 {
        // SAFETY: inside the buffer.
        unsafe { self.0.add(TEXT) }
    }

    /// Puts the Latin-1 texts of rows, but those of the first group, where they are read from.
    #[inline]
    pub(crate) fn put_latin(self, texts: &[u8]) {
        let length = texts.len().min(ROW_TEXT_BYTES);
        // SAFETY: inside the buffer, which is nobody else's; `texts` lies outside.
        unsafe { self.0.add(LATIN_TEXTS).copy_from_nonoverlapping(texts.as_ptr(), length) };
    }

    /// Puts the UTF-16 texts of rows where they are read from.
    #[inline]
    pub(crate) fn put_wide(self, texts: &[u16]) {
        let length = texts.len().min(ROW_TEXT_BYTES / 2);
        // SAFETY: as in `put_latin`; the area is aligned to 8.
        unsafe { self.0.add(WIDE_TEXTS).cast::<u16>().copy_from_nonoverlapping(texts.as_ptr(), length) };
    }

    /// The area of BLOBs, [`BLOB_BYTES`] long.
    #[inline(always)]
    pub(crate) fn blobs(self) -> NonNull<u8> {
        // SAFETY: inside the buffer.
        unsafe { NonNull::new_unchecked(self.0.add(BLOBS)) }
    }
}

#[inline(always)]
pub(crate) fn tagged(tag: u32, low: u32) -> u64 {
    (u64::from(tag) << 32) | u64::from(low)
}
