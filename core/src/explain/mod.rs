//! SQLite's failure → what happened, to which path, why, and what to do.
//!
//! SQLite's code and errno alone mislead ("unable to open database file" for a dozen causes). Each room below knows one
//! family of codes and looks at the file system with `stat` and `access` only: opening and closing the database here
//! would drop the locks that this process holds on it.

mod busy;
mod cantopen;
mod corrupt;
mod failed_call;
mod foreign_key;
mod io;
mod notadb;
mod readonly;

use std::path::PathBuf;

use crate::error::{Error, sqlite_name};
use crate::platform;
use crate::raw::handle::{self, Beginning};
use crate::raw::sql_text;
use crate::sqlite;
use crate::vfs::failed_open::{self, FailedOpen};
use crate::vfs::{closed_attached, shim};

pub(crate) use failed_call::FailedCall;
pub(crate) use readonly::{on_disk, other_format};

/// The explained error for the result code `rc` of a call on `subject`.
///
/// A failure that is about SQL, not about the file, keeps SQLite's own sentence unchanged.
pub(crate) fn explain(subject: &FailedCall<'_>, rc: i32) -> Error {
    let failed = if rc & 0xff == sqlite::SQLITE_CANTOPEN { failed_open::take() } else { None };
    if let Some(FailedOpen { path, outside: true }) = &failed {
        return platform::errors::outside_the_roots(path).with_sqlite_code(rc);
    }
    // SQLite says so of an attached file too, and of a temporary one. While it is opened, nothing is attached.
    let other = match failed {
        _ if subject.id.is_none() || rc & 0xff != sqlite::SQLITE_CANTOPEN => None,
        Some(failed) => Some(cantopen::database_of(&failed.path)).filter(|path| !cantopen::is_of(path, subject.path)),
        // It did not come to opening the file, but ATTACH says which one it was.
        // SAFETY: the subject's handle is null or open, and the caller holds its lock.
        None => cantopen::named_by_attach(&unsafe { handle::last_failure(subject.raw, rc) }.0),
    };
    let unreadable = unreadable_attached(subject, rc);
    let other = other.as_deref().or(unreadable.as_ref().map(|(path, _)| path.as_path()));
    let attached = other.map(|path| FailedCall {
        path: Some(path),
        path_note: None,
        attached: true,
        beginning: unreadable.as_ref().and_then(|(_, beginning)| *beginning),
        // SAFETY: the subject's handle is null or open, and the caller holds its lock.
        access: unsafe { cantopen::access_of_attached(subject) },
        ..*subject
    });
    let subject = attached.as_ref().unwrap_or(subject);
    // SAFETY: the subject's handle is null or open, and the caller holds its lock.
    let (message, errno) = unsafe { handle::last_failure(subject.raw, rc) };
    let errno = if notes_errno(rc) { errno } else { 0 };
    let busy = (rc & 0xff == sqlite::SQLITE_BUSY).then(|| busy::data(subject, rc));
    let finding = match rc & 0xff {
        sqlite::SQLITE_CANTOPEN => Some(cantopen::find(subject, rc, errno)),
        sqlite::SQLITE_READONLY => Some(readonly::find(subject, rc)),
        sqlite::SQLITE_PERM | sqlite::SQLITE_AUTH => None,
        sqlite::SQLITE_NOTADB => Some(notadb::find(subject)),
        sqlite::SQLITE_CORRUPT => Some(corrupt::find(subject, rc)),
        sqlite::SQLITE_ERROR if notadb::is_about_schema(&message) => notadb::find_schema(subject),
        sqlite::SQLITE_FULL => Some(io::full(subject)),
        sqlite::SQLITE_IOERR => Some(io::find(subject, rc, errno)),
        sqlite::SQLITE_BUSY | sqlite::SQLITE_PROTOCOL => Some(busy::find(subject, rc, busy.as_ref())),
        _ => None,
    };
    // Before anything that an explanation asks of the database.
    let offset = if subject.raw.is_null() {
        -1
    } else {
        // SAFETY: as above.
        unsafe { sqlite::sqlite3_error_offset(subject.raw) }
    };
    let mut error = match finding {
        None => Error::verbatim(rc, message),
        Some(found) => {
            let name = sqlite_name(rc).unwrap_or("SQLITE_UNKNOWN");
            let place = subject.path.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
            let waited = busy.as_ref().map_or_else(String::new, busy::waited);
            Error::new(rc, format!("{message} ({name}{waited}): {place}: {}", found.why)).with_hint(found.hint)
        }
    };
    if error.hint().is_empty() {
        let names = if rc == sqlite::SQLITE_CONSTRAINT_FOREIGNKEY { foreign_key::hint(subject) } else { None };
        let hint =
            names.unwrap_or_else(|| statement_hint(rc, error.message(), || is_defensive(subject.raw)).to_owned());
        error = error.with_hint(hint);
    }
    if let Some(busy) = busy {
        error = error.with_busy(busy);
    }
    if let Some(path) = subject.path {
        error = error.with_path(path);
    }
    if errno == 0 { error } else { error.with_errno(errno) }.with_offset(offset)
}

