//! A transaction that reads holds what a backup copies; one that writes is refused.

mod common;

use common::Dir;
use litekeel_core::{Connection, Options, codes};

fn open(url: &str) -> std::sync::Arc<Connection> {
    Connection::open(Some(url), &Options::new()).unwrap()
}

fn exec(db: &Connection, sql: &str) {
    db.lock().unwrap().sqlite().execute_batch(sql).unwrap();
}

fn count(db: &Connection) -> i64 {
    db.lock().unwrap().sqlite().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_was_looked_at_is_what_is_copied() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db"));
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    exec(&db, "BEGIN");
    assert_eq!(count(&db), 1);
    let other = open(&dir.url("a.db"));
    exec(&other, "INSERT INTO t VALUES(2), (3)");
    db.backup(&dir.url("copy.db"), 1, |_, _| false).unwrap();
    exec(&db, "COMMIT");
    let copy = open(&dir.url("copy.db"));
    assert_eq!((count(&copy), count(&db)), (1, 3));
    copy.close().unwrap();

    exec(&db, "BEGIN; INSERT INTO t VALUES(4)");
    let error = db.backup(&dir.url("new.db"), 0, |_, _| false).unwrap_err();
    assert!(error.code() == codes::IN_TRANSACTION && !dir.file("new.db").exists(), "{error}");
    exec(&db, "ROLLBACK");
    other.close().unwrap();
    db.close().unwrap();
}
