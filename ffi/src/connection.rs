//! The connection: open, work, report, close.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use litekeel_core::packed::{Cell, Encoder, Packed, Table};
use litekeel_core::{Begin, Connection, Error, Options, codes};

use crate::arguments::{bytes, utf8};
use crate::boundary::{null, run};
use crate::error::keel_error;
use crate::handles::{Object, get, give, refused, take};
use crate::options::{self, keel_options};
use crate::rows::{Rows, keel_rows};

/// A tuned connection. Tokens of it are counted; the last one that ends closes it.
pub struct keel_db(());

/// The connection of a token; in a forked child KEEL_E_FORKED, whatever the call.
pub(crate) fn of(db: *mut keel_db) -> Result<Arc<Connection>, Error> {
    match get(db.cast()) {
        Some(Object::Db(connection) | Object::Loan(connection)) => connection.check_process().map(|()| connection),
        _ => Err(refused("connection")),
    }
}

/// # Safety
/// `out` is NULL or writable.
pub(crate) unsafe fn store<T>(out: *mut *mut T, make: impl FnOnce() -> Result<Object, Error>) -> Result<i32, Error> {
    if out.is_null() {
        return Err(null("out"));
    }
    // SAFETY: writable by the caller's promise; NULL stays there when it fails.
    unsafe { out.write(std::ptr::null_mut()) };
    let object = make()?;
    // SAFETY: as above.
    unsafe { out.write(give(object).cast()) };
    Ok(0)
}

/// Opens the database that `url` names; NULL takes DATABASE_URL, then file:data/sqlite.db.
///
/// # Safety
/// `url` is NULL or readable for `len`; `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_open(
    url: *const c_char,
    len: usize,
    out: *mut *mut keel_db,
    err: *mut *mut keel_error,
) -> i32 {
    // SAFETY: the caller's promises.
    unsafe { keel_open_with(url, len, std::ptr::null(), out, err) }
}

/// Opens with options, which win over the URL; NULL options are none.
///
/// # Safety
/// As keel_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_open_with(
    url: *const c_char,
    len: usize,
    options: *const keel_options,
    out: *mut *mut keel_db,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        // SAFETY: the caller's promises.
        unsafe {
            store(out, || {
                let url = if url.is_null() { None } else { Some(utf8(url, len, "url")?) };
                let options = if options.is_null() {
                    Options::new()
                } else {
                    options::of(options)?.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
                };
                Ok(Object::Db(Connection::open(url, &options)?))
            })
        }
    })
}

/// A token of its own for the same connection, which is shared from now on: every call on it begins and ends outside a
/// transaction.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_retain(db: *mut keel_db, out: *mut *mut keel_db, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Object::Db(of(db)?.retain()?))) })
}

/// Another connection to the same file, tuned alike, with a transaction of its own.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_sibling(db: *mut keel_db, out: *mut *mut keel_db, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Object::Db(of(db)?.sibling()?))) })
}

fn end(db: *mut keel_db) -> Result<i32, Error> {
    // In a forked child the token stays what it is there: the parent's.
    // In a callback of the connection's it stays usable, since it cannot be closed there.
    of(db)?.check_not_inside()?;
    match take(db.cast(), |object| matches!(object, Object::Db(_))) {
        Some(Object::Db(connection)) => {
            crate::monitoring::forget(db);
            connection.close().map(|_| 0)
        }
        _ if matches!(get(db.cast()), Some(Object::Loan(_))) => {
            Err(refused("connection").with_hint("it is borrowed: whoever opened the connection closes it"))
        }
        _ => Err(refused("connection")),
    }
}

/// Ends this token; the last one closes. For finalizers: cannot fail, NULL is fine. In a callback of the connection the
/// owner leaves when the call is over that the callback is part of.
#[unsafe(no_mangle)]
pub extern "C" fn keel_release(db: *mut keel_db) {
    run(std::ptr::null_mut(), || {
        of(db)?;
        if let Some(Object::Db(connection)) = take(db.cast(), |object| matches!(object, Object::Db(_))) {
            crate::monitoring::forget(db);
            connection.release();
        }
        Ok(0)
    });
}

/// Ends this token; the last one closes and reports what it hit. Again: KEEL_E_HANDLE. In a forked
/// child it does nothing: KEEL_E_FORKED. In a callback of the connection neither: SQLITE_MISUSE.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_close(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || end(db))
}

/// Runs a script of statements as written; what ran before an error stays.
///
/// # Safety
/// `sql` is NULL or readable for `len`; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_exec(db: *mut keel_db, sql: *const c_char, len: usize, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || of(db)?.exec(unsafe { utf8(sql, len, "sql")? }).map(|()| 0))
}

