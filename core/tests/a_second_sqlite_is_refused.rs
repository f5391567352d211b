//! Another copy of SQLite in this process is found before it can do harm; connections of our own never are.
#![cfg(target_os = "linux")]

mod common;

use common::{Dir, SystemSqlite, exec, get, open};
use litekeel_core::codes;

#[test]
fn the_systems_sqlite_beside_ours_is_refused_and_without_the_guard_both_write_at_once() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    let Some(other) = SystemSqlite::open(&dir.file("a.db")) else {
        eprintln!("SKIPPED: there is no libsqlite3.so.0 on this system");
        return;
    };
    assert_eq!(other.exec(c"SELECT * FROM t; BEGIN IMMEDIATE"), 0);
    assert_eq!(open(&dir.url("a.db")).unwrap_err().code(), codes::SECOND_SQLITE);
    // The control: unguarded, the write lock that the other copy holds is granted to us too.
    let unguarded = open(&dir.url("a.db?foreign_sqlite=off")).unwrap();
    exec(&unguarded, "BEGIN IMMEDIATE; ROLLBACK");
    unguarded.close().unwrap();
    drop(other);
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&db, "SELECT a FROM t"), "1");
    db.close().unwrap();
}

/// It holds no lock between two transactions, and whose a lock is cannot be told where we have the file open too: then it is
/// known by its descriptor.
#[test]
fn it_is_refused_in_whatever_order_they_come() {
    let dir = Dir::new();
    let Some(other) = SystemSqlite::open(&dir.file("a.db")) else {
        return common::skip("there is no libsqlite3.so.0 on this system");
    };
    // A file that it has just made, idle in rollback mode: converting it to WAL would pull it from under it.
    assert_eq!(other.exec(c"CREATE TABLE t(a); INSERT INTO t VALUES(1)"), 0);
    for query in ["", "?mode=ro", "?journal_mode=delete"] {
        assert_eq!(open(&dir.url(&format!("a.db{query}"))).unwrap_err().code(), codes::SECOND_SQLITE, "{query}");
    }
    let warned = open(&dir.url("a.db?foreign_sqlite=warn&journal_mode=delete")).unwrap();
    assert!(warned.report().warnings.iter().any(|warning| warning.contains("another copy of SQLite")));
    warned.close().unwrap();
    drop(other);
    // Ours is open, then theirs opens, then another of ours.
    let first = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&first, "SELECT a FROM t"), "1");
    let other = SystemSqlite::open(&dir.file("a.db")).unwrap();
    assert_eq!(other.exec(c"SELECT a FROM t"), 0);
    assert_eq!(open(&dir.url("a.db")).unwrap_err().code(), codes::SECOND_SQLITE);
    // A file that it has nothing to do with.
    open(&dir.url("b.db")).unwrap().close().unwrap();
    drop(other);
    drop(first);
}

/// A program that reads the file as such, for a copy or a checksum: its close takes the locks as well, but it is no copy of
/// SQLite, and often gone before they matter.
#[test]
fn a_plain_reader_is_a_warning() {
    let dir = Dir::new();
    open(&dir.url("a.db")).unwrap().close().unwrap();
    let Some(_loaded) = SystemSqlite::open(&dir.file("other.db")) else {
        return common::skip("there is no libsqlite3.so.0 on this system");
    };
    let reader = std::fs::File::open(dir.file("a.db")).unwrap();
    let db = open(&dir.url("a.db")).unwrap();
    assert!(db.report().warnings.iter().any(|warning| warning.contains("plain file")), "{:?}", db.report().warnings);
    db.close().unwrap();
    drop(reader);
    let db = open(&dir.url("a.db")).unwrap();
    assert!(db.report().warnings.is_empty(), "{:?}", db.report().warnings);
    db.close().unwrap();
}

/// Without another SQLite in the process nobody looks at its descriptors, which may be many.
#[test]
fn where_no_other_is_loaded_descriptors_are_not_looked_at() {
    if common::is_child("where_no_other_is_loaded_descriptors_are_not_looked_at") {
        let dir = Dir::new();
        open(&dir.url("a.db")).unwrap().close().unwrap();
        let _reader = std::fs::File::open(dir.file("a.db")).unwrap();
        let db = open(&dir.url("a.db")).unwrap();
        assert!(db.report().warnings.is_empty(), "{:?}", db.report().warnings);
        db.close().unwrap();
        return;
    }
    // This process may have loaded one for another test.
    let alone = common::child("where_no_other_is_loaded_descriptors_are_not_looked_at", &[]).output().unwrap();
    assert!(alone.status.success(), "{alone:?}");
}

