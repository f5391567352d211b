//! A statement's rows, a few at a time.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use litekeel_remote::Cursor;
use napi::sys;

use super::work::ordered;
use super::{caught, opened};
use crate::connection::call::Call;
use crate::js::object;
use crate::js::value;
use crate::reader;
use crate::reader::params::Params;

/// Marks externals as cursors.
const CURSOR: sys::napi_type_tag = sys::napi_type_tag { lower: 0x6c69_7465_6b65_656c, upper: 0x6375_7273_6f72_0001 };

type Slot = Mutex<Option<Cursor>>;

unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the box of `open`; finalised once.
    drop(unsafe { Box::from_raw(data.cast::<Slot>()) });
}

/// `(database, sql, values, names)` → cursor, or an error as `failure` lists it
pub(super) unsafe fn open(call: &Call) -> Option<sys::napi_value> {
    let remote = opened(call, 0)?;
    let sql = String::from_utf8_lossy(&value::utf8(call.env, call.args[1])?).into_owned();
    let params = Params::from_js(call.env, call.args[2], call.args[3])?;
    let cursor = caught(|| match ordered(&remote, &sql, &params)? {
        Ok(row) => remote.cursor(&sql, row.as_ref().map(|row| row.table())).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    });
    let cursor = match cursor {
        Ok(Ok(cursor)) => cursor,
        Ok(Err(refusal)) => {
            let throw = if refusal.range { value::throw_range } else { value::throw_type };
            throw(call.env, &refusal.message);
            return None;
        }
        Err(error) => return Some(object::failure(call.env, &error)),
    };
    let mut external = ptr::null_mut();
    let data: *mut c_void = Box::into_raw(Box::new(Slot::new(Some(cursor)))).cast();
    // SAFETY: the external owns the box.
    unsafe {
        if sys::napi_create_external(call.env, data, Some(free), ptr::null_mut(), &mut external) != sys::Status::napi_ok
        {
            drop(Box::from_raw(data.cast::<Slot>()));
            return None;
        }
        sys::napi_type_tag_object(call.env, external, &CURSOR);
    }
    Some(external)
}

/// The slot of a cursor.
fn slot(call: &Call) -> Option<&Slot> {
    let data = call.external(0, &CURSOR)?.cast_const().cast::<Slot>();
    // SAFETY: the tag says that it is a box of `open`'s, which lives while the argument does.
    Some(unsafe { &*data })
}

/// `(cursor, limit, safe integers)` → `[names, row, …]`, or an error as `failure` lists it. None are left when there is none.
pub(super) unsafe fn rows(call: &Call) -> Option<sys::napi_value> {
    let mut slot = slot(call)?.lock().unwrap_or_else(PoisonError::into_inner);
    let cursor = slot.as_mut()?;
    let limit = usize::try_from(call.int(1)).unwrap_or(1);
    Some(match caught(|| cursor.next(limit)) {
        Ok(packed) => reader::rows(call.env, &packed, call.flag(2)),
        Err(error) => object::failure(call.env, &error),
    })
}

/// `(cursor)`: it is ended at the server, and nobody waits for that.
pub(super) unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    let cursor = slot(call)?.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(cursor);
    None
}
