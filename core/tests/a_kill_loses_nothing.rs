//! kill -9 at any moment: while writing, creating, checkpointing and closing. What was acknowledged is there afterwards,
//! and the next open says what it recovered.
//!
//! `LITEKEEL_LONG=1` or `KILLS` make it longer, `SEED` another one.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::{Connection, sqlite};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Rounds in all, `short` of them in the ordinary run.
fn rounds(short: u64) -> u64 {
    from_env("KILLS", if std::env::var_os("LITEKEEL_LONG").is_some() { 5 * short } else { short })
}

struct Random(u64);

impl Random {
    fn new() -> Random {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = from_env("SEED", now);
        println!("SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn write_rows(db: &Connection, acknowledged: &mut File, count: u64) {
    let first: u64 = get(db, "SELECT coalesce(max(n), 0) FROM t").parse().unwrap();
    for n in first + 1..=first + count {
        // Of different sizes, so that commits end at every place of a page.
        exec(db, &format!("INSERT INTO t VALUES({n}, zeroblob({}))", n * 37 % 3000));
        writeln!(acknowledged, "{n}").unwrap();
    }
}

#[test]
fn writes() {
    if !is_child("writes") {
        return;
    }
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    write_rows(&db, &mut File::create(std::env::var("OUT").unwrap()).unwrap(), u64::MAX / 2);
}

/// Opens, writes a little, checkpoints and closes, over and over.
#[test]
fn closes() {
    if !is_child("closes") {
        return;
    }
    let mut acknowledged = File::create(std::env::var("OUT").unwrap()).unwrap();
    loop {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        write_rows(&db, &mut acknowledged, 15);
        db.checkpoint(sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
        write_rows(&db, &mut acknowledged, 3);
        db.close().unwrap();
    }
}

/// Creates one database after the other, each with two acknowledged commits.
#[test]
fn creates() {
    if !is_child("creates") {
        return;
    }
    let mut acknowledged = File::create(std::env::var("OUT").unwrap()).unwrap();
    for number in 0.. {
        writeln!(acknowledged, "{number} opens").unwrap();
        let db = open(&format!("{}/{number}.db", std::env::var("URL").unwrap())).unwrap();
        exec(&db, "CREATE TABLE t(n)");
        writeln!(acknowledged, "{number} created").unwrap();
        exec(&db, "INSERT INTO t VALUES(1)");
        writeln!(acknowledged, "{number} written").unwrap();
        db.close().unwrap();
    }
}

/// Starts the role, kills it after `delay` (with `at_work` counted from its first acknowledgement) and gives the whole lines of what it acknowledged.
fn killed(role: &str, url: &str, out: &Path, delay: Duration, at_work: bool) -> Vec<String> {
    let _ = std::fs::remove_file(out);
    let envs = [("URL", url), ("OUT", out.to_str().unwrap())];
    let mut command = child(role, &envs);
    command.stdout(Stdio::null());
    // SAFETY: only prctl is called between fork and exec: the child ends with the test, should that be killed.
    #[cfg(target_os = "linux")]
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut process = command.spawn().unwrap();
    let began = std::time::Instant::now();
    while at_work && std::fs::metadata(out).map_or(0, |meta| meta.len()) == 0 && began.elapsed().as_secs() < 10 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(delay);
    process.kill().unwrap();
    process.wait().unwrap();
    let text = std::fs::read_to_string(out).unwrap_or_default();
    // A kill amid the last line leaves it without its end: only whole lines were acknowledged.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(str::to_owned).collect()
}

/// Whether the log has begun anew and has no frame yet: its header waits for the disk before the first one is written, which
/// takes as long as many commits.
fn has_just_begun(wal: &Path) -> bool {
    let log = std::fs::read(wal).unwrap_or_default();
    // The salts of the log, and those of its first frame.
    log.len() > 48 && log[16..24] != log[40..48]
}

/// Kills `role` over and over and checks the rows each time; returns how many opens had frames to recover, and how many
/// rounds left rows in the log.
fn rows_survive(query: &str, role: &str, rounds: u64, random: &mut Random) -> (u64, u64) {
    let dir = Dir::new();
    let (url, out) = (dir.url(&format!("a.db{query}")), dir.file("acknowledged"));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(n INTEGER PRIMARY KEY, filling)");
    db.close().unwrap();
    let (mut recoveries, mut wrote, mut kept) = (0, 0, 0);
    for round in 0..rounds {
        // Most of the kills come while it works, however long a busy machine takes to start it.
        let at_work = round % 4 != 0;
        let acknowledged = killed(role, &url, &out, Duration::from_millis(2 + random.below(60)), at_work);
        let last: u64 = acknowledged.last().map_or(0, |line| line.parse().unwrap());
        let left = std::fs::metadata(dir.file("a.db-wal")).map_or(0, |meta| meta.len());
        let has_begun = has_just_begun(&dir.file("a.db-wal"));
        let db = open(&url).unwrap();
        let recovered = db.report().recovered_frames;
        assert!(recovered == 0 || left > 32, "{recovered} frames from {left} bytes");
        if recovered > 0 {
            recoveries += 1;
            assert!(db.report().warnings.iter().any(|text| text.contains(&format!("recovered {recovered} frames"))));
        }
        let before = kept;
        kept = get(&db, "SELECT coalesce(max(n), 0) FROM t").parse().unwrap();
        wrote += u64::from(kept > before && !(has_begun && recovered == 0));
        assert!(kept >= last, "round {round}: {last} was acknowledged, {kept} is the last there");
        assert!(kept <= last.max(before) + 1, "round {round}: more than one row nobody was told of");
        assert_eq!(get(&db, "SELECT count(*) FROM t"), kept.to_string(), "a hole in the prefix");
        if round % 5 == 0 {
            assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
        }
        db.close().unwrap();
    }
    println!("{query} {role}: {rounds} kills, {kept} rows, {recoveries} recoveries");
    (recoveries, wrote)
}

#[test]
fn while_writing() {
    let mut random = Random::new();
    for synchronous in ["full", "normal", "off"] {
        let query = format!("?synchronous={synchronous}");
        let (recoveries, wrote) = rows_survive(&query, "writes", rounds(20), &mut random);
        // Only a kill between the restart of the WAL and its first commit leaves a writer's WAL without valid frames.
        assert!(recoveries > 0 && recoveries + 2 >= wrote, "{recoveries} recoveries after {wrote} rounds that wrote");
    }
}

#[test]
fn while_checkpointing_and_closing() {
    let (_, wrote) = rows_survive("?synchronous=off", "closes", rounds(25), &mut Random::new());
    assert!(wrote > 0, "every kill came before the first row: nothing was tested");
}

#[test]
fn while_creating() {
    let (mut random, mut created) = (Random::new(), 0);
    for round in 0..rounds(25) {
        let dir = Dir::new();
        let told = killed(
            "creates",
            dir.url("").trim_end_matches('/'),
            &dir.file("told"),
            Duration::from_millis(2 + random.below(60)),
            round % 4 != 0,
        );
        let Some(last) = told.last() else { continue };
        let (number, _) = last.split_once(' ').unwrap();
        // The one that was under way when the kill came, and the one before it, which was closed.
        for number in [number.parse::<i64>().unwrap() - 1, number.parse().unwrap()] {
            let was = |what: &str| told.iter().any(|line| *line == format!("{number} {what}"));
            if number < 0 {
                continue;
            }
            let db = open(&dir.url(&format!("{number}.db"))).unwrap();
            let tables = get(&db, "SELECT count(*) FROM sqlite_schema");
            assert!(tables == "1" || !was("created"), "round {round}: {number}.db lost its table");
            if was("written") {
                assert_eq!(get(&db, "SELECT count(*) FROM t"), "1", "round {round}: {number}.db");
            }
            exec(&db, "CREATE TABLE IF NOT EXISTS t(n); INSERT INTO t VALUES(2)");
            assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
            db.close().unwrap();
            created += 1;
        }
    }
    assert!(created > 0, "every kill came before the first open: nothing was tested");
}
