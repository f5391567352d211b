//! Close is idempotent, loses nothing, and explains a WAL that remains.

mod common;

use common::{Dir, exec, get, open};
use litekeel_core::{codes, sqlite};

#[test]
fn closing_twice_gives_the_same_report_and_later_calls_are_refused() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)");
    let report = db.close().unwrap();
    assert!(report.rolled_back);
    assert!(report.wal_removed, "{report:?}");
    assert_eq!(format!("{report:?}"), format!("{:?}", db.close().unwrap()));
    assert_eq!(db.lock().err().unwrap().code(), codes::CLOSED);
    db.interrupt();
    assert!(!dir.file("a.db-wal").exists());
}

#[test]
fn what_virtual_tables_prepare_for_themselves_is_nobodys_leak() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(
        &db,
        "CREATE VIRTUAL TABLE \"it's\" USING fts5(a); INSERT INTO \"it's\" VALUES('one two');
         CREATE TABLE c(id INTEGER PRIMARY KEY, a); INSERT INTO c VALUES(1, 'three');
         CREATE VIRTUAL TABLE e USING fts5(a, content=c, content_rowid=id); INSERT INTO e(e) VALUES('rebuild');
         CREATE VIRTUAL TABLE f USING fts4(a); INSERT INTO f VALUES('one two');
         CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +extra); INSERT INTO r VALUES(1, 2, 3, 'x');
         ATTACH ':memory:' AS \"o'ther\"; CREATE VIRTUAL TABLE \"o'ther\".g USING fts5(a); INSERT INTO g VALUES('x')",
    );
    for sql in
        ["SELECT * FROM e WHERE e MATCH 'three'", "SELECT * FROM r WHERE x0 > 1", "SELECT * FROM f WHERE f MATCH 'two'"]
    {
        assert_eq!(db.query(sql, None).unwrap().table().rows(), 1, "{sql}");
    }
    {
        let guard = db.lock().unwrap();
        // SAFETY: the guard's handle. The control: there are such statements.
        assert!(!unsafe { sqlite::sqlite3_next_stmt(guard.raw(), std::ptr::null_mut()) }.is_null());
    }
    let report = db.close().unwrap();
    assert_eq!(report.leaked_statements, Vec::<String>::new());
    assert!(report.optimized && report.wal_removed, "{report:?}");
}

#[test]
fn statements_of_others_on_virtual_tables_are_told() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES('one two')");
    let texts = [c"SELECT a FROM f", c"SELECT * FROM f_data", c"SELECT * FROM main.f_data", c"SELECT 'main', 'f_data'"];
    let mut statements = Vec::new();
    for text in texts {
        let guard = db.lock().unwrap();
        let mut statement = std::ptr::null_mut();
        // SAFETY: the guard's handle; the statement is finalized below.
        let rc = unsafe {
            sqlite::sqlite3_prepare_v2(guard.raw(), text.as_ptr(), -1, &mut statement, &mut std::ptr::null())
        };
        assert_eq!(rc, sqlite::SQLITE_OK);
        statements.push(statement);
    }
    let mut told = db.close().unwrap().leaked_statements;
    told.sort();
    let mut expected = texts.map(|text| text.to_str().unwrap());
    expected.sort();
    assert_eq!(told, expected);
    for statement in statements {
        // SAFETY: prepared above, finalized once; the handle lives on behind them.
        unsafe { sqlite::sqlite3_finalize(statement) };
    }
}

#[test]
fn statements_of_others_survive_and_are_listed() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(5)");
    let mut statement = std::ptr::null_mut();
    {
        let guard = db.lock().unwrap();
        // SAFETY: the guard's handle; the statement is finalized below.
        let rc = unsafe {
            sqlite::sqlite3_prepare_v2(
                guard.raw(),
                c"SELECT a FROM t".as_ptr(),
                -1,
                &mut statement,
                &mut std::ptr::null(),
            )
        };
        assert_eq!(rc, sqlite::SQLITE_OK);
    }
    let report = db.close().unwrap();
    assert_eq!(report.leaked_statements, ["SELECT a FROM t"]);
    // SAFETY: close left the statement alone; the handle goes with it.
    unsafe {
        assert_eq!(sqlite::sqlite3_step(statement), sqlite::SQLITE_ROW);
        assert_eq!(sqlite::sqlite3_finalize(statement), sqlite::SQLITE_OK);
    }
}

