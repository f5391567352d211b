//! `read_lock=kept`: reads that follow each other closely make no system call, what is kept goes back soon and before anybody
//! of this process wants the slot, and a log beside it stays as small as it does beside SQLite's own readers.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/lock_calls.rs"]
mod lock_calls;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Dir, Killed, child, exec, get, is_child, open};
use litekeel_core::Connection;
use lock_calls::{calls, filled};

#[test]
fn close_reads_make_no_call() {
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    // On a machine under load the thread may be held up in any of the rounds, and the lock be given back.
    let fewest = (0..20).map(|_| calls(&kept, 500, Duration::ZERO)).min().unwrap();
    assert!(fewest <= 10, "{fewest} calls for 500 reads");
    // Control: what SQLite does.
    let released = filled(&dir, "released.db", "read_lock=released");
    assert_eq!(calls(&released, 500, Duration::ZERO), 1000);
    // One that pauses keeps nothing.
    assert_eq!(calls(&kept, 50, Duration::from_millis(1)), 100);
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "litekeel-lock\n"))
        .count()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_thread_ends_when_nothing_is_kept() {
    // A process of its own: other tests keep locks too.
    const TEST: &str = "the_thread_ends_when_nothing_is_kept";
    if !is_child(TEST) {
        assert!(child(TEST, &[]).status().unwrap().success());
        return;
    }
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    // Opening and filling reads, too.
    until("rest", || threads() == 0);
    until("a lock that is kept", || {
        calls(&kept, 500, Duration::ZERO);
        threads() == 1
    });
    until("its end", || threads() == 0);
    // Its lock is given back: nobody is in the way of another process.
    assert!(child("truncate", &[("URL", &dir.url("kept.db"))]).status().unwrap().success());
}

#[test]
fn truncate() {
    if is_child("truncate") {
        let raw = rusqlite::Connection::open(std::env::var("URL").unwrap().strip_prefix("file:").unwrap()).unwrap();
        let busy: i64 = raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0);
    }
}

#[test]
fn another_connection_takes_it_away() {
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    // A disk that is waited for takes longer than a lock is kept.
    let other = filled(&dir, "kept.db", "read_lock=released&synchronous=off");
    assert_eq!(get(&other, "PRAGMA busy_timeout=0"), "0");
    for n in 0..200 {
        exec(&other, &format!("INSERT INTO t(a) VALUES({n})"));
        calls(&kept, 50, Duration::ZERO);
        // Without patience: what is kept is in nobody's way.
        assert_eq!(get(&other, "PRAGMA wal_checkpoint(TRUNCATE)"), "0", "round {n}");
    }
    // Control: a reader is.
    exec(&kept, "BEGIN");
    get(&kept, "SELECT count(*) FROM t");
    exec(&other, "INSERT INTO t(a) VALUES(0)");
    assert_eq!(get(&other, "PRAGMA wal_checkpoint(TRUNCATE)"), "1");
    exec(&kept, "COMMIT");
}

/// Nobody but its reader gives it back.
const NEVER_TAKEN_AWAY: u32 = 16;

#[test]
fn without_taking_it_away_it_is_in_the_way_of_the_process_itself() {
    const TEST: &str = "without_taking_it_away_it_is_in_the_way_of_the_process_itself";
    if !is_child(TEST) {
        assert!(child(TEST, &[]).status().unwrap().success());
        return;
    }
    // SAFETY: the files of this process are this test's.
    unsafe { litekeel_core::keep_read_locks_carelessly(NEVER_TAKEN_AWAY) };
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    let other = filled(&dir, "kept.db", "read_lock=released&synchronous=off");
    assert_eq!(get(&other, "PRAGMA busy_timeout=0"), "0");
    until("a lock that is in the way", || {
        exec(&other, "INSERT INTO t(a) VALUES(1)");
        calls(&kept, 50, Duration::ZERO);
        get(&other, "PRAGMA wal_checkpoint(TRUNCATE)") == "1"
    });
    // As this process is, it cannot end well.
    std::process::exit(0);
}

#[test]
fn nothing_is_kept_where_that_would_be_of_no_use() {
    // A process of its own: other tests keep locks too.
    const TEST: &str = "nothing_is_kept_where_that_would_be_of_no_use";
    if !is_child(TEST) {
        assert!(child(TEST, &[]).status().unwrap().success());
        return;
    }
    let dir = Dir::new();
    let reads = |connection: &Connection| {
        for _ in 0..10 {
            calls(connection, 100, Duration::ZERO);
            assert_eq!(threads(), 0);
        }
    };
    for parameters in ["locking_mode=exclusive", "journal_mode=delete", "journal_mode=persist"] {
        let connection = filled(&dir, "other.db", &format!("read_lock=kept&{parameters}"));
        reads(&connection);
        connection.close().unwrap();
    }
    // By a pragma, later.
    let connection = filled(&dir, "later.db", "read_lock=kept");
    until("rest", || threads() == 0);
    get(&connection, "PRAGMA locking_mode=exclusive");
    exec(&connection, "INSERT INTO t(a) VALUES(1)");
    reads(&connection);
    connection.close().unwrap();
    let writer = filled(&dir, "inspected.db", "read_lock=released");
    let mut options = litekeel_core::Options::new();
    options.set("inspect", "1").unwrap();
    let inspected = Connection::open(Some(&dir.url("inspected.db?read_lock=kept")), &options).unwrap();
    reads(&inspected);
    drop(writer);
    // Control.
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    until("a lock that is kept", || {
        calls(&kept, 500, Duration::ZERO);
        threads() == 1
    });
}

