//! The read mark of a commit is moved by two calls instead of four: what is locked in between, and when it is unlocked.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod common;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::{Connection, sqlite};

/// The kinds and bytes of the locks of this process on a file, without those of its open files: `WRITE 124`.
fn locked(path: &Path) -> Vec<String> {
    let inode = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    let me = format!(" {} ", std::process::id());
    let table = std::fs::read_to_string("/proc/locks").unwrap();
    let ours = table.lines().filter(|line| line.contains("POSIX") && line.contains(&inode) && line.contains(&me));
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    ours.map(fields).map(|row| format!("{} {}", row[3], row[row.len() - 2])).collect()
}

/// The locks of the readers' slots.
fn readers(path: &Path) -> Vec<String> {
    let bytes = ["123", "124", "125", "126", "127"];
    locked(path).into_iter().filter(|lock| bytes.iter().any(|byte| lock.ends_with(byte))).collect()
}

/// A call of SQLite's on the WAL's locks.
fn shm_lock(connection: &Connection, slot: i32, flags: i32) -> i32 {
    let guard = connection.lock().unwrap();
    // SAFETY: the connection is open, and nothing runs on it; what is asked for is what SQLite may ask for.
    unsafe {
        let mut file: *mut sqlite::sqlite3_file = std::ptr::null_mut();
        let what = sqlite::SQLITE_FCNTL_FILE_POINTER;
        let rc = sqlite::sqlite3_file_control(guard.sqlite().handle(), c"main".as_ptr(), what, (&raw mut file).cast());
        assert_eq!(rc, sqlite::SQLITE_OK);
        (*(*file).pMethods).xShmLock.unwrap()(file, slot, 1, flags)
    }
}

const LOCK: i32 = sqlite::SQLITE_SHM_LOCK;
const UNLOCK: i32 = sqlite::SQLITE_SHM_UNLOCK;
const SHARED: i32 = sqlite::SQLITE_SHM_SHARED;
const EXCLUSIVE: i32 = sqlite::SQLITE_SHM_EXCLUSIVE;

fn filled(dir: &Dir, parameters: &str) -> std::sync::Arc<Connection> {
    let connection = open(&dir.url(&format!("app.db?checkpoint=auto&{parameters}"))).unwrap();
    exec(&connection, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1)");
    connection
}

