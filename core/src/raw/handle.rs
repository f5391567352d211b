//! One statement on SQLite's own handle: what open, verify and close need before a connection object exists.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use crate::raw::prepared::Prepared;
use crate::raw::sql_text;
use rusqlite::ffi as sqlite;

unsafe extern "C" {
    /// Closes at once, or when the last statement, blob or backup of the handle ends. The bindings leave it out.
    pub(crate) fn sqlite3_close_v2(db: *mut sqlite::sqlite3) -> c_int;
}

/// The first column of the first row of `sql`, as text; `None` for no row or NULL.
///
/// # Safety
/// `db` is an open connection used by this thread alone.
pub(crate) unsafe fn query_text(db: *mut sqlite::sqlite3, sql: &CStr) -> Result<Option<String>, c_int> {
    // SAFETY: the caller's promise.
    unsafe { query_text_with(db, sql, Ok) }
}

/// As [`query_text`], and what `then` makes of it while the statement, and with it its read transaction, is still open.
///
/// # Safety
/// As for [`query_text`].
pub(crate) unsafe fn query_text_with<T>(
    db: *mut sqlite::sqlite3,
    sql: &CStr,
    then: impl FnOnce(Option<String>) -> Result<T, c_int>,
) -> Result<T, c_int> {
    let mut statement = ptr::null_mut();
    // SAFETY: `sql` is NUL-terminated; the statement is nobody else's, and gone before the connection is given back.
    unsafe {
        let rc = sqlite::sqlite3_prepare_v2(db, sql.as_ptr(), -1, &mut statement, ptr::null_mut());
        if rc != sqlite::SQLITE_OK {
            return Err(rc);
        }
        let Some(statement) = Prepared::new(statement) else { return Err(sqlite::SQLITE_MISUSE) };
        let made = match sqlite::sqlite3_step(statement.raw()) {
            sqlite::SQLITE_ROW => then(copy_text(sqlite::sqlite3_column_text(statement.raw(), 0).cast())),
            sqlite::SQLITE_DONE => then(None),
            rc => Err(rc),
        };
        // A pragma acts when it is stepped, and its failure may only show at the end.
        let finalized = statement.finalize();
        match made {
            Ok(_) if finalized != sqlite::SQLITE_OK => Err(finalized),
            made => made,
        }
    }
}

/// Like [`query_text`], for SQL that is put together at run time.
///
/// # Safety
/// As for [`query_text`].
pub(crate) unsafe fn query_owned_sql(db: *mut sqlite::sqlite3, sql: String) -> Result<Option<String>, c_int> {
    let sql = CString::new(sql).map_err(|_| sqlite::SQLITE_MISUSE)?;
    // SAFETY: as promised by the caller.
    unsafe { query_text(db, &sql) }
}

/// Every row of `sql` as texts, without what is NULL, as far as they can be had; and what SQLite answered at the end.
///
/// # Safety
/// As for [`query_text`].
pub(crate) unsafe fn text_rows(db: *mut sqlite::sqlite3, sql: &str) -> (Vec<Vec<String>>, c_int) {
    let mut rows = Vec::new();
    // No name of a table has one.
    let Ok(sql) = CString::new(sql) else { return (rows, sqlite::SQLITE_OK) };
    let mut raw = ptr::null_mut();
    // SAFETY: the caller's promise; the text is NUL-terminated, and the statement ends with this call.
    unsafe {
        let mut rc = sqlite::sqlite3_prepare_v2(db, sql.as_ptr(), -1, &mut raw, ptr::null_mut());
        if let Some(statement) = Prepared::new(raw) {
            loop {
                rc = sqlite::sqlite3_step(statement.raw());
                if rc != sqlite::SQLITE_ROW {
                    break;
                }
                let columns = sqlite::sqlite3_column_count(statement.raw());
                let cell = |column| copy_text(sqlite::sqlite3_column_text(statement.raw(), column).cast());
                rows.push((0..columns).filter_map(cell).collect());
            }
        }
        (rows, rc)
    }
}

/// Whether a switch of `sqlite3_db_config` is on; `None` where SQLite does not say.
///
/// # Safety
/// As for [`query_text`]; `op` takes an int and a pointer to one.
pub(crate) unsafe fn is_switched_on(db: *mut sqlite::sqlite3, op: c_int) -> Option<bool> {
    let mut on: c_int = 0;
    // SAFETY: the caller's promise; a negative value reads without setting.
    let rc = unsafe { sqlite::sqlite3_db_config(db, op, -1 as c_int, &raw mut on) };
    (rc == sqlite::SQLITE_OK).then_some(on != 0)
}

/// The names of all databases and SQLite's objects for their files of a connection, the main one's first; not of those without a file yet.
///
/// # Safety
/// As for [`query_text`]. What is returned lives until the database is detached.
pub(crate) unsafe fn files(db: *mut sqlite::sqlite3) -> Vec<(String, *mut sqlite::sqlite3_file)> {
    let mut found = Vec::new();
    for number in 0.. {
        // SAFETY: the caller's promise.
        unsafe {
            let name = sqlite::sqlite3_db_name(db, number);
            if name.is_null() {
                break;
            }
            // 1 is the temporary database, which nobody else sees.
            if number != 1 {
                found.extend(file_of(db, name).map(|file| (copy_text(name).unwrap_or_default(), file)));
            }
        }
    }
    found
}

