//! `backup` and `restore`: live databases, nothing replaced unasked, nothing half, and a bar on a terminal.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::tmux::Tmux;
use common::{Dir, Holder, hold_if_child, ran};

fn rows(dir: &Dir, name: &str) -> i64 {
    let db = dir.open(&format!("{name}?mode=rw&busy_timeout=5s"));
    let count = db.lock().unwrap().sqlite().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    db.close().unwrap();
    count
}

#[test]
fn a_live_database_there_and_back() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 1000);
    let url = format!("file:{}/a.db", dir.path().display());
    let me = "a_live_database_there_and_back";
    // A writer has the lock, and rows that are only in the WAL.
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2); BEGIN IMMEDIATE; DELETE FROM t");
    let ran = dir.litekeel(&["backup", "a.db", "copies/b.db", "--json"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let json = ran.json();
    assert_eq!((&json["checked"], json["restarts"].as_u64()), (&true.into(), Some(0)), "{json}");
    assert!(json["bytes"].as_u64().unwrap() > 100_000 && ran.err.is_empty(), "no bar where no terminal is: {ran:?}");
    assert_eq!(rows(&dir, "copies/b.db"), 1001);
    drop(writer);

    // A URL that only reads is enough.
    let ran = dir.litekeel(&["backup", "file:a.db?mode=ro", "reader.db"]);
    assert_eq!((ran.status, rows(&dir, "reader.db")), (0, 1001), "{ran:?}");

    // The application's own URL may carry its settings.
    let ran = dir.litekeel(&["restore", "copies/b.db", "file:new/c.db?profile=durable&cache_size=64MiB"]);
    assert!(ran.status == 0 && ran.out.contains("quick_check: ok"), "{ran:?}");
    assert_eq!(rows(&dir, "new/c.db"), 1001);
}

/// What a program compares and computes with may be its own: Anki's collections have a collation, GeoPackages functions.
#[test]
fn a_file_whose_program_has_its_own_collation_and_functions_is_copied_and_examined() {
    let dir = Dir::new();
    let own = rusqlite::Connection::open(dir.file("a.db")).unwrap();
    own.create_collation("own", |one, other| other.cmp(one)).unwrap();
    own.create_scalar_function("f", 1, rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC, |of| of.get::<i64>(0))
        .unwrap();
    own.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE t(a COLLATE own PRIMARY KEY, b CHECK (f(b) > 0)); CREATE INDEX i ON t(f(b)); CREATE TABLE g(a, b TEXT NOT NULL AS (f(a))); \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) INSERT INTO t SELECT 'row ' || i, i FROM n",
    )
    .unwrap();
    for (words, says) in [
        (&["backup", "a.db", "b.db"][..], "all of g (unknown function: f())"),
        (&["restore", "b.db", "c.db"], "all of g (unknown function: f())"),
        (&["doctor", "c.db"], "all of g (unknown function: f())"),
        (&["doctor", "--full", "c.db"], "the indexes of g, t"),
    ] {
        let ran = dir.litekeel(words);
        let text = format!("{}{}", ran.out, ran.err);
        let told = text.contains("since only the program that wrote the file has") && text.contains(says);
        assert!(ran.status == 0 && told, "{words:?}: {ran:?}");
    }
    assert_eq!(rows(&dir, "c.db"), 2000);
    // What is damaged is found as in any file.
    let mut bytes = std::fs::read(dir.file("b.db")).unwrap();
    bytes[4096 * 20..4096 * 21].fill(0x55);
    std::fs::write(dir.file("damaged.db"), bytes).unwrap();
    for (words, status, says) in
        [(&["restore", "damaged.db", "d.db"][..], 3, "quick_check"), (&["doctor", "damaged.db"], 1, "✗ content")]
    {
        let ran = dir.litekeel(words);
        assert!(ran.status == status && format!("{}{}", ran.out, ran.err).contains(says), "{words:?}: {ran:?}");
    }
    let json = dir.litekeel(&["backup", "a.db", "j.db", "--json"]).json();
    assert!(json["left_out"].as_str().unwrap().contains("f()"), "{json}");
}

