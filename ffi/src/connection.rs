//! The connection: open, work, report, close.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use litekeel_core::Table;
use litekeel_core::{Begin, Connection, Error, PooledConnection, codes};

use crate::arguments::{bytes, utf8};
use crate::boundary::options_or_none;
#[cfg(feature = "remote")]
use crate::boundary::remote_of;
use crate::boundary::{connection_of, run, store};
use crate::handles::{get, not_a_handle, remove};
use crate::objects::{Object, Rows};
use crate::reports::report;
use crate::types::{keel_db, keel_error, keel_options, keel_rows};

/// Opens the database that `url` names, with settings for a server, and checks each of them.
///
/// `url`, `len`: file:data/app.db?busy_timeout=10s, or a path; `len` in bytes, or KEEL_NUL. NULL means the
/// environment variable DATABASE_URL and, if that is not set, file:data/sqlite.db. `out` gets the connection: close
/// it with keel_close or keel_release.
///
/// In a build with the feature `remote`, libsql://host, https://host and http://host:port name the database of a libSQL
/// server: keel_exec, keel_exec_atomic, keel_query, keel_begin, keel_commit, keel_rollback, keel_set_timeout, keel_close
/// and keel_release work on it, with KEEL_E_REMOTE, KEEL_E_TRANSACTION_EXPIRED and KEEL_E_COMMIT_UNKNOWN beside SQLite's codes. The other
/// calls on it return KEEL_E_REMOTE_UNSUPPORTED, or what means nothing. There a statement takes one row of parameters
/// while a transaction is open (else KEEL_E_ARGUMENT), and all its rows come in one batch.
///
/// Returns the KEEL_E_ codes of URLs and settings (KEEL_E_EMPTY_URL to KEEL_E_NEEDS_UNSAFE, KEEL_E_PATH_NOT_ALLOWED),
/// those of the file (KEEL_E_FILE_NOT_WRITABLE to KEEL_E_SECOND_SQLITE, KEEL_E_NOT_A_FILE, KEEL_E_IO),
/// KEEL_E_SETTING_NOT_APPLIED, KEEL_E_MISMATCH, KEEL_E_TWO_COPIES, KEEL_E_SHUTTING_DOWN, and SQLite's:
/// SQLITE_CANTOPEN, SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_READONLY, SQLITE_BUSY.
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

/// As keel_open, with options, which win over the URL. `options` may be NULL, and is still the caller's afterwards.
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
                #[cfg(feature = "remote")]
                if let Some(remote) = open_remote(url, !options.is_null())? {
                    return Ok(Object::Remote(Arc::new(remote)));
                }
                let options = options_or_none(options)?;
                Ok(Object::Db(Connection::open(url, &options)?))
            })
        }
    })
}

/// The database, where the URL or else the environment names one of a libSQL server.
#[cfg(feature = "remote")]
fn open_remote(url: Option<&str>, has_options: bool) -> Result<Option<litekeel_remote::Remote>, Error> {
    use litekeel_remote::Remote;
    let environment = if url.is_none() { std::env::var("DATABASE_URL").ok() } else { None };
    match url.or(environment.as_deref()) {
        Some(url) if Remote::is_named_by(url) && has_options => {
            Err(Error::new(codes::REMOTE_UNSUPPORTED, "options are not applicable to the database of a libSQL server")
                .with_hint("pass NULL; the URL takes tls=, authToken=, connect_timeout= and statement_timeout="))
        }
        Some(url) if Remote::is_named_by(url) => Remote::open(url).map(Some),
        _ => Ok(None),
    }
}

/// Another handle for the same connection, for another owner of it: `out` gets it. From now on the connection is
/// shared, and every call on it begins and ends outside a transaction. KEEL_E_IN_TRANSACTION while a transaction or a
/// batch is open.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_retain(db: *mut keel_db, out: *mut *mut keel_db, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Object::Db(connection_of(db)?.retain()?))) })
}

/// Another connection to the same file, with the same settings and a transaction of its own: `out` gets it.
/// KEEL_E_NO_SIBLING for a database in memory; else the codes of keel_open.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_sibling(db: *mut keel_db, out: *mut *mut keel_db, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Object::Db(connection_of(db)?.sibling()?))) })
}

