//! A power loss at any moment: `durable` keeps every acknowledged commit, `production` may lose the newest but nothing in
//! between and never damages the file, `synchronous=off` promises nothing (and is shown to break).
//!
//! The writer runs over a VFS that writes down each write, truncation, deletion and fsync. The disk is then worked out for
//! many moments and many fates of the writes that no fsync had followed, and opened again.
//!
//! `SEED` fixes the run; `STATES` says how many disks (default 2500 a test; 100000 with `LITEKEEL_LONG`).

mod common;
#[path = "common/shim.rs"]
mod shim;

use std::collections::HashMap;

use common::{Dir, exec, get, open};
use shim::{Disk, Op, Unsynced};

/// xorshift64*: the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn seed() -> u64 {
    let seed = from_env("SEED", u64::from(std::process::id()) << 20 | 1);
    println!("SEED={seed}");
    seed
}

fn states() -> u64 {
    from_env("STATES", if std::env::var_os("LITEKEEL_LONG").is_some() { 100_000 } else { 2500 })
}

const TRANSACTIONS: u64 = 60;

/// Transactions of several rows that also rewrite old ones, so that pages move and the WAL is reset many times over.
fn write(query: &str, random: &mut Random) -> Vec<Op> {
    let dir = Dir::new();
    shim::record();
    let db = open(&dir.url(&format!("a.db?vfs={}&{query}", shim::NAME))).unwrap();
    exec(
        &db,
        "CREATE TABLE state(n INTEGER); INSERT INTO state VALUES (0); CREATE TABLE row(n INTEGER, part INTEGER, body BLOB, PRIMARY KEY(n, part)) WITHOUT ROWID",
    );
    shim::ack(0);
    for n in 1..=TRANSACTIONS {
        let size = 1 + random.below(if n % 10 == 0 { 20_000 } else { 900 });
        let old = 1 + random.below(n);
        exec(
            &db,
            &format!(
                "BEGIN IMMEDIATE; UPDATE state SET n = {n}; INSERT INTO row VALUES ({n}, 1, randomblob({size})), \
                 ({n}, 2, randomblob(9)), ({n}, 3, zeroblob({size})); UPDATE row SET body = randomblob({size}) WHERE n = {old}; COMMIT"
            ),
        );
        shim::ack(n);
    }
    db.close().unwrap();
    shim::recorded()
}

/// The header of a frame and its page as the one write that litekeel makes of them, of which any sectors may be lost.
fn frames_in_one_write(ops: Vec<Op>) -> Vec<Op> {
    let mut made: Vec<Op> = Vec::new();
    for op in ops {
        if let (Some(Op::Write { file, at, bytes }), Op::Write { file: same, at: next, bytes: page }) =
            (made.last_mut(), &op)
            && (file.ends_with("-wal") && file == same && bytes.len() == 24 && *next == *at + 24)
        {
            bytes.extend_from_slice(page);
        } else {
            made.push(op);
        }
    }
    made
}

/// What a disk holds: the last transaction of a state without gaps, or what is wrong with it.
fn examine(dir: &Dir, files: &HashMap<String, Vec<u8>>) -> Result<Option<u64>, String> {
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, content) in files {
        std::fs::write(dir.file(name), content).unwrap();
    }
    let db = open(&dir.url("a.db?profile=test&optimize=off")).map_err(|error| format!("open: {error}"))?;
    let guard = db.lock().unwrap();
    let ask = |sql: &str| {
        guard.sqlite().query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).map(|value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    };
    let outcome = (|| {
        let integrity = ask("PRAGMA integrity_check").map_err(|error| error.to_string())?;
        if integrity != "ok" {
            return Err(integrity);
        }
        if ask("SELECT count(*) FROM sqlite_schema WHERE name = 'row'").map_err(|error| error.to_string())? == "0" {
            return Ok(None);
        }
        let n: u64 = ask("SELECT n FROM state").map_err(|error| error.to_string())?.parse().map_err(|_| "no state")?;
        let rows = ask("SELECT count(*) || ' ' || coalesce(max(n), 0) FROM row").map_err(|error| error.to_string())?;
        if rows == format!("{} {n}", n * 3) { Ok(Some(n)) } else { Err(format!("state {n}, rows and last: {rows}")) }
    })();
    drop(guard);
    db.close().map_err(|error| format!("close: {error}"))?;
    outcome
}

