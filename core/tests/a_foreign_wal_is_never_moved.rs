//! A process whose locks are gone, or whose WAL was unlinked under it, destroys nothing: neither what others wrote to the
//! database since, nor, without saying so, what it acknowledged itself.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::random::{Random, runs, seed};
use common::{Dir, child, exec, is_child, open, other_program};
use litekeel_core::{CloseReport, Connection, turn_firm_locks_off, turn_wal_guard_off};

/// Who acknowledged which rows.
#[derive(Default)]
struct Acknowledged {
    ours: Vec<String>,
    others: Vec<String>,
    /// A failure that is no lock: the database is damaged.
    damaged: Option<String>,
}

impl Acknowledged {
    fn write(&mut self, connection: &Connection) {
        let row = format!("ours-{:06}.", self.ours.len());
        if connection.exec(&format!("INSERT INTO t(who) VALUES('{row}')")).is_ok() {
            self.ours.push(row);
        }
    }

    fn other_writes(&mut self, db: &Path, rows: usize) {
        let first = self.others.len();
        let all: Vec<String> = (first..first + rows).map(|row| format!("other-{row:06}.")).collect();
        let values: Vec<String> = all.iter().map(|row| format!("('{row}')")).collect();
        match other_program(db, &format!("INSERT INTO t(who) VALUES {}", values.join(","))) {
            Ok(_) => self.others.extend(all),
            Err(why) if why.contains("locked") => {}
            Err(why) => self.damaged = Some(why),
        }
    }
}

/// What became of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    damaged: Option<String>,
    others_lost: usize,
    ours_lost: usize,
}

fn judge(dir: &Dir, done: Acknowledged, report: &CloseReport) -> Outcome {
    let db = dir.file("a.db");
    let mut outcome = Outcome { damaged: done.damaged, ..Outcome::default() };
    match other_program(&db, "PRAGMA integrity_check") {
        Ok(answer) if answer == "ok" => {}
        Ok(answer) | Err(answer) => outcome.damaged = Some(answer),
    }
    let there: BTreeSet<String> =
        other_program(&db, "SELECT who FROM t").unwrap_or_default().lines().map(str::to_owned).collect();
    // What was set aside counts where the report names it.
    let aside: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("a.db-wal.unlinked-"))
        .filter(|path| report.warnings.iter().any(|text| text.contains(&*path.to_string_lossy())))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let kept = |row: &str| aside.iter().any(|(_, bytes)| bytes.windows(row.len()).any(|part| part == row.as_bytes()));
    outcome.others_lost = done.others.iter().filter(|row| !there.contains(*row)).count();
    outcome.ours_lost = done.ours.iter().filter(|row| !there.contains(*row) && !kept(row)).count();
    outcome
}

/// The server's database, and how to end its use.
fn server(dir: &Dir, rest: &str) -> Arc<Connection> {
    let connection = open(&dir.url(&format!("a.db?{rest}"))).unwrap();
    exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT)");
    // The table is in the database, whatever becomes of the WAL.
    connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).unwrap();
    connection
}

/// Opens and closes the files, as a backup by a plain copy does: this process's locks are gone.
fn copy_files(dir: &Dir, random: &mut Random) {
    let all = random.below(2) == 1;
    // Without locks that belong to open files, another process then takes the -shm for an old one and cuts it under this
    // process's mapping: SQLite itself ends there by SIGBUS.
    let only_database = std::env::var("WITHOUT").is_ok_and(|without| without == "firm_locks");
    let suffixes: &[&str] = if all && !only_database { &["", "-wal", "-shm"] } else { &[""] };
    for suffix in suffixes {
        let _ = fs::copy(dir.file(&format!("a.db{suffix}")), dir.file(&format!("copy.db{suffix}")));
    }
}

/// The locks are dropped or the WAL removed; others write; then the connection ends.
fn ends_after_others_wrote(random: &mut Random) -> Outcome {
    let dir = Dir::new();
    let db = dir.file("a.db");
    let connection = server(&dir, "wal_autocheckpoint=1000");
    let mut done = Acknowledged::default();
    for _ in 0..1 + random.below(5) {
        done.write(&connection);
    }
    if random.below(3) == 0 {
        fs::remove_file(dir.file("a.db-wal")).unwrap();
        fs::remove_file(dir.file("a.db-shm")).unwrap();
        // What it held is nobody's in the database now; the connection still has it.
    } else {
        copy_files(&dir, random);
    }
    done.other_writes(&db, 1);
    for _ in 0..random.below(4) {
        done.write(&connection);
    }
    random.pause(30);
    done.other_writes(&db, 500);
    if random.below(2) == 0 {
        random.pause(1300);
        done.write(&connection);
    }
    let report = match random.below(4) {
        0 => {
            let _ = connection.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE);
            connection.close().unwrap()
        }
        1 => {
            // A host that drives the raw handle.
            let guard = connection.lock().unwrap();
            let _ = guard.sqlite().execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=delete");
            drop(guard);
            connection.close().unwrap()
        }
        _ => connection.close().unwrap(),
    };
    judge(&dir, done, &report)
}

