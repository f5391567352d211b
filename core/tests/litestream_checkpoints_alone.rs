//! Beside Litestream nothing of this process checkpoints: its settings, its care for the WAL, its close, nor SQL.

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Dir, exec, get, open};
use litekeel_core::EventValue;
use litekeel_core::{Connection, codes, sqlite};

const PASSIVE: i32 = sqlite::SQLITE_CHECKPOINT_PASSIVE;
const TRUNCATE: i32 = sqlite::SQLITE_CHECKPOINT_TRUNCATE;

fn wal(dir: &Dir, name: &str) -> u64 {
    fs::metadata(dir.file(&format!("{name}-wal"))).map_or(0, |meta| meta.len())
}

fn sign(dir: &Dir, name: &str) {
    fs::create_dir(dir.file(&format!(".{name}-litestream"))).unwrap();
}

fn is_left_alone(db: &Connection) {
    for (name, value) in [("wal_autocheckpoint", "0"), ("journal_mode", "wal")] {
        assert_eq!(get(db, &format!("PRAGMA {name}")), value, "{name}");
    }
    let row = |name: &str| db.report().row(name).unwrap().value.clone();
    assert_eq!(
        (row("checkpoint"), row("close_checkpoint"), row("persist_wal")),
        ("external".into(), "none".into(), "1".into())
    );
    for sql in [
        "PRAGMA wal_checkpoint",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA main.wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_autocheckpoint=1000",
        "PRAGMA journal_mode=DELETE",
        "PRAGMA locking_mode=EXCLUSIVE",
    ] {
        let error = db.exec(sql).unwrap_err();
        assert_eq!(error.code(), codes::REPLICATED, "{sql}: {error}");
        assert!(error.message().contains("Litestream"), "{sql}: {error}");
    }
    for mode in [PASSIVE, TRUNCATE] {
        assert_eq!(db.checkpoint(mode).unwrap_err().code(), codes::REPLICATED);
        let guard = db.lock().unwrap();
        let none = std::ptr::null_mut();
        // SAFETY: the guard's own handle.
        let rc = unsafe { sqlite::sqlite3_wal_checkpoint_v2(guard.raw(), c"main".as_ptr(), mode, none, none) };
        assert_eq!(rc, sqlite::SQLITE_AUTH, "SQLite's own call");
        assert_eq!(guard.fail(rc).code(), codes::REPLICATED);
    }
    // What asks and changes nothing is answered.
    for sql in
        ["PRAGMA wal_checkpoint(NOOP)", "PRAGMA wal_autocheckpoint=0", "PRAGMA journal_mode=WAL", "PRAGMA locking_mode"]
    {
        db.exec(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert!(db.checkpoint(sqlite::SQLITE_CHECKPOINT_NOOP).is_ok());
}

#[test]
fn declared_it_leaves_the_wal_through_every_call_and_the_close() {
    for parameters in ["profile=litestream", "replication=litestream"] {
        let dir = Dir::new();
        let db = open(&dir.url(&format!("a.db?{parameters}"))).unwrap();
        exec(
            &db,
            "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO t SELECT randomblob(400) FROM n",
        );
        is_left_alone(&db);
        assert!(wal(&dir, "a.db") > 8_000_000, "{parameters}: nothing was moved");
        let report = db.close().unwrap();
        assert!(!report.wal_removed && report.checkpoint.is_none(), "{report:?}");
        assert!(report.why.contains("Litestream"), "{report:?}");
        assert!(wal(&dir, "a.db") > 8_000_000, "{parameters}: the close moved nothing");
        let again = open(&dir.url(&format!("a.db?{parameters}"))).unwrap();
        assert_eq!(get(&again, "SELECT count(*) FROM t"), "20000");
        again.close().unwrap();
    }
}

/// The control: without it, the same calls checkpoint.
#[test]
fn without_litestream_all_of_it_is_allowed() {
    let dir = Dir::new();
    for parameters in ["", "?replication=none"] {
        let db = open(&dir.url(&format!("a.db{parameters}"))).unwrap();
        exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
        for sql in ["PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_autocheckpoint=500", "PRAGMA wal_checkpoint"] {
            db.exec(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        db.checkpoint(TRUNCATE).unwrap();
        assert!(db.close().unwrap().wal_removed);
    }
    // Whoever says that it is not used any more is believed, with what it left still there.
    sign(&dir, "a.db");
    let db = open(&dir.url("a.db?replication=none")).unwrap();
    db.checkpoint(TRUNCATE).unwrap();
    assert!(db.close().unwrap().wal_removed);
}

#[test]
fn auto_finds_its_directory_and_its_tables() {
    let dir = Dir::new();
    sign(&dir, "a.db");
    let db = open(&dir.url("a.db")).unwrap();
    is_left_alone(&db);
    assert!(db.report().warnings.iter().any(|text| text.contains(".a.db-litestream")), "{:?}", db.report().warnings);
    // Another like it, and a reader, are told the same.
    let sibling = db.sibling().unwrap();
    is_left_alone(&sibling);
    sibling.close().unwrap();
    let reader = open(&dir.url("a.db?mode=ro")).unwrap();
    assert_eq!(get(&reader, "PRAGMA wal_autocheckpoint"), "0");
    reader.close().unwrap();
    db.close().unwrap();

    let db = open(&dir.url("b.db?replication=none")).unwrap();
    exec(&db, "CREATE TABLE _litestream_seq(id, seq); INSERT INTO _litestream_seq VALUES(1, 1)");
    db.close().unwrap();
    let db = open(&dir.url("b.db")).unwrap();
    is_left_alone(&db);
    assert!(db.report().warnings.iter().any(|text| text.contains("_litestream_seq")), "{:?}", db.report().warnings);
    // A shared connection is found by who asks as before.
    db.close().unwrap();
    let (one, two) = (open(&dir.url("b.db?share=1")).unwrap(), open(&dir.url("b.db?share=1")).unwrap());
    assert!(Arc::ptr_eq(&one, &two));
    one.close().unwrap();
    two.close().unwrap();
}

#[test]
fn what_was_asked_for_and_would_break_the_replica_is_refused() {
    let dir = Dir::new();
    sign(&dir, "a.db");
    for parameter in ["wal_autocheckpoint=500", "checkpoint=background", "close_checkpoint=truncate", "persist_wal=0"] {
        let error = open(&dir.url(&format!("a.db?{parameter}"))).unwrap_err();
        assert_eq!(error.code(), codes::CONFLICT, "{error}");
        assert!(error.hint().contains("replication=none"), "{error}");
    }
    // A short wait loses nothing: it is the caller's to choose, and said.
    let db = open(&dir.url("a.db?busy_timeout=100")).unwrap();
    assert!(db.report().warnings.iter().any(|text| text.contains("busy_timeout")), "{:?}", db.report().warnings);
    db.close().unwrap();
}

#[test]
fn its_tables_are_read_and_not_changed() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?replication=none")).unwrap();
    exec(&db, "CREATE TABLE _litestream_seq(id, seq); CREATE TABLE _litestream_lock(id); CREATE TABLE t(a)");
    db.close().unwrap();
    let db = open(&dir.url("a.db")).unwrap();
    for sql in [
        "DELETE FROM _litestream_seq",
        "INSERT INTO main._litestream_lock VALUES(1)",
        "UPDATE _LITESTREAM_SEQ SET seq = 2",
        "DROP TABLE _litestream_seq",
        "ALTER TABLE _litestream_lock ADD COLUMN b",
        "CREATE INDEX i ON _litestream_seq(id)",
    ] {
        let error = db.exec(sql).unwrap_err();
        assert_eq!(error.code(), codes::REPLICATED, "{sql}: {error}");
    }
    db.exec("INSERT INTO t VALUES(1); VACUUM; ALTER TABLE t ADD COLUMN b; DROP TABLE t").unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM _litestream_seq"), "0");
    // An error that is nothing of this keeps its own words.
    assert_eq!(db.exec("SELECT nothing").unwrap_err().code(), sqlite::SQLITE_ERROR);
    db.close().unwrap();
}

/// Litestream that starts later is seen at the next checkpoint, before it is made.
#[test]
fn litestream_that_comes_later_is_noticed() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    db.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.clone())));
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.checkpoint(TRUNCATE).unwrap();
    sign(&dir, "a.db");
    // Over the threshold of SQLite's own checkpoint, which is 1000 pages.
    exec(
        &db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO t SELECT randomblob(400) FROM n",
    );
    exec(&db, "INSERT INTO t VALUES(2)");
    assert_eq!(db.checkpoint(PASSIVE).unwrap_err().code(), codes::REPLICATED);
    let status = db.wal_status().unwrap().unwrap();
    assert_eq!(status.checkpointed, 0, "{status:?}");
    // The thread that checkpoints may be the one that found out, and tell of it only now.
    let told = || heard.lock().unwrap().iter().filter(|event| event.name.as_str() == "replication_detected").count();
    for _ in 0..1000 {
        if told() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(told(), 1);
    assert!(!db.close().unwrap().wal_removed);
    assert!(wal(&dir, "a.db") > 8_000_000);
}

