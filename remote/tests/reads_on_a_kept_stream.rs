//! Reads that follow each other closely share a stream, and never show what a change of the schema has made of it.

mod scripted;

use std::time::Duration;

use litekeel_core::Cell;
use litekeel_core::{Result, codes, sqlite};
use litekeel_remote::{Endpoint, Remote};
use scripted::{CURSOR, CURSOR_END, EMPTY, LOOK, Reply, Server, begun, kept, ok, one, server, step};

/// What a read on a stream of its own begins with.
const ALONE: &str = r#"{"baton":null,"requests":[{"type":"batch","batch":{"steps":[{"stmt":{"sql":"BEGIN READONLY"}}"#;
/// Of the COMMIT behind the first read on such a stream.
const OVER: &str = r#"{"cols":[],"rows":[]}"#;

fn open(server: &Server, more: &str) -> Remote {
    Remote::at(Endpoint::parse(&server.url(more), None).unwrap())
}

/// The name of the column, and the value.
fn read(db: &Remote) -> Result<(String, i64)> {
    let packed = db.query("SELECT * FROM t", None)?;
    let table = packed.table();
    let Cell::Int(value) = table.cell(0, 0) else { panic!("{:?}", table.cell(0, 0)) };
    Ok((String::from_utf8_lossy(table.name(0)).into_owned(), value))
}

/// A server that answers two reads, and the third one as the first on a stream that is kept.
fn warm(more: Vec<Reply>) -> Server {
    let first = [ok(&one("a", 1)), ok(&one("a", 2)), kept("k1", Some(OVER), &one("a", 3), "null", 5)];
    server(first.into_iter().chain(more).collect())
}

fn warmed(server: &Server, more: &str) -> Remote {
    let db = open(server, more);
    for value in 1..=3 {
        assert_eq!(read(&db).unwrap(), ("a".to_owned(), value));
    }
    assert!(db.keeps_a_stream());
    db
}

