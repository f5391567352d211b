//! `read_lock=kept`: what happens to a lock that is kept when something in the process drops it, when the process forks, stops,
//! backs up, interrupts or closes; and that it never hides a reader.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/lock_calls.rs"]
mod lock_calls;
#[path = "common/reader.rs"]
mod reader;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, Killed, child, exec, get, is_child, open};
use litekeel_core::{Connection, keep_read_locks_carelessly, sqlite};
use lock_calls::{calls, filled, made, with_kept};
use reader::Reader;

const NOT_FIRM: u32 = 1;
const FIRM_OVER_FORKS: u32 = 2;
const BESIDE_CHECKPOINTS: u32 = 8;

/// Another process, with SQLite alone, commits and empties the log; whether somebody was in its way for so many milliseconds.
fn is_in_the_way(path: &Path, patience: u64) -> bool {
    let envs = [("DATABASE", path.to_str().unwrap()), ("PATIENCE", &patience.to_string())];
    let output = child("empties_the_log", &envs).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    text.lines().find_map(|line| line.strip_prefix("busy ")).unwrap_or_else(|| panic!("{output:?}")) == "1"
}

#[test]
fn empties_the_log() {
    if !is_child("empties_the_log") {
        return;
    }
    let raw = rusqlite::Connection::open(std::env::var("DATABASE").unwrap()).unwrap();
    raw.busy_timeout(Duration::from_secs(20)).unwrap();
    raw.execute_batch("INSERT INTO t(a) VALUES(7)").unwrap();
    raw.busy_timeout(Duration::from_millis(std::env::var("PATIENCE").unwrap().parse().unwrap())).unwrap();
    let busy: i64 = raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    println!("\nbusy {busy}");
}

/// What a program does that copies its own database's files: the process's locks on it are gone.
fn drop_locks(path: &Path) {
    drop(std::fs::File::open(path.with_extension("db-shm")).unwrap());
}

/// A read that began with a lock that was dropped while it was only kept: whether it still keeps others from the log.
fn is_protected() -> bool {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let path = dir.file("app.db");
    let mut protected = false;
    with_kept(&kept, || drop_locks(&path), || protected = is_in_the_way(&path, 0));
    protected
}

#[test]
fn a_lock_that_was_dropped_while_it_was_kept_still_protects() {
    assert!(is_protected());
}

#[test]
fn without_the_firm_lock_it_does_not() {
    const TEST: &str = "without_the_firm_lock_it_does_not";
    if is_child(TEST) {
        // SAFETY: the files of this process are this test's.
        unsafe { keep_read_locks_carelessly(NOT_FIRM) };
        println!("\nprotected: {}", is_protected());
        return;
    }
    let output = child(TEST, &[]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("protected: false"), "{output:?}");
}

#[test]
fn health_knows_lost_locks_from_kept_ones() {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let path = dir.file("app.db");
    let found = || {
        let health = kept.health().unwrap();
        let locks = health.checks.iter().find(|check| check.name == "locks").unwrap().clone();
        (locks.verdict.as_str(), health.latched.map(|error| error.name()))
    };
    // Nothing was lost: nobody could have the slot meanwhile.
    with_kept(&kept, || drop_locks(&path), || assert_eq!(found(), ("good", None)));
    // Nor with one that is only kept.
    calls(&kept, 50, Duration::ZERO);
    drop_locks(&path);
    assert_eq!(found(), ("good", None));
    // Control: a read's own lock is lost.
    std::thread::sleep(Duration::from_millis(5));
    exec(&kept, "BEGIN; SELECT a FROM t WHERE id = 1");
    drop_locks(&path);
    assert_eq!(found(), ("bad", Some("KEEL_LOCKS_LOST")));
    exec(&kept, "ROLLBACK");
    // Nothing is kept of a file that is not written to any more: what is done at the end of a read is not put off.
    assert_eq!(calls(&kept, 300, Duration::ZERO), 600);
}

/// A process that reads with a lock that it had kept forks, and is killed in its read; its child lives on.
#[test]
fn forks_and_is_killed() {
    if !is_child("forks_and_is_killed") {
        return;
    }
    // SAFETY: the files of this process are a test's.
    unsafe { keep_read_locks_carelessly(std::env::var("CARELESS").unwrap().parse().unwrap()) };
    let kept = open(&std::env::var("URL").unwrap()).unwrap();
    lock_calls::count();
    with_kept(
        &kept,
        || (),
        || {
            // SAFETY: the child does nothing but wait, and the parent ends itself.
            unsafe {
                let child = libc::fork();
                if child == 0 {
                    loop {
                        libc::pause();
                    }
                }
                println!("\nchild {child}");
                libc::kill(libc::getpid(), libc::SIGKILL);
            }
        },
    );
}

