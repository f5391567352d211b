//! A server that answers as scripted: every form of an error, and answers that do not come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use litekeel_core::packed::{Cell, Encoder};
use litekeel_core::{codes, sqlite};
use litekeel_remote::{Endpoint, Remote, Statement};

const CANARY: &str = "ca.na-ry_0123456789";

#[derive(Clone)]
enum Reply {
    Json(u16, String),
    Text(u16, String),
    /// Reads the request, and ends the connection.
    Cut,
    /// Reads the request, and says nothing.
    Silent,
    /// Promises more than it sends, and ends the connection.
    Short(String),
    /// Promises much, and sends a byte now and then.
    Trickle,
}

struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

fn serve(stream: TcpStream, replies: &Mutex<std::vec::IntoIter<Reply>>, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.lock().unwrap().push(String::from_utf8(body).unwrap());
        let (status, kind, text) = match replies.lock().unwrap().next() {
            Some(Reply::Json(status, text)) => (status, "application/json", text),
            Some(Reply::Text(status, text)) => (status, "text/plain", text),
            Some(Reply::Cut) => return,
            Some(Reply::Silent) => {
                let _ = reader.read_line(&mut line);
                return;
            }
            Some(Reply::Short(text)) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{text}", text.len() + 1);
                let _ = stream.write_all(head.as_bytes());
                return;
            }
            Some(Reply::Trickle) => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n");
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            None => (500, "text/plain", "the script is over".to_owned()),
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).unwrap();
    }
}

fn server(replies: Vec<Reply>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (replies, seen) = (Arc::new(Mutex::new(replies.into_iter())), Arc::new(Mutex::new(Vec::new())));
    let recorded = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (replies, seen) = (replies.clone(), recorded.clone());
            thread::spawn(move || serve(stream, &replies, &seen));
        }
    });
    Server { port, seen }
}

impl Server {
    fn open(&self, more: &str) -> Remote {
        let url = format!("libsql://127.0.0.1:{}?tls=0&authToken={CANARY}{more}", self.port);
        Remote::at(Endpoint::parse(&url, None).unwrap())
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn ok(result: &str) -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":null,"base_url":null,"results":[{{"type":"ok","response":{{"type":"execute","result":{result}}}}}]}}"#
        ),
    )
}

const EMPTY: &str = r#"{"cols":[],"rows":[],"affected_row_count":1,"last_insert_rowid":"7","replication_index":"41"}"#;

fn begun() -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":"b1","base_url":null,"results":[{{"type":"ok","response":{{"type":"execute","result":{EMPTY}}}}},{{"type":"ok","response":{{"type":"get_autocommit","is_autocommit":false}}}}]}}"#
        ),
    )
}

/// A batch's one step: its result and its error.
fn step(result: &str, error: &str, autocommit: bool) -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":"b2","base_url":null,"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{result}],"step_errors":[{error}],"replication_index":"42"}}}}}},{{"type":"ok","response":{{"type":"get_autocommit","is_autocommit":{autocommit}}}}}]}}"#
        ),
    )
}

const TIMEOUT: &str = r#"{"message":"Transaction timed out","code":"TRANSACTION_TIMEOUT"}"#;

