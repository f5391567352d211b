//! The buffer through which `lib/` and this crate exchange everything that is hot: one ArrayBuffer per environment.
//!
//! It is an array of 8-byte cells: a header of int32 fields, the cells of parameters, the cells of rows, an area of bytes
//! for short texts to bind, and areas for the BLOBs and the texts of rows. A cell is a double, or a NaN whose high word is a tag and whose low word says more.
//! SQLite has no NaN, so the two cannot be confused. `lib/layout.js` is
//! written from the constants here, and `PROTOCOL` says that a copy of `lib/` belongs to this one.

use std::ptr::NonNull;

/// Grows with every change of this layout or of the meaning of a field; `lib/` refuses another number.
pub(crate) const PROTOCOL: i32 = 5;

/// A module of numbers that both sides know; for the tests also as a list, from which `lib/layout.js` is written.
macro_rules! constants {
    ($(#[$doc:meta])* $module:ident: $type:ty { $($(#[$note:meta])* $name:ident = $value:expr;)* }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            $($(#[$note])* pub(crate) const $name: $type = $value;)*

            #[cfg(test)]
            pub(super) const LIST: &[(&str, i64)] = &[$((stringify!($name), $name as i64),)*];
        }
    };
}

constants! {
    /// Fields of the header, as indices of int32s. The caller writes the first ones, the native side the others.
    field: usize {
        /// Number of the statement.
        STATEMENT = 0;
        /// How many parameters are in the buffer.
        PARAMETERS = 1;
        /// How many of them are arguments of the call.
        ARGUMENTS = 2;
        /// Bytes that the UTF-8 of all string arguments may take; for `compile` and `exec`, of the SQL.
        SCRATCH = 3;
        /// The most rows to fetch.
        LIMIT = 4;
        /// How many columns are wanted; 0 for all.
        COLUMNS = 5;
        /// See [`flag`](flag).
        FLAGS = 6;
        /// The statement's generation, for `finalize`: a number may have been given to another one since.
        GENERATION = 7;

        /// See [`status`](status).
        STATUS = 8;
        ROWS = 9;
        /// The number that stands for the column names of the result; without `flag::NAMES`, −2 − columns.
        SHAPE = 10;
        /// How many values are in the list of extras.
        EXTRAS = 11;
        /// How long the first group of texts in UTF-16 is; 0 for none.
        WIDE = 12;
        /// Where in the extras the failure is; −1 for none.
        FAILURE = 13;
        CHANGES = 14;
        /// 1 when prepared statements may be out of date: the transaction was rolled back, or a script ran.
        STALE = 15;
        /// How often SQLite has prepared the statement anew.
        REPREPARED = 16;
        /// How many columns the statement has.
        COLUMN_COUNT = 17;
        READONLY = 18;
        PARAMETER_COUNT = 19;
        /// 1 when a parameter has a name.
        NAMED = 20;
        /// See [`Kind`](crate::statement::kind::Kind).
        KIND = 21;
        /// Where the next statement of the SQL begins, in bytes; −1 when only blanks and comments follow.
        NEXT = 22;
        IN_TRANSACTION = 23;
        /// A 64-bit field: the last rowid, a double, or an int64 with `flag::SAFE`.
        ROWID = 24;
        /// How many parameters come before those in the buffer.
        FIRST = 26;
        /// How many groups of Latin-1 texts after the first one were handed over as strings; 0: they are in the buffer.
        GROUPS = 27;
    }
}

constants! {
    /// Bits of `field::FLAGS`.
    flag: i32 {
        /// Integers are BigInts.
        SAFE = 1;
        /// The values stay bound when the call ends.
        KEEP = 2;
        /// The values are bound already.
        BOUND = 4;
        /// The column names are wanted.
        NAMES = 8;
    }
}

constants! {
    /// Values of `field::STATUS`.
    status: i32 {
        /// The results have ended; the statement is reset.
        DONE = 0;
        /// Rows came, more may follow.
        ROW = 1;
        /// SQLite failed (after `ROWS` rows); the statement is reset.
        FAILED = 2;
        /// A value could not be bound; its result code is in `ROWS`.
        UNBOUND = 3;
    }
}

constants! {
    /// High words of cells that are no doubles.
    tag: u32 {
        /// Tags have these bits in common.
        BASE = 0xFFF8_0000;
        NULL = BASE | 1;
        /// An int32.
        INT = BASE | 2;
        /// In the lower [`LENGTH_BITS`](super::LENGTH_BITS) that many characters of a group of texts (see
        /// [`Texts`](super::super::texts::Texts)); above, if it begins a group, how many characters the group has. Of a
        /// parameter: bytes of the byte area, ASCII.
        LATIN = BASE | 3;
        /// The same of a group of texts in UTF-16; of a parameter: the next argument, a string of that many units.
        WIDE = BASE | 4;
        /// An index into the extras; of a parameter: the next argument.
        EXTRA = BASE | 5;
        /// A parameter: the next argument, a string of that many Latin-1 characters.
        NARROW = BASE | 6;
        /// Bytes of the BLOB area: where they begin, in units of 8, and in the lower [`BLOB_BITS`](BLOB_BITS) how many.
        BLOB = BASE | 7;
        /// The bits of a tag that tell it from a double.
        MASK = 0xFFFF_FFF8;
    }
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
/// Elements that the list of extras has of its own at any time: `lib/` sees to that.
pub(crate) const KEPT_EXTRAS: usize = 64;

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

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;
    use crate::statement::kind::Kind;

    fn object(name: &str, fields: &[(&str, i64)]) -> String {
        let mut text = format!("const {name} = {{\n");
        for (field, value) in fields {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\t{field}: {value},");
        }
        text + "};\n"
    }

    fn generate() -> String {
        // Both sides compare tags as int32s.
        let tags: Vec<_> = tag::LIST.iter().map(|(name, value)| (*name, i64::from(*value as u32 as i32))).collect();
        let kinds = [("ROWS", Kind::Rows as i64), ("SINGLE", Kind::Single as i64), ("SCHEMA", Kind::Schema as i64)];
        let sizes = [
            ("PARAMETERS", PARAMETERS),
            ("FIRST_PARAMETER", FIRST_PARAMETER),
            ("FIRST_ROW", FIRST_ROW),
            ("TEXT", TEXT),
            ("TEXT_BYTES", TEXT_BYTES),
            ("BLOBS", BLOBS),
            ("BLOB_BITS", BLOB_BITS as usize),
            ("LENGTH_BITS", LENGTH_BITS as usize),
            ("LATIN_TEXTS", LATIN_TEXTS),
            ("WIDE_TEXTS", WIDE_TEXTS),
            ("KEPT_EXTRAS", KEPT_EXTRAS),
        ]
        .map(|(name, value)| (name, value as i64));
        [
            "'use strict';\n// Generated from src/buffer/layout.rs by `make header`, which explains it: do not edit.\n"
                .to_owned(),
            format!("const PROTOCOL = {PROTOCOL};\n"),
            object("field", field::LIST),
            object("flag", flag::LIST),
            object("status", status::LIST),
            object("tag", &tags),
            object("kind", &kinds),
            object("layout", &sizes),
            "module.exports = { PROTOCOL, field, flag, status, tag, kind, layout };\n".to_owned(),
        ]
        .join("\n")
    }

    #[test]
    fn javascript_has_the_same_layout() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib/layout.js");
        let generated = generate();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == generated, "lib/layout.js is not what src/buffer/layout.rs says: run `make header`");
    }
}