#[derive(Debug, Default)]
struct Tally {
    disks: u64,
    whole: u64,
    newest_lost: u64,
    broken: u64,
    first: String,
}

fn tally(query: &str) -> Tally {
    let _alone = shim::alone();
    let mut random = Random(seed());
    // As SQLite asks for it, or as it reaches the disk, where litekeel's own shim stands behind the one of the test.
    let ops = match random.below(4) {
        0 => write(query, &mut random),
        _ => frames_in_one_write(write(query, &mut random)),
    };
    let mut moments: Vec<u64> = (0..states()).map(|_| random.below(ops.len() as u64 + 1)).collect();
    moments.sort_unstable();
    let (mut disk, mut at, mut tally) = (Disk::default(), 0, Tally::default());
    let dir = Dir::new();
    for moment in moments {
        while at < moment as usize {
            disk.advance(&ops[at]);
            at += 1;
        }
        let fates = [Unsynced::Nothing, Unsynced::Everything, Unsynced::Half, Unsynced::Half, Unsynced::OnlyTheLast];
        let fate = fates[random.below(fates.len() as u64) as usize];
        let files = disk.after_power_loss(fate, &mut || random.below(2) == 0);
        tally.disks += 1;
        match examine(&dir, &files) {
            Ok(found) if found.unwrap_or(0) >= disk.acked => tally.whole += 1,
            Ok(_) => tally.newest_lost += 1,
            Err(what) => {
                tally.broken += 1;
                if tally.first.is_empty() {
                    tally.first = format!("note {moment} of {}, {fate:?}: {what}", ops.len());
                }
            }
        }
    }
    println!("{query}: {tally:?}");
    tally
}

const OFTEN: &str = "wal_autocheckpoint=15&cache_size=20&checkpoint=auto";

#[test]
fn durable_loses_nothing_that_was_acknowledged() {
    let tally = tally(&format!("profile=durable&{OFTEN}"));
    assert_eq!((tally.broken, tally.newest_lost), (0, 0), "{tally:?}");
}

#[test]
fn production_loses_the_newest_at_most_and_damages_nothing() {
    let tally = tally(&format!("profile=production&{OFTEN}"));
    assert_eq!(tally.broken, 0, "{tally:?}");
    // If nothing were ever lost, the disks would not have been cut where it matters.
    assert!(tally.newest_lost > 0 && tally.whole > 0, "{tally:?}");
}

#[test]
fn synchronous_off_breaks_so_the_test_can_see_it() {
    let tally = tally(&format!("profile=write-heavy&{OFTEN}"));
    assert!(tally.broken > 0, "nothing broke without fsync: the test proves nothing: {tally:?}");
}

#[test]
fn a_rollback_journal_with_extra_loses_nothing() {
    let tally = tally("journal_mode=delete&synchronous=extra&cache_size=20");
    assert_eq!((tally.broken, tally.newest_lost), (0, 0), "{tally:?}");
}

#[test]
fn the_writer_itself_sees_what_it_wrote() {
    let _alone = shim::alone();
    let dir = Dir::new();
    shim::record();
    let db = open(&dir.url(&format!("a.db?vfs={}", shim::NAME))).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES (7)");
    assert_eq!(get(&db, "SELECT a FROM t"), "7");
    db.close().unwrap();
    assert!(shim::recorded().iter().any(|op| matches!(op, Op::Sync { file } if file == "a.db-wal")));
}
