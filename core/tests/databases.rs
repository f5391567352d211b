//! One file for each tenant: a bounded number of connections, each in use by one.

mod common;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use common::Dir;
use litekeel_core::{Databases, Error, Options};

fn databases(dir: &Dir, max: usize) -> Databases {
    Databases::open(&dir.file("tenants"), max, &Options::new()).unwrap()
}

fn with(dir: &Dir, max: usize, key: &str, value: &str) -> Result<Databases, Error> {
    let mut options = Options::new();
    options.set(key, value).unwrap();
    Databases::open(&dir.file("tenants"), max, &options)
}

fn name(error: Error) -> String {
    error.name().to_string()
}

/// How many descriptors of files below a directory this process has.
fn descriptors(dir: &Dir) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|path| path.starts_with(dir.path())).count()
}

#[test]
fn a_name_creates_nothing_and_leads_nowhere() {
    let dir = Dir::new();
    let tenants = databases(&dir, 2);
    assert_eq!(name(tenants.get("a").unwrap_err()), "KEEL_NO_DATABASE");
    assert!(fs::read_dir(dir.file("tenants")).unwrap().next().is_none());
    tenants.create("a").unwrap().exec("CREATE TABLE t(x)").unwrap();
    tenants.get("a").unwrap().exec("INSERT INTO t VALUES(1)").unwrap();
    for bad in ["", "../a", "a/b", ".a", "a\0", "a b"] {
        assert_eq!(name(tenants.get(bad).unwrap_err()), "KEEL_ARGUMENT", "{bad:?}");
    }
    // Neither by a link, nor by SQL.
    fs::write(dir.file("outside.db"), "").unwrap();
    std::os::unix::fs::symlink(dir.file("outside.db"), dir.file("tenants/link.db")).unwrap();
    assert!(tenants.get("link").is_err());
    tenants.create("b").unwrap();
    let attach = format!("ATTACH '{}' AS b", dir.file("tenants/b.db").display());
    assert!(tenants.get("a").unwrap().exec(&attach).is_err());
    assert_eq!(fs::metadata(dir.file("outside.db")).unwrap().len(), 0);
}

#[test]
fn what_the_directory_decides_is_refused() {
    let dir = Dir::new();
    let keys = [
        ("mode", "ro"),
        ("base_dir", "/tmp"),
        ("allowed_roots", "/"),
        ("nofollow", "1"),
        ("inspect", "1"),
        ("share", "1"),
    ];
    for (key, value) in keys {
        let error = with(&dir, 2, key, value).unwrap_err();
        assert!(error.message().starts_with(key), "{}", error.message());
        assert_eq!(name(error), "KEEL_ARGUMENT");
    }
    assert!(!dir.file("tenants").exists(), "nothing is made for what is refused");
    assert_eq!(
        name(Databases::open_with_extension(&dir.file("t"), "/../x", 1, &Options::new()).unwrap_err()),
        "KEEL_ARGUMENT"
    );
    // Other settings hold for each.
    let tenants = with(&dir, 2, "cache_size", "-2000").unwrap();
    assert_eq!(common::get(&tenants.create("a").unwrap(), "PRAGMA cache_size"), "-2000");
}

