//! The real Litestream beside litekeel: what it has replicated restores as what was committed. `scripts/test-scale` installs
//! it and runs this; by itself nothing here runs.

mod common;
#[path = "common/litestream.rs"]
mod litestream;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, exec, get, open};
use litekeel_core::Connection;
use litestream::{Daemon, litestream};

fn rounds(default: usize) -> usize {
    std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| std::process::id().into());
    eprintln!("SEED={seed}");
    seed
}

/// Restores, and says what is wrong with what came.
fn restored(dir: &Dir, committed: &str) -> Result<(), String> {
    let copy = dir.file("restored.db");
    for name in ["restored.db", "restored.db-wal", "restored.db-shm"] {
        let _ = fs::remove_file(dir.file(name));
    }
    let _ = fs::remove_dir_all(dir.file(".restored.db-litestream"));
    let mut command = Command::new(litestream());
    command.arg("restore").arg("-config").arg(dir.file("litestream.yml")).arg("-o").arg(&copy).arg(dir.file("a.db"));
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let wrong = |error: rusqlite::Error| error.to_string();
    let db = rusqlite::Connection::open(&copy).map_err(wrong)?;
    let check: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(wrong)?;
    let content: String = db.query_row(CONTENT, [], |row| row.get(0)).map_err(wrong)?;
    match (check.as_str(), content == committed) {
        ("ok", true) => Ok(()),
        ("ok", false) => Err(format!("{content} instead of {committed}")),
        _ => Err(check),
    }
}

const ROWS: u32 = 8000;
const CONTENT: &str = "SELECT count(*) || ' rows, ' || sum(version) || ' updates' FROM t";

/// Writes beside Litestream and restores, again and again; the rounds that came back wrong.
fn run(parameters: &str, count: usize, kill: bool, checkpoints: bool) -> Vec<String> {
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?{parameters}"));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, version INTEGER NOT NULL, data BLOB)");
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {ROWS}) INSERT INTO t SELECT i, 0, randomblob(500) FROM n"
    );
    exec(&db, &fill);
    let mut daemon = Some(Daemon::start(&dir));
    let updates = AtomicU64::new(0);
    let mut bad = Vec::new();
    let mut random = seed() | 1;
    for round in 0..count {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let burst = 1500 + (random >> 33) % 1500;
        let writing = AtomicU64::new(2);
        std::thread::scope(|scope| {
            for writer in 0..2u64 {
                let (url, updates, writing) = (&url, &updates, &writing);
                let mut random = random ^ writer.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                scope.spawn(move || {
                    let db = open(url).unwrap();
                    for step in 0..burst {
                        let mut script = String::from("BEGIN IMMEDIATE;");
                        for _ in 0..3 {
                            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            let id = (random >> 33) % u64::from(ROWS) + 1;
                            script +=
                                &format!("UPDATE t SET version = version + 1, data = randomblob(500) WHERE id = {id};");
                        }
                        script += "COMMIT";
                        while let Err(error) = db.exec(&script) {
                            assert!(checkpoints, "{error}");
                            let _ = db.exec("ROLLBACK");
                        }
                        if checkpoints && step % 40 == 0 {
                            // Refused while Litestream reads; not between two of its looks.
                            let _ = db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
                        }
                        updates.fetch_add(3, Ordering::AcqRel);
                    }
                    writing.fetch_sub(1, Ordering::AcqRel);
                    db.close().unwrap();
                });
            }
            if kill && round % 3 == 1 {
                std::thread::sleep(Duration::from_millis(20));
                let old = daemon.take().unwrap();
                let pid = old.pid();
                drop(old);
                assert!(!PathBuf::from(format!("/proc/{pid}/fd/0")).exists());
                daemon = Some(Daemon::start(&dir));
            }
            // Each of them is a moment at which Litestream checkpoints, beside the writers.
            while writing.load(Ordering::Acquire) > 0 && !checkpoints {
                daemon.as_ref().unwrap().sync();
            }
        });
        daemon.as_ref().unwrap().sync();
        let committed = format!("{ROWS} rows, {} updates", updates.load(Ordering::Acquire));
        assert_eq!(get(&db, CONTENT), committed);
        if let Err(what) = restored(&dir, &committed) {
            bad.push(format!("round {round}: {what}"));
        }
    }
    db.close().unwrap();
    bad
}

#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn every_restore_has_what_was_committed() {
    let count = rounds(30);
    let began = Instant::now();
    // It is found by itself: it was opened before Litestream ran.
    for (parameters, kill) in [("", false), ("replication=litestream", true)] {
        let bad = run(parameters, count / 2, kill, false);
        assert!(bad.is_empty(), "{parameters}: {} of {} restores are wrong:\n{}", bad.len(), count / 2, bad.join("\n"));
    }
    eprintln!("{count} restores, 0 wrong, {:.0} s", began.elapsed().as_secs_f64());
}