#[test]
fn an_attached_one_is_left_alone_too() {
    let dir = Dir::new();
    open(&dir.url("b.db")).unwrap().close().unwrap();
    sign(&dir, "b.db");
    let db = open(&dir.url("a.db")).unwrap();
    db.exec(&format!("ATTACH '{}' AS b", dir.file("b.db").display())).unwrap();
    db.exec("CREATE TABLE b.t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO b.t SELECT randomblob(400) FROM n").unwrap();
    db.exec("INSERT INTO b.t VALUES(1)").unwrap();
    for sql in ["PRAGMA b.wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint", "PRAGMA b.journal_mode=DELETE"] {
        let error = db.exec(sql).unwrap_err();
        assert_eq!(error.code(), codes::REPLICATED, "{sql}: {error}");
    }
    let left = wal(&dir, "b.db");
    assert!(left > 8_000_000, "{left}");
    db.close().unwrap();
    assert_eq!(wal(&dir, "b.db"), left);
    assert!(!Path::new(&dir.file("a.db-wal")).exists(), "its own is moved as ever");
}

#[test]
fn the_alarm_tells_that_nobody_checkpoints() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?replication=litestream&wal_alarm=1MiB")).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    db.on_event(Arc::new(move |event| sink.lock().unwrap().push(event.clone())));
    exec(&db, "CREATE TABLE t(a)");
    assert!(heard.lock().unwrap().iter().all(|event| event.name.as_str() != "wal_alarm"));
    for _ in 0..3 {
        exec(
            &db,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO t SELECT randomblob(400) FROM n LIMIT 4000",
        );
    }
    let alarms: Vec<_> =
        heard.lock().unwrap().iter().filter(|event| event.name.as_str() == "wal_alarm").cloned().collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(matches!(alarms[0].get("bytes"), Some(EventValue::Int(bytes)) if *bytes > 1 << 20), "{alarms:?}");
    assert_eq!(alarms[0].get("wal_alarm"), Some(&EventValue::Int(1 << 20)));
    assert_eq!(db.wal_status().unwrap().unwrap().checkpointed, 0, "an alarm moves nothing");
    db.close().unwrap();
}

/// Replacing all of a replicated database is refused, and leaves it as it was; any other file is replaced as ever.
#[test]
fn a_backup_does_not_replace_a_replicated_database() {
    let dir = Dir::new();
    for name in ["a.db", "b.db", "c.db"] {
        let db = open(&dir.url(name)).unwrap();
        exec(&db, &format!("CREATE TABLE t(a); INSERT INTO t VALUES('{name}')"));
        db.close().unwrap();
    }
    sign(&dir, "b.db");
    let db = open(&dir.url("a.db")).unwrap();
    let before = fs::read(dir.file("b.db")).unwrap();
    let error = db.backup(&dir.url("b.db"), 0, |_, _| false).unwrap_err();
    assert_eq!(error.code(), codes::REPLICATED, "{error}");
    assert!(error.hint().contains("Litestream"), "{error}");
    assert_eq!(fs::read(dir.file("b.db")).unwrap(), before);
    db.backup(&dir.url("c.db"), 0, |_, _| false).unwrap();
    db.close().unwrap();
    let replaced = open(&dir.url("c.db")).unwrap();
    assert_eq!(get(&replaced, "SELECT a FROM t"), "a.db");
    replaced.close().unwrap();
}
