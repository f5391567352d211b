//! A whole database as one block of bytes.

use std::ffi::CStr;
use std::ptr;

use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::call::Call;
use crate::js::bytes;
use crate::js::value;

/// Offset of the header's "file format write version"; the read version follows. 2 means WAL, 1 a rollback journal.
const VERSIONS: usize = 18;

/// `(token, schema)` → Buffer
pub(super) unsafe fn serialize(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let schema = call.text(1)?;
    let mut length = -1;
    // SAFETY: `db` is open; the image is SQLite's memory of `length` bytes, copied and then freed.
    unsafe {
        // SQLite sets no error for a schema that there is not: what it would tell is the failure of an earlier call.
        if sqlite::sqlite3_db_readonly(db, schema.as_ptr()) == -1 {
            return Some(call.failure(sqlite::SQLITE_ERROR, c"unknown database"));
        }
        let image = sqlite::sqlite3_serialize(db, schema.as_ptr(), &mut length, 0);
        if image.is_null() && length > 0 {
            return Some(call.failure(sqlite::SQLITE_NOMEM, c"out of memory"));
        }
        if image.is_null() && length < 0 {
            // SQLite has asked for the number of pages in vain, or has none of its memory.
            let rc = sqlite::sqlite3_extended_errcode(db);
            return Some(if rc == sqlite::SQLITE_OK || rc & 0xff >= sqlite::SQLITE_ROW {
                call.failure(sqlite::SQLITE_ERROR, c"the database cannot be read")
            } else {
                call.outcome(rc, db)
            });
        }
        let length = length.max(0) as usize;
        // An image has no log beside it: marked as WAL it could not be opened again from memory.
        if length > VERSIONS + 1 && *image.add(VERSIONS) == 2 && *image.add(VERSIONS + 1) == 2 {
            image.add(VERSIONS).write_bytes(1, 2);
        }
        let mut buffer = ptr::null_mut();
        let mut data = ptr::null_mut();
        let status = sys::napi_create_buffer(call.env, length, &mut data, &mut buffer);
        if status == sys::Status::napi_ok && length > 0 {
            ptr::copy_nonoverlapping(image, data.cast(), length);
        }
        sqlite::sqlite3_free(image.cast());
        Some(buffer)
    }
}

/// `(token, buffer, readonly)`: makes the image the connection's `main`.
pub(super) unsafe fn deserialize(call: &Call) -> Option<sys::napi_value> {
    let db = call.connection()?;
    let Some(image) = bytes::bytes(call.env, call.args[1]) else {
        value::throw_type(call.env, "Expected a Buffer");
        return None;
    };
    let mut flags = sqlite::SQLITE_DESERIALIZE_FREEONCLOSE | sqlite::SQLITE_DESERIALIZE_RESIZEABLE;
    if call.flag(2) {
        flags |= sqlite::SQLITE_DESERIALIZE_READONLY;
    }
    // SAFETY: copied before JavaScript runs again. SQLite owns the copy from the call on, even when it fails
    // (FREEONCLOSE).
    unsafe {
        let copy = sqlite::sqlite3_malloc64(image.len() as u64).cast::<u8>();
        if image.len() > 0 {
            if copy.is_null() {
                return Some(call.failure(sqlite::SQLITE_NOMEM, c"out of memory"));
            }
            ptr::copy_nonoverlapping(image.as_ptr(), copy, image.len());
            if is_cut(std::slice::from_raw_parts(copy, image.len())) {
                sqlite::sqlite3_free(copy.cast());
                let text = c"the image of a database ends in the middle of a page: a part of it is missing";
                return Some(call.failure(sqlite::SQLITE_CORRUPT, text));
            }
        }
        let length = image.len() as i64;
        let rc = sqlite::sqlite3_deserialize(db, c"main".as_ptr(), copy, length, length, flags);
        Some(match rc {
            sqlite::SQLITE_OK => ptr::null_mut(),
            sqlite::SQLITE_ERROR => call.failure(rc, c"unable to deserialize database"),
            _ => call.failure(rc, CStr::from_ptr(sqlite::sqlite3_errstr(rc))),
        })
    }
}

/// Whether a part of an image is missing. SQLite would read zeros there. What is no image at all it tells by itself.
fn is_cut(image: &[u8]) -> bool {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const PAGE_SIZE: usize = 16;
    if image.len() < VERSIONS || !image.starts_with(MAGIC) {
        return false;
    }
    let page_size = match u16::from_be_bytes([image[PAGE_SIZE], image[PAGE_SIZE + 1]]) {
        1 => 1 << 16,
        size => usize::from(size),
    };
    page_size.is_power_of_two() && page_size >= 512 && !image.len().is_multiple_of(page_size)
}
