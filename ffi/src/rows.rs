//! Packed rows: one buffer for a whole result, or for one batch of it after the other.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use litekeel_core::error::Holder;
use litekeel_core::packed::{Cell, Encoder, Packed};
use litekeel_core::{Error, Stream, sqlite};

use crate::boundary::{run, value};
use crate::error::keel_error;
use crate::handles::{Object, get, look, refused, take};

/// A packed result. Whole results are immutable and readable from any thread; one that is read in batches belongs to
/// one thread at a time.
pub struct keel_rows(());

/// From keel_rows_next: there are rows (SQLITE_ROW).
pub const KEEL_ROW: i32 = 100;
/// From keel_rows_next: there are no more (SQLITE_DONE).
pub const KEEL_DONE: i32 = 101;

/// What a token for rows stands for.
pub(crate) enum Rows {
    Whole(Packed),
    Batches(Mutex<Batch>),
}

pub(crate) struct Batch {
    packed: Packed,
    stream: Stream,
}

impl Rows {
    pub(crate) fn whole(packed: Packed) -> Object {
        Object::Rows(Arc::new(Rows::Whole(packed)))
    }

    pub(crate) fn stream(packed: Packed, stream: Stream) -> Object {
        Object::Rows(Arc::new(Rows::Batches(Mutex::new(Batch { packed, stream }))))
    }

    fn data(&self) -> (*const c_void, usize) {
        let address = |packed: &Packed| (packed.bytes().as_ptr().cast(), packed.bytes().len());
        match self {
            Rows::Whole(packed) => address(packed),
            // While keel_rows_next fills them there are none to be read.
            Rows::Batches(batch) => alone(batch).map_or((std::ptr::null(), 0), |batch| address(&batch.packed)),
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

/// The packed table, laid out as described at the top of this header. Valid until the rows are freed or, in batches,
/// until the next keel_rows_next; NULL for a handle that is none, and while keel_rows_next runs.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rows_data(rows: *const keel_rows, length: *mut usize) -> *const c_void {
    let (data, size) = value((std::ptr::null(), 0), || {
        let whole = look(rows.cast(), |object| match object {
            Object::Rows(rows) if matches!(**rows, Rows::Whole(_)) => Some(rows.data()),
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

/// Fetches the next batch into the rows: KEEL_ROW (SQLITE_ROW) when there are more, KEEL_DONE (SQLITE_DONE) with an
/// empty table when there are none, or an error's code, again on every later call. keel_query has fetched the first
/// batch already; a whole result has no other.
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
