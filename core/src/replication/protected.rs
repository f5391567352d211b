//! The tables that Litestream keeps in a database: read by anybody, changed by Litestream alone.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};

use crate::sqlite;

/// Their names, for SQLite and for people.
pub(crate) const TABLES: [(&CStr, &str); 2] =
    [(c"_litestream_seq", "_litestream_seq"), (c"_litestream_lock", "_litestream_lock")];

thread_local! {
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether [`authorize`] has refused something on this thread; told once.
pub(crate) fn take_refused() -> bool {
    REFUSED.take()
}

/// An authorizer that refuses what changes or drops Litestream's tables.
///
/// # Safety
/// SQLite's: NUL-terminated texts, or null.
pub(crate) unsafe extern "C" fn authorize(
    _: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    schema: *const c_char,
    _: *const c_char,
) -> c_int {
    let table = match action {
        sqlite::SQLITE_INSERT | sqlite::SQLITE_UPDATE | sqlite::SQLITE_DELETE | sqlite::SQLITE_DROP_TABLE => first,
        sqlite::SQLITE_ALTER_TABLE | sqlite::SQLITE_CREATE_INDEX | sqlite::SQLITE_CREATE_TRIGGER => second,
        _ => return sqlite::SQLITE_OK,
    };
    // SAFETY: the caller's promise.
    let text = |text: *const c_char| if text.is_null() { &b""[..] } else { unsafe { CStr::from_ptr(text) }.to_bytes() };
    let table = text(table);
    let is_ours = TABLES.iter().any(|(name, _)| name.to_bytes().eq_ignore_ascii_case(table));
    // VACUUM fills a database of its own, as whose name it takes this and a random number.
    let vacuum = action != sqlite::SQLITE_ALTER_TABLE && text(schema).starts_with(b"vacuum_");
    if !is_ours || vacuum {
        return sqlite::SQLITE_OK;
    }
    REFUSED.set(true);
    sqlite::SQLITE_DENY
}