#[test]
fn more_databases_than_may_be_open() {
    let dir = Dir::new();
    let (files, max, threads) = if std::env::var_os("LITEKEEL_LONG").is_some() { (10_000, 50, 8) } else { (300, 6, 4) };
    let tenants = Arc::new(databases(&dir, max));
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(std::process::id() as usize);
    println!("SEED={seed}");
    let written = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (tenants, written, dir) = (&tenants, &written, &dir);
            scope.spawn(move || {
                let mut random = seed.wrapping_mul(31).wrapping_add(thread * 7919 + 1);
                for round in 0..2 * files / threads {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let number =
                        if round % 2 == 0 { thread + round / 2 * threads } else { (random >> 33) % files } % files;
                    let db = tenants.create(&format!("tenant-{number}")).unwrap();
                    if db.is_newly_opened() {
                        db.exec("CREATE TABLE IF NOT EXISTS visit(who)").unwrap();
                    }
                    db.exec(&format!("INSERT INTO visit VALUES('{number}')")).unwrap();
                    db.give_back().unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                    let open = tenants.open_count();
                    assert!(open <= max, "{open} are open");
                    if round % 50 == 0 {
                        // Database, -wal and -shm; and one more of each while the background checkpoints.
                        let descriptors = descriptors(dir);
                        assert!(descriptors <= 3 * (max + 2), "{descriptors} descriptors");
                    }
                }
            });
        }
    });
    let mut rows = 0;
    for number in 0..files {
        let db = match tenants.get(&format!("tenant-{number}")) {
            Ok(db) => db,
            Err(error) => panic!("{number}: {error}"),
        };
        rows += common::get(&db, "SELECT count(*) FROM visit").parse::<usize>().unwrap();
        assert_eq!(common::get(&db, &format!("SELECT count(*) FROM visit WHERE who <> '{number}'")), "0");
    }
    assert_eq!(rows, written.load(Ordering::Relaxed));
    tenants.close().unwrap();
    assert_eq!((tenants.open_count(), descriptors(&dir)), (0, 0));
    assert_eq!(fs::read_dir(dir.file("tenants")).unwrap().count(), files, "only databases are left");
}

#[test]
fn the_least_recently_used_one_is_closed() {
    let dir = Dir::new();
    let tenants = databases(&dir, 2);
    for name in ["a", "b"] {
        assert!(tenants.create(name).unwrap().is_newly_opened());
    }
    assert!(!tenants.get("a").unwrap().is_newly_opened());
    tenants.create("c").unwrap();
    assert!(!tenants.get("a").unwrap().is_newly_opened(), "it was used after b");
    assert!(tenants.get("b").unwrap().is_newly_opened());
}

#[test]
fn who_finds_no_place_waits_and_is_told() {
    let dir = Dir::new();
    let tenants = Arc::new(with(&dir, 1, "busy_timeout", "100").unwrap());
    let first = tenants.create("a").unwrap();
    let began = Instant::now();
    let error = tenants.create("b").unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(100) && error.message().contains("all 1 connections"));
    assert_eq!(name(error), "KEEL_ALL_IN_USE");
    drop(first);
    tenants.create("b").unwrap();

    // Those who wait are served in the order of their coming.
    let tenants = Arc::new(with(&dir, 1, "busy_timeout", "60000").unwrap());
    let first = tenants.create("a").unwrap();
    let (send, receive) = mpsc::channel();
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            let (tenants, send) = (tenants.clone(), send.clone());
            let (set_out, ready) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                set_out.send(()).unwrap();
                let db = tenants.get("a").unwrap();
                send.send(number).unwrap();
                drop(db);
            });
            // A thread that came later on a busy machine would stand behind: each says that it is about to wait.
            ready.recv().unwrap();
            std::thread::sleep(Duration::from_millis(100));
            thread
        })
        .collect();
    drop(first);
    waiting.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn two_users_of_one_database_do_not_meet_in_a_transaction() {
    let dir = Dir::new();
    let tenants = databases(&dir, 3);
    tenants.create("a").unwrap().exec("CREATE TABLE t(x)").unwrap();
    let (one, other) = (tenants.get("a").unwrap(), tenants.get("a").unwrap());
    one.exec("BEGIN; INSERT INTO t VALUES(1)").unwrap();
    assert_eq!(common::get(&other, "SELECT count(*) FROM t"), "0");
    one.exec("ROLLBACK").unwrap();
    other.exec("INSERT INTO t VALUES(2)").unwrap();
    assert_eq!(common::get(&one, "SELECT x FROM t"), "2");
}