#[test]
fn a_remaining_wal_is_explained() {
    let dir = Dir::new();
    let first = open(&dir.url("a.db")).unwrap();
    let second = open(&dir.url("a.db")).unwrap();
    exec(&first, "CREATE TABLE t(a)");
    let report = first.close().unwrap();
    assert!(!report.wal_removed && report.why.contains("1 other connection"), "{report:?}");
    assert!(second.close().unwrap().wal_removed);

    let kept = open(&dir.url("a.db?persist_wal=1")).unwrap();
    exec(&kept, "INSERT INTO t VALUES(1)");
    let report = kept.close().unwrap();
    assert!(report.why.contains("persist_wal") && dir.file("a.db-wal").exists(), "{report:?}");
}

#[test]
fn keeps_it_open() {
    if !common::is_child("keeps_it_open") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    println!("{}", get(&db, "SELECT count(*) FROM sqlite_schema"));
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
#[cfg(target_os = "linux")]
fn another_process_that_keeps_the_wal_is_named() {
    use std::io::{BufRead, BufReader};
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let mut other = common::child("keeps_it_open", &[("URL", &dir.url("a.db"))])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with('1')), "it did not open");
    let report = db.close().unwrap();
    let pid = format!("pid {}", other.id());
    assert!(!report.wal_removed && report.why.contains(&pid) && report.why.contains("close_once"), "{report:?}");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn an_orphan_wal_is_kept_and_refused_or_set_aside() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db?close_checkpoint=none&persist_wal=1")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    db.close().unwrap();
    let size = std::fs::metadata(dir.file("a.db-wal")).unwrap().len();
    assert!(size > 0);
    std::fs::remove_file(dir.file("a.db")).unwrap();
    let error = open(&dir.url("a.db")).unwrap_err();
    assert_eq!(error.code(), codes::ORPHAN_WAL);
    assert_eq!(std::fs::metadata(dir.file("a.db-wal")).unwrap().len(), size);
    let db = open(&dir.url("a.db?on_orphan_wal=set_aside")).unwrap();
    assert!(db.report().warnings.iter().any(|warning| warning.contains("set aside")));
    db.close().unwrap();
    let aside = std::fs::read_dir(dir.path()).unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert_eq!(aside.filter(|name| name.contains("-wal.orphan-")).count(), 1);
}

#[test]
fn a_shared_connection_never_ends_a_call_in_a_transaction() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let second = db.retain().unwrap();
    let guard = second.lock().unwrap();
    guard.sqlite().execute_batch("BEGIN; INSERT INTO t VALUES(1)").unwrap();
    assert_eq!(guard.settle().unwrap_err().code(), codes::SHARED);
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "0");
    assert_eq!(db.require_sole_owner("begin").unwrap_err().code(), codes::SHARED);
    assert_eq!(db.close().unwrap().owners_left, 1);
    exec(&second, "INSERT INTO t VALUES(2)");
    assert!(second.close().unwrap().wal_removed);
}

#[test]
fn a_callback_cannot_wait_for_its_own_connection() {
    let db = open(":memory:").unwrap();
    let guard = db.lock().unwrap();
    assert_eq!(db.lock().err().unwrap().code(), sqlite::SQLITE_MISUSE);
    drop(guard);
    db.close().unwrap();
}

