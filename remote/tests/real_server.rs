//! The real libSQL server beside the client. `scripts/test-scale remote` installs it and runs this; by itself nothing here
//! runs.
#![cfg(unix)]

mod sqld;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use litekeel_core::{Cell, Encoder, Packed};
use litekeel_core::{codes, sqlite};
use litekeel_remote::{Remote, Statement};
use sqld::Sqld;

fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run(db: &Remote, sql: &str) -> Packed {
    db.query(sql, None).unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

fn number(db: &Remote, sql: &str) -> i64 {
    match run(db, sql).table().cell(0, 0) {
        Cell::Int(value) => value,
        other => panic!("{sql}: {other:?}"),
    }
}

fn one(cell: Cell<'_>) -> Packed {
    let mut parameters = Encoder::new([&b"1"[..]]);
    parameters.push(cell);
    parameters.finish()
}

fn names(rows: &Packed) -> Vec<String> {
    let table = rows.table();
    (0..table.columns()).map(|column| String::from_utf8(table.name(column).to_vec()).unwrap()).collect()
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn every_value_comes_back_as_it_was() {
    let server = Sqld::primary();
    let db = server.open("");
    run(&db, "CREATE TABLE t(v)");
    // The server's limit of 5,000,000 bytes holds for a whole row as well.
    let large = vec![0xa5; 4_999_000];
    let cells = [
        Cell::Null,
        Cell::Int(0),
        Cell::Int(i64::MIN),
        Cell::Int(i64::MAX),
        Cell::Int((1 << 53) + 1),
        Cell::Float(0.1),
        Cell::Float(-0.0),
        Cell::Float(5e-324),
        Cell::Float(f64::MAX),
        Cell::Float(1.0),
        Cell::Float(9007199254740993.0),
        Cell::Text(b""),
        Cell::Text("\0a\u{1}\"\\/\u{7f}\u{2028}\u{1f600}é\r\n".as_bytes()),
        Cell::Blob(b""),
        Cell::Blob(&[0, 255, 1, 254]),
        Cell::Blob(&large),
    ];
    for cell in cells {
        let parameters = one(cell);
        let rows = db.query("INSERT INTO t VALUES(?1) RETURNING v, typeof(v)", Some(parameters.table())).unwrap();
        let table = rows.table();
        let (back, kind) = (table.cell(0, 0), table.cell(0, 1));
        let shown = |cell: &Cell<'_>| format!("{cell:?}").chars().take(80).collect::<String>();
        match (cell, back) {
            (Cell::Float(sent), Cell::Float(got)) => assert_eq!(sent.to_bits(), got.to_bits()),
            (sent, got) => assert!(sent == got, "{} came back as {}", shown(&sent), shown(&got)),
        }
        let expected: &[u8] = match cell {
            Cell::Null => b"null",
            Cell::Int(_) => b"integer",
            Cell::Float(_) => b"real",
            Cell::Text(_) => b"text",
            Cell::Blob(_) => b"blob",
        };
        assert_eq!(kind, Cell::Text(expected), "{}", shown(&cell));
    }
    assert_eq!(
        db.query("SELECT length(?)", Some(one(Cell::Blob(&[0; 5_000_000])).table())).unwrap().table().cell(0, 0),
        Cell::Int(5_000_000)
    );
    // An infinity has no sign on the wire: it is an error, and none of the values beside it is made up.
    run(&db, "INSERT INTO t VALUES(9e999)");
    let error = db.query("SELECT v FROM t WHERE v = 9e999", None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_MISMATCH, "{error:?}");
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn values_stand_under_their_names_also_when_another_client_changes_the_schema() {
    let server = Sqld::primary();
    let (db, other) = (server.open(""), server.open(""));
    let rows = run(&db, "SELECT 1 AS a, 2 AS a, 3 AS \"b c\", 4 AS ''");
    assert_eq!(names(&rows), ["a", "a", "b c", ""]);
    assert_eq!((0..4).map(|column| rows.table().cell(0, column)).collect::<Vec<_>>(), [1, 2, 3, 4].map(Cell::Int));

    run(&db, "CREATE TABLE t(name, city)");
    run(&db, "INSERT INTO t VALUES('Ann', 'Oslo')");
    for (columns, values) in
        [("city, name", "'Oslo', 'Ann'"), ("name, age, city", "'Ann', 7, 'Oslo'"), ("city", "'Oslo'")]
    {
        run(&db, "SELECT * FROM t");
        run(&other, "DROP TABLE t");
        run(&other, &format!("CREATE TABLE t({columns})"));
        run(&other, &format!("INSERT INTO t VALUES({values})"));
        let rows = run(&db, "SELECT * FROM t");
        assert_eq!(names(&rows).join(", "), columns);
        let at = names(&rows).iter().position(|name| name == "city").unwrap();
        assert_eq!(rows.table().cell(0, at), Cell::Text(b"Oslo"));
    }
}

/// Reads that follow each other closely share a stream: each change of the schema is seen at once, and under its names.
#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn values_stand_under_their_names_on_a_stream_that_is_kept_too() {
    let server = Sqld::primary();
    let (db, other) = (server.open(""), server.open(""));
    let shapes = [
        ("name, city", "'Ann', 'Oslo'"),
        ("city, name", "'Oslo', 'Ann'"),
        ("name, age, city", "'Ann', 7, 'Oslo'"),
        ("city", "'Oslo'"),
    ];
    let mut kept = 0;
    for round in 0..40 {
        let (columns, values) = shapes[round % shapes.len()];
        let changes = [
            "DROP TABLE IF EXISTS t".to_owned(),
            format!("CREATE TABLE t({columns})"),
            format!("INSERT INTO t VALUES({values})"),
        ];
        let changes: Vec<_> = changes.iter().map(|sql| Statement { sql, parameters: None }).collect();
        other.batch(&changes).unwrap();
        for _ in 0..6 {
            let rows = run(&db, "SELECT * FROM t");
            assert_eq!(names(&rows).join(", "), columns, "round {round}");
            let at = names(&rows).iter().position(|name| name == "city").unwrap();
            assert_eq!(rows.table().cell(0, at), Cell::Text(b"Oslo"), "round {round}");
            kept += usize::from(db.keeps_a_stream());
        }
        assert_eq!(number(&db, "SELECT count(*) FROM t"), 1);
    }
    assert!(kept > 40, "only {kept} of 240 reads were on a stream that is kept");
}

/// A stream that is new may see the change in the moment in which it begins to read.
#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn values_stand_under_their_names_while_another_client_changes_the_schema_without_pause() {
    let server = Sqld::primary();
    let changer = server.open("");
    let shape = |columns: &str| {
        let create = format!("CREATE TABLE t({columns})");
        let all = ["DROP TABLE IF EXISTS t", &create, "INSERT INTO t DEFAULT VALUES"];
        changer.batch(&all.map(|sql| Statement { sql, parameters: None })).map(|_| ())
    };
    let (ann, oslo, age) = ("name DEFAULT 'Ann'", "city DEFAULT 'Oslo'", "age DEFAULT 7");
    let shapes = [format!("{ann}, {oslo}"), format!("{oslo}, {ann}"), format!("{ann}, {age}, {oslo}"), oslo.to_owned()];
    shape(&shapes[0]).unwrap();
    let named = |rows: &Packed, how: &str| {
        let names = names(rows);
        for (at, name) in names.iter().enumerate() {
            let expected = match name.as_str() {
                "name" => Cell::Text(b"Ann"),
                "city" => Cell::Text(b"Oslo"),
                _ => Cell::Int(7),
            };
            assert_eq!(rows.table().cell(0, at), expected, "{how}: {name} of {names:?}");
        }
    };
    let sql = "SELECT * FROM t LIMIT 1";
    type Way = fn(&Remote, &str) -> litekeel_core::Result<Packed>;
    let ways: [(&str, Way); 6] = [
        ("alone", |db, sql| db.query(sql, None)),
        ("cursor", |db, sql| db.cursor(sql, None)?.next(1)),
        ("returning", |db, _| db.query("INSERT INTO t DEFAULT VALUES RETURNING *", None)),
        ("batch", |db, sql| Ok(db.batch(&[Statement { sql, parameters: None }])?.remove(0))),
        ("deferred", |db, sql| {
            db.query("BEGIN", None)?;
            let rows = db.query(sql, None);
            db.query("ROLLBACK", None)?;
            rows
        }),
        ("behind a savepoint", |db, sql| {
            db.query("SAVEPOINT a", None)?;
            db.query("SAVEPOINT b", None)?;
            let rows = db.query(sql, None);
            db.query("ROLLBACK", None)?;
            rows
        }),
    ];
    let mut changes = 0;
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..count("MOMENTS", 400) {
                for (how, way) in ways {
                    // Its first read: no stream is kept for it.
                    match way(&server.open(""), sql) {
                        Ok(rows) => named(&rows, how),
                        // The server's own: a transaction that another client had to wait for, or a lock.
                        Err(error) => assert!(error.code() & 0xff == sqlite::SQLITE_BUSY, "{how}: {error:?}"),
                    }
                }
            }
        });
        while !reader.is_finished() {
            changes += usize::from(shape(&shapes[changes % shapes.len()]).is_ok());
        }
        reader.join().unwrap();
    });
    eprintln!("{changes} changes of the schema");
    assert!(changes > 20, "only {changes} changes");
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_transaction_is_all_or_nothing_and_survives_a_failed_statement() {
    let server = Sqld::primary();
    let (db, other) = (server.open(""), server.open(""));
    run(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE)");
    for begin in ["BEGIN IMMEDIATE", "; /* an empty statement before it */ begin", "SAVEPOINT s"] {
        run(&db, begin);
        assert!(db.in_transaction(), "{begin}");
        run(&db, "INSERT INTO t VALUES(1, 1)");
        assert_eq!(db.query("INSERT INTO t VALUES(2, 1)", None).unwrap_err().code(), sqlite::SQLITE_CONSTRAINT_UNIQUE);
        assert_eq!(db.query("SELEC", None).unwrap_err().code(), sqlite::SQLITE_ERROR);
        assert_eq!(number(&db, "SELECT count(*) FROM t"), 1, "{begin}");
        assert_eq!(number(&other, "SELECT count(*) FROM t"), 0, "{begin}");
        run(&db, "ROLLBACK");
        assert!(!db.in_transaction(), "{begin}");
        assert_eq!(number(&db, "SELECT count(*) FROM t"), 0, "{begin}");
    }
    run(&db, "BEGIN");
    run(&db, "INSERT INTO t VALUES(1, 1)");
    run(&db, "SAVEPOINT inner");
    run(&db, "INSERT INTO t VALUES(2, 2)");
    run(&db, "ROLLBACK TO inner");
    run(&db, "RELEASE inner");
    assert!(db.in_transaction());
    run(&db, "COMMIT");
    assert_eq!(number(&other, "SELECT sum(a) FROM t"), 1);
    // What rolls the transaction back is told with its own code, and what follows is not committed alone.
    run(&db, "BEGIN");
    run(&db, "INSERT INTO t VALUES(3, 3)");
    let error = db.query("INSERT OR ROLLBACK INTO t VALUES(4, 3)", None).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_CONSTRAINT_UNIQUE, "{error:?}");
    assert_eq!(db.query("INSERT INTO t VALUES(5, 5)", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
    run(&db, "ROLLBACK");
    assert_eq!(number(&db, "SELECT sum(a) FROM t"), 1);
    // One that is left behind ends with its connection.
    run(&db, "BEGIN IMMEDIATE");
    run(&db, "INSERT INTO t VALUES(6, 6)");
    drop(db);
    run(&other, "INSERT INTO t VALUES(7, 7)");
    assert_eq!(number(&other, "SELECT sum(a) FROM t"), 8);
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_batch_is_all_or_nothing() {
    let server = Sqld::primary();
    let db = server.open("");
    run(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    let plain = |sql| Statement { sql, parameters: None };
    let second = one(Cell::Int(2));
    let rows = db
        .batch(&[
            plain("INSERT INTO t VALUES(1)"),
            Statement { sql: "INSERT INTO t VALUES(?)", parameters: Some(second.table()) },
            plain("SELECT sum(a) FROM t"),
        ])
        .unwrap();
    assert_eq!((rows.len(), rows[2].table().cell(0, 0)), (3, Cell::Int(3)));
    // One statement for each row of parameters is such a batch, too.
    let numbers = |values: &[i64]| {
        let mut parameters = Encoder::new([&b"1"[..]]);
        values.iter().for_each(|value| parameters.push(Cell::Int(*value)));
        parameters.finish()
    };
    let rows = db.query("INSERT INTO t VALUES(?) RETURNING a", Some(numbers(&[5, 4]).table())).unwrap();
    let table = rows.table();
    assert_eq!((table.rows(), table.cell(0, 0), table.cell(1, 0)), (2, Cell::Int(5), Cell::Int(4)));
    assert_eq!((table.changes(), names(&rows)), (2, vec!["a".to_owned()]));
    assert_eq!(db.query("INSERT INTO t VALUES(?)", Some(numbers(&[6, 5]).table())).unwrap_err().code() & 0xff, 19);
    let found = db.query("SELECT a FROM t WHERE a = ?", Some(numbers(&[6, 5, 4]).table())).unwrap();
    assert_eq!(found.table().rows(), 2);
    assert_eq!(db.query("DELETE FROM t WHERE a = ?", Some(numbers(&[5, 4]).table())).unwrap().table().changes(), 2);
    run(&db, "BEGIN");
    let refused = db.query("INSERT INTO t VALUES(?)", Some(numbers(&[7, 8]).table())).unwrap_err();
    assert_eq!(refused.code(), codes::ARGUMENT);
    run(&db, "INSERT INTO t VALUES(9)");
    run(&db, "ROLLBACK");
    for (bad, code) in [
        ("INSERT INTO t VALUES(1)", sqlite::SQLITE_CONSTRAINT),
        ("SELEC", sqlite::SQLITE_ERROR),
        ("INSERT INTO nowhere VALUES(1)", sqlite::SQLITE_ERROR),
    ] {
        let error = db.batch(&[plain("INSERT INTO t VALUES(10)"), plain(bad), plain("INSERT INTO t VALUES(11)")]);
        assert_eq!(error.unwrap_err().code() & 0xff, code & 0xff, "{bad}");
        assert_eq!(number(&db, "SELECT sum(a) FROM t"), 3, "{bad}");
    }
}

/// Another client waits, so the server takes the transaction away after five seconds. Without the condition it commits the
/// statements that follow, each alone: the second half shows that.
#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn of_a_transaction_that_was_taken_away_nothing_is_committed() {
    let server = Sqld::primary();
    let (db, waiting) = (server.open(""), server.open(""));
    run(&db, "CREATE TABLE t(a)");
    run(&db, "BEGIN IMMEDIATE");
    run(&db, "INSERT INTO t VALUES('first')");
    run(&waiting, "INSERT INTO t VALUES('waited')");
    for _ in 0..3 {
        let error = db.query("INSERT INTO t VALUES('second')", None).unwrap_err();
        assert_eq!(error.code(), codes::TRANSACTION_EXPIRED, "{error:?}");
    }
    assert_eq!(db.query("COMMIT", None).unwrap_err().code(), codes::TRANSACTION_EXPIRED);
    run(&db, "ROLLBACK");
    assert_eq!(number(&db, "SELECT count(*) FROM t"), 1);
    // The connection goes on as before.
    run(&db, "BEGIN");
    run(&db, "INSERT INTO t VALUES('again')");
    run(&db, "COMMIT");
    assert_eq!(number(&waiting, "SELECT count(*) FROM t"), 2);

    let (_, baton) = server.raw(None, &["BEGIN IMMEDIATE", "INSERT INTO t VALUES('plain first')"]);
    run(&waiting, "INSERT INTO t VALUES('waited')");
    let (told, baton) = server.raw(baton, &["INSERT INTO t VALUES('plain second')"]);
    assert!(told.contains("TRANSACTION_TIMEOUT"), "{told}");
    server.raw(baton, &["INSERT INTO t VALUES('plain third')"]);
    assert_eq!(number(&waiting, "SELECT count(*) FROM t WHERE a LIKE 'plain%'"), 1, "half of it is there");
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let mut server = Sqld::primary();
    run(&server.open(""), "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    let (mut acknowledged, mut unknown, mut next) = (Vec::new(), Vec::new(), 0);
    for round in 0..count("KILLS", 50) {
        let db = server.open("");
        let (killed, written) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (mut more_acknowledged, mut more_unknown) = (Vec::new(), Vec::new());
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut in_transaction = Vec::new();
                loop {
                    next += 1;
                    // Every other ten in a transaction of three.
                    let group = if next % 20 < 10 { 1 } else { 3 };
                    let result = (|| {
                        if group > 1 {
                            db.query("BEGIN IMMEDIATE", None)?;
                        }
                        in_transaction = (0..group).map(|place| next * 10 + place).collect();
                        for value in &in_transaction {
                            db.query("INSERT INTO t VALUES(?)", Some(one(Cell::Int(*value)).table()))?;
                        }
                        if group > 1 { db.query("COMMIT", None).map(|_| ()) } else { Ok(()) }
                    })();
                    match result {
                        Ok(()) => {
                            more_acknowledged.append(&mut in_transaction);
                            written.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            assert!(killed.load(Ordering::SeqCst), "before the kill: {error:?}");
                            if error.code() == codes::COMMIT_UNKNOWN {
                                more_unknown.append(&mut in_transaction);
                            }
                            return;
                        }
                    }
                }
            });
            // By what was written, not by the clock: a loaded machine may write nothing for a while.
            let until = Instant::now() + Duration::from_secs(60);
            while written.load(Ordering::SeqCst) < 5 + round * 7 % 40 && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            killed.store(true, Ordering::SeqCst);
            server.kill();
            writer.join().unwrap();
        });
        assert!(!more_acknowledged.is_empty(), "round {round} wrote nothing");
        acknowledged.append(&mut more_acknowledged);
        unknown.append(&mut more_unknown);
        server.start();
        let rows = run(&server.open(""), "SELECT a FROM t");
        let table = rows.table();
        let there: std::collections::HashSet<i64> = (0..table.rows())
            .map(|row| match table.cell(row, 0) {
                Cell::Int(value) => value,
                other => panic!("{other:?}"),
            })
            .collect();
        let lost: Vec<_> = acknowledged.iter().filter(|value| !there.contains(value)).collect();
        assert!(lost.is_empty(), "round {round}: {} acknowledged rows are gone: {lost:?}", lost.len());
        let known: std::collections::HashSet<_> = acknowledged.iter().chain(&unknown).copied().collect();
        let extra: Vec<_> = there.iter().filter(|value| !known.contains(value)).collect();
        assert!(extra.is_empty(), "round {round}: rows of refused writes are there: {extra:?}");
    }
    eprintln!("{} acknowledged rows, {} of unknown outcome, none lost", acknowledged.len(), unknown.len());
}

