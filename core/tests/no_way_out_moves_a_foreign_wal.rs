//! A process whose WAL was unlinked, or whose locks are gone, and that does not close: by whatever way it ends, or takes itself
//! for idle, it moves nothing over what others have written since, and what it has acknowledged itself is kept and named.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use common::{Dir, Killed, child, exec, is_child, open, other_program};
use litekeel_core::{shutdown_on, turn_firm_locks_off, turn_wal_guard_off};

const ENDS: &str = "ends_without_a_close";
const OTHERS: usize = 500;

/// The process under test: writes a row, another one when others have written, and ends when they have done so again, in the
/// way that `HOW` says.
#[test]
fn ends_without_a_close() {
    if !is_child(ENDS) {
        return;
    }
    if std::env::var_os("WITHOUT_THE_GUARD").is_some() {
        // SAFETY: the files of this process are this test's.
        unsafe {
            turn_firm_locks_off(true);
            turn_wal_guard_off(true);
        }
    }
    let url = std::env::var("URL").unwrap();
    let how = std::env::var("HOW").unwrap();
    let db = open(&url).unwrap();
    exec(&db, "INSERT INTO t(who) VALUES('ours-000001.')");
    if how == "signal" {
        shutdown_on(&[libc::SIGTERM], Duration::from_millis(200)).unwrap();
    }
    if std::env::var("LOSES").unwrap() == "locks" {
        // As a backup by a plain copy does it.
        let file = url.trim_start_matches("file:").split('?').next().unwrap();
        // Without what protects them, the -shm is cut under this process's mapping, which would end it by SIGBUS.
        let unprotected = std::env::var_os("WITHOUT_THE_GUARD").is_some();
        for suffix in if unprotected { &[""][..] } else { &["", "-wal", "-shm"] } {
            let _ = fs::read(format!("{file}{suffix}"));
        }
    }
    let mut lines = std::io::stdin().lines();
    let mut waits_after = |what: &str| {
        println!("\n{what}");
        std::io::stdout().flush().unwrap();
        lines.next();
    };
    waits_after("written");
    let again = db.exec("INSERT INTO t(who) VALUES('ours-000002.')").is_ok();
    waits_after(if again { "written" } else { "refused" });
    match how.as_str() {
        "exit" => std::process::exit(0),
        // Never dropped, and `main` returns.
        "end of main" => std::mem::forget(db),
        "drop" => drop(db),
        // As a host whose object is not dropped.
        "abandon" => {
            db.abandon_undropped();
            std::mem::forget(db);
        }
        "signal" => {
            // SAFETY: this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
        "optimize" => {
            let _ = db.exec("PRAGMA optimize=0x10002");
            std::process::exit(0);
        }
        "backup" => {
            let target = format!("{}.copy", url.split('?').next().unwrap());
            let _ = db.backup(&target, -1, |_, _| false);
            std::process::exit(0);
        }
        // It begins five seconds after the last call.
        "idle" => {
            std::thread::sleep(Duration::from_secs(7));
            std::process::exit(0);
        }
        other => panic!("{other}"),
    }
}

/// What is wrong after one process has ended so; nothing: nothing is.
fn wrong_after(how: &str, loses: &str, guarded: bool) -> Vec<String> {
    let dir = Dir::new();
    let path = dir.file("a.db");
    let db = open(&dir.url("a.db")).unwrap();
    exec(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, who TEXT); INSERT INTO t(who) VALUES('first')");
    db.close().unwrap();
    let url = dir.url("a.db?wal_autocheckpoint=1000");
    let mut command = child(ENDS, &[("URL", &url), ("HOW", how), ("LOSES", loses)]);
    if !guarded {
        command.env("WITHOUT_THE_GUARD", "1");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Killed(command.spawn().unwrap());
    let (mut input, mut own) = (process.0.stdin.take().unwrap(), Vec::new());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut hears = || lines.find(|line| line == "written" || line == "refused").expect("it goes on");
    assert_eq!(hears(), "written");
    own.push("ours-000001.");
    if loses == "wal" {
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(dir.file(&format!("a.db{suffix}"))).unwrap();
        }
    }
    let others: Vec<String> = (0..OTHERS).map(|row| format!("('other-{row:06}.')")).collect();
    // Two programs, each of which may take itself for the last one.
    let (few, many) = others.split_at(1);
    for rows in [few, many] {
        other_program(&path, &format!("INSERT INTO t(who) VALUES {}", rows.join(","))).unwrap();
        writeln!(input).unwrap();
        if rows.len() == 1 && hears() == "written" {
            own.push("ours-000002.");
        }
    }
    // To its end, so that the harness is not stopped by a pipe that nobody reads.
    lines.for_each(drop);
    let said = std::io::read_to_string(process.0.stderr.take().unwrap()).unwrap();
    let status = process.0.wait().unwrap();
    let ended = if how == "signal" { status.signal() == Some(libc::SIGTERM) } else { status.success() };
    let mut wrong = Vec::new();
    if !ended {
        wrong.push(format!("it ended by {status}"));
    }
    match other_program(&path, "PRAGMA integrity_check") {
        Ok(answer) if answer == "ok" => {}
        Ok(answer) | Err(answer) => wrong.push(format!("damaged: {answer}")),
    }
    let there = other_program(&path, "SELECT who FROM t").unwrap_or_default();
    let of_others = there.lines().filter(|row| row.starts_with("other-")).count();
    if of_others != OTHERS {
        wrong.push(format!("{of_others} of {OTHERS} rows of others"));
    }
    let kept: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.to_string_lossy().contains("a.db-wal.unlinked-") && said.contains(file.to_str().unwrap()))
        .map(|file| fs::read(file).unwrap())
        .collect();
    for row in own {
        let is_kept = kept.iter().any(|bytes| bytes.windows(row.len()).any(|part| part == row.as_bytes()));
        if !is_kept && !there.lines().any(|found| found == row) {
            wrong.push(format!("{row} is neither there nor kept and named"));
        }
    }
    if loses == "nothing" && said.contains("-wal") {
        wrong.push("a false alarm".to_owned());
    }
    if !wrong.is_empty() {
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        wrong.push(format!("it said: {said}; there are {names:?}"));
    }
    wrong
}

#[test]
fn by_whatever_way_a_process_ends() {
    // Where nothing is lost, nothing is said to be.
    let ways = ["exit", "end of main", "drop", "abandon", "signal", "optimize", "backup", "idle"];
    // Side by side: one of them sleeps.
    std::thread::scope(|scope| {
        for how in ways {
            for loses in ["wal", "locks", "nothing"] {
                scope.spawn(move || {
                    let wrong = wrong_after(how, loses, true);
                    assert!(wrong.is_empty(), "{how}, {loses}: {}", wrong.join("; "));
                });
            }
        }
    });
    // The control: without the guard the same takes from others what they have committed.
    for how in ["exit", "drop", "abandon", "signal"] {
        let wrong = wrong_after(how, "locks", false);
        let destroys = |text: &String| text.contains("damaged") || text.contains("rows of others");
        assert!(wrong.iter().any(destroys), "{how}: {wrong:?}");
    }
}