/// ATTACH as open: the other copy may have the file open, idle or not, ours may have it open as well, or not.
#[test]
fn a_file_that_it_has_open_is_not_attached() {
    let dir = Dir::new();
    let Some(other) = SystemSqlite::open(&dir.file("b.db")) else {
        return common::skip("there is no libsqlite3.so.0 on this system");
    };
    assert_eq!(other.exec(c"CREATE TABLE t(a); INSERT INTO t VALUES(1)"), 0);
    let attach = format!("ATTACH '{}' AS b", dir.file("b.db").display());
    let refused = |db: &litekeel_core::Connection, what: &str| {
        let error = db.exec(&format!("{attach}; SELECT * FROM b.t")).unwrap_err();
        assert_eq!((error.code(), error.step()), (codes::SECOND_SQLITE, Some("attach")), "{what}: {error}");
        assert!(error.path().is_some_and(|path| path.ends_with("b.db")), "{what}: {error:?}");
    };
    let db = open(&dir.url("a.db")).unwrap();
    refused(&db, "idle");
    assert_eq!(other.exec(c"PRAGMA journal_mode=wal; SELECT * FROM t"), 0);
    refused(&db, "in WAL mode");
    assert_eq!(other.exec(c"BEGIN IMMEDIATE"), 0);
    refused(&db, "writing");
    assert_eq!(other.exec(c"COMMIT"), 0);
    // The control: unguarded both write at once.
    let unguarded = open(&dir.url("c.db?foreign_sqlite=off")).unwrap();
    exec(&unguarded, &format!("{attach}; INSERT INTO b.t VALUES(2)"));
    refused(&db, "beside one of ours");
    unguarded.close().unwrap();
    let warned = open(&dir.url("d.db?foreign_sqlite=warn")).unwrap();
    exec(&warned, &attach);
    let warnings = warned.attached().unwrap()[0].warnings.clone();
    assert!(warnings.iter().any(|warning| warning.contains("another copy of SQLite")), "{warnings:?}");
    warned.close().unwrap();
    drop(other);
    exec(&db, &format!("{attach}; INSERT INTO b.t VALUES(3)"));
    // And one that comes later is told of, by name.
    let later = SystemSqlite::open(&dir.file("b.db")).unwrap();
    assert_eq!(later.exec(c"SELECT * FROM t"), 0);
    let health = db.health().unwrap();
    let bad: Vec<_> = health.checks.iter().filter(|check| check.verdict.as_str() == "bad").collect();
    assert!(bad.len() == 1 && bad[0].name == "attached" && bad[0].note.contains("b.db"), "{health:?}");
    assert!(bad[0].hint.contains("other library"), "{health:?}");
    drop(later);
    db.close().unwrap();
}

/// A file that a program has made and keeps open gets a copy, and another copy's own files are left alone.
#[test]
fn vacuum_into_a_file_that_its_program_has_open_raises_no_alarm() {
    let dir = Dir::new();
    let Some(other) = SystemSqlite::open(&dir.file("other.db")) else {
        return common::skip("there is no libsqlite3.so.0 on this system");
    };
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let made = std::fs::File::create(dir.file("copy.db")).unwrap();
    let into = |name: &str| db.exec(&format!("VACUUM INTO '{}'", dir.file(name).display()));
    into("copy.db").unwrap();
    drop(made);
    // One that the other copy is about to fill.
    assert_eq!(other.exec(c"BEGIN EXCLUSIVE"), 0);
    assert_eq!(into("other.db").unwrap_err().code(), codes::SECOND_SQLITE);
    assert_eq!(other.exec(c"CREATE TABLE t(a); COMMIT"), 0);
    db.close().unwrap();
}

#[test]
fn many_connections_threads_and_attach_of_our_own_raise_no_alarm() {
    let dir = Dir::new();
    let other = dir.file("b.db");
    let first = open(&dir.url("a.db")).unwrap();
    exec(&first, "CREATE TABLE t(a)");
    open(&dir.url("b.db")).unwrap().close().unwrap();
    exec(
        &first,
        &format!("ATTACH '{}' AS b; CREATE TABLE b.t(a); BEGIN IMMEDIATE; INSERT INTO b.t VALUES(1)", other.display()),
    );
    open(&dir.url("b.db?busy_timeout=2000")).unwrap().close().unwrap();
    exec(&first, "COMMIT");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let db = open(&dir.url("c.db")).unwrap();
                    exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
                    db.close().unwrap();
                }
            });
        }
    });
    let db = open(&dir.url("c.db")).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "200");
}

/// What the guard is for. Both copies are told that their transactions were committed.
#[test]
fn without_the_guard_acknowledged_updates_are_lost() {
    let dir = Dir::new();
    let url = dir.url("a.db?foreign_sqlite=off&synchronous=off");
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(n); INSERT INTO t VALUES(0)");
    let Some(other) = SystemSqlite::open(&dir.file("a.db")) else {
        return common::skip("there is no libsqlite3.so.0 on this system");
    };
    other.exec(c"PRAGMA synchronous=off");
    const SQL: &str = "BEGIN IMMEDIATE; UPDATE t SET n = n + 1; COMMIT";
    let (mut lost, began) = (0, std::time::Instant::now());
    while lost == 0 && began.elapsed() < std::time::Duration::from_secs(20) {
        let before: i64 = get(&db, "SELECT n FROM t").parse().unwrap();
        let (ours, theirs) = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| {
                let mut done = 0;
                for _ in 0..200 {
                    match other.exec(c"BEGIN IMMEDIATE; UPDATE t SET n = n + 1; COMMIT") {
                        0 => done += 1,
                        _ => _ = other.exec(c"ROLLBACK"),
                    }
                }
                done
            });
            let mut done = 0;
            for _ in 0..200 {
                match db.exec(SQL) {
                    Ok(()) => done += 1,
                    Err(_) => _ = db.exec("ROLLBACK"),
                }
            }
            (done, theirs.join().unwrap())
        });
        let after: i64 = get(&db, "SELECT n FROM t").parse().unwrap();
        lost = before + ours + theirs - after;
        println!("{ours} + {theirs} acknowledged, {lost} lost");
    }
    assert!(lost > 0, "nothing was lost: the guard would be for nothing");
}
