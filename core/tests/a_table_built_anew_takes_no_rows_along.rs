//! `PRAGMA foreign_keys=OFF` inside a transaction does nothing, and a `DROP TABLE` after it would delete what refers to the table:
//! that is refused, and nothing else is.

mod common;

use std::sync::Arc;

use common::{Dir, get};
use litekeel_core::{Connection, Options, sqlite};

const TABLES: &str = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);
    INSERT INTO p VALUES(1, 'a'), (2, 'b'); INSERT INTO c VALUES(10, 1), (11, 2)";
/// As migrators write it.
const ANEW: &str = "CREATE TABLE p_new(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO p_new SELECT * FROM p; DROP TABLE p; ALTER TABLE p_new RENAME TO p";

fn with(tables: &str) -> Arc<Connection> {
    let db = Connection::open(Some(":memory:"), &Options::new()).unwrap();
    db.exec(tables).unwrap();
    db
}

fn refused(db: &Connection, sql: &str) -> String {
    let error = db.exec(sql).expect_err(sql);
    assert_eq!(error.code(), sqlite::SQLITE_CONSTRAINT_FOREIGNKEY, "{error}");
    assert!(error.hint().contains("before the transaction begins"), "{error}");
    error.message().to_owned()
}

#[test]
fn a_migration_that_turned_keys_off_too_late_is_refused_and_loses_nothing() {
    for off in [
        "PRAGMA foreign_keys=OFF",
        "PRAGMA foreign_keys = 0",
        "pragma main.foreign_keys(no)",
        "PRAGMA \"foreign_keys\" = 'false'",
        "/* built anew */ PRAGMA foreign_keys=off",
        "PRAGMA foreign_keys=nonsense",
        "PRAGMA foreign_keys /* for now */ = OFF",
        "PRAGMA foreign_keys -- for now\n = /* it is */ off;",
        "PRAGMA [main] . [foreign_keys] = OFF",
        "PRAGMA `foreign_keys`(0 /* */)",
    ] {
        for drop in [
            "DROP TABLE p",
            "drop table if exists main.p",
            "DROP TABLE \"p\"",
            "DROP TABLE [main] . `P`",
            "-- the old one\nDROP/**/TABLE 'p' ;",
        ] {
            for begin in ["BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s", "BEGIN; SAVEPOINT s; RELEASE s"] {
                let db = with(TABLES);
                db.exec(&format!("{begin}; {off}")).unwrap();
                let message = refused(&db, drop);
                assert!(message.contains("p in c refers to them with ON DELETE CASCADE"), "{message}");
                assert_eq!(get(&db, "SELECT count(*) FROM c"), "2", "{off} {drop}");
                db.exec("ROLLBACK").unwrap();
                db.close().unwrap();
            }
        }
    }
}

#[test]
fn without_it_the_rows_are_gone() {
    let db = with(TABLES);
    let guard = db.lock().unwrap();
    // On SQLite's own handle, which nothing looks at.
    let all = std::ffi::CString::new(format!("BEGIN; PRAGMA foreign_keys=OFF; {ANEW}; COMMIT")).unwrap();
    // SAFETY: the guard's handle, used while the guard lives.
    let rc =
        unsafe { sqlite::sqlite3_exec(guard.raw(), all.as_ptr(), None, std::ptr::null_mut(), std::ptr::null_mut()) };
    drop(guard);
    assert_eq!((rc, get(&db, "SELECT count(*) FROM c")), (sqlite::SQLITE_OK, "0".to_owned()));
}

#[test]
fn every_way_to_run_a_statement_is_looked_at() {
    let dir = Dir::new();
    let file = common::open(&dir.url("a.db")).unwrap();
    file.exec(TABLES).unwrap();
    for db in [with(TABLES), file] {
        let script = format!("PRAGMA foreign_keys=OFF; {ANEW}");
        assert!(db.exec_atomic(&script).unwrap_err().message().contains("DROP TABLE p is refused"));
        assert_eq!(get(&db, "SELECT count(*) FROM c"), "2");
        refused(&db, &format!("BEGIN; {script}; PRAGMA foreign_keys=ON; COMMIT"));
        db.exec("ROLLBACK").unwrap();
        db.query("BEGIN", None).unwrap();
        db.query("PRAGMA foreign_keys=OFF", None).unwrap();
        assert!(db.query("DROP TABLE p", None).is_err());
        db.query("COMMIT", None).unwrap();
        assert_eq!(get(&db, "SELECT count(*) FROM c"), "2");
        // As it should be done.
        db.exec(&format!("PRAGMA foreign_keys=OFF; BEGIN; {ANEW}; COMMIT; PRAGMA foreign_keys=ON")).unwrap();
        assert_eq!(get(&db, "SELECT count(*) FROM c"), "2");
        assert_eq!(get(&db, "SELECT count(*) FROM pragma_foreign_key_check"), "0");
        db.close().unwrap();
    }
}

