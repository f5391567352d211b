//! A server that is slow, never done or silent: how long anybody waits for it, how much of it is taken, and what it is told
//! of what was left behind.

mod scripted;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use litekeel_core::Cell;
use litekeel_core::{Result, codes};
use litekeel_remote::{Cursor, Endpoint, Remote, Statement};
use scripted::{CURSOR, CURSOR_END, EMPTY, Reply, Server, begun, deaf_server, executed, ok, row, server, step};

fn open(server: &Server, more: &str) -> Remote {
    Remote::at(Endpoint::parse(&server.url(more), None).unwrap())
}

fn read(cursor: &mut Cursor) -> Result<Vec<i64>> {
    let mut read = Vec::new();
    loop {
        let packed = cursor.next(100)?;
        let table = packed.table();
        if table.rows() == 0 {
            return Ok(read);
        }
        for at in 0..table.rows() {
            let Cell::Int(value) = table.cell(at, 0) else { panic!("{:?}", table.cell(at, 0)) };
            read.push(value);
        }
    }
}

/// Each byte comes in time, and never the whole line.
#[test]
fn a_cursor_whose_server_drips_is_given_up_at_the_deadline() {
    let (head, _) = CURSOR.split_once('\n').unwrap();
    for (status, begin) in [(200, String::new()), (200, format!("{head}\n")), (500, "{".to_owned())] {
        let server = server(vec![Reply::Drip(status, begin)]);
        let began = Instant::now();
        let error = open(&server, "&statement_timeout=300ms").cursor("SELECT a FROM t", None).err().unwrap();
        assert_eq!(error.code(), codes::REMOTE, "{error:?}");
        assert!(error.message().contains("within 300 ms"), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    let server = server(vec![Reply::Drip(200, format!("{CURSOR}{}", row(1)))]);
    let mut cursor = open(&server, "&statement_timeout=300ms").cursor("SELECT a FROM t", None).unwrap();
    assert_eq!(cursor.next(1).unwrap().table().cell(0, 0), Cell::Int(1));
    let began = Instant::now();
    let error = cursor.next(1).unwrap_err();
    assert_eq!(error.code(), codes::REMOTE, "{error:?}");
    assert!(began.elapsed() >= Duration::from_millis(290) && began.elapsed() < Duration::from_secs(10));
    assert_eq!(cursor.next(1).unwrap().table().rows(), 0, "it has ended");
}

/// Lines that are not rows do not prolong it.
#[test]
fn a_cursor_of_which_never_a_row_comes_is_given_up_at_the_deadline() {
    let end = CURSOR_END.split_inclusive('\n').next().unwrap();
    let pieces = [CURSOR.to_owned()].into_iter().chain((0..500).map(|_| end.to_owned())).collect();
    let server = server(vec![Reply::Slow(Duration::from_millis(50), pieces)]);
    let mut cursor = open(&server, "&statement_timeout=500ms").cursor("SELECT a FROM t", None).unwrap();
    let began = Instant::now();
    assert_eq!(cursor.next(5).unwrap_err().code(), codes::REMOTE);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// The time is the server's for each row: neither all the rows together nor the pauses of who reads them.
#[test]
fn a_cursor_that_is_slow_in_all_or_read_slowly_is_read_to_its_end() {
    let slow = [CURSOR.to_owned()].into_iter().chain((0..9).map(row)).chain([CURSOR_END.to_owned()]);
    let server = server(vec![
        Reply::Slow(Duration::from_millis(400), slow.collect()),
        Reply::Slow(Duration::ZERO, vec![format!("{CURSOR}{}{}{CURSOR_END}", row(1), row(2))]),
    ]);
    let db = open(&server, "&statement_timeout=3s");
    let mut cursor = db.cursor("SELECT a FROM t", None).unwrap();
    let first = cursor.next(100).unwrap().table().rows();
    assert!((1..9).contains(&first), "{first} rows were waited for, though they are slow");
    assert_eq!(read(&mut cursor).unwrap(), (first as i64..9).collect::<Vec<_>>());
    let mut cursor = db.cursor("SELECT a FROM t", None).unwrap();
    assert_eq!(cursor.next(1).unwrap().table().rows(), 1);
    thread::sleep(Duration::from_millis(3200));
    assert_eq!(read(&mut cursor).unwrap(), [2]);
}

#[test]
fn a_line_that_does_not_end_is_given_up_before_memory_is_full() {
    let server = server(vec![
        Reply::Long(CURSOR.to_owned(), 80 << 20),
        Reply::Long(format!("{CURSOR}{{\"type\":\"row\",\"row\":["), 1 << 30),
    ]);
    let db = open(&server, "");
    for _ in 0..2 {
        let error = db.cursor("SELECT a FROM t", None).unwrap().next(1).unwrap_err();
        assert_eq!(error.code(), codes::REMOTE, "{error:?}");
        assert!(error.message().contains("longer than 64 MiB"), "{error:?}");
    }
    // A large row is none of those.
    let text = "x".repeat(20 << 20);
    let large =
        format!("{CURSOR}{{\"type\":\"row\",\"row\":[{{\"type\":\"text\",\"value\":\"{text}\"}}]}}\n{CURSOR_END}");
    let server = self::server(vec![Reply::Slow(Duration::ZERO, vec![large])]);
    let mut cursor = open(&server, "").cursor("SELECT a FROM t", None).unwrap();
    assert_eq!(cursor.next(2).unwrap().table().cell(0, 0), Cell::Text(text.as_bytes()));
}

/// Nobody who lets go of a cursor waits for the server to know; it is told all the same, if it listens.
#[test]
fn a_cursor_is_left_without_waiting_for_the_server() {
    let answer = || Reply::Drip(200, format!("{CURSOR}{}", row(1)));
    let silent = deaf_server((0..4).map(|_| answer()).collect());
    let db = open(&silent, "&statement_timeout=6s");
    let cursors: Vec<_> = (0..4).map(|_| db.cursor("SELECT a FROM t", None).unwrap()).collect();
    let began = Instant::now();
    drop(cursors);
    drop(db);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    let server = server(vec![answer()]);
    drop(open(&server, "").cursor("SELECT a FROM t", None).unwrap());
    assert!(server.hears(r#"{"baton":"c1","requests":[{"type":"close"}]}"#));
}

/// Other writers wait for it: it is told, and waited for, but not for long.
#[test]
fn a_transaction_is_left_within_a_second_or_so() {
    let silent = deaf_server(vec![begun(), begun()]);
    let dropped = open(&silent, "&statement_timeout=30s");
    dropped.query("BEGIN", None).unwrap();
    let abandoned = open(&silent, "&statement_timeout=30s");
    abandoned.query("BEGIN", None).unwrap();
    let began = Instant::now();
    drop(dropped);
    abandoned.abandon();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());

    let server = server(vec![begun()]);
    let db = open(&server, "");
    db.query("BEGIN", None).unwrap();
    db.abandon();
    assert!(server.hears(r#"{"baton":"b1","requests":[{"type":"close"}]}"#));
}

/// They are asked on the thread of an event loop.
#[test]
fn what_is_known_here_is_told_while_a_statement_runs() {
    let server = server(vec![begun(), step(EMPTY, "null", false), Reply::Silent]);
    let db = Arc::new(open(&server, "&statement_timeout=8s"));
    assert!(!db.in_transaction());
    db.query("BEGIN", None).unwrap();
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    let asking = db.clone();
    let running = thread::spawn(move || asking.query("INSERT INTO t VALUES(2)", None).map(|_| ()));
    assert!(server.hears("VALUES(2)"));
    assert!(db.in_transaction());
    assert_eq!(db.replication_index(), Some(42));
    drop(db.sibling());
    assert!(!running.is_finished(), "they waited for the statement");
    assert_eq!(running.join().unwrap().unwrap_err().code(), codes::TRANSACTION_EXPIRED);
    assert!(db.in_transaction(), "until it is rolled back");
    db.query("ROLLBACK", None).unwrap();
    assert!(!db.in_transaction());
}

/// The server has begun it, or goes on with it, and holds the write lock.
#[test]
fn a_transaction_that_nobody_can_go_on_with_is_closed_at_the_server() {
    let strange = |baton: &str| {
        Reply::Json(
            200,
            format!(r#"{{"baton":"{baton}","results":[{{"type":"ok","response":{{"result":{{"cols":[]}}}}}}]}}"#),
        )
    };
    let close = |baton: &str| format!(r#"{{"baton":"{baton}","requests":[{{"type":"close"}}]}}"#);
    let unread = server(vec![strange("x1")]);
    let db = open(&unread, "");
    assert_eq!(db.query("BEGIN IMMEDIATE", None).unwrap_err().code(), codes::REMOTE);
    assert!(!db.in_transaction());
    assert!(unread.hears(&close("x1")));
    for (answer, baton) in [
        (strange("x2"), "x2"),
        // It has not taken the request, so that the baton is still the one.
        (Reply::Json(403, r#"{"error":"Authorization forbidden"}"#.into()), "b1"),
    ] {
        let server = server(vec![begun(), answer]);
        let db = open(&server, "");
        db.query("BEGIN IMMEDIATE", None).unwrap();
        assert_eq!(db.query("INSERT INTO t VALUES(1)", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
        assert!(server.hears(&close(baton)), "{:?}", server.requests());
    }
}

/// The second attempt has what the first one has left.
#[test]
fn a_read_that_is_sent_once_more_has_one_deadline() {
    for sent in [
        (|db: &Remote| db.query("SELECT a FROM t", None).map(|_| ())) as fn(&Remote) -> Result<()>,
        |db| db.cursor("SELECT a FROM t", None).map(|_| ()),
        |db| db.describe("SELECT a FROM t").map(|_| ()),
    ] {
        let server = server(vec![Reply::Late(Duration::from_secs(3)), Reply::Silent, ok(EMPTY)]);
        let db = open(&server, "&statement_timeout=4s");
        let began = Instant::now();
        assert!(sent(&db).is_err());
        assert!(began.elapsed() < Duration::from_millis(6500), "{:?}", began.elapsed());
        assert_eq!(server.requests().len(), 2);
    }
}

/// The server takes several times as long for rows one by one.
#[test]
fn rows_that_were_few_are_asked_for_at_once_the_next_time_and_more_of_them_one_by_one() {
    let all = r#"{"cols":[{"name":"a"}],"rows":[[{"type":"integer","value":"1"}],[{"type":"integer","value":"2"}]]}"#;
    let few = || Reply::Slow(Duration::ZERO, vec![format!("{CURSOR}{}{}{CURSOR_END}", row(1), row(2))]);
    let error = r#"{"message":"Response is too large","code":"RESPONSE_TOO_LARGE"}"#;
    let too_large = Reply::Json(200, format!(r#"{{"results":[{{"type":"error","error":{error}}}]}}"#));
    let long =
        ok(&format!(r#"{{"cols":[{{"name":"a"}}],"rows":[[{{"type":"text","value":"{}"}}]]}}"#, "x".repeat(3 << 20)));
    for (more, what) in [(too_large, "the server's limit"), (long, "ours"), (Reply::Cut, "a connection that breaks")] {
        let server = server(vec![few(), ok(all), more, few(), ok(all), ok(all), few()]);
        let db = open(&server, "");
        for _ in 0..4 {
            assert_eq!(read(&mut db.cursor("SELECT a FROM t", None).unwrap()).unwrap(), [1, 2], "{what}");
        }
        // Whoever leaves it before its end has asked for them in vain.
        let mut left = db.cursor("SELECT a FROM t", None).unwrap();
        assert_eq!(left.next(1).unwrap().table().rows(), 1);
        drop(left);
        drop(db.cursor("SELECT a FROM t", None).unwrap());
        let at_once: Vec<_> = server.asked().iter().map(|request| request.contains("\"requests\"")).collect();
        assert_eq!(at_once, [false, true, true, false, true, true, false], "{what}");
    }
}

/// As a replica does, which waits for it: of a batch and of a cursor the statements' numbers do not count.
#[test]
fn a_batch_and_a_cursor_ask_for_the_state_after_the_latest_write() {
    let batch = format!(r#"{{"step_results":[{EMPTY},{EMPTY},{EMPTY},{EMPTY}],"step_errors":[null,null,null]}}"#);
    let server = server(vec![
        ok(EMPTY),
        Reply::Json(200, executed(&batch)),
        Reply::Slow(Duration::ZERO, vec![CURSOR.to_owned()]),
    ]);
    let db = open(&server, "");
    db.query("INSERT INTO t VALUES(1)", None).unwrap();
    db.batch(&[Statement { sql: "SELECT 1", parameters: None }]).unwrap();
    drop(db.cursor("SELECT a FROM t", None).unwrap());
    for request in &server.asked()[1..] {
        assert!(request.contains(r#"],"replication_index":"41"}"#), "{request}");
    }
}
