//! How a connection is: who holds its locks, whether it is well, and what happens to it.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Once, Weak};

use litekeel_core::events::{Event, Value};
use litekeel_core::fork::ForkMutex;
use litekeel_core::health::Check;
use litekeel_core::packed::{Cell, Encoder, Packed};
use litekeel_core::{Connection, Error, codes, hazards};

use crate::boundary::run;
use crate::connection::{keel_db, of, store};
use crate::error::keel_error;
use crate::rows::{Rows, holders, keel_rows};

/// Who holds a lock on the database now, this connection excepted: `out` gets packed rows as from keel_error_holders,
/// writers first. No rows for a database in memory. KEEL_E_IO where the system cannot tell.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_holders(db: *mut keel_db, out: *mut *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe {
        store(out, || {
            let connection = of(db)?;
            let found = match (connection.path(), connection.holders()) {
                (None, _) => Vec::new(),
                (Some(_), Some(found)) => found,
                (Some(path), None) => {
                    return Err(
                        Error::new(codes::IO, "who holds a lock cannot be found out on this system").with_path(path)
                    );
                }
            };
            Ok(Rows::whole(holders(&found)))
        })
    })
}

/// How the connection and its database are: `out` gets packed rows of name, value and hint; the hint says what it
/// means and what to do. First the checks `database_file`, `wal_file`, `locks` and `second_sqlite`, each "good",
/// "bad" or "unknown"; `latched` with the code for which the connection refuses to write, if it does; `wal_frames`,
/// `wal_checkpointed`, `wal_bytes` and `page_size` as numbers; a `pin` for each reader that keeps the WAL from being
/// reused; then what is hazardous about the path.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_diagnose(db: *mut keel_db, out: *mut *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Rows::whole(diagnose(&*of(db)?)?))) })
}

fn diagnose(connection: &Connection) -> Result<Packed, Error> {
    let names: [&[u8]; 3] = [b"name", b"value", b"hint"];
    let mut rows = Encoder::new(names);
    let mut row = |name: &str, value: Cell<'_>, hint: &str| {
        rows.push(Cell::Text(name.as_bytes()));
        rows.push(value);
        rows.push(Cell::Text(hint.as_bytes()));
    };
    let health = connection.health()?;
    for Check { name, verdict, note, hint, .. } in &health.checks {
        let hint = [note.as_str(), hint].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        row(name, Cell::Text(verdict.as_str().as_bytes()), &hint);
    }
    if let Some(error) = &health.latched {
        row("latched", Cell::Text(error.name().as_bytes()), &error.to_string());
    }
    if let Some(status) = connection.wal_status()? {
        for (name, value) in [
            ("wal_frames", status.frames),
            ("wal_checkpointed", status.checkpointed),
            ("wal_bytes", status.bytes),
            ("page_size", status.page_size),
        ] {
            row(name, Cell::Int(value), "");
        }
    }
    for pin in connection.pins()?.iter().flat_map(|pins| &pins.pins) {
        row("pin", Cell::Text(pin.describe().as_bytes()), "end that read transaction, and the WAL can be recycled");
    }
    if let (Some(path), Some(settings)) = (connection.path(), connection.settings()) {
        for finding in hazards::hazards(path, settings) {
            row(finding.check, Cell::Text(finding.found.as_bytes()), &finding.remedy);
        }
    }
    Ok(rows.finish())
}

/// Called for each event: `name` is NUL-terminated, `fields` one packed row of `len` bytes (keel_cursor_at reads it);
/// both are valid during the call. It must return normally: no exception, no longjmp. It must not call litekeel or
/// use the connection.
pub type keel_event_fn =
    Option<unsafe extern "C" fn(ctx: *mut c_void, name: *const c_char, fields: *const c_void, len: usize)>;

#[derive(Clone, Copy)]
struct Listener(unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void, usize), *mut c_void);
// SAFETY: whoever sets it says with that that it may be called on any thread.
unsafe impl Send for Listener {}
// SAFETY: as above.
unsafe impl Sync for Listener {}

impl Listener {
    fn hear(self, event: &Event) {
        let mut row = Encoder::new(event.fields.iter().map(|(name, _)| name.as_bytes()));
        for (_, value) in &event.fields {
            row.push(match value {
                Value::Int(number) => Cell::Int(*number),
                Value::Text(text) => Cell::Text(text.as_bytes()),
            });
        }
        let packed = row.finish();
        let bytes = packed.bytes();
        let Ok(name) = CString::new(event.name) else { return };
        // SAFETY: the promise of whoever set it; name and row live during the call.
        unsafe { (self.0)(self.1, name.as_ptr(), bytes.as_ptr().cast(), bytes.len()) };
    }
}

/// The subscription of each token.
static LISTENERS: ForkMutex<BTreeMap<usize, (Weak<Connection>, u64)>> = ForkMutex::new(BTreeMap::new());

/// Calls `listener` with `ctx` for each event of this connection and of its file, instead of the function set for
/// this handle before; NULL ends it, and so does the end of the handle. It runs on the thread that caused the event,
/// or on litekeel's own for what happens in the background. When this returns, the function set before may still be
/// running on another thread. docs/events.md (installed in share/doc/litekeel) lists the events and their fields.
///
/// # Safety
/// `listener` may be called with `ctx`, on any thread, until it is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_on_event(db: *mut keel_db, listener: keel_event_fn, ctx: *mut c_void) -> i32 {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| litekeel_core::hold_over_forks(&LISTENERS));
    run(std::ptr::null_mut(), || {
        let connection = of(db)?;
        let added = listener.map(|listener| {
            let listener = Listener(listener, ctx);
            (Arc::downgrade(&connection), connection.on_event(Arc::new(move |event| listener.hear(event))))
        });
        let mut listeners = LISTENERS.lock();
        let before = match added {
            Some(added) => listeners.insert(db as usize, added),
            None => listeners.remove(&(db as usize)),
        };
        drop(listeners);
        end(before);
        if of(db).is_err() {
            // Another thread has ended the handle meanwhile, and has not seen the subscription.
            forget(db);
        }
        Ok(0)
    })
}

fn end(subscription: Option<(Weak<Connection>, u64)>) {
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
