//! A statement's rows, a few at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litekeel_remote::Cursor;
use napi::sys;

use super::handle::opened;
use super::work::{caught, ordered};
use crate::connection::call::Call;
use crate::js::external::{self, External, Held};
use crate::js::object;
use crate::js::value;
use crate::reader::answer::{self, Integers};
use crate::reader::params::Params;

/// A cursor, until it is closed.
struct Slot(Mutex<Option<Cursor>>);

impl Slot {
    fn locked(&self) -> MutexGuard<'_, Option<Cursor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held for Slot {
    type Pointer = Arc<Slot>;
    const TAG: sys::napi_type_tag = external::tag(0x6375_7273_6f72_0001);
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
            refusal.throw(call.env);
            return None;
        }
        Err(error) => return Some(object::failure(call.env, &error)),
    };
    External::<Slot>::make(call.env, Arc::new(Slot(Mutex::new(Some(cursor)))))
}

/// The slot of a cursor.
fn slot(call: &Call) -> Option<Arc<Slot>> {
    External::<Slot>::of(call.env, call.args[0])
}

/// `(cursor, limit, safe integers)` → `[names, row, …]`, or an error as `failure` lists it. None are left when there is none.
pub(super) unsafe fn rows(call: &Call) -> Option<sys::napi_value> {
    let slot = slot(call)?;
    let mut slot = slot.locked();
    let cursor = slot.as_mut()?;
    let limit = usize::try_from(call.int(1)).unwrap_or(1);
    Some(match caught(|| cursor.next(limit)) {
        Ok(packed) => answer::rows(call.env, &packed, Integers::safe(call.flag(2))),
        Err(error) => object::failure(call.env, &error),
    })
}

/// `(cursor)`: it is ended at the server, and nobody waits for that.
pub(super) unsafe fn close(call: &Call) -> Option<sys::napi_value> {
    let cursor = slot(call)?.locked().take();
    drop(cursor);
    None
}