#[test]
fn a_moved_mark_is_read_at_next_and_whatever_else_comes_unlocks_it() {
    let dir = Dir::new();
    let connection = filled(&dir, "read_lock=released");
    let shm = dir.file("app.db-shm");
    let moved = || {
        assert_eq!(shm_lock(&connection, 5, LOCK | EXCLUSIVE), sqlite::SQLITE_OK);
        assert_eq!(shm_lock(&connection, 5, UNLOCK | EXCLUSIVE), sqlite::SQLITE_OK);
        assert_eq!(readers(&shm), ["WRITE 125"]);
    };
    moved();
    assert_eq!(shm_lock(&connection, 5, LOCK | SHARED), sqlite::SQLITE_OK);
    assert_eq!(readers(&shm), ["READ 125"]);
    assert_eq!(shm_lock(&connection, 5, UNLOCK | SHARED), sqlite::SQLITE_OK);
    assert!(readers(&shm).is_empty());
    // Another slot's lock.
    moved();
    assert_eq!(shm_lock(&connection, 6, LOCK | SHARED), sqlite::SQLITE_OK);
    assert_eq!(readers(&shm), ["READ 126"]);
    assert_eq!(shm_lock(&connection, 6, UNLOCK | SHARED), sqlite::SQLITE_OK);
    // A statement, which reads at another mark.
    moved();
    get(&connection, "SELECT a FROM t");
    assert!(readers(&shm).is_empty());
    // Another connection of the process, which has the slot for itself meanwhile.
    let other = filled(&dir, "read_lock=released");
    moved();
    assert_eq!(shm_lock(&other, 5, LOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&connection, 5, LOCK | SHARED), sqlite::SQLITE_BUSY);
    assert_eq!(readers(&shm), ["WRITE 125"]);
    assert_eq!(shm_lock(&other, 5, UNLOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&other, 5, LOCK | SHARED), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&connection, 5, LOCK | SHARED), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&other, 5, UNLOCK | SHARED), sqlite::SQLITE_OK);
    assert_eq!(readers(&shm), ["READ 125"]);
    assert_eq!(shm_lock(&connection, 5, UNLOCK | SHARED), sqlite::SQLITE_OK);
    // The first slot's lock, and one of a connection with another lock besides, are nothing but locks.
    assert_eq!(shm_lock(&connection, 3, LOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&connection, 3, UNLOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert!(readers(&shm).is_empty());
    assert_eq!(shm_lock(&connection, 0, LOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&connection, 5, LOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert_eq!(shm_lock(&connection, 5, UNLOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    assert!(readers(&shm).is_empty());
    assert_eq!(shm_lock(&connection, 0, UNLOCK | EXCLUSIVE), sqlite::SQLITE_OK);
    // The end.
    moved();
    other.close().unwrap();
    connection.close().unwrap();
}

/// Commits until a byte stays locked after one. Under load the thread may be held up in any of the rounds.
fn commits_until_it_stays(connection: &Connection, shm: &Path, rounds: usize) -> bool {
    let guard = connection.lock().unwrap();
    let mut update = guard.sqlite().prepare("UPDATE t SET a = a + 1 WHERE id = 1").unwrap();
    (0..rounds).any(|_| {
        for _ in 0..30 {
            update.execute([]).unwrap();
        }
        !readers(shm).is_empty()
    })
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn after_commits_a_byte_stays_locked_for_a_moment_and_in_nobodys_way() {
    let dir = Dir::new();
    let connection = filled(&dir, "read_lock=kept&synchronous=off");
    let shm = dir.file("app.db-shm");
    assert!(commits_until_it_stays(&connection, &shm, 300), "no byte ever stayed locked");
    until("the end", || readers(&shm).is_empty());
    // Whoever of this process wants all slots, has them.
    let other = filled(&dir, "read_lock=released&synchronous=off");
    assert_eq!(get(&other, "PRAGMA busy_timeout=0"), "0");
    for _ in 0..30 {
        commits_until_it_stays(&connection, &shm, 3);
        assert_eq!(get(&other, "PRAGMA wal_checkpoint(TRUNCATE)"), "0");
        commits_until_it_stays(&other, &shm, 3);
        assert_eq!(get(&connection, "PRAGMA wal_checkpoint(TRUNCATE)"), "0");
    }
    // Its own read, and a look who reads.
    commits_until_it_stays(&connection, &shm, 300);
    get(&connection, "SELECT a FROM t");
    commits_until_it_stays(&connection, &shm, 300);
    assert!(connection.pins().unwrap().is_none_or(|pins| pins.pins.is_empty()));
    other.close().unwrap();
    commits_until_it_stays(&connection, &shm, 300);
    connection.close().unwrap();
    assert!(!dir.file("app.db-wal").exists(), "it was closed as the last one");
}

#[test]
fn nothing_stays_beside_another_process_and_where_the_setting_says_so() {
    let dir = Dir::new();
    let shm = dir.file("app.db-shm");
    let released = filled(&dir, "read_lock=released&synchronous=off");
    assert!(!commits_until_it_stays(&released, &shm, 50));
    released.close().unwrap();
    let connection = filled(&dir, "read_lock=kept&synchronous=off");
    assert!(commits_until_it_stays(&connection, &shm, 300), "no byte ever stayed locked");
    let mut other = child("uses_it_until_told", &[("URL", &dir.url("app.db"))])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufRead::lines(std::io::BufReader::new(other.stdout.take().unwrap()));
    assert!(out.by_ref().map_while(Result::ok).any(|line| line.contains("in use")));
    // Longer than until the next look.
    std::thread::sleep(Duration::from_millis(20));
    assert!(!commits_until_it_stays(&connection, &shm, 50));
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    until("alone again", || commits_until_it_stays(&connection, &shm, 300));
}

#[test]
fn uses_it_until_told() {
    if is_child("uses_it_until_told") {
        let connection = open(&std::env::var("URL").unwrap()).unwrap();
        get(&connection, "SELECT a FROM t");
        println!("in use");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        connection.close().unwrap();
    }
}