/// Runs a script in one BEGIN IMMEDIATE transaction: all of it or nothing.
///
/// # Safety
/// As keel_exec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_exec_atomic(
    db: *mut keel_db,
    sql: *const c_char,
    len: usize,
    err: *mut *mut keel_error,
) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || of(db)?.exec_atomic(unsafe { utf8(sql, len, "sql")? }).map(|()| 0))
}

/// Runs one statement, once for each row of packed parameters (in a savepoint when there are several), or once with
/// NULL parameters; its rows come back packed.
///
/// With `batch_bytes` 0 all of them. Else the first rows that fill so many bytes, at least one; keel_rows_next fetches
/// the others. Until the last one is read or the rows are freed the statement keeps a read transaction open. Only on a
/// connection with one owner (else KEEL_E_SHARED) and with at most one row of parameters.
///
/// # Safety
/// `sql` and `params` are NULL or readable for their lengths; `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_query(
    db: *mut keel_db,
    sql: *const c_char,
    len: usize,
    params: *const c_void,
    params_len: usize,
    batch_bytes: u64,
    out: *mut *mut keel_rows,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        // SAFETY: the caller's promises.
        unsafe {
            store(out, || {
                let connection = of(db)?;
                let sql = utf8(sql, len, "sql")?;
                let params =
                    if params.is_null() { None } else { Some(Table::check(bytes(params, params_len, "params")?)?) };
                if batch_bytes == 0 {
                    return Ok(Rows::whole(connection.query(sql, params)?));
                }
                let (rows, stream) = connection.stream(sql, params, batch_bytes)?;
                Ok(Rows::stream(rows, stream))
            })
        }
    })
}

/// For keel_begin: what the setting txlock says (immediate, unless it was set).
pub const KEEL_DEFAULT: i32 = -1;
/// For keel_begin: take the write lock at the first write; an explicit txlock replaces it.
pub const KEEL_DEFERRED: i32 = 0;
/// For keel_begin: take the write lock now.
pub const KEEL_IMMEDIATE: i32 = 1;
/// For keel_begin: keep readers out too (outside WAL).
pub const KEEL_EXCLUSIVE: i32 = 2;

fn alone(db: *mut keel_db, sql: &str) -> Result<i32, Error> {
    let connection = of(db)?;
    connection.require_sole_owner("a transaction over several calls")?;
    connection.exec(sql).map(|()| 0)
}

/// Begins a transaction. Only on a connection with one owner, else KEEL_E_SHARED.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_begin(db: *mut keel_db, mode: i32, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        let told = match mode {
            KEEL_DEFAULT => Begin::Default,
            KEEL_DEFERRED => Begin::Deferred,
            KEEL_IMMEDIATE => Begin::Immediate,
            KEEL_EXCLUSIVE => Begin::Exclusive,
            other => {
                return Err(Error::new(codes::ARGUMENT, format!("{other} is no mode of a transaction"))
                    .with_hint("use KEEL_DEFAULT, KEEL_DEFERRED, KEEL_IMMEDIATE or KEEL_EXCLUSIVE"));
            }
        };
        alone(db, of(db)?.begin_statement(told))
    })
}

/// Commits.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_commit(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || alone(db, "COMMIT"))
}

/// Rolls back.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rollback(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || alone(db, "ROLLBACK"))
}

/// Gives each later call on the connection at most `ms` milliseconds, a wait for a lock included; then it fails with
/// SQLITE_INTERRUPT, and a write in a transaction takes the transaction with it. 0: no limit. While a limit is set
/// litekeel uses the connection's progress handler (sqlite3_progress_handler has one place).
#[unsafe(no_mangle)]
pub extern "C" fn keel_set_timeout(db: *mut keel_db, ms: u32) -> i32 {
    run(std::ptr::null_mut(), || of(db)?.set_timeout(Duration::from_millis(ms.into())).map(|()| 0))
}

/// Makes the running call fail with SQLITE_INTERRUPT. Any thread; never blocks.
#[unsafe(no_mangle)]
pub extern "C" fn keel_interrupt(db: *mut keel_db) {
    run(std::ptr::null_mut(), || of(db).map(|connection| connection.interrupt()).map(|()| 0));
}

/// What open found and did: packed rows of name, value, wanted, source, note.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_report(db: *mut keel_db, out: *mut *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Rows::whole(report(&*of(db)?)))) })
}

fn report(connection: &Connection) -> Packed {
    let names: [&[u8]; 5] = [b"name", b"value", b"wanted", b"source", b"note"];
    let mut rows = Encoder::new(names);
    let report = connection.report();
    for row in &report.rows {
        for text in [row.name, &row.value, &row.wanted, row.source, &row.note] {
            rows.push(Cell::Text(text.as_bytes()));
        }
    }
    for warning in &report.warnings {
        for text in ["warning", "", "", "", warning] {
            rows.push(Cell::Text(text.as_bytes()));
        }
    }
    rows.finish()
}
