//! Packed rows: one buffer for a whole result.

use std::ffi::c_void;

use crate::handles::{Object, get, take};

/// A packed result; immutable, readable from any thread.
pub struct keel_rows(());

/// The packed table, laid out as described at the top of this header. Valid until the rows are freed; NULL for a
/// handle that is none.
///
/// # Safety
/// `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rows_data(rows: *const keel_rows, length: *mut usize) -> *const c_void {
    let (data, size) = match get(rows.cast()) {
        Some(Object::Rows(packed)) => (packed.bytes().as_ptr().cast(), packed.bytes().len()),
        _ => (std::ptr::null(), 0),
    };
    if !length.is_null() {
        // SAFETY: writable by the caller's promise.
        unsafe { length.write(size) };
    }
    data
}

/// Frees rows; NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keel_rows_free(rows: *mut keel_rows) {
    drop(take(rows.cast(), |object| matches!(object, Object::Rows(_))));
}