#[test]
fn busy_says_which_kind_and_how_long_it_waited() {
    let dir = Dir::new();
    let holder = open(&dir.url("a.db")).unwrap();
    exec(&holder, "CREATE TABLE t(a); BEGIN IMMEDIATE");
    let db = open(&dir.url("a.db?busy_timeout=100")).unwrap();
    let guard = db.lock().unwrap();
    let run = |sql: &str| guard.sqlite().execute_batch(sql).unwrap_err().sqlite_error().unwrap().extended_code;
    let busy = guard.fail(run("BEGIN IMMEDIATE")).busy().cloned().unwrap();
    assert_eq!(busy.kind, litekeel_core::BusyKind::Timeout);
    assert!(busy.waited >= std::time::Duration::from_millis(100), "{busy:?}");
    guard.sqlite().execute_batch("BEGIN; SELECT * FROM t").unwrap();
    exec(&holder, "INSERT INTO t VALUES(1); COMMIT");
    let error = guard.fail(run("INSERT INTO t VALUES(2)"));
    assert_eq!(error.busy().unwrap().kind, litekeel_core::BusyKind::Upgrade);
    assert!(error.hint().contains("BEGIN IMMEDIATE"));
    guard.sqlite().execute_batch("ROLLBACK").unwrap();
    drop(guard);
    db.close().unwrap();
    holder.close().unwrap();
}

#[test]
fn a_backup_on_the_raw_handle_outlives_a_dropped_connection() {
    let dir = Dir::new();
    let source = open(&dir.url("a.db?journal_mode=delete&busy_timeout=50")).unwrap();
    exec(&source, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let target = open(":memory:").unwrap();
    let holder = open(&dir.url("a.db?journal_mode=delete")).unwrap();
    // SAFETY: both handles are open; the backup, which keeps the source's alive, is finished below.
    unsafe {
        let main = c"main".as_ptr();
        let (from, to) = (source.lock().unwrap().raw(), target.lock().unwrap().raw());
        let backup = sqlite::sqlite3_backup_init(to, main, from, main);
        assert!(!backup.is_null());
        drop(source);
        // What was freed with it is overwritten.
        let _zeros: Vec<Box<[u64; 24]>> = (0..64).map(|_| Box::new([0; 24])).collect();
        exec(&holder, "BEGIN EXCLUSIVE");
        // It waits for the lock, by the handler of the connection that is gone.
        let began = std::time::Instant::now();
        assert_eq!(sqlite::sqlite3_backup_step(backup, -1) & 0xff, sqlite::SQLITE_BUSY);
        assert!(began.elapsed() >= std::time::Duration::from_millis(50), "{:?}", began.elapsed());
        exec(&holder, "COMMIT");
        assert_eq!(sqlite::sqlite3_backup_step(backup, -1), sqlite::SQLITE_DONE);
        assert_eq!(sqlite::sqlite3_backup_finish(backup), sqlite::SQLITE_OK);
    }
    assert_eq!(get(&target, "SELECT count(*) FROM t"), "1");
    target.close().unwrap();
    holder.close().unwrap();
}

#[test]
fn no_owner_changes_the_settings_of_a_shared_connection() {
    let dir = Dir::new();
    let db = open(&dir.url("a.db")).unwrap();
    db.exec("PRAGMA foreign_keys=off; PRAGMA foreign_keys=on").unwrap();
    let second = db.retain().unwrap();
    for sql in [
        "PRAGMA foreign_keys=off",
        "PRAGMA main.Synchronous(0)",
        "PRAGMA busy_timeout=1",
        "SELECT 1; -- two\n PRAGMA cache_size = 10;",
    ] {
        assert_eq!(second.exec(sql).unwrap_err().code(), codes::SHARED, "{sql}");
    }
    assert_eq!(second.query("PRAGMA busy_timeout=1", None).unwrap_err().code(), codes::SHARED);
    for sql in ["PRAGMA foreign_keys", "PRAGMA user_version=7", "PRAGMA table_info(t)", "PRAGMA busy_timeout"] {
        second.exec(sql).unwrap();
    }
    assert_eq!((get(&db, "PRAGMA foreign_keys"), get(&db, "PRAGMA user_version")), ("1".into(), "7".into()));
    second.close().unwrap();
    db.close().unwrap();
}