fn a_child_is_in_the_way(careless: u32) -> bool {
    let dir = Dir::new();
    let open = filled(&dir, "app.db", "read_lock=released");
    let url = dir.url("app.db?checkpoint=auto&read_lock=kept");
    let output = Stdio::piped();
    let mut parent = child("forks_and_is_killed", &[("URL", &url), ("CARELESS", &careless.to_string())])
        .stdout(output)
        .spawn()
        .unwrap();
    // Not to its end: the child has it too.
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let orphan: i32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("child ").map(|pid| pid.parse().unwrap()))
        .unwrap();
    parent.wait().unwrap();
    let busy = is_in_the_way(&dir.file("app.db"), 0);
    // SAFETY: our own grandchild, which waits for a signal.
    assert_eq!(unsafe { libc::kill(orphan, libc::SIGKILL) }, 0);
    drop(open);
    busy
}

#[test]
fn a_forked_child_inherits_no_read_lock() {
    assert!(!a_child_is_in_the_way(0));
    // Control: what is locked by the open file is locked by the child.
    assert!(a_child_is_in_the_way(FIRM_OVER_FORKS));
}

#[test]
fn a_fork_in_the_middle_of_close_reads_leaves_both_processes_well() {
    const TEST: &str = "a_fork_in_the_middle_of_close_reads_leaves_both_processes_well";
    if !is_child(TEST) {
        assert!(child(TEST, &[]).status().unwrap().success());
        return;
    }
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reads = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                calls(&kept, 100, Duration::ZERO);
            }
        });
        let _ends = Ends(&over);
        for _ in 0..200 {
            // SAFETY: the child ends at once.
            unsafe {
                let child = libc::fork();
                if child == 0 {
                    // The parent's is refused, and a database of its own may be opened.
                    let other = open(":memory:").unwrap();
                    let well = kept.lock().is_err() && get(&other, "SELECT 1") == "1";
                    libc::_exit(if well { 0 } else { 1 });
                }
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                assert_eq!(status, 0);
            }
        }
        drop(_ends);
        reads.join().unwrap();
    });
    // It keeps its lock again.
    with_kept(&kept, || (), || ());
    assert!(!is_in_the_way(&dir.file("app.db"), 50));
}

/// Ends the others' loops also when the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_raw_handle_of_the_process_takes_it_away_and_keeps_none() {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let raw = rusqlite::Connection::open(dir.file("app.db")).unwrap();
    raw.execute_batch("PRAGMA synchronous=off; PRAGMA busy_timeout=0").unwrap();
    for round in 0..200 {
        raw.execute("INSERT INTO t(a) VALUES(?)", [round]).unwrap();
        calls(&kept, 50, Duration::ZERO);
        let busy: i64 = raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "round {round}");
    }
    let mut read = raw.prepare("SELECT a FROM t WHERE id = 1").unwrap();
    let before = made();
    for _ in 0..100 {
        read.query_row([], |row| row.get::<_, i64>(0)).unwrap();
    }
    assert_eq!(made() - before, 200);
}

#[test]
fn a_backup_in_steps_holds_nothing_in_between() {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    exec(
        &kept,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO t(a) SELECT zeroblob(500) FROM n",
    );
    let copy = rusqlite::Connection::open(dir.file("copy.db")).unwrap();
    let guard = kept.lock().unwrap();
    // SAFETY: both are open, and nobody else uses them.
    let backup = unsafe {
        // SAFETY of the handles: they outlive the backup.
        let main = c"main".as_ptr();
        sqlite::sqlite3_backup_init(copy.handle(), main, guard.raw(), main)
    };
    assert!(!backup.is_null());
    let mut steps = 0;
    loop {
        // SAFETY: made above, and not finished.
        match unsafe { sqlite::sqlite3_backup_step(backup, 40) } {
            sqlite::SQLITE_OK => {}
            sqlite::SQLITE_DONE => break,
            code => panic!("{code}"),
        }
        steps += 1;
        // Steps that follow each other closely, and now and then a pause in which somebody else commits: it begins anew.
        if steps % 10 == 0 && steps <= 40 {
            assert!(!is_in_the_way(&dir.file("app.db"), 50), "step {steps}");
        }
        assert!(steps < 3000);
    }
    // SAFETY: as above; once.
    assert_eq!(unsafe { sqlite::sqlite3_backup_finish(backup) }, 0);
    drop(guard);
    let count: i64 = copy.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count.to_string(), get(&kept, "SELECT count(*) FROM t"));
    assert_eq!(copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}

