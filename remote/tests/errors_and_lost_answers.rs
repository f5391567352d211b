//! A server that answers as scripted: every form of an error, and answers that do not come.

mod scripted;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use litekeel_core::{Cell, Encoder};
use litekeel_core::{codes, sqlite};
use litekeel_remote::{Endpoint, Remote, Statement};
use scripted::{CANARY, EMPTY, Reply, Server, begun, executed, ok, server, step};

fn open(server: &Server, more: &str) -> Remote {
    Remote::at(Endpoint::parse(&server.url(more), None).unwrap())
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
        let error = open(&server, "").query("INSERT INTO t VALUES(1)", None).unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.hint().contains(hint), "{error:?}");
        assert!(!format!("{error:?} {error} {:?}", error.path()).contains(CANARY), "{error:?}");
        assert_eq!(server.requests().len(), 1, "a write is sent once");
    }
}

/// As of a file. What a full disk needs is said.
#[test]
fn sqlite_s_own_errors_keep_their_codes() {
    for (name, code, hint) in [
        ("SQLITE_FULL", sqlite::SQLITE_FULL, "make some there"),
        ("SQLITE_IOERR", sqlite::SQLITE_IOERR, "the server's log"),
        ("SQLITE_READONLY", sqlite::SQLITE_READONLY, ""),
        ("SQLITE_CORRUPT", sqlite::SQLITE_CORRUPT, ""),
        ("SQLITE_LOCKED", sqlite::SQLITE_LOCKED, ""),
        ("SQLITE_AUTH", sqlite::SQLITE_AUTH, ""),
        ("SQLITE_UNKNOWN", sqlite::SQLITE_ERROR, ""),
    ] {
        let error = format!(r#"{{"message":"SQLite error: {CANARY} of it","code":"{name}"}}"#);
        let alone = Reply::Json(200, format!(r#"{{"results":[{{"type":"error","error":{error}}}]}}"#));
        let server = server(vec![alone.clone(), alone, begun(), step("null", &error, false)]);
        let db = open(&server, "");
        let write = db.query("INSERT INTO t VALUES(1)", None).unwrap_err();
        let read = db.query("SELECT a FROM t", None).unwrap_err();
        db.query("BEGIN", None).unwrap();
        for error in [write, read, db.query("INSERT INTO t VALUES(1)", None).unwrap_err()] {
            assert_eq!(error.code(), code, "{name}: {error:?}");
            assert!(error.hint().contains(hint), "{name}: {error:?}");
            assert!(!format!("{error:?} {error}").contains(CANARY), "{error:?}");
        }
    }
}

#[test]
fn a_read_is_sent_once_more_and_a_write_is_not() {
    let server = server(vec![
        Reply::Cut,
        ok(r#"{"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"-9223372036854775808"}]]}"#),
    ]);
    let rows = open(&server, "").query("SELECT a FROM t", None).unwrap();
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
        let db = open(&server, "&statement_timeout=300ms");
        let began = Instant::now();
        assert_eq!(db.query(sql, None).unwrap_err().code(), code);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(10), "{took:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

/// The kernel takes the connection, and nobody ever answers: neither a request nor the greeting of TLS.
#[test]
fn a_port_that_never_answers_is_given_up_at_the_deadline() {
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hole.local_addr().unwrap().port();
    // Whichever is shorter.
    for times in ["connect_timeout=400ms&statement_timeout=300ms", "connect_timeout=60s&statement_timeout=300ms"] {
        for scheme in ["http", "https", "libsql"] {
            let db = Remote::at(Endpoint::parse(&format!("{scheme}://127.0.0.1:{port}?{times}"), None).unwrap());
            let by_cursor = |db: &Remote| db.cursor("SELECT 1", None).err().unwrap();
            let at_once = |db: &Remote| db.query("SELECT 1", None).unwrap_err();
            for read in [at_once as fn(&Remote) -> litekeel_core::Error, by_cursor] {
                let began = Instant::now();
                assert_eq!(read(&db).code(), codes::REMOTE, "{scheme}");
                let took = began.elapsed();
                assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(10), "{scheme}: {took:?}");
            }
        }
    }
}

/// The kernel has taken the connection, and TLS was never agreed on: the write is nowhere. Without TLS it lies in a socket,
/// and may be done later.
#[test]
fn of_a_write_that_was_not_sent_it_is_said_that_nothing_happened() {
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let speaks_no_tls = server(vec![]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = hole.local_addr().unwrap().port();
    for (url, code) in [
        (format!("https://127.0.0.1:{port}?connect_timeout=60s&statement_timeout=300ms"), codes::REMOTE),
        (format!("https://127.0.0.1:{port}?connect_timeout=300ms&statement_timeout=60s"), codes::REMOTE),
        (format!("https://127.0.0.1:{}?statement_timeout=20s", speaks_no_tls.port), codes::REMOTE),
        (format!("http://127.0.0.1:{nobody}"), codes::REMOTE),
        (format!("http://127.0.0.1:{port}?statement_timeout=300ms"), codes::COMMIT_UNKNOWN),
    ] {
        let db = Remote::at(Endpoint::parse(&url, None).unwrap());
        let error = db.query("INSERT INTO t VALUES(1)", None).unwrap_err();
        assert_eq!(error.code(), code, "{url}: {error:?}");
        let batch = db.batch(&[Statement { sql: "INSERT INTO t VALUES(1)", parameters: None }]).unwrap_err();
        assert_eq!(batch.code(), code, "{url}: {batch:?}");
        let says = error.hint().contains("Nothing was sent");
        assert_eq!(says, code == codes::REMOTE, "{url}: {error:?}");
    }
}

#[test]
fn an_answer_that_was_cut_short_is_none() {
    let whole = executed(EMPTY);
    for at in [0, 1, whole.len() / 2, whole.len()] {
        let server = server(vec![Reply::Short(whole[..at].to_owned())]);
        let error = open(&server, "").query("INSERT INTO t VALUES(1)", None).unwrap_err();
        assert_eq!(error.code(), codes::COMMIT_UNKNOWN, "after {at} bytes: {error:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

/// An answer that comes and cannot be read leaves a write as open as one that does not come; a read is only failed.
#[test]
fn an_answer_that_cannot_be_read_does_not_say_that_a_write_failed() {
    let infinity = ok(r#"{"cols":[{"name":"r"}],"rows":[[{"type":"float","value":null}]]}"#);
    let strange = Reply::Json(200, r#"{"baton":null,"results":[{"type":"strange"}]}"#.into());
    let no_rows = ok(r#"{"cols":[]}"#);
    for (reply, read) in
        [(infinity, sqlite::SQLITE_MISMATCH), (strange.clone(), codes::REMOTE), (no_rows, codes::REMOTE)]
    {
        let server = server(vec![reply.clone(), reply]);
        let db = open(&server, "");
        let error = db.query("INSERT INTO t VALUES(1) RETURNING r", None).unwrap_err();
        assert_eq!(error.code(), codes::COMMIT_UNKNOWN, "{error:?}");
        assert_eq!(db.query("SELECT r FROM t", None).unwrap_err().code(), read);
    }
    let neither = executed(r#"{"step_results":[null,null,null],"step_errors":[null,null,null]}"#);
    for reply in [strange, Reply::Json(200, neither)] {
        let server = server(vec![reply]);
        let statements = [Statement { sql: "INSERT INTO t VALUES(1)", parameters: None }];
        assert_eq!(open(&server, "").batch(&statements).unwrap_err().code(), codes::COMMIT_UNKNOWN);
    }
}

#[test]
fn a_commit_whose_answer_cannot_be_read_is_unknown() {
    let answer = Reply::Json(200, r#"{"baton":null,"results":[{"type":"strange"}]}"#.into());
    let server = server(vec![begun(), answer]);
    let db = open(&server, "");
    db.query("BEGIN", None).unwrap();
    assert_eq!(db.query("COMMIT", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
}

/// What a child does with its parent's transaction: it is refused, and closes nothing when it lets go.
#[cfg(unix)]
#[test]
fn a_forked_child_sends_nothing() {
    let server = server(vec![begun()]);
    let db = open(&server, "");
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
        let server = server(vec![begun(), lost, ok(EMPTY)]);
        let db = open(&server, "");
        db.query("BEGIN IMMEDIATE", None).unwrap();
        assert_eq!(db.query("INSERT INTO t VALUES(1)", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
        let sent = server.asked().len();
        for sql in ["INSERT INTO t VALUES(2)", "SELECT 1", "ROLLBACK TO a", "COMMIT", "BEGIN"] {
            assert_eq!(db.query(sql, None).unwrap_err().code(), codes::TRANSACTION_EXPIRED, "{sql}");
        }
        assert!(db.in_transaction());
        db.query("ROLLBACK", None).unwrap();
        assert_eq!(server.asked().len(), sent, "nothing reaches the server");
        assert!(!db.in_transaction());
        assert!(server.asked()[1].contains(r#""condition":{"type":"not","cond":{"type":"is_autocommit"}}"#));
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_unknown_and_one_that_was_not_sent_is_not() {
    let lost = server(vec![begun(), step(EMPTY, "null", false), Reply::Cut]);
    let db = open(&lost, "");
    db.query("BEGIN", None).unwrap();
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    assert_eq!(db.query("COMMIT", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
    assert_eq!(db.query("INSERT INTO t VALUES(2)", None).unwrap_err().code(), codes::COMMIT_UNKNOWN);
    assert_eq!(lost.requests().len(), 3);

    let good = server(vec![begun(), step(EMPTY, "null", true)]);
    let db = open(&good, "");
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
fn a_transaction_that_is_left_open_is_closed_at_the_server() {
    let server = server(vec![begun()]);
    let db = open(&server, "");
    db.query("BEGIN", None).unwrap();
    drop(db);
    assert_eq!(server.requests()[1], r#"{"baton":"b1","requests":[{"type":"close"}]}"#);
}

#[test]
fn what_the_server_cannot_take_is_not_sent() {
    let server = server(vec![ok(EMPTY)]);
    let db = open(&server, "");
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
    let error = open(&server, "").query("SELECT r FROM t", None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_MISMATCH);
    assert!(error.message().contains("column r of row 0"), "{error}");
}

#[test]
fn a_later_statement_asks_for_the_state_after_the_latest_write() {
    let server = server(vec![ok(EMPTY), ok(EMPTY)]);
    let db = open(&server, "");
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

/// In a transaction, or in one request with its COMMIT, nothing is kept of a statement whose rows were too many.
#[test]
fn what_was_rolled_back_is_not_told_as_kept() {
    let large = r#"{"message":"Response is too large","code":"RESPONSE_TOO_LARGE"}"#;
    let batch = executed(&format!(
        r#"{{"step_results":[{EMPTY},{EMPTY},null,null,{EMPTY}],"step_errors":[null,null,{large},null,null]}}"#
    ));
    let batch = Reply::Json(200, batch);
    let server = server(vec![batch.clone(), batch, begun(), step("null", large, false)]);
    let db = open(&server, "");
    let sql = "INSERT INTO t SELECT * FROM u RETURNING *";
    let of_batch = db.batch(&[Statement { sql, parameters: None }]).unwrap_err();
    let alone = db.query(sql, None).unwrap_err();
    db.query("BEGIN", None).unwrap();
    for error in [of_batch, alone, db.query(sql, None).unwrap_err()] {
        assert_eq!(error.code(), sqlite::SQLITE_TOOBIG, "{error:?}");
        assert!(!error.message().contains("kept"), "{error:?}");
    }
}

#[test]
fn a_lost_release_of_an_inner_savepoint_commits_nothing() {
    for (begin, more, release, code) in [
        ("BEGIN", Some("SAVEPOINT a"), "RELEASE a", codes::TRANSACTION_EXPIRED),
        ("SAVEPOINT a", Some("SAVEPOINT b"), "RELEASE b", codes::TRANSACTION_EXPIRED),
        ("SAVEPOINT a", Some("SAVEPOINT b"), "RELEASE SAVEPOINT A", codes::COMMIT_UNKNOWN),
        ("SAVEPOINT a", None, "RELEASE a", codes::COMMIT_UNKNOWN),
    ] {
        let mut replies = vec![begun()];
        replies.extend(more.map(|_| step(EMPTY, "null", false)));
        let server = server(replies.into_iter().chain([Reply::Cut]).collect());
        let db = open(&server, "");
        db.query(begin, None).unwrap();
        more.iter().for_each(|sql| drop(db.query(sql, None).unwrap()));
        assert_eq!(db.query(release, None).unwrap_err().code(), code, "{begin} {more:?} {release}");
    }
}