/// One row after another, each followed by the barrier, while the daemon is killed at random moments: what was confirmed
/// is in the replica as it is when the machine with the database is gone; what was not confirmed is at least here.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn what_replicated_confirms_is_in_the_restored_copy() {
    confirmed_rows("replication=litestream", |db, sql| {
        exec(db, sql);
        db.replicated(Some(Duration::from_secs(20))).map(drop)
    });
}

/// The same for commits that themselves wait, with `durability=replicated`.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn a_durable_commit_is_in_the_restored_copy() {
    confirmed_rows("durability=replicated&replication_timeout=20s", |db, sql| db.exec(sql));
}

fn confirmed_rows(parameters: &str, write: impl Fn(&Connection, &str) -> litekeel_core::Result<()>) {
    let dir = Dir::new();
    let socket = dir.file("s.sock");
    let url = dir.url(&format!("a.db?{parameters}&replication_socket={}", socket.display()));
    let db = open(&url).unwrap();
    // Nobody replicates it yet.
    let _ = db.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)");
    let mut random = seed() | 1;
    let (mut row, mut confirmed, mut refused, mut slowest) = (0u64, Vec::new(), 0, Duration::ZERO);
    for round in 0..rounds(30).min(30) {
        let daemon = Daemon::start(&dir);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_millis(20 + (random >> 33) % 400);
        let before = confirmed.len();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(life);
                drop(daemon);
            });
            // At least one each round is asked while it lives, and the last one when it is gone.
            loop {
                row += 1;
                let began = Instant::now();
                match write(&db, &format!("INSERT INTO t VALUES({row}, randomblob(2000))")) {
                    Ok(()) => {
                        slowest = slowest.max(began.elapsed());
                        confirmed.push(row);
                    }
                    Err(error) => {
                        assert_eq!(error.code(), litekeel_core::codes::NOT_REPLICATED, "{error}");
                        refused += 1;
                        break;
                    }
                }
            }
        });
        eprintln!("round {round}: {} confirmed", confirmed.len() - before);
        let ids = restored_ids(&dir);
        for id in &confirmed {
            assert!(ids.binary_search(id).is_ok(), "row {id} was confirmed and is not in the copy of round {round}");
        }
        assert_eq!(get(&db, "SELECT count(*) FROM t"), row.to_string());
    }
    assert!(confirmed.len() > 30, "only {} were confirmed: this proves little", confirmed.len());
    eprintln!("{} confirmed, 0 missing; {refused} not confirmed; slowest {} ms", confirmed.len(), slowest.as_millis());
    db.close().unwrap();
}

/// A replica without room confirms nothing, says so, and confirms again when there is room.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn a_full_replica_confirms_nothing() {
    let dir = Dir::new();
    let replica = dir.file("replica");
    fs::create_dir(&replica).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&replica).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a file system of 2 MB needs root and the right to mount");
        return;
    }
    let _mounted = Unmounted(replica.clone());
    let url = dir.url(&format!("a.db?replication=litestream&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)");
    let daemon = Daemon::start(&dir);
    exec(&db, "INSERT INTO t VALUES(1, 'small')");
    db.replicated(None).unwrap();
    exec(&db, "INSERT INTO t VALUES(2, randomblob(5000000))");
    let error = db.replicated(None).unwrap_err();
    assert_eq!(
        (error.code(), error.step()),
        (litekeel_core::codes::NOT_REPLICATED, Some("replica_refuses")),
        "{error}"
    );
    assert!(error.message().contains("no space left"), "{error}");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "2");
    assert_eq!(restored_ids(&dir), [1]);
    assert!(Command::new("mount").args(["-o", "remount,size=64m"]).arg(&replica).status().unwrap().success());
    db.replicated(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(restored_ids(&dir), [1, 2]);
    drop(daemon);
    db.close().unwrap();
}

struct Unmounted(PathBuf);

impl Drop for Unmounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The rows that a restore of the replica has, in order.
fn restored_ids(dir: &Dir) -> Vec<u64> {
    let copy = dir.file("restored.db");
    for name in ["restored.db", "restored.db-wal", "restored.db-shm"] {
        let _ = fs::remove_file(dir.file(name));
    }
    let mut command = Command::new(litestream());
    command.arg("restore").arg("-config").arg(dir.file("litestream.yml")).arg("-o").arg(&copy).arg(dir.file("a.db"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let db = rusqlite::Connection::open(&copy).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let mut rows = db.prepare("SELECT id FROM t ORDER BY id").unwrap();
    let ids = rows.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    ids.map(|id| id.unwrap() as u64).collect()
}

/// The control: with SQLite's own checkpoints the same rounds come back wrong now and then.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn with_checkpoints_of_ones_own_a_restore_is_wrong() {
    let began = Instant::now();
    for round in 0..6 {
        let bad = run("replication=none&checkpoint=auto&busy_timeout=300", 10, round % 2 == 1, true);
        if let Some(first) = bad.first() {
            eprintln!(
                "{} of {} rounds wrong, the first {first}; {:.0} s",
                bad.len(),
                (round + 1) * 10,
                began.elapsed().as_secs_f64()
            );
            return;
        }
    }
    panic!("60 rounds with checkpoints of one's own restored well: these rounds prove nothing");
}
