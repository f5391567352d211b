//! Many databases of one directory, one for each tenant.

use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

use litekeel_core::{Databases, Error};

use crate::arguments::utf8;
use crate::boundary::{options_or_none, run, store, value};
use crate::handles::{get, not_a_handle, remove};
use crate::objects::Object;
use crate::types::{keel_databases, keel_db, keel_error, keel_options};

fn databases_of(databases: *mut keel_databases) -> Result<Arc<Databases>, Error> {
    match get(databases.cast()) {
        Some(Object::Databases(databases)) => Ok(databases),
        _ => Err(not_a_handle("set of databases")),
    }
}

/// The databases of a directory, one file for each tenant, NAME.db: `out` gets them; end them with keel_databases_close.
/// The directory is created where it is missing. A database is opened when it is asked for, and closed when another one
/// needs its place, the one first that has not been used for the longest time.
///
/// `directory`, `len`: UTF-8; `len` in bytes, or KEEL_NUL. `max`: how many connections are open at most; 0 means 100.
/// `options` hold for each database and may be NULL; they are still the caller's afterwards. `attach` is `none` unless they
/// say otherwise, so that no SQL reaches another tenant's file.
///
/// KEEL_E_ARGUMENT for an option that the directory decides (base_dir, allowed_roots, nofollow, mode, inspect) and for
/// share; KEEL_E_IO. A setting that is wrong is told by the first keel_databases_use.
///
/// # Safety
/// `directory` is NULL or readable for `len`; `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_databases_open(
    directory: *const c_char,
    len: usize,
    max: usize,
    options: *const keel_options,
    out: *mut *mut keel_databases,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        // SAFETY: the caller's promises.
        unsafe {
            store(out, || {
                let directory = utf8(directory, len, "directory")?;
                let options = options_or_none(options)?;
                Ok(Object::Databases(Arc::new(Databases::open(Path::new(directory), max, &options)?)))
            })
        }
    })
}

/// A connection to the database of that name, for the caller alone: `out` gets it, and keel_close or keel_release give it
/// back. It is used again as its last user left it: what changes a connection (a pragma, a function, a timeout) stays with it.
/// A transaction or rows that are left open are undone at keel_close, with KEEL_E_IN_TRANSACTION.
///
/// `name`, `len`: letters, digits, `_`, `-` and `.`, up to 200, a letter, digit or `_` first. `create`: 1 creates a database
/// that does not exist; with 0 that is KEEL_E_NO_DATABASE. `opened` may be NULL; it gets 1 where the connection was opened for
/// this use, else 0: the moment for migrations.
///
/// Where all connections are in use it waits for one, first come, first served, as long as the option busy_timeout says
/// (10 s by default), then KEEL_E_ALL_IN_USE. KEEL_E_ARGUMENT for what cannot be a name, KEEL_E_CLOSED, KEEL_E_FORKED; the
/// codes of keel_open.
///
/// # Safety
/// `name` is NULL or readable for `len`; `opened`, `out` and `err` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_databases_use(
    databases: *mut keel_databases,
    name: *const c_char,
    len: usize,
    create: i32,
    opened: *mut i32,
    out: *mut *mut keel_db,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        // SAFETY: the caller's promises.
        unsafe {
            store(out, || {
                let databases = databases_of(databases)?;
                let name = utf8(name, len, "name")?;
                let used = if create == 0 { databases.get(name)? } else { databases.create(name)? };
                if !opened.is_null() {
                    opened.write(i32::from(used.is_newly_opened()));
                }
                Ok(Object::Pooled(Arc::new(used)))
            })
        }
    })
}

/// Closes the connections to one database now, to move, restore or delete its file. KEEL_E_ALL_IN_USE while one of them is
/// in use; KEEL_E_ARGUMENT, KEEL_E_FORKED.
///
/// # Safety
/// `name` is NULL or readable for `len`; `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_databases_evict(
    databases: *mut keel_databases,
    name: *const c_char,
    len: usize,
    err: *mut *mut keel_error,
) -> i32 {
    run(err, || {
        // SAFETY: the caller's promise.
        let name = unsafe { utf8(name, len, "name")? };
        databases_of(databases)?.evict(name).map(|_| 0)
    })
}

/// How many connections of these databases are open now, those in use included; 0 for what is not a handle.
#[unsafe(no_mangle)]
pub extern "C" fn keel_databases_open_count(databases: *mut keel_databases) -> usize {
    value(0, || databases_of(databases).map_or(0, |databases| databases.open_count()))
}

/// Ends the handle, and closes all connections that are idle; one that is in use stays usable, and is closed when it is given
/// back. Reports what closing failed with; the handle has ended even then. A second time: KEEL_E_HANDLE. In a forked child it
/// does nothing.
///
/// # Safety
/// `err` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keel_databases_close(databases: *mut keel_databases, err: *mut *mut keel_error) -> i32 {
    run(err, || match remove(databases.cast(), |object| matches!(object, Object::Databases(_))) {
        Some(Object::Databases(databases)) => databases.close().map(|()| 0),
        _ => Err(not_a_handle("set of databases")),
    })
}
