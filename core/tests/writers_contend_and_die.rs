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
                let (mut commits, mut last, mut passed_by) = (0u64, None, 0);
                while epoch_ms() < end {
                    db.exec("BEGIN IMMEDIATE").unwrap();
                    // Read, then write what was read plus one: a lost lock shows as a lost update.
                    let read: u64 = get(&db, "SELECT n FROM counter").parse().unwrap();
                    passed_by = passed_by.max(last.map_or(0, |last: u64| read - last));
                    db.exec(&format!("UPDATE counter SET n = {}; COMMIT", read + 1)).unwrap();
                    last = Some(read + 1);
                    commits += 1;
                }
                db.close().unwrap();
                (commits, passed_by)
            })
        })
        .collect();
    let (mut commits, mut passed_by) = (0, 0);
    for thread in threads {
        let (own, others) = thread.join().unwrap();
        commits += own;
        passed_by = passed_by.max(others);
    }
    std::fs::write(out, format!("{commits} {passed_by}")).unwrap();
}

/// `LITEKEEL_LONG=1` makes it 30 seconds instead of 6.
#[test]
fn sixty_four_writers_share_a_counter_and_none_starves() {
    let dir = Dir::new();
    // A machine under load may take seconds for a commit: who is passed over is told by commits, which it does not bend.
    let url = dir.url("a.db?busy_timeout=60s");
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
    let (mut commits, mut passed_by) = (Vec::new(), 0);
    for (mut child, out) in children {
        assert!(child.wait().unwrap().success(), "a writer failed: BUSY within the timeout, or worse");
        let text = std::fs::read_to_string(out).unwrap();
        let (own, others) = text.split_once(' ').unwrap();
        commits.push(own.parse::<u64>().unwrap());
        passed_by = passed_by.max(others.parse::<u64>().unwrap());
    }
    let (least, most) = (*commits.iter().min().unwrap(), *commits.iter().max().unwrap());
    let every = commits.iter().sum::<u64>();
    println!("{every} commits, {least} to {most} a process, a writer was passed by {passed_by} of others");
    assert_eq!(get(&db, "SELECT n FROM counter"), every.to_string(), "updates were lost");
    // A fair share is one in 64. On a machine under load each of them waits for a processor, too; and where read locks are kept
    // after every read, which the product does not, a writer that has none keeps all others from beginning the log anew.
    if std::env::var_os("KEEP_EAGERLY").is_none() {
        assert!(passed_by < every / 2, "a writer was passed by {passed_by} of {every} commits");
        assert!(most <= 10 * least, "{commits:?}");
    }
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