#[test]
fn nothing_that_exists_is_replaced_unasked() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    dir.database("b.db", 20);
    for words in [["backup", "a.db", "b.db"], ["restore", "a.db", "b.db"]] {
        let before = dir.listing();
        let ran = dir.litekeel(&words);
        assert!(ran.status == 2 && ran.err.contains("--overwrite"), "{ran:?}");
        assert_eq!(dir.listing(), before);
    }
    // Asked for, it replaces the content under a reader, who sees the old one until it looks again.
    let url = format!("file:{}/b.db", dir.path().display());
    let reader = Holder::start("nothing_that_exists_is_replaced_unasked", &url, "BEGIN; SELECT count(*) FROM t");
    let ran = dir.litekeel(&["restore", "a.db", "b.db", "--overwrite"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    drop(reader);
    assert_eq!(rows(&dir, "b.db"), 10);
    // Pages of another size cannot replace those of a WAL database in place.
    dir.database("p.db?page_size=8192", 5);
    let ran = dir.litekeel(&["restore", "a.db", "p.db", "--overwrite"]);
    assert!(ran.status == 3 && ran.err.contains("pages of 8192 bytes"), "{ran:?}");
    assert!(!ran.err.contains("dropped without close"), "{ran:?}");
    assert_eq!(rows(&dir, "p.db"), 5);
    // Of itself there is no copy, by whatever name.
    let ran = dir.litekeel(&["backup", "a.db", "./a.db", "--overwrite"]);
    assert!(ran.status != 0 && ran.err.contains("itself"), "{ran:?}");
}

#[test]
fn a_damaged_copy_replaces_nothing() {
    let dir = Dir::new();
    dir.database("live.db", 10);
    let copy = dir.database("copy.db", 2000);
    let mut bytes = std::fs::read(&copy).unwrap();
    bytes[4096 * 20..4096 * 21].fill(0x55);
    std::fs::write(&copy, bytes).unwrap();
    let before = dir.listing();
    let ran = dir.litekeel(&["restore", "copy.db", "live.db", "--overwrite"]);
    assert!(ran.status == 3 && ran.err.contains("litekeel doctor"), "{ran:?}");
    assert_eq!(dir.listing(), before);
    assert_eq!(rows(&dir, "live.db"), 10);
}

#[test]
fn a_database_that_may_only_be_read_is_copied_without_a_trace() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } == 0 {
        return as_nobody();
    }
    let dir = Dir::new();
    dir.database("in/a.db", 100);
    readable_only(&dir);
}

