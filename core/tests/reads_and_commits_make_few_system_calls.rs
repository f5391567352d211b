//! How many system calls the thread makes that reads or commits: another process counts them by `ptrace`, from one mark to the
//! next, whoever makes them: SQLite, the VFS, litekeel, the C library.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod common;

use common::{Dir, exec, is_child, open, skip};

/// A system call that nothing here makes: a mark in the stream of calls.
fn mark() {
    // SAFETY: without arguments; it changes nothing.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

/// The number of the call at which a traced process has stopped.
fn call_of(pid: libc::pid_t) -> i64 {
    // The first field, in decimal; "running" when it is not in a call.
    let text = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    text.split(' ').next().and_then(|first| first.trim().parse().ok()).unwrap_or(-1)
}

/// Runs a test of this binary in a process of its own, and counts the calls of the thread that makes marks between each of them
/// and the next. `None` where a process may not be traced.
fn counted(test: &str, envs: &[(&str, &str)]) -> Option<Vec<u64>> {
    use std::os::unix::process::CommandExt;
    let mut command = common::child(test, envs);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    // SAFETY: one system call, between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
    let Ok(process) = command.spawn() else { return None };
    let first = process.id() as libc::pid_t;
    let mut status = 0;
    let (mut counts, mut marks, mut calls) = (Vec::new(), 0u64, 0u64);
    let mut entering = std::collections::BTreeMap::<libc::pid_t, bool>::new();
    let mut marker = 0;
    // SAFETY: our own child and its threads, which this thread traces.
    unsafe {
        if libc::waitpid(first, &mut status, libc::__WALL) != first || !libc::WIFSTOPPED(status) {
            return None;
        }
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
        if libc::ptrace(libc::PTRACE_SETOPTIONS, first, 0, options) != 0 {
            return None;
        }
        libc::ptrace(libc::PTRACE_SYSCALL, first, 0, 0);
        loop {
            let pid = libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD);
            if pid < 0 {
                break;
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                if pid == first {
                    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status:x}");
                    break;
                }
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let mut deliver = 0;
            if signal == libc::SIGTRAP | 0x80 {
                let enters = entering.entry(pid).or_insert(true);
                if *enters {
                    if call_of(pid) == libc::SYS_getppid {
                        marker = pid;
                        marks += 1;
                        if marks > 1 {
                            counts.push(calls);
                        }
                        calls = 0;
                    } else if pid == marker {
                        calls += 1;
                    }
                }
                *enters = !*enters;
            } else if status >> 8 == libc::SIGTRAP | (libc::PTRACE_EVENT_CLONE << 8) || signal == libc::SIGSTOP {
                // A new thread, or its first stop.
            } else if signal != libc::SIGTRAP {
                deliver = signal;
            }
            libc::ptrace(libc::PTRACE_SYSCALL, pid, 0, deliver);
        }
    }
    drop(process);
    Some(counts)
}

/// Whatever the pauses are.
const FOR_LONG: u32 = 4;
const READS: usize = 200;
const COMMITS: usize = 50;

#[test]
fn reads() {
    if !is_child("reads") {
        return;
    }
    // Each stop of the tracer takes longer than the pause after which reads do not follow closely.
    // SAFETY: the files of this process are a test's.
    unsafe { litekeel_core::keep_read_locks_carelessly(FOR_LONG) };
    let connection = open(&std::env::var("URL").unwrap()).unwrap();
    let guard = connection.lock().unwrap();
    if std::env::var("LOG").unwrap() == "written" {
        guard.sqlite().execute("UPDATE t SET a = 2 WHERE id = 1", []).unwrap();
    }
    let mut read = guard.sqlite().prepare("SELECT a FROM t WHERE id = 1").unwrap();
    for _ in 0..=READS {
        mark();
        read.query_row([], |row| row.get::<_, i64>(0)).unwrap();
    }
}

#[test]
fn commits() {
    if !is_child("commits") {
        return;
    }
    // Each stop of the tracer takes longer than the pause after which commits do not follow closely.
    // SAFETY: the files of this process are a test's.
    unsafe { litekeel_core::keep_read_locks_carelessly(FOR_LONG) };
    let connection = open(&std::env::var("URL").unwrap()).unwrap();
    let guard = connection.lock().unwrap();
    let mut update = guard.sqlite().prepare("UPDATE t SET a = a + 1 WHERE id = 1").unwrap();
    for _ in 0..=COMMITS {
        mark();
        update.execute([]).unwrap();
    }
}

fn median(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// The read mark: exclusive, then shared. The writer's lock, the frame, the release. Without a kept lock the release of the read
/// lock; with one, now and then a look whether another process has come.
#[test]
fn a_commit_of_one_page_makes_six_and_with_a_kept_lock_five() {
    let dir = Dir::new();
    for (read_lock, expected) in [("released", 6), ("kept", 5)] {
        let url = dir.url(&format!("{read_lock}.db?checkpoint=auto&read_lock={read_lock}"));
        let connection = open(&url).unwrap();
        exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1)");
        connection.close().unwrap();
        let Some(counts) = counted("commits", &[("URL", &url)]) else {
            return skip("a process may not be traced here (ptrace): nobody counts its system calls");
        };
        assert_eq!(counts.len(), COMMITS);
        eprintln!("{read_lock}: {counts:?}");
        // The first begins the log.
        assert_eq!(counts[1..].iter().copied().min(), Some(expected), "{read_lock}: {counts:?}");
        let looks = if read_lock == "kept" { COMMITS as u64 } else { 0 };
        let all = counts[1..].iter().sum::<u64>();
        assert!(all <= ((COMMITS as u64 - 1) * expected + looks) * 105 / 100, "{read_lock}: {counts:?}");
    }
}

#[test]
fn a_read_makes_two_and_with_a_kept_lock_none() {
    let dir = Dir::new();
    let count = |read_lock: &str, log: &str| {
        let url = dir.url(&format!("{read_lock}-{log}.db?checkpoint=auto&read_lock={read_lock}"));
        let connection = open(&url).unwrap();
        exec(&connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1)");
        connection.close().unwrap();
        let counts = counted("reads", &[("URL", &url), ("LOG", log)])?;
        assert_eq!(counts.len(), READS, "{read_lock} {log}: {counts:?}");
        Some(median(counts))
    };
    let Some(released) = count("released", "written") else {
        return skip("a process may not be traced here (ptrace): nobody counts its system calls");
    };
    assert_eq!(released, 2);
    assert_eq!(count("kept", "written"), Some(0));
    // While the log is empty SQLite asks for the file's size, too.
    assert_eq!(count("released", "empty"), Some(3));
    assert_eq!(count("kept", "empty"), Some(0));
}