/// A replica sees a write a little later. The number of the write makes it wait for it.
#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_replica_shows_one_s_own_writes() {
    let primary = Sqld::primary();
    let replica = Sqld::replica_of(&primary);
    let db = replica.open("");
    run(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    let reads = count("READS", 1000);
    let mut value = 0;
    let mut is_stale = |forgetting: bool| {
        value += 1;
        db.query("INSERT INTO t VALUES(?)", Some(one(Cell::Int(value)).table())).unwrap();
        if forgetting {
            db.forget_replication_index();
        }
        let rows = db.query("SELECT a FROM t WHERE a = ?", Some(one(Cell::Int(value)).table())).unwrap();
        rows.table().rows() == 0
    };
    assert_eq!((0..reads).filter(|_| is_stale(false)).count(), 0);
    // By a cursor and in a batch too.
    for value in -50..0 {
        let count = "SELECT count(*) FROM t WHERE a < 0";
        db.query("INSERT INTO t VALUES(?)", Some(self::one(Cell::Int(value)).table())).unwrap();
        let by_cursor = db.cursor(count, None).unwrap().next(1).unwrap();
        assert_eq!(by_cursor.table().cell(0, 0), Cell::Int(value + 51));
        let in_batch = db.batch(&[Statement { sql: count, parameters: None }]).unwrap();
        assert_eq!(in_batch[0].table().cell(0, 0), Cell::Int(value + 51));
    }
    // Without it some are: how many depends on the machine, so as many are asked as it takes.
    let asked = (1..=50 * reads).find(|_| is_stale(true));
    eprintln!("{reads} reads of own writes, none stale; without the number read {asked:?} was");
    assert!(asked.is_some(), "without the number none was stale either: this test shows nothing");
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_server_that_is_gone_and_comes_back_is_told_and_found_again() {
    let mut server = Sqld::primary();
    let db = server.open("");
    run(&db, "CREATE TABLE t(a)");
    server.kill();
    let error = db.query("SELECT 1", None).unwrap_err();
    assert_eq!(error.code(), codes::REMOTE, "{error:?}");
    assert!(error.hint().contains("is the server running"), "{error:?}");
    server.start();
    run(&db, "INSERT INTO t VALUES(1)");
    assert_eq!(number(&db, "SELECT count(*) FROM t"), 1);
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_cursor_gives_every_row_and_can_be_left_at_any_time() {
    let server = Sqld::primary();
    let db = server.open("");
    run(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB)");
    run(
        &db,
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, 'é' || i, CAST(i AS BLOB) FROM n",
    );
    for (begin, sql) in [
        (None, "SELECT * FROM t ORDER BY a"),
        (None, "WITH x AS (SELECT * FROM t) SELECT * FROM x ORDER BY a"),
        (Some("BEGIN"), "SELECT * FROM t ORDER BY a"),
    ] {
        begin.iter().for_each(|sql| drop(run(&db, sql)));
        let mut cursor = db.cursor(sql, None).unwrap();
        assert_eq!(cursor.columns(), ["a", "b", "c"]);
        let mut seen = 0;
        loop {
            let rows = cursor.next(7).unwrap();
            let table = rows.table();
            assert!(table.rows() <= 7);
            for row in 0..table.rows() {
                seen += 1;
                assert_eq!(table.cell(row, 0), Cell::Int(seen));
                assert_eq!(table.cell(row, 1), Cell::Text(format!("é{seen}").as_bytes()));
                assert_eq!(table.cell(row, 2), Cell::Blob(seen.to_string().as_bytes()));
            }
            if table.rows() == 0 {
                break;
            }
        }
        assert_eq!(seen, 10_000);
        assert_eq!(cursor.next(7).unwrap().table().rows(), 0, "it stays at its end");
        begin.iter().for_each(|_| drop(run(&db, "COMMIT")));
    }
    // The server has 128 places for streams: those that are left take none.
    for left in 0..300 {
        let mut cursor = db.cursor("SELECT * FROM t", None).unwrap();
        assert!(cursor.next(left % 5).unwrap().table().rows() <= left % 5);
    }
    assert_eq!(number(&db, "SELECT count(*) FROM t"), 10_000);
    assert_eq!(db.cursor("SELECT * FROM nowhere", None).err().unwrap().code(), sqlite::SQLITE_ERROR);
    let mut broken =
        db.cursor("SELECT abs(CASE a WHEN 9000 THEN -9223372036854775808 ELSE a END) FROM t", None).unwrap();
    let error = (0..10_000).find_map(|_| broken.next(100).err()).expect("an integer overflows");
    assert!(error.message().contains("overflow"), "{error:?}");
    // A statement that writes runs to its end, also when nobody takes its rows.
    let mut written = db.cursor("INSERT INTO t SELECT a + 100000, b, c FROM t RETURNING a", None).unwrap();
    assert_eq!(written.next(1).unwrap().table().rows(), 1);
    drop(written);
    assert_eq!(number(&db, "SELECT count(*) FROM t"), 20_000);
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_cursor_whose_server_is_killed_says_so() {
    let mut server = Sqld::primary();
    let db = server.open("");
    run(&db, "CREATE TABLE t(a)");
    run(&db, "INSERT INTO t VALUES(1)");
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, hex(zeroblob(1000)) FROM n";
    let mut cursor = db.cursor(endless, None).unwrap();
    assert_eq!(cursor.next(10).unwrap().table().rows(), 10);
    server.kill();
    // What the sockets still hold may come first.
    let error = (0..1_000_000).find_map(|_| cursor.next(100).err()).expect("it ends");
    assert_eq!(error.code(), codes::REMOTE, "{error:?}");
}

#[test]
#[ignore = "needs the server: scripts/test-scale remote"]
fn a_statement_is_described_inside_a_transaction_too() {
    let server = Sqld::primary();
    let (db, reader) = (server.open(""), server.open("&mode=ro"));
    run(&db, "BEGIN");
    run(&db, "CREATE TABLE t(a INTEGER, b)");
    let found = db.describe("INSERT INTO t VALUES(:a, ?) RETURNING a, b").unwrap();
    assert_eq!(found.parameters, [Some(":a".to_owned()), None]);
    assert_eq!(found.columns, [("a".to_owned(), Some("INTEGER".to_owned())), ("b".to_owned(), None)]);
    assert!(!found.readonly && db.in_transaction());
    assert_eq!(db.describe("SELECT nothing FROM t").unwrap_err().code(), sqlite::SQLITE_ERROR);
    run(&db, "INSERT INTO t VALUES(1, 2)");
    run(&db, "COMMIT");
    assert_eq!(number(&reader, "SELECT a FROM t"), 1);
    run(&reader, "BEGIN");
    assert_eq!(number(&reader, "WITH x AS (SELECT a FROM t) SELECT a FROM x"), 1);
    run(&reader, "ROLLBACK");
    for sql in ["INSERT INTO t VALUES(2, 2)", "WITH x AS (SELECT 1) DELETE FROM t", "DROP TABLE t", "BEGIN IMMEDIATE"] {
        assert_eq!(reader.query(sql, None).unwrap_err().code(), sqlite::SQLITE_READONLY, "{sql}");
        let statements = [Statement { sql, parameters: None }];
        assert!(reader.batch(&statements).is_err(), "{sql}");
    }
    assert_eq!(number(&reader, "SELECT count(*) FROM t"), 1);
}