/// A server that copies its files now and then and writes on, beside a job that writes and goes.
fn writes_on_while_others_come_and_go(random: &mut Random) -> Outcome {
    let dir = Dir::new();
    let db = dir.file("a.db");
    // Its own checkpoints come often.
    let connection = server(&dir, "wal_autocheckpoint=10&checkpoint=auto");
    let mut done = Acknowledged::default();
    done.write(&connection);
    let stop = AtomicBool::new(false);
    let (first, more) = (random.below(20), random.below(40));
    let others = std::thread::scope(|scope| {
        let job = scope.spawn(|| {
            let mut others = Acknowledged::default();
            while !stop.load(Ordering::Acquire) && others.damaged.is_none() {
                others.other_writes(&db, 20);
                std::thread::sleep(Duration::from_millis(first));
            }
            others
        });
        for _ in 0..8 {
            copy_files(&dir, random);
            for _ in 0..20 {
                done.write(&connection);
            }
            random.pause(1 + more);
        }
        stop.store(true, Ordering::Release);
        job.join().unwrap()
    });
    (done.others, done.damaged) = (others.others, others.damaged);
    let report = connection.close().unwrap();
    judge(&dir, done, &report)
}

fn outcomes(scenario: fn(&mut Random) -> Outcome, seed: u64, runs: u64) -> Vec<(u64, Outcome)> {
    (0..runs).map(|run| (run, scenario(&mut Random(seed.wrapping_add(run * 0x9e37_79b9) | 1)))).collect()
}

/// Runs the scenarios in a process of its own with less protection; how many runs ended badly.
fn bad_runs(test: &str, without: &str) -> (usize, String) {
    let output = child(test, &[("WITHOUT", without)]).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bad = text.split("bad=").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    // The damage may be so large that it ends the process.
    (bad.unwrap_or(1), format!("{}: {text}", output.status))
}

fn scenario_holds(name: &str, scenario: fn(&mut Random) -> Outcome) {
    if is_child(name) {
        // SAFETY: nothing but this test's own files is open in this process.
        unsafe {
            turn_firm_locks_off(true);
            turn_wal_guard_off(std::env::var("WITHOUT").unwrap() == "guard");
        }
        let bad: Vec<_> = outcomes(scenario, seed(), runs(20, 10))
            .into_iter()
            .filter(|(_, outcome)| *outcome != Outcome::default())
            .collect();
        println!("{bad:?} bad={}", bad.len());
        return;
    }
    let seed = seed();
    for (run, outcome) in outcomes(scenario, seed, runs(20, 10)) {
        assert_eq!(outcome, Outcome::default(), "run {run} of SEED={seed}");
    }
    // A system without locks that belong to open files has the looks alone. They leave a moment: once a `close()` in this
    // process has dropped the lock of the -shm, another one can take itself for its first user and cut it before the next
    // look, which is the likely cause of what was seen in 1 of 960 runs: rows of ours lost, nobody else's, nothing damaged.
    // So one of 20 may end so.
    let (bad, text) = bad_runs(name, "firm_locks");
    let others = text.matches("others_lost: ").count() - text.matches("others_lost: 0,").count();
    let harmless = text.contains("bad=") && !text.contains("damaged: Some") && others == 0;
    assert!(bad <= 1 && harmless, "SEED={seed}: {text}");
    // Without the guard the same destroys databases: not a scenario that is harmless anyway.
    let (bad, text) = bad_runs(name, "guard");
    assert!(bad > 0, "{text}");
}

#[test]
fn a_connection_ends_after_others_have_written() {
    scenario_holds("a_connection_ends_after_others_have_written", ends_after_others_wrote);
}

#[test]
fn a_server_writes_on_while_others_come_and_go() {
    scenario_holds("a_server_writes_on_while_others_come_and_go", writes_on_while_others_come_and_go);
}

/// In exclusive mode SQLite takes no lock of the WAL: the looks alone are left.
#[test]
fn an_exclusive_connection_moves_no_foreign_wal() {
    const NAME: &str = "an_exclusive_connection_moves_no_foreign_wal";
    let run = |sql: &str| {
        let dir = Dir::new();
        let connection = server(&dir, "locking_mode=exclusive&wal_autocheckpoint=0&checkpoint=manual");
        let mut done = Acknowledged::default();
        for _ in 0..3 {
            done.write(&connection);
        }
        // The locks of this process are gone, the exclusive one too.
        fs::copy(dir.file("a.db"), dir.file("copy.db")).unwrap();
        done.other_writes(&dir.file("a.db"), 500);
        let _ = connection.lock().unwrap().sqlite().execute_batch(sql);
        let report = connection.close().unwrap();
        judge(&dir, done, &report)
    };
    let ways = ["PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode=delete", ""];
    if is_child(NAME) {
        // SAFETY: nothing but this test's own files is open in this process.
        unsafe { turn_wal_guard_off(true) };
        let bad = ways.into_iter().filter(|sql| run(sql) != Outcome::default()).count();
        println!("bad={bad}");
        return;
    }
    for sql in ways {
        assert_eq!(run(sql), Outcome::default(), "{sql}");
    }
    let (bad, text) = bad_runs(NAME, "guard");
    assert!(bad > 0, "{text}");
}
