//! `read_lock=kept`: a reader sees each commit of other processes at once, and each as a whole, though it takes no lock anew.
//! `SEED` makes another run of it, `LITEKEEL_LONG=1` a longer one.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/lock_calls.rs"]
mod lock_calls;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Dir, Killed, child, exec, get, is_child, open};

/// What the processes tell each other without the database: the latest commit, and whether the readers may end.
struct Shared(*mut AtomicI64);

impl Shared {
    fn of(path: &str) -> Shared {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: a mapping of the whole file, which lives as long as the process.
        let at = unsafe {
            let both = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), 4096, both, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(at, libc::MAP_FAILED);
        Shared(at.cast())
    }
    fn word(&self, at: usize) -> &AtomicI64 {
        // SAFETY: within the mapping, and aligned.
        unsafe { &*self.0.add(at) }
    }
    fn committed(&self) -> &AtomicI64 {
        self.word(0)
    }
    fn over(&self) -> &AtomicI64 {
        self.word(1)
    }
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}"))
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }
}

const ROWS: u64 = 200;

/// Commits, each of which adds one to the counter and one to some row: the sum of the rows is the counter.
#[test]
fn commits() {
    if !is_child("commits") {
        return;
    }
    let shared = Shared::of(&var("SHARED"));
    let mut random = Random(var("SEED").parse::<u64>().unwrap() | 1);
    let path = var("DATABASE");
    // SQLite alone, or with litekeel's settings.
    let ours = open(&format!("file:{path}?checkpoint=auto&read_lock=kept&synchronous=off"));
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA synchronous=off").unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    let ours = ours.unwrap();
    let guard = ours.lock().unwrap();
    guard.sqlite().query_row("PRAGMA busy_timeout=60000", [], |_| Ok(())).unwrap();
    let with = if var("BY") == "litekeel" { guard.sqlite() } else { &raw };
    for _ in 0..var("COMMITS").parse().unwrap() {
        with.execute_batch("BEGIN IMMEDIATE").unwrap();
        let n: i64 = with.query_row("UPDATE c SET n = n + 1 RETURNING n", [], |row| row.get(0)).unwrap();
        let times = 1 + random.below(3);
        for time in 0..times {
            let by = i64::from(time == 0);
            with.execute("UPDATE t SET v = v + ?2 WHERE id = ?1", (1 + random.below(ROWS) as i64, by)).unwrap();
        }
        with.execute_batch("COMMIT").unwrap();
        shared.committed().fetch_max(n, Ordering::SeqCst);
        match random.below(200) {
            0 => {
                let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][random.below(4) as usize];
                // Readers that are nearly always in a read would keep it, and so the writers, waiting for long.
                let pragma = |sql: &str| with.query_row(sql, [], |_| Ok(())).unwrap();
                pragma("PRAGMA busy_timeout=20");
                pragma(&format!("PRAGMA wal_checkpoint({mode})"));
                pragma("PRAGMA busy_timeout=60000");
            }
            1..=20 => std::thread::sleep(Duration::from_micros(random.below(1500))),
            n => (0..n * 10).for_each(|_| std::hint::spin_loop()),
        }
    }
}

/// Reads until it is told to end.
#[test]
fn reads() {
    if !is_child("reads") {
        return;
    }
    let shared = Shared::of(&var("SHARED"));
    let mut random = Random(var("SEED").parse::<u64>().unwrap() | 1);
    let connection = open(&format!("file:{}?checkpoint=auto&read_lock=kept", var("DATABASE"))).unwrap();
    lock_calls::count();
    let guard = connection.lock().unwrap();
    let mut read = guard.sqlite().prepare("SELECT n, (SELECT sum(v) FROM t) FROM c").unwrap();
    let one_transaction = var("ONE_TRANSACTION") == "1";
    let (mut reads, mut without_a_call, mut old, mut torn) = (0u64, 0u64, 0u64, 0u64);
    println!("\nreading");
    while shared.over().load(Ordering::SeqCst) == 0 {
        if one_transaction && reads == 0 {
            guard.sqlite().execute_batch("BEGIN").unwrap();
        }
        let (before, calls) = (shared.committed().load(Ordering::SeqCst), lock_calls::made());
        let (n, sum): (i64, i64) = read.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        reads += 1;
        without_a_call += u64::from(lock_calls::made() == calls);
        old += u64::from(n < before);
        torn += u64::from(n != sum);
        if random.below(100) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(1500)));
        }
    }
    println!("\nread {reads} {without_a_call} {old} {torn}");
}