#[test]
fn a_close_finds_nothing_kept() {
    let dir = Dir::new();
    for round in 0..200 {
        let kept = filled(&dir, "app.db", "read_lock=kept&synchronous=off");
        calls(&kept, 30, Duration::ZERO);
        let report = kept.close().unwrap();
        // As the last one it has emptied and removed the log, which a read lock would keep it from.
        assert!(!dir.file("app.db-wal").exists(), "round {round}: {report:?}");
    }
}

#[test]
fn an_interrupted_read_leaves_no_lock() {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                kept.interrupt();
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        let _ends = Ends(&over);
        let guard = kept.lock().unwrap();
        let mut read = guard.sqlite().prepare("SELECT a FROM t WHERE id = 1").unwrap();
        let (mut interrupted, began) = (0, Instant::now());
        for _ in 0..20_000 {
            interrupted += u64::from(read.query_row([], |row| row.get::<_, i64>(0)).is_err());
        }
        // A long one is hit for certain.
        let long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, t";
        interrupted += u64::from(guard.sqlite().query_row(long, [], |row| row.get::<_, i64>(0)).is_err());
        assert!(interrupted > 0, "{:?}", began.elapsed());
    });
    calls(&kept, 50, Duration::ZERO);
    assert!(!is_in_the_way(&dir.file("app.db"), 50));
}

#[test]
fn reads_closely_until_killed() {
    if !is_child("reads_closely_until_killed") {
        return;
    }
    let kept = open(&std::env::var("URL").unwrap()).unwrap();
    lock_calls::count();
    calls(&kept, 100, Duration::ZERO);
    println!("reading");
    loop {
        calls(&kept, 1000, Duration::ZERO);
    }
}

#[test]
fn a_stopped_process_holds_its_lock_and_is_named_until_it_goes_on() {
    let dir = Dir::new();
    let own = filled(&dir, "app.db", "read_lock=released&synchronous=off");
    let process = reads_closely(&dir.url("app.db?checkpoint=auto&read_lock=kept"));
    let pid = process.0.id();
    let path = dir.file("app.db");
    // SAFETY: signals to our own child.
    let signal = |what| assert_eq!(unsafe { libc::kill(pid as i32, what) }, 0);
    let mut held = 0;
    for _ in 0..15 {
        signal(libc::SIGSTOP);
        while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ") {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Wherever it was stopped: who is in the way is named, and who is not is not.
        exec(&own, "INSERT INTO t(a) VALUES(1)");
        let pins = own.pins().unwrap().unwrap().pins;
        let busy = is_in_the_way(&path, 0);
        let named = pins.iter().any(|pin| pin.holder.pid == pid && pin.holder.state.as_str() == "stopped");
        assert_eq!(busy, named, "{pins:?}");
        held += u32::from(busy);
        signal(libc::SIGCONT);
        // It goes on, and others wait for it no longer than for any reader.
        assert!(!is_in_the_way(&path, 5000));
    }
    assert!(held > 0, "a process that reads without pause was never stopped with its lock");
}

/// A process that has the checkpointer's lock until its input ends.
#[test]
fn holds_the_checkpointers_lock() {
    if !is_child("holds_the_checkpointers_lock") {
        return;
    }
    let shm = std::fs::File::options().read(true).write(true).open(std::env::var("SHM").unwrap()).unwrap();
    // SAFETY: plain data, and an open file.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as i16, 121, 1);
        assert_eq!(libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&shm), libc::F_SETLK, &lock), 0);
    }
    println!("\nholding");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// The fewest calls for 500 reads without pause, while another process makes a checkpoint, and after it.
