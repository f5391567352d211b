//! What keeps a database well: checkpoint, backup, the replica, the log.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Once};
use std::time::Duration;

use litekeel_core::ForkMutex;
use litekeel_core::{Token, subscribe_log};

use crate::arguments::utf8;
use crate::boundary::{connection_of, run};
use crate::types::{keel_db, keel_error};

/// Moves the WAL into the database. `mode`: SQLite's SQLITE_CHECKPOINT_PASSIVE (0), FULL (1), RESTART (2), TRUNCATE
/// (3) or NOOP (-1, only looks). `log` gets the number of frames in the WAL and `done` how many of them are in the
/// database; both may be NULL. SQLITE_BUSY when readers or a writer are in the way; KEEL_E_IN_TRANSACTION.
///
/// # Safety
/// `log`, `done` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_checkpoint(
    db: *mut keel_db,
    mode: i32,
    log: *mut i64,
    done: *mut i64,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        let (frames, moved) = connection_of(db)?.checkpoint(mode)?;
        for (place, value) in [(log, frames), (done, moved)] {
            if !place.is_null() {
                // SAFETY: writable by the caller's promise.
                unsafe { place.write(value) };
            }
        }
        Ok(0)
    })
}

/// Called after each step of a backup, with the pages done and the pages in all, on the thread that called
/// keel_backup; any value but 0 stops the backup. It must return normally: no exception, no longjmp. It must not use
/// the connection.
pub type keel_progress = Option<unsafe extern "C" fn(ctx: *mut c_void, done: i64, total: i64) -> i32>;

/// Copies the database, as one consistent state whatever is written meanwhile, to the file that `dest_url` names (as
/// for keel_open); its content is replaced in one transaction.
///
/// `pages`: how many are copied in each step; 0: litekeel chooses; negative: all at once. `progress` may be NULL, and
/// is called with `ctx`. When it stops the backup: SQLITE_INTERRUPT. After a failure a destination that was new is
/// gone, and one that existed is as it was; a new one has its name only when it is complete. Returns the codes of
/// keel_open for the destination, and SQLite's: SQLITE_NOTADB when the database has no page yet, so that nothing could be
/// copied, and KEEL_CONFLICT when the destination has its texts in another encoding.
///
/// # Safety
/// `dest_url` is NULL or readable for `len`; `progress` may be called with `ctx`; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_backup(
    db: *mut keel_db,
    dest_url: *const c_char,
    len: usize,
    pages: i32,
    progress: keel_progress,
    ctx: *mut c_void,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        let connection = connection_of(db)?;
        // SAFETY: the caller's promise.
        let url = unsafe { utf8(dest_url, len, "dest_url")? };
        let hear = |done, total| match progress {
            // SAFETY: the caller's function, with the caller's context.
            Some(progress) => unsafe { progress(ctx, done, total) != 0 },
            None => false,
        };
        connection.backup(url, pages, hear).map(|_| 0)
    })
}

/// Waits until everything that was committed to the database before the call is at Litestream's replica; `txid` gets
/// Litestream's number of the position there, and may be NULL. `timeout_ms`: how long to wait; negative: the setting
/// replication_timeout. Other threads can use the connection meanwhile.
///
/// KEEL_E_NOT_REPLICATED when that could not be confirmed. Whatever was committed stays committed; keel_error_step says why:
/// timeout, daemon_gone, replica_refuses, stopped, not_this_database, protocol, cancelled (the connection was closed
/// meanwhile, or the process is shutting down). KEEL_E_CONFLICT with replication=none or in memory; SQLITE_MISUSE inside a
/// transaction.
///
/// # Safety
/// `txid` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_replicated(
    db: *mut keel_db,
    timeout_ms: i64,
    txid: *mut u64,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        let token = connection_of(db)?.replicated(timeout)?;
        if !txid.is_null() {
            // SAFETY: writable by the caller's promise.
            unsafe { txid.write(token.txid()) };
        }
        Ok(0)
    })
}

/// Gives `txid` the position that the copy has, of a connection with role=follower: every read that begins after this call sees all
/// that was committed at the primary up to it. `txid` may be NULL.
///
/// KEEL_E_CONFLICT for another connection; KEEL_E_BEHIND when Litestream's note of the position is gone.
///
/// # Safety
/// `txid` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_position(db: *mut keel_db, txid: *mut u64, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        let has = connection_of(db)?.position()?;
        if !txid.is_null() {
            // SAFETY: writable by the caller's promise.
            unsafe { txid.write(has.txid()) };
        }
        Ok(0)
    })
}

/// Waits until the copy has everything that was committed at the primary up to `txid`, which keel_replicated gave there; the reads
/// that begin after this call see it. `timeout_ms`: how long to wait; negative: the setting replication_timeout. Other threads
/// can use the connection meanwhile.
///
/// KEEL_E_BEHIND when it has not got so far; keel_error_step says why: timeout, or cancelled (the process is shutting down, the
/// time of the call is up). KEEL_E_CONFLICT for a connection without role=follower.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_wait_for(db: *mut keel_db, txid: u64, timeout_ms: i64, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        connection_of(db)?.wait_for(Token::new(txid), timeout).map(|_| 0)
    })
}

/// Called for each line of SQLite's log: an extended result code and a sentence, NUL-terminated and valid during the
/// call. It runs on any thread, perhaps in the middle of a call. It must return normally: no exception, no longjmp.
/// It must use neither litekeel nor SQLite.
pub type keel_log = Option<unsafe extern "C" fn(ctx: *mut c_void, code: i32, message: *const c_char, len: usize)>;

#[derive(Clone, Copy)]
struct Listener(unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize), *mut c_void);
// SAFETY: whoever sets it says with that that it may be called on any thread.
unsafe impl Send for Listener {}
// SAFETY: as above.
unsafe impl Sync for Listener {}

static LISTENER: ForkMutex<Option<Listener>> = ForkMutex::new(None);

/// Calls `log` with `ctx` for each line of SQLite's log, for the whole process, instead of the function set before;
/// NULL ends it. Set it before the first open to see all of it. The function set before may still be running on
/// another thread when this returns.
///
/// # Safety
/// `log` may be called with `ctx`, on any thread, for the rest of the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_set_log(log: keel_log, ctx: *mut c_void) -> i32 {
    static ONCE: Once = Once::new();
    run(std::ptr::null_mut(), || {
        *LISTENER.lock() = log.map(|log| Listener(log, ctx));
        ONCE.call_once(|| {
            litekeel_core::hold_over_forks_inside_sqlite(&LISTENER);
            subscribe_log(Arc::new(|code, message| {
                let listener = *LISTENER.lock();
                let Ok(text) = std::ffi::CString::new(message) else { return };
                if let Some(Listener(log, ctx)) = listener {
                    // SAFETY: the promise of whoever set it.
                    unsafe { log(ctx, code, text.as_ptr(), message.len()) };
                }
            }));
        });
        Ok(0)
    })
}
