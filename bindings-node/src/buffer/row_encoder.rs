//! Rows into cells.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use napi::sys;
use rusqlite::ffi as sqlite;

use super::layout::{BLOB_BITS, BLOB_BYTES, tag, tagged};
use super::texts::Texts;
use crate::js::value;

/// A text of at least this many bytes travels as a value of its own.
const SEPARATE: usize = 2048;
/// Text after which a chunk ends, in bytes, so that the next row's finds room too.
const CHUNK_TEXT: usize = 8192;
/// Beyond, JavaScript's own memory costs more than what N-API makes.
const SEPARATE_BLOB: usize = 1024;
/// Bytes of BLOBs after which a chunk ends, so that the next row's find room too.
const CHUNK_BLOBS: usize = BLOB_BYTES / 2;

/// What rows need beside their cells, until they are handed over.
#[derive(Default)]
pub(crate) struct Chunk {
    /// Every text that Latin-1 can hold.
    pub(crate) latin: Texts<u8>,
    /// The other texts.
    pub(crate) wide: Texts<u16>,
    /// Large texts, BLOBs, large integers: handles of the running native call.
    pub(crate) extras: Vec<sys::napi_value>,
    /// The strings of groups of texts, while they are being handed over.
    pub(crate) strings: Vec<sys::napi_value>,
    /// The buffer's area of BLOBs, [`BLOB_BYTES`] long; none where JavaScript could overwrite it before it is read.
    pub(crate) blobs: Option<NonNull<u8>>,
    /// How much of it is used, a multiple of 8.
    pub(crate) blob_end: usize,
}

impl Chunk {
    pub(crate) fn clear(&mut self) {
        self.latin.clear();
        self.wide.clear();
        self.extras.clear();
        self.blob_end = 0;
    }

    /// Completes the cells of the rows.
    ///
    /// # Safety
    /// The cells are where [`row`] wrote them.
    #[inline(always)]
    pub(crate) unsafe fn finish(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.latin.finish();
            self.wide.finish();
        }
    }

    /// Whether the text of one more row may still be added.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.latin.bytes() + self.wide.bytes() < CHUNK_TEXT && self.blob_end < CHUNK_BLOBS
    }

    /// Copies a BLOB into the area; `None` if there is no room.
    ///
    /// # Safety
    /// `value` is the live value of a column.
    #[inline]
    unsafe fn blob(&mut self, value: *mut sqlite::sqlite3_value) -> Option<u64> {
        let area = self.blobs?;
        // SAFETY: the length is asked after the pointer; the bytes fit between the end of what is used and of the area.
        unsafe {
            let bytes = sqlite::sqlite3_value_blob(value).cast::<u8>();
            let length = sqlite::sqlite3_value_bytes(value) as usize;
            if length > SEPARATE_BLOB || length > BLOB_BYTES - self.blob_end {
                return None;
            }
            if length > 0 {
                ptr::copy_nonoverlapping(bytes, area.as_ptr().add(self.blob_end), length);
            }
            let cell = tagged(tag::BLOB, ((self.blob_end / 8) << BLOB_BITS | length) as u32);
            self.blob_end += length.next_multiple_of(8);
            Some(cell)
        }
    }

    fn extra(&mut self, value: sys::napi_value) -> u64 {
        self.extras.push(value);
        tagged(tag::EXTRA, self.extras.len() as u32 - 1)
    }
}

