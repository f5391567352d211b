//! The event listeners that C has set, one for each handle.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::Weak;

use litekeel_core::Connection;
use litekeel_core::ForkMutex;
use litekeel_core::{Cell, Encoder};
use litekeel_core::{Event, EventValue};

use crate::types::keel_db;

#[derive(Clone, Copy)]
pub(crate) struct Listener(
    pub(crate) unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void, usize),
    pub(crate) *mut c_void,
);
// SAFETY: whoever sets it says with that that it may be called on any thread.
unsafe impl Send for Listener {}
// SAFETY: as above.
unsafe impl Sync for Listener {}

impl Listener {
    pub(crate) fn hear(self, event: &Event) {
        let mut row = Encoder::new(event.fields.iter().map(|(name, _)| name.as_bytes()));
        for (_, value) in &event.fields {
            row.push(match value {
                EventValue::Int(number) => Cell::Int(*number),
                EventValue::Text(text) => Cell::Text(text.as_bytes()),
            });
        }
        let packed = row.finish();
        let bytes = packed.bytes();
        let Ok(name) = CString::new(event.name.as_str()) else { return };
        // SAFETY: the promise of whoever set it; name and row live during the call.
        unsafe { (self.0)(self.1, name.as_ptr(), bytes.as_ptr().cast(), bytes.len()) };
    }
}

/// The subscription of each token.
pub(crate) static LISTENERS: ForkMutex<BTreeMap<usize, (Weak<Connection>, u64)>> = ForkMutex::new(BTreeMap::new());

pub(crate) fn end(subscription: Option<(Weak<Connection>, u64)>) {
    if let Some((connection, id)) = subscription
        && let Some(connection) = connection.upgrade()
    {
        connection.off_event(id);
    }
}

/// The handle has ended, and with it its subscription.
pub(crate) fn forget(db: *mut keel_db) {
    let before = LISTENERS.lock().remove(&(db as usize));
    end(before);
}
