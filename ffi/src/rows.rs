//! Packed rows: one buffer for a whole result, or for one batch of it after the other.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use litekeel_core::{Error, sqlite};

use crate::boundary::{run, value};
use crate::handles::{get, not_a_handle, peek, remove};
use crate::objects::{Object, Rows, alone};
use crate::types::{keel_error, keel_rows};

/// From keel_rows_next: there are rows (SQLITE_ROW).
pub const KEEL_ROW: i32 = 100;
/// From keel_rows_next: there are no more (SQLITE_DONE).
pub const KEEL_DONE: i32 = 101;

fn of(rows: *const keel_rows) -> Result<Arc<Rows>, Error> {
    match get(rows.cast()) {
        Some(Object::Rows(rows)) => Ok(rows),
        _ => Err(not_a_handle("rows object")),
    }
}

/// The packed table, as described at the top of this header; `length` may be NULL and gets its length in bytes. Valid
/// until the rows are freed or, in batches, until the next keel_rows_next. NULL for a handle that is not one of rows,
/// and while keel_rows_next runs.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rows_data(rows: *const keel_rows, length: *mut usize) -> *const c_void {
    let (data, size) = value((std::ptr::null(), 0), || {
        let whole = peek(rows.cast(), |object| match object {
            Object::Rows(rows) if matches!(**rows, Rows::Whole(..)) => Some(rows.data()),
            _ => None,
        });
        whole.unwrap_or_else(|| of(rows).map_or((std::ptr::null(), 0), |rows| rows.data()))
    });
    if !length.is_null() {
        // SAFETY: writable by the caller's promise.
        unsafe { length.write(size) };
    }
    data
}

/// Fetches the next batch into `rows`: KEEL_ROW when it has rows, KEEL_DONE with an empty table when there are no
/// more, or an error's code, which every later call repeats. keel_query has already fetched the first batch; a whole
/// result has no other. KEEL_E_CLOSED once the connection is closed.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rows_next(rows: *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        let rows = of(rows)?;
        let Rows::Batches(batch) = &*rows else { return Ok(KEEL_DONE) };
        let mut batch = alone(batch).ok_or_else(|| {
            Error::new(sqlite::SQLITE_MISUSE, "these rows are being fetched by another call").with_hint(
                "rows in batches belong to one thread at a time, and not to a callback of their own statement",
            )
        })?;
        batch.text = None;
        match batch.stream.next_batch()? {
            Some(packed) => {
                let more = packed.table().rows() > 0;
                batch.packed = packed;
                Ok(if more { KEEL_ROW } else { KEEL_DONE })
            }
            None => {
                batch.packed = batch.packed.without_rows();
                Ok(KEEL_DONE)
            }
        }
    })
}

/// The rows as a table with column names, for a log or a terminal: one line for each row, at most 1000 rows, values cut
/// after 240 characters, control characters escaped. NUL-terminated, never NULL; "" for a handle that is not one of rows
/// and while keel_rows_next runs. Valid until the rows are freed or, in batches, until the next keel_rows_next.
///
/// `length` may be NULL; it gets the length in bytes.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rows_text(rows: *const keel_rows, length: *mut usize) -> *const c_char {
    let (text, size) = value((c"".as_ptr(), 0), || {
        let text = of(rows).ok().and_then(|rows| rows.text());
        text.unwrap_or((c"".as_ptr(), 0))
    });
    if !length.is_null() {
        // SAFETY: writable by the caller's promise.
        unsafe { length.write(size) };
    }
    text
}

/// Frees rows; NULL is fine. Ends the statement of rows that were not read to the end.
#[unsafe(no_mangle)]
pub extern "C" fn keel_rows_free(rows: *mut keel_rows) {
    value((), || drop(remove(rows.cast(), |object| matches!(object, Object::Rows(_)))));
}