#[test]
fn what_a_user_left_open_is_undone() {
    let dir = Dir::new();
    let tenants = databases(&dir, 2);
    tenants.create("a").unwrap().exec("CREATE TABLE t(x); INSERT INTO t VALUES(0),(1)").unwrap();
    let db = tenants.get("a").unwrap();
    db.exec("BEGIN; INSERT INTO t VALUES(2)").unwrap();
    let error = db.give_back().unwrap_err();
    assert!(error.message().contains("a transaction"), "{}", error.message());
    assert_eq!(name(error), "KEEL_IN_TRANSACTION");
    assert_eq!(common::get(&tenants.get("a").unwrap(), "SELECT count(*) FROM t"), "2");

    // Rows that are read in batches, and those of a raw statement.
    let db = tenants.get("a").unwrap();
    let (_first, _rest) = db.connection().stream("SELECT x FROM t", None, 1).unwrap();
    assert_eq!(name(db.give_back().unwrap_err()), "KEEL_IN_TRANSACTION");
    assert!(tenants.get("a").unwrap().is_newly_opened());

    // What is neither is kept: the next user finds the connection as it was left.
    let db = tenants.get("a").unwrap();
    db.exec("PRAGMA user_version = 7; CREATE TEMP TABLE mine(x)").unwrap();
    db.give_back().unwrap();
    let again = tenants.get("a").unwrap();
    assert!(!again.is_newly_opened());
    assert_eq!(common::get(&again, "SELECT count(*) FROM mine"), "0");
}

#[test]
fn a_file_that_was_replaced_or_removed_is_not_used() {
    let dir = Dir::new();
    let tenants = databases(&dir, 2);
    for (name, value) in [("a", 1), ("b", 2)] {
        tenants.create(name).unwrap().exec(&format!("CREATE TABLE t(x); INSERT INTO t VALUES({value})")).unwrap();
    }
    assert_eq!(tenants.evict("b").unwrap(), 1);
    fs::rename(dir.file("tenants/b.db"), dir.file("tenants/a.db")).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(dir.file(&format!("tenants/a.db{suffix}")));
    }
    assert_eq!(common::get(&tenants.get("a").unwrap(), "SELECT x FROM t"), "2");
    assert_eq!(tenants.evict("a").unwrap(), 1);
    fs::remove_file(dir.file("tenants/a.db")).unwrap();
    assert_eq!(name(tenants.get("a").unwrap_err()), "KEEL_NO_DATABASE");
    assert_eq!(tenants.open_count(), 0);
    // One that is in use is not closed under its user.
    let used = tenants.create("c").unwrap();
    assert_eq!(name(tenants.evict("c").unwrap_err()), "KEEL_ALL_IN_USE");
    used.exec("CREATE TABLE t(x)").unwrap();
}

#[test]
fn closing_waits_for_nobody_and_leaves_nothing() {
    let dir = Dir::new();
    let tenants = databases(&dir, 3);
    let used = tenants.create("a").unwrap();
    tenants.create("b").unwrap();
    tenants.close().unwrap();
    assert_eq!(tenants.open_count(), 1);
    assert_eq!(name(tenants.get("b").unwrap_err()), "KEEL_CLOSED");
    used.exec("CREATE TABLE t(x)").unwrap();
    used.give_back().unwrap();
    assert_eq!((tenants.open_count(), descriptors(&dir)), (0, 0));
    tenants.close().unwrap();
    assert!(!dir.file("tenants/a.db-wal").exists());
}

#[test]
fn a_failed_open_takes_no_place() {
    let dir = Dir::new();
    let tenants = databases(&dir, 1);
    fs::write(dir.file("tenants/bad.db"), [b'x'; 4096]).unwrap();
    for _ in 0..3 {
        assert_eq!(name(tenants.get("bad").unwrap_err()), "SQLITE_NOTADB");
    }
    tenants.create("good").unwrap().exec("CREATE TABLE t(x)").unwrap();
}

#[test]
fn a_forked_child_leaves_the_parents_alone() {
    let dir = Dir::new();
    let tenants = databases(&dir, 2);
    let used = tenants.create("a").unwrap();
    used.exec("CREATE TABLE t(x)").unwrap();
    // SAFETY: the child calls what is under test, and leaves by _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = tenants.get("a").map(drop).map_err(name) == Err("KEEL_FORKED".to_owned());
        let quiet = tenants.close().is_ok() && used.give_back().is_ok();
        // SAFETY: ends the child at once.
        unsafe { libc::_exit(if refused && quiet { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the child is this process's.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    used.exec("INSERT INTO t VALUES(1)").unwrap();
    used.give_back().unwrap();
    tenants.close().unwrap();
}
