//! A libSQL server's database behind the C calls.
#![cfg(unix)]

#[path = "../../remote/tests/scripted/mod.rs"]
mod scripted;
#[path = "../../remote/tests/sqld/mod.rs"]
mod sqld;

use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

use litekeel_core::codes;
use litekeel_core::{Cell, Encoder, Table};
use litekeel_ffi::*;
use scripted::{CANARY, EMPTY, Reply, begun, ok, server, step};

/// What a call gave: its code, and the error's text and hint.
type Gave = (i32, String);

/// Calls, and takes the error apart.
fn told(call: impl FnOnce(*mut *mut keel_error) -> i32) -> Gave {
    let mut error = null_mut();
    let code = call(&mut error);
    if error.is_null() {
        return (code, String::new());
    }
    // SAFETY: the texts live until the error is freed, which is after they are copied.
    let text = |at: *const c_char| unsafe { CStr::from_ptr(at) }.to_str().unwrap().to_owned();
    // SAFETY: an error, and no place for a length.
    let (message, hint) = unsafe { (keel_error_message(error, null_mut()), keel_error_hint(error, null_mut())) };
    let texts = format!("{} | {}", text(message), text(hint));
    keel_error_free(error);
    (code, texts)
}

fn open(url: &str) -> (Gave, *mut keel_db) {
    let (url, mut db) = (CString::new(url).unwrap(), null_mut());
    // SAFETY: a text, and places for the results.
    (told(|error| unsafe { keel_open(url.as_ptr(), KEEL_NUL, &mut db, error) }), db)
}

fn exec(db: *mut keel_db, sql: &CStr) -> Gave {
    // SAFETY: a text, and a place for the error.
    told(|error| unsafe { keel_exec(db, sql.as_ptr(), KEEL_NUL, error) })
}

/// The first cell of a query with one parameter or none, as text.
fn query(db: *mut keel_db, sql: &CStr, parameter: Option<Cell<'_>>) -> Result<String, Gave> {
    let packed = parameter.map(|cell| {
        let mut encoder = Encoder::new([&b"1"[..]]);
        encoder.push(cell);
        encoder.finish()
    });
    let (data, length) = packed.as_ref().map_or((null(), 0), |packed| (packed.bytes().as_ptr(), packed.bytes().len()));
    let mut rows = null_mut();
    // SAFETY: a text, packed parameters of that length, and places for the results.
    let gave =
        told(|error| unsafe { keel_query(db, sql.as_ptr(), KEEL_NUL, data.cast(), length, 0, &mut rows, error) });
    if gave.0 != 0 {
        assert!(rows.is_null());
        return Err(gave);
    }
    let mut size = 0;
    // SAFETY: the rows live until they are freed.
    let bytes = unsafe { std::slice::from_raw_parts(keel_rows_data(rows, &mut size).cast::<u8>(), size) };
    let table = Table::check(bytes).unwrap();
    let first = if table.rows() == 0 { String::new() } else { format!("{:?}", table.cell(0, 0)) };
    keel_rows_free(rows);
    Ok(first)
}

fn begin(db: *mut keel_db) -> Gave {
    // SAFETY: a place for the error.
    told(|error| unsafe { keel_begin(db, KEEL_DEFAULT, error) })
}

fn commit(db: *mut keel_db) -> Gave {
    // SAFETY: as above.
    told(|error| unsafe { keel_commit(db, error) })
}

fn rollback(db: *mut keel_db) -> Gave {
    // SAFETY: as above.
    told(|error| unsafe { keel_rollback(db, error) })
}

fn close(db: *mut keel_db) -> Gave {
    // SAFETY: as above.
    told(|error| unsafe { keel_close(db, error) })
}

/// The server says nothing: the shorter limit ends the wait, and without it the URL's does.
#[test]
fn a_timeout_of_the_connection_ends_a_wait() {
    let server = server(vec![Reply::Silent; 3]);
    let (_, db) = open(&server.url("&statement_timeout=600ms"));
    assert_eq!(keel_set_timeout(db, 150), 0);
    let (code, text) = query(db, c"SELECT 1", None).unwrap_err();
    assert_eq!(code, codes::REMOTE);
    assert!(text.contains("within 150 ms"), "{text}");
    assert_eq!(exec(db, c"INSERT INTO t VALUES(1)").0, codes::COMMIT_UNKNOWN);
    assert_eq!(keel_set_timeout(db, 0), 0);
    let (_, text) = query(db, c"SELECT 1", None).unwrap_err();
    assert!(text.contains("within 600 ms"), "{text}");
    assert_eq!(close(db).0, 0);
}