/// The name of the database that a VACUUM of this connection is of, which is running.
///
/// # Safety
/// As for [`query_text`].
pub(crate) unsafe fn vacuuming(db: *mut sqlite::sqlite3) -> Option<String> {
    let mut statement = std::ptr::null_mut();
    // SAFETY: the caller's promise; listing the statements changes nothing, and SQLite owns their texts.
    unsafe {
        loop {
            statement = sqlite::sqlite3_next_stmt(db, statement);
            if statement.is_null() {
                return None;
            }
            let sql = sqlite::sqlite3_sql(statement);
            if !sql.is_null()
                && sqlite::sqlite3_stmt_busy(statement) != 0
                && let Some(name) = sql_text::vacuumed(CStr::from_ptr(sql).to_bytes())
            {
                return Some(name);
            }
        }
    }
}

/// SQLite's object for the main database's file, whose methods can be called; `None` where there is no file yet.
///
/// # Safety
/// As for [`query_text`]. What is returned lives as long as the handle.
pub(crate) unsafe fn file_object(db: *mut sqlite::sqlite3) -> Option<*mut sqlite::sqlite3_file> {
    // SAFETY: the caller's promise.
    unsafe { file_of(db, c"main".as_ptr()) }
}

unsafe fn file_of(db: *mut sqlite::sqlite3, name: *const c_char) -> Option<*mut sqlite::sqlite3_file> {
    let mut file: *mut sqlite::sqlite3_file = ptr::null_mut();
    // SAFETY: the caller's promise; the opcode writes one pointer.
    unsafe {
        let place = (&raw mut file).cast();
        let rc = sqlite::sqlite3_file_control(db, name, sqlite::SQLITE_FCNTL_FILE_POINTER, place);
        (rc == sqlite::SQLITE_OK && !file.is_null() && !(*file).pMethods.is_null()).then_some(file)
    }
}

/// As much of a database file's beginning as tells what it is: its first words, the versions of its format, that of its schema.
pub(crate) type Beginning = [u8; 48];

/// How a file begins, read through SQLite's own descriptor: a descriptor of our own would, when closed, drop every lock this
/// process holds on the file. A shorter file is filled up with zeros.
///
/// # Safety
/// `file` is open and used by this thread alone.
pub(crate) unsafe fn beginning_of(file: *mut sqlite::sqlite3_file) -> Option<Beginning> {
    let mut bytes: Beginning = [0; 48];
    // SAFETY: the caller's promise; xRead fills at most the bytes of the buffer.
    unsafe {
        let read = (*(*file).pMethods).xRead?;
        let rc = read(file, bytes.as_mut_ptr().cast(), bytes.len() as c_int, 0);
        (rc == sqlite::SQLITE_OK || rc == sqlite::SQLITE_IOERR_SHORT_READ).then_some(bytes)
    }
}

/// How the main database's file begins.
///
/// # Safety
/// As for [`query_text`]; `db` may be null.
pub(crate) unsafe fn beginning(db: *mut sqlite::sqlite3) -> Option<Beginning> {
    if db.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { beginning_of(file_object(db)?) }
}

/// Copies a C string of SQLite's.
///
/// # Safety
/// `text` is null or a NUL-terminated string that lives for this call.
pub(crate) unsafe fn copy_text(text: *const c_char) -> Option<String> {
    // SAFETY: checked for null; the rest is the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A copy in memory of SQLite's, for SQLite to free; null when there is none.
pub(crate) fn sqlite_text(text: &str) -> *mut c_char {
    let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
    // SAFETY: the block is as long as what is copied into it.
    unsafe {
        let copy = sqlite::sqlite3_malloc64(bytes.len() as u64).cast::<u8>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
        }
        copy.cast()
    }
}

/// What SQLite tells of `rc`, which a call on `db` has just returned: the code in full, and the message. Not every call
/// records its failure on the handle (misuse never is, nor what a name that is too long comes to): what an earlier one left
/// there says nothing of this one.
///
/// # Safety
/// `db` is open, or has failed to open, and is used by this thread alone.
pub unsafe fn sqlite_error(db: *mut sqlite::sqlite3, rc: c_int) -> (c_int, String) {
    // SAFETY: the caller's promise; the texts are SQLite's, and copied.
    unsafe {
        let recorded = sqlite::sqlite3_extended_errcode(db);
        let is_of_this_call = if rc > 0xff { recorded == rc } else { recorded & 0xff == rc };
        let (code, message) = if is_of_this_call && rc != sqlite::SQLITE_MISUSE {
            (recorded, sqlite::sqlite3_errmsg(db))
        } else {
            (rc, sqlite::sqlite3_errstr(rc))
        };
        (code, copy_text(message).unwrap_or_default())
    }
}

/// The message, and the errno, of the last failure on `db`.
///
/// # Safety
/// As for [`query_text`]; `db` may be null.
pub(crate) unsafe fn last_failure(db: *mut sqlite::sqlite3, rc: c_int) -> (String, i32) {
    // SAFETY: a handle that failed to open may be asked for its message; without a handle the code has a text.
    unsafe {
        if db.is_null() {
            return (copy_text(sqlite::sqlite3_errstr(rc)).unwrap_or_default(), 0);
        }
        (sqlite_error(db, rc).1, sqlite::sqlite3_system_errno(db))
    }
}

/// A handle that may be kept where several threads see it.
#[derive(Clone, Copy)]
pub(crate) struct RawHandle(pub *mut sqlite::sqlite3);
// SAFETY: the pointer is only dereferenced by SQLite, under `state` or, for interrupt, `interruptible`.
unsafe impl Send for RawHandle {}