fn end(db: *mut keel_db) -> Result<i32, Error> {
    #[cfg(feature = "remote")]
    if let Some(remote) = remote_of(db) {
        remote.check_process()?;
        // The last one to let go of it tells the server, once no call of another thread runs on it.
        let ended = remove(db.cast(), |object| matches!(object, Object::Remote(_)));
        return ended.map(|_| 0).ok_or_else(|| not_a_handle("connection"));
    }
    // In a forked child the token stays what it is there: the parent's.
    // In a callback of the connection's it stays usable, since it cannot be closed there.
    connection_of(db)?.check_not_inside()?;
    match remove(db.cast(), |object| matches!(object, Object::Db(_) | Object::Pooled(_))) {
        Some(Object::Db(connection)) => {
            crate::subscriptions::forget(db);
            connection.close().map(|_| 0)
        }
        Some(Object::Pooled(used)) => {
            crate::subscriptions::forget(db);
            // Else another thread is looking it up at this moment, and gives it back.
            Arc::into_inner(used).map_or(Ok(()), PooledConnection::give_back).map(|()| 0)
        }
        _ if matches!(get(db.cast()), Some(Object::Loan(_))) => {
            Err(not_a_handle("connection").with_hint("it is borrowed: whoever opened the connection closes it"))
        }
        _ => Err(not_a_handle("connection")),
    }
}

/// Ends this handle; the last handle of a connection closes it. For finalizers and destructors: reports nothing, NULL
/// is fine. In a callback of the connection the owner leaves as soon as the call is over that the callback is part
/// of.
#[unsafe(no_mangle)]
pub extern "C" fn keel_release(db: *mut keel_db) {
    run(std::ptr::null_mut(), || {
        #[cfg(feature = "remote")]
        if remote_of(db).is_some() {
            return end(db);
        }
        connection_of(db)?;
        match remove(db.cast(), |object| matches!(object, Object::Db(_) | Object::Pooled(_))) {
            Some(Object::Db(connection)) => {
                crate::subscriptions::forget(db);
                connection.release();
            }
            // Dropping it gives it back.
            Some(Object::Pooled(_)) => crate::subscriptions::forget(db),
            _ => {}
        }
        Ok(0)
    });
}

/// Ends this handle; the last handle of a connection closes it, and reports what went wrong then. The handle has
/// ended even when this fails, except where it returns SQLITE_MISUSE (in a callback of the connection) or
/// KEEL_E_FORKED (in a forked child), where it does nothing. A second time: KEEL_E_HANDLE.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_close(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || end(db))
}

/// Runs a script of any number of statements; rows are dropped. It stops at the first error, and what ran before
/// stays.
///
/// `sql`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. Returns SQLite's codes, explained; KEEL_E_SHARED when the script
/// would leave a transaction open on a shared connection; KEEL_E_SHUTTING_DOWN.
///
/// # Safety
/// `sql` is NULL or readable for `len`; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_exec(db: *mut keel_db, sql: *const c_char, len: usize, err: *mut *mut keel_error) -> i32 {
    run(err, || {
        // SAFETY: the caller's promise.
        let sql = unsafe { utf8(sql, len, "sql") };
        #[cfg(feature = "remote")]
        if let Some(remote) = remote_of(db) {
            return remote.exec(sql?).map(|()| 0);
        }
        connection_of(db)?.exec(sql?).map(|()| 0)
    })
}

/// Runs a script in one BEGIN IMMEDIATE transaction: all of it or nothing. As keel_exec, and KEEL_E_ARGUMENT for a
/// script with a COMMIT, END or ROLLBACK of its own.
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
    run(err, || {
        // SAFETY: the caller's promise.
        let sql = unsafe { utf8(sql, len, "sql") };
        #[cfg(feature = "remote")]
        if let Some(remote) = remote_of(db) {
            return remote.exec_atomic(sql?).map(|()| 0);
        }
        connection_of(db)?.exec_atomic(sql?).map(|()| 0)
    })
}

/// Runs one statement; its rows come back packed.
///
/// `sql`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. `params`, `params_len`: a packed table (keel_params of
/// litekeel/packed.h makes one). The statement runs once for each of its rows; if there are several, all of them
/// succeed or none does. NULL: the statement has no parameters, and runs once. `out` gets the rows; free them with
/// keel_rows_free.
///
/// `batch_bytes` 0: all rows at once. Else the first rows that fill about so many bytes, at least one, and
/// keel_rows_next fetches the others. Until the last one has been read, or the rows are freed, the statement keeps a
/// read transaction open. This needs a connection with one owner (else KEEL_E_SHARED) and at most one row of
/// parameters (else KEEL_E_ARGUMENT).
///
/// Returns SQLite's codes, explained; KEEL_E_PACKED for parameters that are malformed, too few or too many, also for
/// NULL where the statement has parameters; KEEL_E_ARGUMENT for no statement or several; KEEL_E_SHARED;
/// KEEL_E_SHUTTING_DOWN.
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
                let arguments = || {
                    let sql = utf8(sql, len, "sql")?;
                    let has_none = params.is_null();
                    let params = if has_none { None } else { Some(table(bytes(params, params_len, "params")?)?) };
                    Ok::<_, Error>((sql, params))
                };
                #[cfg(feature = "remote")]
                if let Some(remote) = remote_of(db) {
                    let (sql, params) = arguments()?;
                    return Ok(Rows::whole(remote.query(sql, params)?));
                }
                let connection = connection_of(db)?;
                let (sql, params) = arguments()?;
                if batch_bytes == 0 {
                    return Ok(Rows::whole(connection.query(sql, params)?));
                }
                let (rows, stream) = connection.stream(sql, params, batch_bytes)?;
                Ok(Rows::stream(rows, stream))
            })
        }
    })
}

