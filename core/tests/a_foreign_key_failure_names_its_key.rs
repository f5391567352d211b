//! SQLite says "FOREIGN KEY constraint failed" and no more. The hint names the key, both tables and, where it is still there, the
//! row.

mod common;

use common::{Dir, exec, get, open};
use litekeel_core::{Connection, Error, sqlite};

const SCHEMA: &str = "
    CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE);
    CREATE TABLE item(code TEXT, size INT, PRIMARY KEY(code, size));
    CREATE TABLE \"order\"(id INTEGER PRIMARY KEY, customer_id INT REFERENCES customer,
        code TEXT, size INT, FOREIGN KEY(code, size) REFERENCES item);
    CREATE TABLE note(id INTEGER PRIMARY KEY, about TEXT REFERENCES customer(name) DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE side(a INT REFERENCES \"order\"(id) DEFERRABLE INITIALLY DEFERRED, b TEXT, PRIMARY KEY(b)) WITHOUT ROWID;
    INSERT INTO customer VALUES(1, 'Ada'), (2, 'Bob');
    INSERT INTO item VALUES('x', 1);
    INSERT INTO \"order\" VALUES(1, 1, 'x', 1);
    INSERT INTO note VALUES(1, 'ADA'), (2, NULL);";

fn database(dir: &Dir) -> std::sync::Arc<Connection> {
    let db = open(&dir.url("a.db?foreign_keys=on")).unwrap();
    exec(&db, SCHEMA);
    db
}

fn failure(db: &Connection, sql: &str) -> Error {
    let error = db.exec(sql).unwrap_err();
    assert_eq!(error.code(), sqlite::SQLITE_CONSTRAINT_FOREIGNKEY, "{sql}: {error}");
    assert_eq!(error.message(), "FOREIGN KEY constraint failed", "SQLite's own sentence stays");
    error
}

#[test]
fn an_immediate_one_names_the_keys_that_come_into_question() {
    let dir = Dir::new();
    let db = database(&dir);
    for (sql, parts) in [
        (
            "INSERT INTO \"order\" VALUES(2, 77, 'x', 1)",
            &["a new row of order", "order.customer_id to customer(id)", "order.code+size to item(code, size)"][..],
        ),
        (
            "WITH n(i) AS (SELECT 5) INSERT INTO main.[order](customer_id) SELECT i FROM n",
            &["order.customer_id to customer(id)"],
        ),
        ("UPDATE \"order\" SET customer_id = 9", &["order.customer_id to customer(id)"]),
        (
            "DELETE FROM customer WHERE id = 1",
            &["rows still refer", "order.customer_id to customer(id)", "a row of customer that would go"],
        ),
        ("DELETE FROM item", &["order.code+size to item(code, size)"]),
    ] {
        let error = failure(&db, sql);
        parts.iter().for_each(|part| assert!(error.hint().contains(part), "{sql}: {part}: {}", error.hint()));
    }
    // By the call with packed parameters too, and none of the values is shown.
    let error = db.query("DELETE FROM customer WHERE name = 'Ada'", None).unwrap_err();
    assert!(error.hint().contains("order.customer_id to customer(id)") && !error.hint().contains("Ada"), "{error}");
    // The next failure says nothing of this one.
    assert_eq!(db.exec("SELECT * FROM nobody").unwrap_err().message(), "no such table: nobody");
    db.close().unwrap();
}

#[test]
fn a_deferred_one_names_the_rows_that_keep_the_transaction_open() {
    let dir = Dir::new();
    let db = database(&dir);
    db.exec("BEGIN; INSERT INTO note VALUES(3, 'Eve'); INSERT INTO note VALUES(4, 'bob')").unwrap();
    for end in ["COMMIT", "END", "/* now */ commit;"] {
        let error = failure(&db, end);
        assert!(
            error.hint().contains("note.about")
                && error.hint().contains("rowid 3")
                && error.hint().contains("customer(name)"),
            "{end}: {}",
            error.hint()
        );
        assert!(!error.hint().contains("Eve") && !error.hint().contains("rowid 4"), "{}", error.hint());
    }
    // What it says to do works.
    db.exec("INSERT INTO customer VALUES(3, 'eve'); COMMIT").unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM note"), "4");
    // A row that is there because its parent went.
    db.exec("BEGIN; DELETE FROM customer WHERE id = 3").unwrap();
    let error = failure(&db, "COMMIT");
    assert!(error.hint().contains("rowid 3"), "{}", error.hint());
    db.exec("ROLLBACK").unwrap();
    db.close().unwrap();
}

#[test]
fn where_nothing_can_be_found_the_way_to_find_it_is_told() {
    let dir = Dir::new();
    let db = database(&dir);
    // A table without a rowid; more rows than are looked at.
    db.exec("BEGIN; INSERT INTO side VALUES(50, 'x')").unwrap();
    assert!(failure(&db, "COMMIT").hint().contains("PRAGMA foreign_key_check"));
    db.exec("ROLLBACK; BEGIN; INSERT INTO note VALUES(3, 'Eve')").unwrap();
    db.exec(
        "WITH n(i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) INSERT INTO note SELECT i, NULL FROM n",
    )
    .unwrap();
    assert!(failure(&db, "COMMIT").hint().contains("PRAGMA foreign_key_check"));
    db.exec("ROLLBACK").unwrap();
    // By a trigger's statement on a table that has no key.
    db.exec("CREATE TABLE plain(a); CREATE TRIGGER t AFTER INSERT ON plain BEGIN INSERT INTO \"order\"(customer_id) VALUES(new.a); END").unwrap();
    let error = failure(&db, "INSERT INTO plain VALUES(99)");
    assert!(error.hint().contains("PRAGMA foreign_key_check"), "{}", error.hint());
    db.close().unwrap();
}

#[test]
fn a_large_database_costs_the_failure_little() {
    let dir = Dir::new();
    let db = database(&dir);
    exec(&db, "PRAGMA cache_size=-64000");
    exec(
        &db,
        "BEGIN; WITH n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO note SELECT i, 'ada' FROM n; COMMIT",
    );
    db.exec("BEGIN; INSERT INTO note VALUES(400000, 'Eve')").unwrap();
    // Counted in instructions of SQLite's machine: a whole look takes some millions.
    let looks = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = looks.clone();
    db.set_progress(Some(std::sync::Arc::new(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    })))
    .unwrap();
    let error = failure(&db, "COMMIT");
    assert!(error.hint().contains("rowid 400000"), "{}", error.hint());
    let looks = looks.load(std::sync::atomic::Ordering::Relaxed);
    assert!(looks < 100, "{looks} times ten thousand instructions");
    db.exec("ROLLBACK").unwrap();
    db.close().unwrap();
}