/// Reads, those without a call, those that missed a commit, those that saw a part of one: of each reader.
fn run(seed: u64, commits: u64, readers: usize, one_transaction: bool) -> Vec<[u64; 4]> {
    let dir = Dir::new();
    let database = dir.file("app.db").to_str().unwrap().to_owned();
    let shared_path = dir.file("shared").to_str().unwrap().to_owned();
    let shared = Shared::of(&shared_path);
    let first = open(&dir.url("app.db?checkpoint=auto")).unwrap();
    exec(&first, "CREATE TABLE c(n); INSERT INTO c VALUES(0); CREATE TABLE t(id INTEGER PRIMARY KEY, v, pad)");
    exec(
        &first,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO t SELECT i, 0, zeroblob(300) FROM n"
        ),
    );
    first.close().unwrap();
    let start = |test: &str, seed: u64, by: &str| -> Child {
        let (seed, commits) = (seed.to_string(), commits.to_string());
        let envs = [
            ("DATABASE", database.as_str()),
            ("SHARED", &shared_path),
            ("SEED", &seed),
            ("COMMITS", &commits),
            ("BY", by),
            ("ONE_TRANSACTION", if one_transaction { "1" } else { "0" }),
        ];
        child(test, &envs).stdout(Stdio::piped()).spawn().unwrap()
    };
    let readers: Vec<_> = (0..readers as u64).map(|n| Killed(start("reads", seed + 10 + n, ""))).collect();
    let mut outputs = Vec::new();
    let mut readers: Vec<_> = readers
        .into_iter()
        .map(|mut reader| {
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader.0.stdout.take().unwrap()));
            assert!(lines.by_ref().map_while(Result::ok).any(|line| line == "reading"));
            outputs.push(lines);
            reader
        })
        .collect();
    let writers = [start("commits", seed, "sqlite"), start("commits", seed + 1, "litekeel")];
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        assert!(output.status.success(), "SEED={seed} {output:?}");
    }
    shared.over().store(1, Ordering::SeqCst);
    let last = open(&dir.url("app.db?checkpoint=auto")).unwrap();
    assert_eq!(get(&last, "SELECT n FROM c"), (2 * commits).to_string());
    outputs
        .iter_mut()
        .zip(&mut readers)
        .map(|(lines, reader)| {
            let line = lines.map_while(Result::ok).find(|line| line.starts_with("read "));
            let line = line.unwrap_or_else(|| panic!("SEED={seed}: {:?}", reader.0.wait()));
            let numbers: Vec<u64> = line[5..].split(' ').map(|text| text.parse().unwrap()).collect();
            numbers.try_into().unwrap()
        })
        .collect()
}

#[test]
fn a_reader_that_keeps_its_lock_sees_every_commit_of_other_processes_at_once() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now % 1_000_000);
    eprintln!("SEED={seed}");
    let commits = if std::env::var_os("LITEKEEL_LONG").is_some() { 40_000 } else { 2000 };
    let found = run(seed, commits, 3, false);
    eprintln!("reads, without a call, old, torn: {found:?}");
    for [_, _, old, torn] in &found {
        assert_eq!((*old, *torn), (0, 0), "SEED={seed} {found:?}");
    }
    let kept: u64 = found.iter().map(|numbers| numbers[1]).sum();
    assert!(kept > 100, "hardly a lock was kept: SEED={seed} {found:?}");
    // Control: a transaction that stays open sees what was there when it began.
    let found = run(seed, 100, 1, true);
    assert!(found[0][2] > 0, "SEED={seed} {found:?}");
}