/// The packed parameters. Those of litekeel/packed.h that could not be packed have no bytes.
fn table(bytes: &[u8]) -> Result<Table<'_>, Error> {
    Table::check(bytes).map_err(|error| {
        if bytes.is_empty() {
            error.with_hint("packing the parameters failed: keel_pack returned the reason")
        } else {
            error
        }
    })
}

/// For keel_begin: what the setting txlock says (immediate, unless it was set).
pub const KEEL_DEFAULT: i32 = -1;
/// For keel_begin: take the write lock at the first write. A `txlock` setting in the URL replaces it.
pub const KEEL_DEFERRED: i32 = 0;
/// For keel_begin: take the write lock now.
pub const KEEL_IMMEDIATE: i32 = 1;
/// For keel_begin: keep readers out too (outside WAL).
pub const KEEL_EXCLUSIVE: i32 = 2;

fn alone(db: *mut keel_db, sql: &str) -> Result<i32, Error> {
    #[cfg(feature = "remote")]
    if let Some(remote) = remote_of(db) {
        return remote.query(sql, None).map(|_| 0);
    }
    let connection = connection_of(db)?;
    connection.require_sole_owner("a transaction over several calls")?;
    connection.exec(sql).map(|()| 0)
}

/// Begins a transaction. `mode`: KEEL_DEFAULT, KEEL_DEFERRED, KEEL_IMMEDIATE or KEEL_EXCLUSIVE. Only on a connection
/// with one owner, else KEEL_E_SHARED. SQLITE_BUSY when the lock could not be taken in time.
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
                return Err(Error::new(codes::ARGUMENT, format!("{other} is not a transaction mode"))
                    .with_hint("use KEEL_DEFAULT, KEEL_DEFERRED, KEEL_IMMEDIATE or KEEL_EXCLUSIVE"));
            }
        };
        #[cfg(feature = "remote")]
        if remote_of(db).is_some() {
            return alone(db, if matches!(told, Begin::Deferred) { "BEGIN" } else { "BEGIN IMMEDIATE" });
        }
        alone(db, connection_of(db)?.begin_statement(told))
    })
}

/// Commits. After SQLITE_BUSY, or a deferred foreign key that is violated, the transaction is still open.
/// SQLITE_ERROR when none is.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_commit(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || alone(db, "COMMIT"))
}

/// Rolls back. SQLITE_ERROR when no transaction is open.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_rollback(db: *mut keel_db, err: *mut *mut keel_error) -> i32 {
    run(err, || alone(db, "ROLLBACK"))
}

/// Gives each later call on the connection at most `ms` milliseconds, including any wait for a lock. Then it fails
/// with SQLITE_INTERRUPT; a write that is cut off so rolls its whole transaction back. 0: no limit. While a limit is
/// set, litekeel uses the connection's progress handler (sqlite3_progress_handler has room for one). On a libSQL server's
/// database it limits each request, beside statement_timeout= of the URL, and fails with KEEL_E_REMOTE, or for a write with
/// KEEL_E_COMMIT_UNKNOWN.
#[unsafe(no_mangle)]
pub extern "C" fn keel_set_timeout(db: *mut keel_db, ms: u32) -> i32 {
    run(std::ptr::null_mut(), || {
        let limit = Duration::from_millis(ms.into());
        #[cfg(feature = "remote")]
        if let Some(remote) = remote_of(db) {
            remote.set_timeout(limit);
            return Ok(0);
        }
        connection_of(db)?.set_timeout(limit).map(|()| 0)
    })
}

/// Makes the call that is running on the connection fail with SQLITE_INTERRUPT. From any thread, and from a signal's
/// thread; never blocks. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn keel_interrupt(db: *mut keel_db) {
    run(std::ptr::null_mut(), || connection_of(db).map(|connection| connection.interrupt()).map(|()| 0));
}

/// What open found and did: `out` gets packed rows of name, value, wanted, source and note, one for each setting;
/// then the warnings, as rows named "warning" with the text in note.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_report(db: *mut keel_db, out: *mut *mut keel_rows, err: *mut *mut keel_error) -> i32 {
    // SAFETY: the caller's promise.
    run(err, || unsafe { store(out, || Ok(Rows::whole(report(&*connection_of(db)?)))) })
}