#[test]
fn references_of_every_kind_that_would_lose_something_count() {
    for action in ["SET NULL", "SET DEFAULT", "CASCADE"] {
        let db = with(&format!(
            "CREATE TABLE p(a, b, PRIMARY KEY(b, a)); CREATE TABLE \"c d\"(x DEFAULT 1, \"y z\" DEFAULT 1,
             FOREIGN KEY(x, \"y z\") REFERENCES p ON DELETE {action});
             INSERT INTO p VALUES(1, 1), (2, 3); INSERT INTO \"c d\" VALUES(NULL, 3), (3, 2)"
        ));
        db.exec("BEGIN; PRAGMA foreign_keys=OFF").unwrap();
        let message = refused(&db, "DROP TABLE p");
        assert!(message.contains(&format!("x and y z in c d refers to them with ON DELETE {action}")), "{message}");
    }
    // In an attached database, and by its name alone.
    let db = with("ATTACH ':memory:' AS other; CREATE TABLE other.p(id INTEGER PRIMARY KEY);
        CREATE TABLE other.c(p REFERENCES p ON DELETE CASCADE); INSERT INTO other.p VALUES(1); INSERT INTO other.c VALUES(1);
        BEGIN; PRAGMA foreign_keys=OFF");
    refused(&db, "DROP TABLE other.p");
    refused(&db, "DROP TABLE p");
    // A temporary table hides it.
    db.exec("CREATE TEMP TABLE p(id INTEGER PRIMARY KEY); DROP TABLE p").unwrap();
    refused(&db, "DROP TABLE p");
}

#[test]
fn what_loses_nothing_is_allowed() {
    let child = |rest: &str| {
        format!(
            "CREATE TABLE p(id INTEGER PRIMARY KEY, up REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES(1, 1); {rest}"
        )
    };
    for tables in [
        // No rows, no references, none that refers to a row, another table of that kind.
        child("CREATE TABLE c(p REFERENCES p ON DELETE CASCADE)"),
        child("CREATE TABLE c(p); INSERT INTO c VALUES(1)"),
        child("CREATE TABLE c(p REFERENCES p ON DELETE CASCADE); INSERT INTO c VALUES(NULL)"),
        child(
            "CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES q ON DELETE CASCADE);
            INSERT INTO q VALUES(1); INSERT INTO c VALUES(1)",
        ),
        child("CREATE VIEW c AS SELECT * FROM p"),
    ] {
        let db = with(&tables);
        db.exec("BEGIN; PRAGMA foreign_keys=OFF; DROP TABLE p; DROP TABLE IF EXISTS none; COMMIT").expect(&tables);
    }
    // SQLite's own answers.
    for (keys, answer) in
        [("", 787), ("ON DELETE RESTRICT", 1811), ("ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED", 0)]
    {
        let db = with(&child(&format!("CREATE TABLE c(p REFERENCES p {keys}); INSERT INTO c VALUES(1)")));
        db.exec("BEGIN; PRAGMA foreign_keys=OFF").unwrap();
        let said = db
            .exec("DROP TABLE p")
            .map_or_else(|error| (error.code(), error.message().to_owned()), |()| (0, String::new()));
        assert!(said.0 == answer && !said.1.contains("is refused"), "{keys}: {said:?}");
    }
    // In which nothing was asked for, or was heard, or is not asked for any more.
    for before in [
        "BEGIN",
        "BEGIN; PRAGMA foreign_keys",
        "BEGIN; PRAGMA foreign_keys=ON",
        "BEGIN; PRAGMA foreign_keys=OFF; PRAGMA foreign_keys=1",
        "BEGIN; PRAGMA foreign_keys=OFF; ROLLBACK; BEGIN",
        "BEGIN; PRAGMA foreign_keys=OFF; COMMIT; PRAGMA user_version=1; SAVEPOINT s",
        "BEGIN; PRAGMA defer_foreign_keys=ON",
        "BEGIN; SELECT 'PRAGMA foreign_keys=OFF'",
        "PRAGMA foreign_keys=ON",
    ] {
        let db = with(TABLES);
        db.exec(&format!("{before}; DROP TABLE p")).expect(before);
        assert_eq!(get(&db, "SELECT count(*) FROM c"), "0", "{before}");
    }
    for before in ["PRAGMA foreign_keys=OFF; BEGIN", "PRAGMA foreign_keys=OFF; BEGIN; PRAGMA foreign_keys=OFF"] {
        let db = with(TABLES);
        db.exec(&format!("{before}; {ANEW}; COMMIT")).expect(before);
        assert_eq!(get(&db, "SELECT count(*) FROM c"), "2", "{before}");
    }
    // Other statements on such a table.
    let db = with(TABLES);
    db.exec("BEGIN; PRAGMA foreign_keys=OFF; CREATE VIEW v AS SELECT 1; DROP VIEW v; CREATE INDEX i ON p(name); DROP INDEX i").unwrap();
    db.exec("DELETE FROM c; DROP TABLE p; COMMIT").unwrap();
}

#[test]
fn where_it_cannot_be_known_nothing_is_dropped() {
    let db = with(TABLES);
    db.exec("INSERT INTO c WITH RECURSIVE n(i) AS (VALUES(100) UNION ALL SELECT i + 1 FROM n) SELECT i, NULL FROM n LIMIT 200000").unwrap();
    db.exec("DELETE FROM c WHERE id < 100; INSERT INTO c VALUES(1000000, 1); BEGIN; PRAGMA foreign_keys=OFF").unwrap();
    db.set_timeout(std::time::Duration::from_millis(1)).unwrap();
    let error = db.exec("DROP TABLE p").unwrap_err();
    assert!(matches!(error.code() & 0xff, sqlite::SQLITE_INTERRUPT | sqlite::SQLITE_CONSTRAINT), "{error}");
    db.set_timeout(std::time::Duration::ZERO).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM c WHERE p = 1"), "1");
}