#[test]
fn each_form_of_an_error_is_understood_and_shows_no_token() {
    let cases = [
        (Reply::Json(401, format!(r#"{{"error":"Unauthorized: {CANARY} `The JWT has expired`"}}"#)), codes::REMOTE, "get a new one"),
        (Reply::Json(401, r#"{"error":"Unauthorized: `The JWT is invalid`"}"#.into()), codes::REMOTE, "LIBSQL_AUTH_TOKEN"),
        (Reply::Json(403, r#"{"error":"Authorization forbidden"}"#.into()), codes::REMOTE, "reading only"),
        (Reply::Json(404, r#"{"error":"Namespace `ns2` doesn't exist"}"#.into()), codes::REMOTE, "another one"),
        (Reply::Text(400, format!("Cannot deserialize {CANARY}")), codes::REMOTE, "log"),
        (Reply::Json(400, r#"{"message":"expired","code":"STREAM_EXPIRED"}"#.into()), codes::TRANSACTION_EXPIRED, "again"),
        (Reply::Json(500, format!(r#"{{"error":"invalid utf-8 {CANARY}"}}"#)), codes::COMMIT_UNKNOWN, "never sends it twice"),
        (Reply::Cut, codes::COMMIT_UNKNOWN, "never sends it twice"),
        (Reply::Text(200, "<html>".into()), codes::COMMIT_UNKNOWN, "never sends it twice"),
        (Reply::Json(200, format!(r#"{{"results":[{{"type":"error","error":{{"message":"SQLite error: UNIQUE constraint failed: t.{CANARY}","code":"SQLITE_CONSTRAINT"}}}}]}}"#)), sqlite::SQLITE_CONSTRAINT_UNIQUE, ""),
        (Reply::Json(200, r#"{"results":[{"type":"error","error":{"message":"Response is too large","code":"RESPONSE_TOO_LARGE"}}]}"#.into()), codes::COMMIT_UNKNOWN, "never"),
    ];
    for (reply, code, hint) in cases {
        let server = server(vec![reply]);
        let error = server.open("").query("INSERT INTO t VALUES(1)", None).unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.hint().contains(hint), "{error:?}");
        assert!(!format!("{error:?} {error} {:?}", error.path()).contains(CANARY), "{error:?}");
        assert_eq!(server.requests().len(), 1, "a write is sent once");
    }
}

#[test]
fn a_read_is_sent_once_more_and_a_write_is_not() {
    let server = server(vec![
        Reply::Cut,
        ok(r#"{"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"-9223372036854775808"}]]}"#),
    ]);
    let rows = server.open("").query("SELECT a FROM t", None).unwrap();
    assert_eq!(rows.table().cell(0, 0), Cell::Int(i64::MIN));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_server_that_is_silent_or_trickles_is_given_up_at_the_deadline_and_not_asked_again() {
    for (reply, sql, code) in [
        (Reply::Silent, "SELECT 1", codes::REMOTE),
        (Reply::Trickle, "SELECT 1", codes::REMOTE),
        (Reply::Trickle, "INSERT INTO t VALUES(1)", codes::COMMIT_UNKNOWN),
    ] {
        let server = server(vec![reply.clone(), reply]);
        let db = server.open("&statement_timeout=300ms");
        let began = Instant::now();
        assert_eq!(db.query(sql, None).unwrap_err().code(), code);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(10), "{took:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn an_answer_that_was_cut_short_is_none() {
    let Reply::Json(_, whole) = ok(EMPTY) else { unreachable!() };
    for at in [0, 1, whole.len() / 2, whole.len()] {
        let server = server(vec![Reply::Short(whole[..at].to_owned())]);
        let error = server.open("").query("INSERT INTO t VALUES(1)", None).unwrap_err();
        assert_eq!(error.code(), codes::COMMIT_UNKNOWN, "after {at} bytes: {error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_commit_whose_answer_cannot_be_read_is_unknown() {
    let answer = Reply::Json(200, r#"{"baton":null,"results":[{"type":"strange"}]}"#.into());
    let server = server(vec![begun(), answer]);
    let db = server.open("");
    db.query("BEGIN", None).unwrap();
    assert_eq!(db.query("COMMIT", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
}

/// What a child does with its parent's transaction: it is refused, and closes nothing when it lets go.
#[cfg(unix)]
#[test]
fn a_forked_child_sends_nothing() {
    let server = server(vec![begun()]);
    let db = server.open("");
    db.query("BEGIN", None).unwrap();
    // SAFETY: the child calls what takes no lock that another thread of this process may hold, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = db.query("SELECT 1", None).is_err_and(|error| error.code() == codes::FORKED);
        drop(db);
        // SAFETY: ends the child at once, without the test's own ends.
        unsafe { libc::_exit(if refused { 7 } else { 8 }) };
    }
    let mut status = 0;
    // SAFETY: a place to write, and a child of ours.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(libc::WEXITSTATUS(status), 7);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_transaction_that_was_taken_away_is_poisoned_until_it_is_rolled_back() {
    for lost in [
        step("null", TIMEOUT, true),
        step("null", "null", true),
        Reply::Cut,
        Reply::Text(400, "Received an invalid baton".into()),
    ] {
        let server = server(vec![begun(), lost, Reply::Json(200, "{}".into()), ok(EMPTY)]);
        let db = server.open("");
        db.query("BEGIN IMMEDIATE", None).unwrap();
        assert_eq!(db.query("INSERT INTO t VALUES(1)", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
        let sent = server.requests().len();
        for sql in ["INSERT INTO t VALUES(2)", "SELECT 1", "ROLLBACK TO a", "COMMIT", "BEGIN"] {
            assert_eq!(db.query(sql, None).unwrap_err().code(), codes::TRANSACTION_EXPIRED, "{sql}");
        }
        assert!(db.in_transaction());
        db.query("ROLLBACK", None).unwrap();
        assert_eq!(server.requests().len(), sent, "nothing reaches the server");
        assert!(!db.in_transaction());
        assert!(server.requests()[1].contains(r#""condition":{"type":"not","cond":{"type":"is_autocommit"}}"#));
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_unknown_and_one_that_was_not_sent_is_not() {
    let lost = server(vec![begun(), step(EMPTY, "null", false), Reply::Cut]);
    let db = lost.open("");
    db.query("BEGIN", None).unwrap();
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    assert_eq!(db.query("COMMIT", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
    assert_eq!(db.query("INSERT INTO t VALUES(2)", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
    assert_eq!(lost.requests().len(), 3);

    let good = server(vec![begun(), step(EMPTY, "null", true), Reply::Json(200, "{}".into())]);
    let db = good.open("");
    db.query("BEGIN", None).unwrap();
    db.query("COMMIT", None).unwrap();
    assert_eq!((db.in_transaction(), db.replication_index()), (false, Some(42)));

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let db = Remote::at(Endpoint::parse(&format!("http://127.0.0.1:{nobody}"), None).unwrap());
    let error = db.query("INSERT INTO t VALUES(1)", None).unwrap_err();
    assert_eq!(error.code(), codes::REMOTE, "{error:?}");
    assert!(error.hint().contains("Nothing was sent"), "{error:?}");
}

#[test]
fn what_the_server_cannot_take_is_not_sent() {
    let server = server(vec![ok(EMPTY)]);
    let db = server.open("");
    let big = vec![b'x'; 5_000_001];
    for (cell, code) in [
        (Cell::Blob(&big), sqlite::SQLITE_TOOBIG),
        (Cell::Text(&big), sqlite::SQLITE_TOOBIG),
        (Cell::Float(f64::INFINITY), sqlite::SQLITE_MISMATCH),
        (Cell::Float(f64::NAN), sqlite::SQLITE_MISMATCH),
        (Cell::Text(b"\xff"), codes::INVALID_UTF8),
    ] {
        let mut parameters = Encoder::new([&b"a"[..]]);
        parameters.push(cell);
        let packed = parameters.finish();
        assert_eq!(db.query("INSERT INTO t VALUES(?)", Some(packed.table())).unwrap_err().code(), code);
        let statements = [Statement { sql: "INSERT INTO t VALUES(?)", parameters: Some(packed.table()) }];
        assert_eq!(db.batch(&statements).unwrap_err().code(), code);
    }
    assert!(server.requests().is_empty());
    // The next one does go out: the refusals broke nothing.
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_infinity_is_not_taken_for_null() {
    let server = server(vec![ok(r#"{"cols":[{"name":"r"}],"rows":[[{"type":"float","value":null}]]}"#)]);
    let error = server.open("").query("SELECT r FROM t", None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_MISMATCH);
    assert!(error.message().contains("column r of row 0"), "{error}");
}

#[test]
fn a_later_statement_asks_for_the_state_after_the_latest_write() {
    let server = server(vec![ok(EMPTY), ok(EMPTY)]);
    let db = server.open("");
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    db.query("SELECT 1", None).unwrap();
    let requests = server.requests();
    assert!(!requests[0].contains("replication_index"));
    assert!(requests[1].contains(r#""replication_index":"41""#), "{}", requests[1]);
}

#[test]
fn libsql_to_this_machine_without_tls_has_a_hint() {
    let server = server(vec![]);
    let url = format!("libsql://127.0.0.1:{}?statement_timeout=3s", server.port);
    let error = Remote::at(Endpoint::parse(&url, None).unwrap()).query("SELECT 1", None).unwrap_err();
    assert!(error.hint().contains("?tls=0"), "{error:?}");
}
