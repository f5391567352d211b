//! How a connection is: who holds its locks, whether it is well, and what happens to it.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Once};

use litekeel_core::{Error, codes};

use crate::boundary::{connection_of, run, store};
use crate::objects::Rows;
use crate::reports::{diagnose, holders};
use crate::subscriptions::{LISTENERS, Listener, end, forget};
use crate::types::{keel_db, keel_error, keel_rows};

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
            let connection = connection_of(db)?;
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
/// means and what to do. First the checks `database_file`, `wal_file`, `locks`, `second_sqlite` and `names`, each "good",
/// "bad" or "unknown", and `attached` for each attached database; `latched` with the code for which the connection refuses to write, if it does; `wal_frames`,
/// `wal_checkpointed`, `wal_bytes` and `page_size` as numbers; `attached_settings` of each attached database; a `pin` for each reader that keeps the WAL from being
/// reused; then what is hazardous about the path.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_diagnose(db: *mut keel_db, out: *mut *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Rows::whole(diagnose(&*connection_of(db)?)?))) })
}

/// Called for each event: `name` is NUL-terminated, `fields` one packed row of `len` bytes (keel_cursor_at reads it);
/// both are valid during the call. It must return normally: no exception, no longjmp. It must not call litekeel or
/// use the connection.
pub type keel_event_fn =
    Option<unsafe extern "C" fn(ctx: *mut c_void, name: *const c_char, fields: *const c_void, len: usize)>;

/// Calls `listener` with `ctx` for each event of this connection and of its file, instead of the function set for
/// this handle before; NULL ends it, and so does the end of the handle. It runs on the thread that caused the event,
/// or on litekeel's own for what happens in the background. When this returns, the function set before may still be
/// running on another thread. docs/events.md (installed in share/litekeel) lists the events and their fields.
///
/// # Safety
/// `listener` may be called with `ctx`, on any thread, until it is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_on_event(db: *mut keel_db, listener: keel_event_fn, ctx: *mut c_void) -> i32 {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| litekeel_core::hold_over_forks(&LISTENERS));
    run(std::ptr::null_mut(), || {
        let connection = connection_of(db)?;
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
        if connection_of(db).is_err() {
            // Another thread has ended the handle meanwhile, and has not seen the subscription.
            forget(db);
        }
        Ok(0)
    })
}