#[test]
fn it_is_never_told_as_a_reader() {
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    for _ in 0..100 {
        calls(&kept, 50, Duration::ZERO);
        let pins = kept.pins().unwrap();
        assert!(pins.is_none_or(|pins| pins.pins.is_empty()));
    }
    // Control: a reader is.
    exec(&kept, "BEGIN");
    get(&kept, "SELECT count(*) FROM t");
    assert_eq!(kept.pins().unwrap().unwrap().pins.len(), 1);
    exec(&kept, "COMMIT");
}

/// A process that reads by single reads, or by bursts of so many, with a pause in between.
#[test]
fn reads_until_killed() {
    if !is_child("reads_until_killed") {
        return;
    }
    let var = |name: &str| std::env::var(name).unwrap();
    if let Ok(careless) = std::env::var("CARELESS") {
        // SAFETY: the files of this process are a test's.
        unsafe { litekeel_core::keep_read_locks_carelessly(careless.parse().unwrap()) };
    }
    let connection = open(&var("URL")).unwrap();
    let (pause, burst): (u64, u64) = (var("PAUSE").parse().unwrap(), var("BURST").parse().unwrap());
    let guard = connection.lock().unwrap();
    let mut statement = guard.sqlite().prepare("SELECT a FROM t WHERE id = 1").unwrap();
    println!("reading");
    loop {
        for _ in 0..burst {
            statement.query_row([], |row| row.get::<_, i64>(0)).unwrap();
        }
        if pause > 0 {
            std::thread::sleep(Duration::from_micros(pause));
        }
    }
}

/// A process that commits, by SQLite alone or by litekeel, and tells how often in which time, and the largest size of its log.
#[test]
fn writes_without_pause() {
    if !is_child("writes_without_pause") {
        return;
    }
    let var = |name: &str| std::env::var(name).unwrap();
    let (path, end): (_, u64) = (var("DATABASE"), var("COMMITS").parse().unwrap());
    let ours = open(&format!("file:{path}?checkpoint=auto&read_lock=kept")).unwrap();
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA synchronous=normal").unwrap();
    let guard = ours.lock().unwrap();
    let with = if var("BY") == "litekeel" { guard.sqlite() } else { &raw };
    let mut update = with.prepare("UPDATE t SET a = a + 1 WHERE id = 1").unwrap();
    let (mut commits, mut largest) = (0u64, 0u64);
    let began = Instant::now();
    while commits < end {
        for _ in 0..100 {
            update.execute([]).unwrap();
            commits += 1;
        }
        largest = largest.max(std::fs::metadata(format!("{path}-wal")).unwrap().len());
    }
    println!("\nwrote {} {largest}", commits * 1_000_000 / began.elapsed().as_micros() as u64);
    std::io::stdout().flush().unwrap();
}

fn readers(url: &str, count: usize, pause: u64, burst: u64, careless: u32) -> Vec<Killed> {
    let start = |_| -> Child {
        let (pause, burst) = (pause.to_string(), burst.to_string());
        let careless = careless.to_string();
        let envs = [("URL", url), ("PAUSE", &pause), ("BURST", &burst), ("CARELESS", &careless)];
        let mut process = child("reads_until_killed", &envs).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        assert!(out.lines().map_while(Result::ok).any(|line| line.contains("reading")));
        process
    };
    (0..count).map(start).map(Killed).collect()
}

/// Commits a second, and the largest log.
fn written(path: &Path, commits: u64, by: &str) -> (u64, u64) {
    let envs = [("DATABASE", path.to_str().unwrap()), ("COMMITS", &commits.to_string()), ("BY", by)];
    let out = child("writes_without_pause", &envs).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("wrote ")).unwrap_or_else(|| panic!("{text}"));
    let (commits, largest) = line.split_once(' ').unwrap();
    (commits.parse().unwrap(), largest.parse().unwrap())
}

/// How a log is written and read.
#[derive(Clone, Copy, Debug)]
struct Beside {
    readers: usize,
    burst: u64,
    /// In microseconds.
    pause: u64,
    writer: &'static str,
    careless: u32,
}

/// Commits a second, and the largest log, beside readers with this setting.
fn log_beside(beside: Beside, read_lock: &str, commits: u64) -> (u64, u64) {
    let dir = Dir::new();
    filled(&dir, "app.db", "read_lock=released").close().unwrap();
    let url = dir.url(&format!("app.db?checkpoint=auto&read_lock={read_lock}"));
    let _readers = readers(&url, beside.readers, beside.pause, beside.burst, beside.careless);
    written(&dir.file("app.db"), commits, beside.writer)
}

