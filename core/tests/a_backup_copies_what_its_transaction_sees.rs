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

/// Between two steps the backup runs statements of its own, and SQLite forgets an interrupt when a statement begins.
#[test]
fn an_interrupt_at_any_moment_ends_it() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db"));
    exec(
        &db,
        "CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) \
               SELECT randomblob(3900) FROM n",
    );
    let left = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(i64::MAX));
    for round in 0..20u64 {
        let mut asked = None;
        let result = db.backup(&dir.url(&format!("copy{round}.db")), 1, |done, total| {
            left.store(total - done, std::sync::atomic::Ordering::SeqCst);
            let (interrupter, left) = (db.clone(), left.clone());
            asked.get_or_insert_with(|| {
                std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_micros(37 * round));
                    interrupter.interrupt();
                    left.load(std::sync::atomic::Ordering::SeqCst)
                })
            });
            false
        });
        // With more than the last step to come, it was asked in time.
        let in_time = asked.unwrap().join().unwrap() > 2;
        assert!(result.is_err() || !in_time, "round {round}");
    }
    // One that was meant for an earlier call is none of a backup's.
    db.interrupt();
    db.backup(&dir.url("whole.db"), 16, |_, _| false).unwrap();
    db.close().unwrap();
}

/// Where readers lock writers out, a step that finds the source locked is tried again for as long as the destination's
/// busy_timeout says, and so is the look before it.
#[test]
fn a_source_that_is_locked_for_a_moment_is_waited_for() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?journal_mode=delete&busy_timeout=0"));
    exec(
        &db,
        "CREATE TABLE t(a); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) \
               SELECT randomblob(3900) FROM n",
    );
    let other = open(&dir.url("a.db?journal_mode=delete&busy_timeout=5000"));
    let mut unlock = None;
    let report = db.backup(&dir.url("copy.db?busy_timeout=60000"), 10, |_, _| {
        let other = other.clone();
        unlock.get_or_insert_with(|| {
            exec(&other, "BEGIN EXCLUSIVE");
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(100));
                exec(&other, "COMMIT");
            })
        });
        false
    });
    assert!(report.unwrap().pages > 100);
    unlock.unwrap().join().unwrap();
    other.close().unwrap();
    db.close().unwrap();
}