/// The attached file, or the one that was to be, which SQLite could not read; `None` where it is the main one, as far as can be told.
fn unreadable_attached(subject: &FailedCall<'_>, rc: i32) -> Option<(PathBuf, Option<Beginning>)> {
    // While a database is opened, nothing is attached to it.
    if subject.id.is_none() || subject.raw.is_null() {
        return None;
    }
    let by_header = match rc & 0xff {
        sqlite::SQLITE_NOTADB => true,
        // SAFETY: the subject's handle is open, and the caller holds its lock.
        sqlite::SQLITE_ERROR => unsafe { notadb::is_about_schema(&handle::last_failure(subject.raw, rc).0) },
        sqlite::SQLITE_CORRUPT => false,
        _ => return None,
    };
    if let Some(closed) = closed_attached::take() {
        let attaches = subject.sql.is_some_and(sql_text::is_attach);
        if attaches || by_header && closed.beginning.is_some_and(|bytes| !notadb::is_database(&bytes)) {
            return Some((closed.path, closed.beginning));
        }
    }
    if !by_header {
        return None;
    }
    // SAFETY: as above; the files are open as long as the handle is in use by this thread.
    let files = unsafe { handle::files(subject.raw) }.into_iter().filter_map(|(_, file)| unsafe {
        Some((shim::watch_of(file)?, handle::beginning_of(file).filter(|bytes| !notadb::is_database(bytes))?))
    });
    let (watch, beginning) = files.into_iter().next()?;
    let is_main = subject.path.is_some_and(|path| cantopen::is_of(&watch.path, Some(path)));
    (!is_main).then(|| (watch.place().to_owned(), Some(beginning)))
}

/// Whether SQLite notes the system's errno with a failure. With every other one the errno of an earlier failure is still there.
fn notes_errno(rc: i32) -> bool {
    let system = matches!(rc & 0xff, sqlite::SQLITE_CANTOPEN | sqlite::SQLITE_IOERR);
    // No memory, and a file that is too short: no call of the system's has failed.
    system && !matches!(rc, sqlite::SQLITE_IOERR_NOMEM | sqlite::SQLITE_IOERR_SHORT_READ)
}

/// Whether the connection keeps SQL from writing to the schema itself.
fn is_defensive(raw: *mut sqlite::sqlite3) -> bool {
    // SAFETY: an open connection, whose lock the caller holds.
    raw.is_null() || unsafe { handle::is_switched_on(raw, sqlite::SQLITE_DBCONFIG_DEFENSIVE) } != Some(false)
}

/// What helps with a failure that is about SQL: where litekeel's own settings are the cause, or SQLite does not say what is missing.
fn statement_hint(rc: i32, message: &str, is_defensive: impl Fn() -> bool) -> &'static str {
    if message.contains("unsafe use of") {
        "trusted_schema is off: register the function as innocuous, or open with trusted_schema=on if you trust whoever \
         wrote the schema"
    } else if rc & 0xff == sqlite::SQLITE_ERROR && message.contains("no such column: \"") {
        "text goes in single quotes: 'text'; double quotes name a column (dqs=off)"
    } else if rc & 0xff == sqlite::SQLITE_ERROR
        && (message.starts_with("no such function: ") || message.starts_with("unknown function: "))
    {
        "a function belongs to the connection that it was registered on: register it on this one, or load the extension \
         that has it"
    } else if rc & 0xff == sqlite::SQLITE_ERROR && message == notadb::OTHER_ENCODING {
        "a database keeps its text in one encoding (PRAGMA encoding): copy the other one into a new file, with sqlite3 OLD \
         .dump | sqlite3 NEW, and attach that"
    } else if rc & 0xff == sqlite::SQLITE_ERROR && message.starts_with("no such collation sequence: ") {
        "a collation belongs to the connection that it was registered on; the program that wrote the file has it"
    } else if rc & 0xff == sqlite::SQLITE_ERROR
        && message.starts_with("table sqlite_")
        && message.ends_with(" may not be modified")
    {
        if is_defensive() {
            "defensive is on. What .dump wrote of a database with virtual tables (FTS5, R-Tree) writes there: let the sqlite3 \
             shell run it, or, if you trust the text, a connection that was opened with defensive=off"
        } else {
            "PRAGMA writable_schema=ON allows it, and a mistake in it makes the database unreadable; ALTER TABLE and DROP change \
             the schema without that"
        }
    } else if rc & 0xff == sqlite::SQLITE_ERROR && message.starts_with("no such module: ") {
        "a virtual table's module comes with an extension: load that on this connection"
    } else if rc == sqlite::SQLITE_CONSTRAINT_FOREIGNKEY {
        "a row would refer to one that is not there: insert that first, or delete first what refers to it; while a deferred \
         constraint keeps a transaction from its commit, PRAGMA foreign_key_check names the rows"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use crate::{Connection, Options};

    #[test]
    fn a_hint_about_the_schemas_table_says_what_the_connection_has() {
        for (setting, said) in [("on", "defensive is on."), ("off", "PRAGMA writable_schema=ON allows it")] {
            let url = format!("file::memory:?defensive={setting}");
            let db = Connection::open(Some(&url), &Options::new()).unwrap();
            let error = db.exec("DELETE FROM sqlite_schema").unwrap_err();
            assert!(error.hint().starts_with(said), "{setting}: {error}");
            db.close().unwrap();
        }
    }
}
