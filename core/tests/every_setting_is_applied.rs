//! What a profile or URL asks for is what the connection has, read back by plain SQL.

mod common;

use common::{Dir, exec, get, open};
use litekeel_core::codes;

#[test]
fn every_profile_reads_back() {
    // profile, synchronous, busy_timeout, cache_size, mmap_size, autocheckpoint, journal_size_limit, temp_store
    for (profile, sync, busy, cache, mmap, auto, limit, temp) in [
        ("production", "1", "5000", "-64000", "0", "1000", "67108864", "0"),
        ("read-heavy", "1", "5000", "-128000", "536870912", "1000", "67108864", "0"),
        ("write-heavy", "0", "10000", "-64000", "0", "10000", "268435456", "0"),
        ("durable", "2", "10000", "-64000", "0", "1000", "67108864", "0"),
        ("litestream", "1", "5000", "-64000", "0", "0", "-1", "0"),
        ("test", "0", "2000", "-8000", "0", "1000", "67108864", "2"),
    ] {
        let dir = Dir::new();
        let db = open(&dir.url(&format!("a.db?profile={profile}"))).unwrap();
        for (pragma, wanted) in [
            ("journal_mode", "wal"),
            ("foreign_keys", "1"),
            ("synchronous", sync),
            ("cache_size", cache),
            ("mmap_size", mmap),
            ("wal_autocheckpoint", auto),
            ("journal_size_limit", limit),
            ("temp_store", temp),
            ("trusted_schema", "0"),
        ] {
            assert_eq!(get(&db, &format!("PRAGMA {pragma}")), wanted, "{profile}: {pragma}");
        }
        assert_eq!(db.report().row("busy_timeout").unwrap().value, busy, "{profile}");
        assert!(db.report().new_database);
        db.close().unwrap();
    }
}

#[test]
fn what_only_a_new_database_takes_is_effective_there_and_refused_later() {
    let dir = Dir::new();
    let asked = "page_size=8192&auto_vacuum=incremental&application_id=4000000000";
    let db = open(&dir.url(&format!("a.db?{asked}"))).unwrap();
    assert_eq!(get(&db, "PRAGMA page_size"), "8192");
    assert_eq!(get(&db, "PRAGMA auto_vacuum"), "2");
    assert_eq!(get(&db, "PRAGMA journal_mode"), "wal");
    exec(&db, "CREATE TABLE t(a)");
    db.close().unwrap();

    open(&dir.url(&format!("a.db?{asked}"))).unwrap().close().unwrap();
    for other in ["page_size=4096", "auto_vacuum=full", "application_id=1"] {
        let error = open(&dir.url(&format!("a.db?{other}"))).unwrap_err();
        assert_eq!(error.code(), codes::CREATE_ONLY_PARAM, "{error}");
        assert_eq!(error.step(), Some("create"));
    }
}

#[test]
fn a_full_fsync_reads_back_and_says_where_it_does_nothing() {
    let dir = Dir::new();
    let apple = cfg!(target_vendor = "apple");
    for (query, value, says) in
        [("", if apple { "1" } else { "0" }, false), ("?fullfsync=off", "0", false), ("?fullfsync=on", "1", !apple)]
    {
        let db = open(&dir.url(&format!("a.db{query}"))).unwrap();
        assert_eq!(get(&db, "PRAGMA fullfsync"), value, "{query}");
        let row = db.report().row("fullfsync").unwrap().clone();
        assert_eq!(row.value, value, "{query}");
        assert_eq!(row.note.contains("no F_FULLFSYNC"), says, "{query}: {}", row.note);
        db.close().unwrap();
    }
    let error = open(&dir.url("a.db?fullfsync=barrier")).unwrap_err();
    assert_eq!(error.code(), codes::INVALID_VALUE, "{error}");
}