fn calls_beside_a_checkpoint() -> (u64, u64) {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let shm = dir.file("app.db-shm");
    let mut process = child("holds_the_checkpointers_lock", &[("SHM", shm.to_str().unwrap())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(process.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line == "holding"));
    std::thread::sleep(Duration::from_millis(2));
    let fewest = || (0..20).map(|_| calls(&kept, 500, Duration::ZERO)).min().unwrap();
    let beside = fewest();
    drop(process.stdin.take());
    process.wait().unwrap();
    (beside, fewest())
}

#[test]
fn nothing_is_kept_while_another_process_makes_a_checkpoint() {
    const TEST: &str = "nothing_is_kept_while_another_process_makes_a_checkpoint";
    if is_child(TEST) {
        // SAFETY: the files of this process are this test's.
        unsafe { keep_read_locks_carelessly(BESIDE_CHECKPOINTS) };
        println!("\nbeside {}", calls_beside_a_checkpoint().0);
        return;
    }
    let (beside, after) = calls_beside_a_checkpoint();
    assert!(beside >= 1000, "{beside}");
    // A loaded machine ends a row of close reads now and then.
    assert!(after <= 100, "{after}");
    // Control.
    let output = child(TEST, &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let beside: u64 = text.lines().find_map(|line| line.strip_prefix("beside ")).unwrap().parse().unwrap();
    assert!(beside <= 10, "{beside}");
}

#[test]
fn reads_until_killed() {
    if is_child("reads_until_killed") {
        reader::read_until_killed();
    }
}

#[test]
fn what_is_kept_hides_no_reader_of_the_same_mark() {
    let dir = Dir::new();
    let kept = filled(&dir, "app.db", "read_lock=kept");
    let raw = rusqlite::Connection::open(dir.file("app.db")).unwrap();
    let pids = |connection: &Connection| -> Vec<u32> {
        let mut pids: Vec<u32> = connection.pins().unwrap().unwrap().pins.iter().map(|pin| pin.holder.pid).collect();
        pids.sort_unstable();
        pids
    };
    let me = std::process::id();
    for _ in 0..50 {
        calls(&kept, 50, Duration::ZERO);
        assert_eq!(pids(&kept), [0u32; 0]);
    }
    raw.execute_batch("BEGIN; SELECT a FROM t WHERE id = 1").unwrap();
    calls(&kept, 50, Duration::ZERO);
    assert_eq!(pids(&kept), [me], "a raw handle's");
    raw.execute_batch("ROLLBACK").unwrap();
    let other = Reader::start("reads_until_killed", &dir.url("app.db?read_lock=kept"));
    calls(&kept, 50, Duration::ZERO);
    assert_eq!(pids(&kept), [other.pid()], "another process's");
    // A read that goes on with a lock that was kept is one.
    with_kept(
        &kept,
        || (),
        || {
            let mut expected = [me, other.pid()];
            expected.sort_unstable();
            assert_eq!(pids(&kept), expected);
        },
    );
}

fn reads_closely(url: &str) -> Killed {
    let mut process =
        Killed(child("reads_closely_until_killed", &[("URL", url)]).stdout(Stdio::piped()).spawn().unwrap());
    let out = BufReader::new(process.0.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line.contains("reading")));
    process
}

/// Readers without pause, and another process that commits and empties the log with 50 ms of patience: how often in 20 it was
/// kept from it.
fn kept_from_the_log(parameters: &str) -> usize {
    let dir = Dir::new();
    drop(filled(&dir, "app.db", "read_lock=released"));
    let url = dir.url(&format!("app.db?checkpoint=auto&{parameters}"));
    let _readers = [reads_closely(&url), reads_closely(&url)];
    (0..20).filter(|_| is_in_the_way(&dir.file("app.db"), 50)).count()
}

/// A process that adds rows and moves them into the database, which becomes longer, and leaves the WAL-index as a writer does
/// that is killed while it changes its header: whoever comes next makes it anew, of a log that is empty.
#[test]
fn adds_pages() {
    if !is_child("adds_pages") {
        return;
    }
    let path = std::env::var("DATABASE").unwrap();
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.busy_timeout(Duration::from_secs(20)).unwrap();
    raw.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         INSERT INTO t(a) SELECT zeroblob(2000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)",
    )
    .unwrap();
    let shm = std::fs::File::options().write(true).open(path + "-shm").unwrap();
    std::os::unix::fs::FileExt::write_all_at(&shm, &[0; 96], 0).unwrap();
}

#[test]
fn a_database_that_becomes_longer_is_seen_whole_where_its_log_was_empty() {
    let dir = Dir::new();
    let path = dir.file("app.db");
    filled(&dir, "app.db", "read_lock=kept").close().unwrap();
    let envs = [("DATABASE", path.to_str().unwrap())];
    for round in 1..=10 {
        // Its log is empty, and nobody has committed since: SQLite asks for the file's size at each read.
        let kept = open(&dir.url("app.db?checkpoint=auto&read_lock=kept")).unwrap();
        let longest = get(&kept, "SELECT max(id) FROM t");
        with_kept(&kept, || (), || assert_eq!(get(&kept, "SELECT max(id) FROM t"), longest));
        calls(&kept, 50, Duration::ZERO);
        assert!(child("adds_pages", &envs).status().unwrap().success());
        assert_eq!(get(&kept, "SELECT count(*) FROM t"), (1 + 50 * round).to_string());
        calls(&kept, 50, Duration::ZERO);
        assert_eq!(get(&kept, "PRAGMA integrity_check"), "ok");
        kept.close().unwrap();
    }
}

#[test]
fn another_process_with_some_patience_gets_through() {
    // A reader that is not on a processor may hold its lock for longer, as SQLite's own does.
    let (kept, released) = (kept_from_the_log("read_lock=kept"), kept_from_the_log("read_lock=released"));
    eprintln!("of 20: kept {kept}, released {released}");
    assert!(kept <= released + 5, "{kept}, {released}");
}