const PAUSES: [u64; 7] = [0, 50, 200, 1000, 5000, 9000, 50_000];

/// Whether the log stays within twice what it is beside SQLite's own way. A machine under load stops any reader for long now
/// and then, and the log then grows: one of several attempts counts.
fn stays_small(beside: Beside) -> bool {
    (0..5).any(|_| {
        let (_, released) = log_beside(beside, "released", 8000);
        let (_, kept) = log_beside(beside, "kept", 8000);
        eprintln!("{beside:?}: {:.1} MB released, {:.1} MB kept", released as f64 / 1e6, kept as f64 / 1e6);
        kept <= 2 * released
    })
}

#[test]
fn a_log_beside_readers_with_pauses_stays_as_small_as_beside_sqlites_own() {
    let long = std::env::var_os("LITEKEEL_LONG").is_some();
    let usual = Beside { readers: 1, burst: 1, pause: 1000, writer: "sqlite", careless: 0 };
    if !long {
        assert!(stays_small(Beside { burst: 300, ..usual }));
    }
    for readers in [1, 3] {
        for writer in ["sqlite", "litekeel"] {
            for (burst, pause) in PAUSES.into_iter().flat_map(|pause| [(1, pause), (300, pause)]).filter(|_| long) {
                assert!(stays_small(Beside { readers, burst, pause, writer, careless: 0 }));
            }
        }
    }
    // Control: kept for ten milliseconds whatever happens, it does not.
    let careless = Beside { careless: 4, readers: 2, ..usual };
    let grows = |_| {
        let (released, kept) = (log_beside(careless, "released", 8000).1, log_beside(careless, "kept", 20_000).1);
        eprintln!("{careless:?}: {:.1} MB released, {:.1} MB kept", released as f64 / 1e6, kept as f64 / 1e6);
        kept > 2 * released
    };
    assert!((0..5).any(grows));
}

/// A read of one row by the two settings and by a raw handle, in turns.
#[test]
#[ignore = "a measurement: run it by name, in a release build"]
fn the_price_of_a_read() {
    let dir = Dir::new();
    let kept = filled(&dir, "kept.db", "read_lock=kept");
    let released = filled(&dir, "released.db", "read_lock=released");
    let memory = open(":memory:").unwrap();
    exec(&memory, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1)");
    let took = |connection: &Connection| {
        let guard = connection.lock().unwrap();
        let mut statement = guard.sqlite().prepare("SELECT a FROM t WHERE id = 1").unwrap();
        let began = Instant::now();
        for _ in 0..20_000 {
            statement.query_row([], |row| row.get::<_, i64>(0)).unwrap();
        }
        began.elapsed().as_nanos() / 20_000
    };
    let mut rounds: Vec<[u128; 3]> = (0..15).map(|_| [took(&memory), took(&released), took(&kept)]).collect();
    for at in 0..3 {
        rounds.sort_by_key(|round| round[at]);
        println!("{} {} ns", ["memory", "released", "kept"][at], rounds[7][at]);
    }
}

/// Prints the whole table; takes minutes. Of each row the medians of `ROUNDS` rounds, in which the two settings take turns;
/// `released` does so twice, and its second ratio to itself shows what the machine makes of equal things.
#[test]
#[ignore = "a measurement of minutes: run it by name, in a release build"]
fn the_log_beside_readers_of_every_pause() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse::<u64>().unwrap());
    let (commits, rounds) = (number("COMMITS", 100_000), number("ROUNDS", 3));
    let median = |mut numbers: Vec<u64>| {
        numbers.sort_unstable();
        numbers[numbers.len() / 2] as f64
    };
    println!(
        "writer readers burst pause_us | commits/s released, kept, ratio, control | largest wal MB released, kept, ratio, control"
    );
    for writer in ["sqlite", "litekeel"] {
        for readers in [1, 3] {
            for (burst, pause) in PAUSES.into_iter().flat_map(|pause| [(1, pause), (300, pause)]) {
                if std::env::var("ONLY").is_ok_and(|only| only.parse() != Ok(pause)) {
                    continue;
                }
                let beside = Beside { readers, burst, pause, writer, careless: 0 };
                let settings = ["released", "kept", "released"];
                let mut found: [(Vec<u64>, Vec<u64>); 3] = Default::default();
                for _ in 0..rounds {
                    for (setting, (rates, logs)) in settings.iter().zip(&mut found) {
                        let (rate, log) = log_beside(beside, setting, commits);
                        rates.push(rate);
                        logs.push(log);
                    }
                }
                let [(rate, log), (kept_rate, kept_log), (other_rate, other_log)] =
                    found.map(|(rates, logs)| (median(rates), median(logs) / 1e6));
                println!(
                    "{writer} {readers} {burst} {pause} | {rate} {kept_rate} {:.2} {:.2} | {log:.1} {kept_log:.1} {:.2} {:.2}",
                    kept_rate / rate,
                    other_rate / rate,
                    kept_log / log,
                    other_log / log
                );
            }
        }
    }
}