#[test]
fn dangerous_sql_is_off() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let refused = |sql: &str| db.lock().unwrap().sqlite().execute_batch(sql).is_err();
    assert!(refused("SELECT \"text\""), "double-quoted text");
    assert!(refused("PRAGMA writable_schema=1; DELETE FROM sqlite_schema"), "writable schema");
    let other = dir.file("new.db");
    assert!(refused(&format!("ATTACH '{}' AS x", other.display())), "attach creates a file");
    assert!(!other.exists());
    exec(&db, "VACUUM");
    exec(&db, &format!("VACUUM INTO '{}'", other.display()));
    exec(&db, &format!("ATTACH '{}' AS x; DETACH x", other.display()));
    db.close().unwrap();

    let none = open(&dir.url("a.db?attach=none")).unwrap();
    assert!(none.lock().unwrap().sqlite().execute_batch(&format!("ATTACH '{}' AS x", other.display())).is_err());
    exec(&none, "VACUUM");
    exec(&none, "-- smaller\n; /* now */ VACUUM");
    exec(&none, &format!("VACUUM INTO '{}'", dir.file("copy.db").display()));
    none.close().unwrap();
}

#[test]
fn directories_are_created_for_rwc_only() {
    let dir = Dir::new();
    let error = open(&dir.url("a/b/c.db?mode=rw")).unwrap_err();
    assert!(error.to_string().contains(&format!("{} does not exist", dir.file("a").display())), "{error}");
    assert!(!dir.file("a").exists());
    let db = open(&dir.url("a/b/c.db")).unwrap();
    assert_eq!(db.report().created_directories, [dir.file("a"), dir.file("a/b")]);
    db.close().unwrap();
}

#[test]
fn memory_has_no_wal_and_shared_memory_is_one_database() {
    let db = open(":memory:").unwrap();
    assert_eq!(get(&db, "PRAGMA journal_mode"), "memory");
    assert!(!db.report().row("journal_mode").unwrap().note.is_empty());
    db.close().unwrap();
    let first = open("file::memory:?cache=shared").unwrap();
    exec(&first, "CREATE TABLE t(a); INSERT INTO t VALUES(7)");
    let second = open("file::memory:?cache=shared").unwrap();
    assert_eq!(get(&second, "SELECT a FROM t"), "7");
    first.close().unwrap();
    second.close().unwrap();
}

#[test]
fn a_vfs_that_does_not_exist_is_answered_with_those_that_do() {
    let dir = Dir::new();
    let error = open(&dir.url("a.db?vfs=unixx")).unwrap_err();
    assert!(error.hint().contains("unix"), "{error}");
}

/// A file that is attached to a database in memory is a file, shared or not, and so is a copy of it.
#[test]
fn a_shared_database_in_memory_attaches_files() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    let attach = |name: &str| format!("ATTACH '{}' AS b", dir.file(name).display());
    for url in ["file::memory:?cache=shared", ":memory:"] {
        let db = open(url).unwrap();
        exec(&db, "CREATE TABLE m(a); INSERT INTO m VALUES(7); CREATE TEMP TABLE x AS SELECT 1");
        exec(&db, &attach("a.db"));
        assert_eq!(get(&db, "SELECT a FROM b.t"), "1", "{url}");
        exec(&db, "BEGIN; INSERT INTO b.t VALUES(2); INSERT INTO m VALUES(8); COMMIT; DETACH b");
        assert!(db.exec(&attach("none.db")).is_err(), "{url}: attach=existing");
        // No URI is read: its parameters could turn off what protects the file.
        assert!(db.exec(&format!("ATTACH 'file:{}?nolock=1' AS b", dir.file("a.db").display())).is_err(), "{url}");
        exec(&db, &format!("VACUUM INTO '{}'", dir.file("copy.db").display()));
        db.close().unwrap();
        let copy = open(&dir.url("copy.db?mode=ro")).unwrap();
        assert_eq!(get(&copy, "SELECT group_concat(a) FROM m"), "7,8", "{url}");
        copy.close().unwrap();
        for name in ["copy.db", "copy.db-wal", "copy.db-shm"] {
            let _ = std::fs::remove_file(dir.file(name));
        }
    }
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(get(&db, "SELECT group_concat(a) FROM t"), "1,2,2");
    db.close().unwrap();
}