fn readable_only(dir: &Dir) {
    std::fs::set_permissions(dir.file("in"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let ran = dir.litekeel(&["backup", "in/a.db", "b.db"]);
    std::fs::set_permissions(dir.file("in"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(rows(dir, "b.db"), 100);
}

/// Root may write everywhere: as another user then.
fn as_nobody() {
    use std::os::unix::process::CommandExt;
    let dir = Dir::new();
    dir.database("in/a.db", 100);
    std::fs::create_dir(dir.file("out")).unwrap();
    std::fs::set_permissions(dir.file("out"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = std::process::Command::new(dir.public_binary());
    command.args(["backup", "in/a.db", "out/b.db"]).current_dir(dir.path()).uid(65534).gid(65534);
    let ran = ran(command);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(rows(&dir, "out/b.db"), 100);
    let left: Vec<_> = std::fs::read_dir(dir.file("in")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a.db"]);
}

#[test]
fn on_a_terminal_a_bar_moves_and_ctrl_c_leaves_nothing() {
    let dir = Dir::new();
    dir.database("a.db", 20_000);
    let command = format!("{} backup a.db out/b.db --pages 10 --pause 100ms", env!("CARGO_BIN_EXE_litekeel"));
    let Some(tmux) = Tmux::start(&dir, &command) else { return };
    let percent = |screen: &str| -> Option<u32> {
        let line = screen.lines().find(|line| line.starts_with("backup "))?;
        line.split('%').next()?.split_whitespace().last()?.parse().ok()
    };
    let first = tmux.screen("a bar", |screen| percent(screen).is_some_and(|p| p >= 5) && screen.contains("/s"));
    assert!(first.contains('█') && first.contains('░') && first.contains(" of "), "{first}");
    let began = percent(&first).unwrap();
    let later = tmux.screen("it moves", |screen| percent(screen).is_some_and(|p| p > began));
    assert_eq!(later.matches("backup ").count(), 1, "in place: {later}");
    tmux.ask(&["send-keys", "C-c"]);
    let screen = tmux.screen("it stops", |screen| screen.contains("status="));
    assert!(screen.contains("status=130") && screen.contains("b.db was not created"), "{screen}");
    assert!(!screen.contains('░') && !dir.file("out").exists(), "{screen}");
}

#[test]
fn who_writes_to_a_deleted_wal_is_named() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db?checkpoint=manual", dir.path().display());
    let me = "who_writes_to_a_deleted_wal_is_named";
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2)");
    // The control: a live writer, and one whose -wal is where it was.
    let ran = dir.litekeel(&["doctor", "a.db"]);
    assert!(ran.status == 0 && !ran.out.contains("-wal that was deleted"), "{ran:?}");
    std::fs::remove_file(dir.file("a.db-wal")).unwrap();
    std::fs::remove_file(dir.file("a.db-shm")).unwrap();
    let ran = dir.litekeel(&["backup", "a.db", "copy.db"]);
    let told = ran.err.replace(char::is_whitespace, "");
    assert!(ran.status == 0 && told.contains("a-walthatwasdeleted") && told.contains("isnotinthecopy"), "{ran:?}");
    let ran = dir.litekeel(&["doctor", "a.db"]);
    let told = ran.out.replace(char::is_whitespace, "");
    assert!(ran.status == 1 && told.contains("a-walthatwasdeleted"), "{ran:?}");
    // Another database of that name is not what it has open.
    std::fs::create_dir(dir.file("other")).unwrap();
    std::fs::copy(dir.file("copy.db"), dir.file("other/a.db")).unwrap();
    let ran = dir.litekeel(&["doctor", "other/a.db"]);
    assert!(ran.status == 0 && !ran.out.contains("-wal that was deleted"), "{ran:?}");
    drop(writer);
}

/// What `cp a.db a.db-wal copies/` makes of a database in use.
#[test]
fn a_copy_with_its_wal_alone_is_restored_whole() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = format!("file:{}/a.db?checkpoint=manual", dir.path().display());
    let writer = Holder::start("a_copy_with_its_wal_alone_is_restored_whole", &url, "INSERT INTO t VALUES(1, 2)");
    std::fs::create_dir(dir.file("copies")).unwrap();
    for name in ["a.db", "a.db-wal"] {
        std::fs::copy(dir.file(name), dir.file("copies").join(name)).unwrap();
    }
    drop(writer);
    let bytes = |name: &str| std::fs::read(dir.file(name)).unwrap();
    let before = (bytes("copies/a.db"), bytes("copies/a.db-wal"));
    for (number, more) in [&[][..], &["--no-check"]].into_iter().enumerate() {
        let to = format!("restored-{number}.db");
        let ran = dir.litekeel(&[&["restore", "copies/a.db", &to], more].concat());
        assert_eq!((ran.status, rows(&dir, &to)), (0, 11), "{ran:?}");
        std::fs::remove_file(dir.file("copies/a.db-shm")).unwrap();
        let to = format!("copied-{number}.db");
        let ran = dir.litekeel(&[&["backup", "copies/a.db", &to], more].concat());
        assert_eq!((ran.status, rows(&dir, &to)), (0, 11), "{ran:?}");
        assert!((bytes("copies/a.db"), bytes("copies/a.db-wal")) == before, "the copy is as it was");
        std::fs::remove_file(dir.file("copies/a.db-shm")).unwrap();
    }
    // Half of a page is lost from the end of the -wal, as a copy under a writer may be: what was committed before it is there.
    let wal = std::fs::OpenOptions::new().write(true).open(dir.file("copies/a.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 2000).unwrap();
    drop(wal);
    let ran = dir.litekeel(&["restore", "copies/a.db", "cut.db"]);
    assert_eq!((ran.status, rows(&dir, "cut.db")), (0, 10), "{ran:?}");
}
