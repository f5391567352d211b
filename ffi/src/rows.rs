//! Packed rows: one buffer for a whole result, or for one batch of it after the other.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};

use litekeel_core::error::Holder;
use litekeel_core::packed::{Cell, Encoder, Packed};
use litekeel_core::{Error, Stream, sqlite};

use crate::boundary::{run, value};
use crate::error::keel_error;
use crate::handles::{Object, get, look, refused, take};
use crate::rows_text;

/// A packed result. Whole results are immutable and readable from any thread; one that is read in batches belongs to
/// one thread at a time.
pub struct keel_rows(());

/// From keel_rows_next: there are rows (SQLITE_ROW).
pub const KEEL_ROW: i32 = 100;
/// From keel_rows_next: there are no more (SQLITE_DONE).
pub const KEEL_DONE: i32 = 101;

/// What a token for rows stands for.
pub(crate) enum Rows {
    /// The table, and its text once somebody has asked for it.
    Whole(Packed, OnceLock<CString>),
    Batches(Mutex<Batch>),
}

pub(crate) struct Batch {
    packed: Packed,
    /// Of this batch, once somebody has asked for it.
    text: Option<CString>,
    stream: Stream,
}

impl Rows {
    pub(crate) fn whole(packed: Packed) -> Object {
        Object::Rows(Arc::new(Rows::Whole(packed, OnceLock::new())))
    }

    pub(crate) fn stream(packed: Packed, stream: Stream) -> Object {
        Object::Rows(Arc::new(Rows::Batches(Mutex::new(Batch { packed, text: None, stream }))))
    }

    fn data(&self) -> (*const c_void, usize) {
        let address = |packed: &Packed| (packed.bytes().as_ptr().cast(), packed.bytes().len());
        match self {
            Rows::Whole(packed, _) => address(packed),
            // While keel_rows_next fills them there are none to be read.
            Rows::Batches(batch) => alone(batch).map_or((std::ptr::null(), 0), |batch| address(&batch.packed)),
        }
    }

    /// The text's address and length; it lives as long as these rows, or this batch of them.
    fn text(&self) -> Option<(*const c_char, usize)> {
        let address = |text: &CString| (text.as_ptr(), text.as_bytes().len());
        match self {
            Rows::Whole(packed, text) => Some(address(text.get_or_init(|| rows_text::format(packed.table())))),
            Rows::Batches(batch) => alone(batch).map(|mut batch| {
                let Batch { packed, text, .. } = &mut *batch;
                address(text.get_or_insert_with(|| rows_text::format(packed.table())))
            }),
        }
    }
}

/// The batch, unless a call is filling it: one of another thread's, or one that this is a callback of.
fn alone(batch: &Mutex<Batch>) -> Option<MutexGuard<'_, Batch>> {
    match batch.try_lock() {
        Ok(batch) => Some(batch),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn of(rows: *const keel_rows) -> Result<Arc<Rows>, Error> {
    match get(rows.cast()) {
        Some(Object::Rows(rows)) => Ok(rows),
        _ => Err(refused("rows object")),
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
        let whole = look(rows.cast(), |object| match object {
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
    value((), || drop(take(rows.cast(), |object| matches!(object, Object::Rows(_)))));
}

/// Those who hold a lock: pid, role, state, command, since (milliseconds or NULL), sql, opened_at.
pub(crate) fn holders(list: &[Holder]) -> Packed {
    let names: [&[u8]; 7] = [b"pid", b"role", b"state", b"command", b"since", b"sql", b"opened_at"];
    let mut rows = Encoder::new(names);
    for holder in list {
        rows.push(Cell::Int(holder.pid.into()));
        rows.push(Cell::Text(holder.role.as_bytes()));
        rows.push(Cell::Text(holder.state.as_bytes()));
        rows.push(Cell::Text(holder.command.as_bytes()));
        rows.push(holder.since.map_or(Cell::Null, |since| Cell::Int(since.as_millis() as i64)));
        for optional in [&holder.sql, &holder.opened_at] {
            rows.push(optional.as_ref().map_or(Cell::Null, |text| Cell::Text(text.as_bytes())));
        }
    }
    rows.finish()
}
