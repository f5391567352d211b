//! Many processes that write one file: nobody starves, nothing acknowledged is lost.

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Dir, child, exec, get, is_child, open};

const PROCESSES: usize = 16;
const THREADS: usize = 4;

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[test]
fn counts() {
    if !is_child("counts") {
        return;
    }
    let (url, out) = (std::env::var("URL").unwrap(), std::env::var("OUT").unwrap());
    let (start, end) = (from_env("START", 0), from_env("END", 0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                let db = open(&url).unwrap();
                while epoch_ms() < start {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let (mut commits, mut longest) = (0u64, Duration::ZERO);
                while epoch_ms() < end {
                    let asked = Instant::now();
                    db.exec("BEGIN IMMEDIATE").unwrap();
                    longest = longest.max(asked.elapsed());
                    // Read, then write what was read plus one: a lost lock shows as a lost update.
                    let read: u64 = get(&db, "SELECT n FROM counter").parse().unwrap();
                    db.exec(&format!("UPDATE counter SET n = {}; COMMIT", read + 1)).unwrap();
                    commits += 1;
                }
                db.close().unwrap();
                (commits, longest)
            })
        })
        .collect();
    let (mut commits, mut longest) = (0, Duration::ZERO);
    for thread in threads {
        let (own, wait) = thread.join().unwrap();
        commits += own;
        longest = longest.max(wait);
    }
    std::fs::write(out, format!("{commits} {}", longest.as_millis())).unwrap();
}

/// `LITEKEEL_LONG=1` makes it 30 seconds instead of 6.
#[test]
fn sixty_four_writers_share_a_counter_and_none_starves() {
    let dir = Dir::new();
    let url = dir.url("a.db");
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE counter(n); INSERT INTO counter VALUES(0)");
    let start = epoch_ms() + 1500;
    let end = start + 1000 * if std::env::var_os("LITEKEEL_LONG").is_some() { 30 } else { 6 };
    let (start, end) = (start.to_string(), end.to_string());
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let out = dir.file(&format!("{number}.result"));
            let envs = [("URL", &*url), ("OUT", out.to_str().unwrap()), ("START", &*start), ("END", &*end)];
            (child("counts", &envs).stdout(Stdio::null()).spawn().unwrap(), out)
        })
        .collect();
    let (mut commits, mut longest) = (Vec::new(), 0);
    for (mut child, out) in children {
        assert!(child.wait().unwrap().success(), "a writer failed: BUSY within the timeout, or worse");
        let text = std::fs::read_to_string(out).unwrap();
        let (own, wait) = text.split_once(' ').unwrap();
        commits.push(own.parse::<u64>().unwrap());
        longest = longest.max(wait.parse::<u64>().unwrap());
    }
    let (least, most) = (*commits.iter().min().unwrap(), *commits.iter().max().unwrap());
    println!("{} commits, {least} to {most} a process, longest wait {longest} ms", commits.iter().sum::<u64>());
    assert_eq!(get(&db, "SELECT n FROM counter"), commits.iter().sum::<u64>().to_string(), "updates were lost");
    // On a machine under load each of them waits for a processor, too. After five seconds it would have failed.
    assert!(longest < 4000, "a writer waited {longest} ms");
    assert!(most <= 5 * least, "{commits:?}");
    db.close().unwrap();
}

#[test]
fn a_checkpoint_does_not_wait_and_leaves_the_timeout_as_it_was() {
    for busy in ["fair", "sqlite"] {
        let dir = Dir::new();
        let url = dir.url(&format!("a.db?busy={busy}&busy_timeout=2000"));
        let (db, reader) = (open(&url).unwrap(), open(&url).unwrap());
        exec(&db, "CREATE TABLE t(a)");
        exec(&reader, "BEGIN; SELECT * FROM t");
        exec(&db, "INSERT INTO t VALUES(1)");
        let began = Instant::now();
        assert!(db.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).is_err(), "a reader pins the WAL");
        assert!(began.elapsed() < Duration::from_millis(1800), "{:?}", began.elapsed());
        exec(&reader, "ROLLBACK; BEGIN IMMEDIATE");
        let began = Instant::now();
        assert!(db.exec("BEGIN IMMEDIATE").is_err());
        assert!(began.elapsed() >= Duration::from_millis(1900), "{busy}: {:?}", began.elapsed());
        exec(&reader, "ROLLBACK");
        reader.close().unwrap();
        db.close().unwrap();
    }
}