#[test]
fn a_stream_is_kept_while_the_schema_is_the_same() {
    let failed = r#"{"message":"SQLite error: integer overflow","code":"SQLITE_ERROR"}"#;
    let server = warm(vec![
        kept("k2", None, &one("a", 4), "null", 5),
        kept("k3", None, "null", failed, 5),
        kept("k4", None, &one("a", 5), "null", 5),
    ]);
    let db = warmed(&server, "");
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 4));
    let error = read(&db).unwrap_err();
    assert_eq!((error.code(), error.message()), (sqlite::SQLITE_ERROR, "integer overflow"), "{error:?}");
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 5));
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    for (request, baton) in requests[2..].iter().zip(["null", r#""k1""#, r#""k2""#, r#""k3""#]) {
        assert!(request.starts_with(&format!(r#"{{"baton":{baton},"#)), "{request}");
    }
    assert_eq!(db.replication_index(), Some(50));
    // What a write does has nothing to do with it; in a transaction reads are the transaction's.
    drop(db);
    assert!(server.hears(r#"{"baton":"k4","requests":[{"type":"close"}]}"#));
}

#[test]
fn values_under_the_names_of_an_earlier_schema_are_thrown_away() {
    let new = ok(&one("b", 4));
    let server = warm(vec![kept("k2", None, &one("a", 4), "null", 6), new]);
    let db = warmed(&server, "");
    assert_eq!(read(&db).unwrap(), ("b".to_owned(), 4));
    assert!(!db.keeps_a_stream());
    assert!(server.hears(r#"{"baton":"k2","requests":[{"type":"close"}]}"#));

    // An error may come of the earlier schema too.
    let unknown = r#"{"message":"SQL input error: no such column: b","code":"SQL_INPUT_ERROR"}"#;
    let server = warm(vec![kept("k2", None, "null", unknown, 6), ok(&one("b", 4))]);
    assert_eq!(read(&warmed(&server, "")).unwrap(), ("b".to_owned(), 4));
}

#[test]
fn a_read_whose_stream_is_lost_runs_on_one_of_its_own() {
    for lost in [
        Reply::Cut,
        Reply::Text(400, "Received an invalid baton".into()),
        Reply::Json(400, r#"{"message":"expired","code":"STREAM_EXPIRED"}"#.into()),
        Reply::Json(500, r#"{"error":"Invalid column index: 2"}"#.into()),
        Reply::Text(200, "<html>".into()),
        Reply::Json(
            200,
            r#"{"baton":"k2","results":[{"type":"error","error":{"message":"syntax","code":"SQL_PARSE_ERROR"}}]}"#
                .into(),
        ),
        kept("k2", None, r#"{"cols":[]}"#, "null", 5),
        kept("k2", None, "null", "null", 5),
    ] {
        let server = warm(vec![lost, ok(&one("a", 4))]);
        let db = warmed(&server, "");
        assert_eq!(read(&db).unwrap(), ("a".to_owned(), 4));
        assert!(!db.keeps_a_stream());
        assert!(server.asked()[4].starts_with(ALONE), "{:?}", server.asked());
    }
    // One deadline for both.
    let silent = warm(vec![Reply::Silent, ok(&one("a", 4))]);
    let db = warmed(&silent, "&statement_timeout=400ms");
    let error = read(&db).unwrap_err();
    assert_eq!(error.code(), codes::REMOTE, "{error:?}");
    assert!(error.message().contains("within 400 ms"), "{error:?}");
    assert_eq!(silent.asked().len(), 4);
}

/// It would see nothing of what others write.
#[test]
fn a_stream_that_stays_in_its_first_transaction_is_not_kept() {
    let first = [ok(&one("a", 1)), ok(&one("a", 2)), kept("k1", Some("null"), &one("a", 3), "null", 5)];
    let server = server(first.into_iter().chain([ok(&one("a", 4))]).collect());
    let db = open(&server, "");
    for value in [1, 2, 4] {
        assert_eq!(read(&db).unwrap(), ("a".to_owned(), value));
    }
    assert!(!db.keeps_a_stream());
    assert!(server.hears(r#"{"baton":"k1","requests":[{"type":"close"}]}"#));
}

/// The server takes the names from what its connection knows of the schema, which may be of before another client's change:
/// the transaction has it read anew, and the statement sees the same state.
#[test]
fn what_has_columns_follows_a_look_at_the_schema_in_one_transaction() {
    let look = r#"{"condition":{"type":"ok","step":0},"stmt":{"sql":"SELECT 1 FROM sqlite_schema LIMIT 0"}}"#;
    let server = server(vec![
        ok(&one("a", 1)),
        Reply::Slow(Duration::ZERO, vec![format!("{CURSOR}{CURSOR_END}")]),
        ok(&one("a", 2)),
        ok(EMPTY),
    ]);
    let db = open(&server, "");
    db.query("WITH x AS (SELECT a FROM t) SELECT a FROM x", None).unwrap();
    assert_eq!(db.cursor("SELECT a FROM t", None).unwrap().next(1).unwrap().table().rows(), 0);
    let returned = db.query("INSERT INTO t VALUES(2) RETURNING *", None).unwrap();
    assert_eq!(returned.table().cell(0, 0), Cell::Int(2));
    db.query("INSERT INTO t VALUES(3)", None).unwrap();
    let asked = server.asked();
    let statement = |sql: &str| {
        format!(
            r#"{look},{{"stmt":{{"sql":"{sql}"}}}},{{"condition":{{"type":"ok","step":0}},"stmt":{{"sql":"COMMIT"}}}}"#
        )
    };
    assert!(
        asked[0].starts_with(ALONE) && asked[0].contains(&statement("WITH x AS (SELECT a FROM t) SELECT a FROM x")),
        "{}",
        asked[0]
    );
    assert!(asked[1].contains("READONLY") && asked[1].contains(&statement("SELECT a FROM t")), "{}", asked[1]);
    let begin = r#""steps":[{"stmt":{"sql":"BEGIN IMMEDIATE"}},"#;
    assert!(asked[2].contains(&format!("{begin}{look},")) && asked[2].contains("COMMIT"), "{}", asked[2]);
    // Of a write without rows nothing can be misnamed.
    assert!(asked[3].contains(r#""type":"execute""#), "{}", asked[3]);
}

/// A transaction sees one state from its first statement on that reads; one that writes would be refused if another client
/// wrote between a look and it. A savepoint or a pragma reads nothing: other clients may change the schema behind it.
#[test]
fn in_a_transaction_only_the_first_statement_with_columns_is_preceded_by_a_look() {
    let begun = [begun(), step(&one("a", 1), "null", false), step(&one("a", 2), "null", false)];
    let nothing = || step(EMPTY, "null", false);
    let server = server(
        begun
            .into_iter()
            .chain([step(EMPTY, "null", true)])
            .chain([scripted::begun(), nothing(), nothing(), nothing(), step(&one("a", 3), "null", false)])
            .chain([step(&one("a", 4), "null", false)])
            .collect(),
    );
    let db = open(&server, "");
    db.query("BEGIN", None).unwrap();
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 1));
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 2));
    db.query("COMMIT", None).unwrap();
    db.query("BEGIN", None).unwrap();
    for sql in ["INSERT INTO t VALUES(1)", "SAVEPOINT a", "PRAGMA foreign_keys"] {
        db.query(sql, None).unwrap();
    }
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 3));
    assert_eq!(read(&db).unwrap(), ("a".to_owned(), 4));
    let looks: Vec<_> = server.asked().iter().map(|request| request.contains(LOOK)).collect();
    assert_eq!(looks, [false, true, false, false, false, false, false, false, true, false]);
}

/// The server is asked once what the words do not say.
#[test]
fn a_statement_that_begins_with_with_is_a_read_if_the_server_says_so() {
    let described = |readonly: bool| {
        Reply::Json(
            200,
            format!(
                r#"{{"baton":null,"results":[{{"type":"ok","response":{{"type":"describe","result":{{"params":[],"cols":[],"is_explain":false,"is_readonly":{readonly}}}}}}}]}}"#
            ),
        )
    };
    let server = server(vec![described(true), ok(&one("a", 1)), described(false), ok(EMPTY)]);
    let db = open(&server, "");
    db.query("WITH x AS (SELECT replace(a, 1, 2) AS a FROM t) SELECT a FROM x", None).unwrap();
    db.query("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", None).unwrap();
    let asked = server.asked();
    assert!(asked[1].starts_with(ALONE), "{}", asked[1]);
    assert!(asked[3].contains("BEGIN IMMEDIATE"), "{}", asked[3]);
}

/// As where a hosted server does not tell the number.
#[test]
fn no_stream_is_kept_where_the_schema_has_no_number() {
    let refused = Reply::Json(200, r#"{"baton":"k1","results":[{"type":"ok","response":{"type":"batch","result":{"step_results":[{},{},{"cols":[],"rows":[]},null,{}],"step_errors":[null,null,null,{"message":"not authorized","code":"SQLITE_AUTH"},null]}}}]}"#.into());
    let rows = (0..10).map(|at| ok(&one("a", at)));
    let server = server(rows.clone().take(2).chain([refused]).chain(rows.skip(2)).collect());
    let db = open(&server, "");
    for at in 0..10 {
        assert_eq!(read(&db).unwrap(), ("a".to_owned(), at));
    }
    assert_eq!(server.asked().len(), 11);
}

/// Else some hundred clients that have read and are idle now would keep everybody else out.
#[test]
fn a_stream_that_rests_is_ended_at_the_server() {
    let server =
        warm(vec![Reply::Json(200, r#"{"baton":null,"results":[{"type":"ok","response":{"type":"close"}}]}"#.into())]);
    let db = warmed(&server, "");
    assert!(db.keeps_a_stream());
    assert!(server.hears(r#"{"baton":"k1","requests":[{"type":"close"}]}"#), "{:?}", server.requests());
    assert!(!db.keeps_a_stream());
}

/// It takes one of the server's connections.
#[test]
fn reads_that_are_far_between_keep_no_stream() {
    let server = server((0..4).map(|at| ok(&one("a", at))).collect());
    let db = open(&server, "");
    for (at, pause) in [(0, 2300), (1, 2300), (2, 0), (3, 0)] {
        assert_eq!(read(&db).unwrap(), ("a".to_owned(), at));
        std::thread::sleep(Duration::from_millis(pause));
    }
    assert!(server.requests().iter().all(|request| request.starts_with(ALONE) && !request.contains("schema_version")));
}