#[test]
fn the_same_calls_reach_a_server_and_no_error_shows_the_token() {
    let refused = format!(r#"{{"error":"Unauthorized: {CANARY} `The JWT has expired`"}}"#);
    let server = server(vec![
        ok(r#"{"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"9223372036854775807"}]]}"#),
        begun(),
        step("null", r#"{"message":"Transaction timed out","code":"TRANSACTION_TIMEOUT"}"#, true),
        Reply::Json(401, refused),
    ]);
    let (gave, db) = open(&server.url(""));
    assert_eq!(gave, (0, String::new()));
    assert_eq!(query(db, c"SELECT ?", Some(Cell::Int(7))).unwrap(), "Int(9223372036854775807)");
    assert!(server.requests()[0].contains(r#""args":[{"type":"integer","value":"7"}]"#));
    assert_eq!(begin(db).0, 0);
    assert!(server.requests()[1].contains("BEGIN IMMEDIATE"));
    for _ in 0..2 {
        assert_eq!(exec(db, c"INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)").0, codes::TRANSACTION_EXPIRED);
    }
    assert_eq!(commit(db).0, codes::TRANSACTION_EXPIRED);
    assert_eq!(rollback(db).0, 0);
    let sent = server.asked().len();
    let (code, text) = query(db, c"SELECT 1", None).unwrap_err();
    assert_eq!(code, codes::REMOTE);
    assert!(text.contains("get a new one") && !text.contains(CANARY), "{text}");
    assert_eq!((server.asked().len(), close(db).0), (sent + 1, 0));
    assert_eq!(close(db).0, codes::HANDLE);
    assert_eq!(exec(db, c"SELECT 1").0, codes::HANDLE);
}

#[test]
fn what_is_about_a_file_is_refused_in_words_and_sends_nothing() {
    let server = server(vec![ok(EMPTY)]);
    let (_, db) = open(&server.url(""));
    let (mut other, mut rows): (*mut keel_db, *mut keel_rows) = (null_mut(), null_mut());
    // SAFETY: a handle, and places for the results.
    let calls = unsafe {
        [
            told(|error| keel_retain(db, &mut other, error)),
            told(|error| keel_sibling(db, &mut other, error)),
            told(|error| keel_report(db, &mut rows, error)),
        ]
    };
    for (code, text) in calls {
        assert_eq!(code, codes::REMOTE_UNSUPPORTED);
        assert!(text.contains("libSQL server") && text.contains("where the file is"), "{text}");
    }
    assert_eq!(keel_set_timeout(db, 0), 0);
    assert!(keel_sqlite3(db).is_null() && other.is_null() && rows.is_null());
    let mut options = null_mut();
    // SAFETY: a place for the result.
    assert_eq!(unsafe { keel_options_new(&mut options) }, 0);
    let url = CString::new(server.url("")).unwrap();
    // SAFETY: a text, options, and places for the results.
    let gave = told(|error| unsafe { keel_open_with(url.as_ptr(), KEEL_NUL, options, &mut other, error) });
    keel_options_free(options);
    assert_eq!(gave.0, codes::REMOTE_UNSUPPORTED);
    assert!(!gave.1.contains(CANARY) && server.requests().is_empty());
    assert_eq!(open(&server.url("&busy_timeout=5s")).0.0, codes::CONFLICT);
    // The refusals broke nothing.
    assert_eq!(exec(db, c"INSERT INTO t VALUES(1)").0, 0);
    keel_release(db);
    assert_eq!(exec(db, c"SELECT 1").0, codes::HANDLE);
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn the_whole_road_to_a_real_server() {
    let server = sqld::Sqld::primary();
    let (gave, db) = open(&server.url(""));
    assert_eq!(gave, (0, String::new()));
    let script = c"CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE TABLE log(b); -- a trigger has semicolons of its own\n\
        CREATE TRIGGER logged AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.b); SELECT 1; END; INSERT INTO t VALUES(1, 'x;')";
    assert_eq!(exec(db, script), (0, String::new()));
    assert_eq!(query(db, c"SELECT b FROM log", None).unwrap(), format!("{:?}", Cell::Text(b"x;")));
    let blob = Cell::Blob(&[0, 255, 7]);
    assert_eq!(query(db, c"INSERT INTO t(b) VALUES(?) RETURNING b", Some(blob)).unwrap(), format!("{blob:?}"));
    assert_eq!(begin(db).0, 0);
    assert_eq!(exec(db, c"DELETE FROM t").0, 0);
    assert_eq!(rollback(db).0, 0);
    assert_eq!(begin(db).0, 0);
    assert_eq!(exec(db, c"INSERT INTO t VALUES(9, 9); INSERT INTO t VALUES(10, 10)").0, 0);
    assert_eq!(commit(db).0, 0);
    assert_eq!(query(db, c"SELECT count(*) FROM t", None).unwrap(), "Int(4)");
    // SAFETY: texts, and places for the errors.
    let atomic = |sql: &CStr| told(|error| unsafe { keel_exec_atomic(db, sql.as_ptr(), KEEL_NUL, error) }).0;
    assert_ne!(atomic(c"DELETE FROM t; INSERT INTO nowhere VALUES(1)"), 0);
    assert_eq!(query(db, c"SELECT count(*) FROM t", None).unwrap(), "Int(4)");
    assert_eq!(atomic(c"DELETE FROM t; INSERT INTO t VALUES(1, 1)"), 0);
    assert_eq!(query(db, c"SELECT count(*) FROM t", None).unwrap(), "Int(1)");
    // One that is left open ends with the handle.
    assert_eq!(begin(db).0, 0);
    assert_eq!(exec(db, c"DELETE FROM t").0, 0);
    assert_eq!(close(db).0, 0);
    let (_, db) = open(&server.url(""));
    assert_eq!(query(db, c"SELECT count(*) FROM t", None).unwrap(), "Int(1)");
    assert_eq!(close(db).0, 0);
}