/// Writes the first `columns` values of the statement's row. False: JavaScript could not make a value.
///
/// # Safety
/// `handle` stands on a row of at least `columns` columns; `cells` has room for them, and stays writable until the chunk
/// is [finished](Chunk::finish) or cleared.
#[inline]
pub(crate) unsafe fn row(
    env: sys::napi_env,
    handle: *mut sqlite::sqlite3_stmt,
    columns: c_int,
    safe_integers: bool,
    cells: *mut u64,
    chunk: &mut Chunk,
) -> bool {
    for at in 0..columns {
        // SAFETY: `at` is a column of the row; pointers are used before the next call for the same value, and the length
        // is asked after the pointer, as SQLite requires.
        unsafe {
            let value = sqlite::sqlite3_column_value(handle, at);
            let target = cells.add(at as usize);
            let cell = match sqlite::sqlite3_value_type(value) {
                sqlite::SQLITE_INTEGER => {
                    let number = sqlite::sqlite3_value_int64(value);
                    if let Ok(small) = i32::try_from(number) {
                        tagged(tag::INT, small as u32)
                    } else if safe_integers {
                        let mut big = ptr::null_mut();
                        sys::napi_create_bigint_int64(env, number, &mut big);
                        if big.is_null() {
                            return false;
                        }
                        chunk.extra(big)
                    } else {
                        (number as f64).to_bits()
                    }
                }
                sqlite::SQLITE_FLOAT => sqlite::sqlite3_value_double(value).to_bits(),
                sqlite::SQLITE_TEXT => {
                    let text = sqlite::sqlite3_value_text(value);
                    let length = sqlite::sqlite3_value_bytes(value) as usize;
                    if text.is_null() {
                        tagged(tag::NULL, 0)
                    } else if let Some(start) = push_ascii(&mut chunk.latin, text, length) {
                        tagged(tag::LATIN, chunk.latin.take(start, target))
                    } else {
                        match other_text(env, std::slice::from_raw_parts(text, length), chunk, target) {
                            Some(cell) => cell,
                            None => return false,
                        }
                    }
                }
                sqlite::SQLITE_BLOB => match chunk.blob(value) {
                    Some(cell) => cell,
                    None => {
                        let blob = value::to_js(env, value, false);
                        if blob.is_null() {
                            return false;
                        }
                        chunk.extra(blob)
                    }
                },
                _ => tagged(tag::NULL, 0),
            };
            target.write(cell);
        }
    }
    true
}

/// Appends the text if it is short and all of it is ASCII, and says where it begins; else leaves `out` as it was.
///
/// # Safety
/// `text` is readable for `length` bytes.
#[inline(always)]
unsafe fn push_ascii(out: &mut Texts<u8>, text: *const u8, length: usize) -> Option<usize> {
    let out = if length < SEPARATE { out.room(length)? } else { return None };
    // Eight bytes at a time may write past the end, into reserved room.
    out.reserve(length + 8);
    let start = out.len();
    let mut seen = 0u64;
    // SAFETY: reads stay below `length` (the last word is read from the end), writes inside the reserved room.
    unsafe {
        let target = out.as_mut_ptr().add(start);
        if length >= 8 {
            let mut at = 0;
            while at + 8 <= length {
                let word = text.add(at).cast::<u64>().read_unaligned();
                seen |= word;
                target.add(at).cast::<u64>().write_unaligned(word);
                at += 8;
            }
            let word = text.add(length - 8).cast::<u64>().read_unaligned();
            seen |= word;
            target.add(length - 8).cast::<u64>().write_unaligned(word);
        } else {
            for at in 0..length {
                let byte = text.add(at).read();
                seen |= u64::from(byte);
                target.add(at).write(byte);
            }
        }
        if seen & 0x8080_8080_8080_8080 != 0 {
            return None;
        }
        out.set_len(start + length);
    }
    Some(start)
}

/// A text that is long or no ASCII, or that would not fit beside the others.
///
/// # Safety
/// As of [`Texts::take`].
#[cold]
unsafe fn other_text(env: sys::napi_env, text: &[u8], chunk: &mut Chunk, cell: *mut u64) -> Option<u64> {
    let valid = if text.len() < SEPARATE { std::str::from_utf8(text).ok() } else { None };
    // A character takes no more units than bytes.
    let (Some(valid), Some(latin), Some(wide)) = (valid, chunk.latin.room(text.len()), chunk.wide.room(text.len()))
    else {
        // N-API replaces what is no UTF-8, as better-sqlite3 does.
        let value = if text.is_ascii() { self::latin(env, text) } else { value::string(env, text) };
        return (!value.is_null()).then(|| chunk.extra(value));
    };
    let start = latin.len();
    for letter in valid.chars() {
        match u8::try_from(u32::from(letter)) {
            Ok(byte) => latin.push(byte),
            Err(_) => {
                latin.truncate(start);
                let start = wide.len();
                wide.extend(valid.encode_utf16());
                // SAFETY: the caller's promise.
                return Some(tagged(tag::WIDE, unsafe { chunk.wide.take(start, cell) }));
            }
        }
    }
    // SAFETY: the caller's promise.
    Some(tagged(tag::LATIN, unsafe { chunk.latin.take(start, cell) }))
}

/// A string of Latin-1 characters; null if JavaScript refuses.
pub(crate) fn latin(env: sys::napi_env, text: &[u8]) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: pointer and length come from one slice.
    unsafe { sys::napi_create_string_latin1(env, text.as_ptr().cast(), text.len() as isize, &mut value) };
    value
}
