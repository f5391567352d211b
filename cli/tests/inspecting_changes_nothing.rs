//! The commands that look leave the directory as it is, to the nanosecond.

mod common;

use common::{Dir, Holder, hold_if_child};

const LOOKING: &[&[&str]] = &[
    &["doctor"],
    &["doctor", "--full"],
    &["doctor", "--json"],
    &["who"],
    &["who", "--json"],
    &["url"],
    &["url", "--all"],
];

fn look_at(dir: &Dir, url: &str, when: &str) {
    let before = dir.listing();
    for words in LOOKING {
        let mut words = words.to_vec();
        words.push(url);
        let ran = dir.litekeel(&words);
        assert!(ran.status <= 1, "{ran:?}");
        assert_eq!(dir.listing(), before, "{when}: {words:?}");
    }
}

#[test]
fn neither_a_closed_nor_a_used_nor_a_crashed_database() {
    hold_if_child();
    for journal in ["wal", "delete"] {
        let dir = Dir::new();
        // The URL asks for a conversion and for directories; looking does neither.
        let url = "file:a.db?journal_mode=wal&mkdir=1";
        dir.database(&format!("a.db?journal_mode={journal}"), 100);
        look_at(&dir, url, "closed");

        let absolute = format!("file:{}/a.db?journal_mode={journal}", dir.path().display());
        let me = "neither_a_closed_nor_a_used_nor_a_crashed_database";
        let holder =
            Holder::start(me, &absolute, "INSERT INTO t VALUES(1, 2); BEGIN IMMEDIATE; INSERT INTO t VALUES(3, 4)");
        look_at(&dir, url, "in use");
        drop(holder);
        look_at(&dir, url, "killed in a transaction");
    }
}

#[test]
fn a_missing_database_is_not_created() {
    let dir = Dir::new();
    look_at_missing(&dir, "file:a.db");
    look_at_missing(&dir, "file:deep/er/a.db?mkdir=1");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

fn look_at_missing(dir: &Dir, url: &str) {
    let before = dir.listing();
    assert_eq!(dir.litekeel(&["doctor", url]).status, 1);
    assert_eq!(dir.litekeel(&["who", url]).status, 3);
    assert_eq!(dir.litekeel(&["url", url]).status, 0);
    assert_eq!(dir.listing(), before);
}

#[test]
fn an_orphan_wal_is_named_and_kept() {
    let dir = Dir::new();
    let db = dir.open("a.db");
    db.lock().unwrap().sqlite().execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
    std::fs::copy(dir.file("a.db-wal"), dir.file("b.db-wal")).unwrap();
    db.close().unwrap();
    let before = dir.listing();
    let ran = dir.litekeel(&["doctor", "b.db"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("b.db-wal") && ran.out.contains("committed data"), "{ran:?}");
    assert_eq!(dir.listing(), before);
}
