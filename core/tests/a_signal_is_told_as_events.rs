//! Who listens to the process hears that it shuts down, and what became of the connections.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use common::{Dir, exec, get, open};
use litekeel_core::{codes, shutdown_on, subscribe_to_events};

#[test]
fn waits_for_a_signal() {
    if !common::is_child("waits_for_a_signal") {
        return;
    }
    subscribe_to_events(Arc::new(|event| {
        if event.name.as_str().starts_with("shut") {
            println!("{} {:?}", event.name, event.fields);
        }
    }));
    let url = std::env::var("URL").unwrap();
    let (db, other) = (open(&url).unwrap(), open(&url).unwrap());
    exec(&db, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1)");
    shutdown_on(&[libc::SIGTERM], Duration::from_millis(200)).unwrap();
    println!("ready");
    while other.exec("SELECT 1").is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("code {}", other.exec("SELECT 1").unwrap_err().code());
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn the_beginning_and_the_outcome_are_told() {
    let dir = Dir::new();
    let url = dir.url("a.db");
    let mut child = common::child("waits_for_a_signal", &[("URL", &url)]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut text = Vec::new();
    for line in lines {
        if line.ends_with("ready") {
            // SAFETY: our own child, which has not been waited for.
            unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
        }
        text.push(line);
    }
    let find = |what: &str| assert!(text.iter().any(|line| line.contains(what)), "{what}: {text:?}");
    find(r#"shutting_down [("signal", Text("SIGTERM")), ("grace_ms", Int(200))]"#);
    find(&format!("code {}", codes::SHUTTING_DOWN));
    find(
        r#"shut_down [("signal", Text("SIGTERM")), ("closed", Int(2)), ("rolled_back", Int(1)), ("left_open", Int(0))"#,
    );
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    assert!(!dir.file("a.db-wal").exists());
    let db = open(&url).unwrap();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "0");
    db.close().unwrap();
}

#[test]
fn exits_amid_a_subscriber_that_waits_for_ever() {
    if !common::is_child("exits_amid_a_subscriber_that_waits_for_ever") {
        return;
    }
    subscribe_to_events(Arc::new(|event| {
        if event.name.as_str() == "shutting_down" {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }));
    let db = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    shutdown_on(&[libc::SIGTERM], Duration::from_millis(200)).unwrap();
    // SAFETY: a signal to oneself.
    unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
    while db.exec("SELECT 1").is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::process::exit(3);
}

#[test]
fn an_exit_does_not_wait_for_a_subscriber_for_ever() {
    let dir = Dir::new();
    let url = dir.url("a.db");
    let mut child = common::child("exits_amid_a_subscriber_that_waits_for_ever", &[("URL", &url)]).spawn().unwrap();
    let began = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!((status.signal(), dir.file("a.db-wal").exists()), (Some(libc::SIGTERM), false));
}

#[test]
fn hangs_in_a_subscriber() {
    if !common::is_child("hangs_in_a_subscriber") {
        return;
    }
    // A shell that runs the tests in its background has them ignore it.
    // SAFETY: a disposition, before anything of ours looks at it.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    subscribe_to_events(Arc::new(|event| {
        if event.name.as_str() == "shutting_down" {
            println!("hangs");
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }));
    let _db = open(&std::env::var("URL").unwrap()).unwrap();
    shutdown_on(&[libc::SIGTERM, libc::SIGINT], Duration::from_secs(60)).unwrap();
    println!("ready");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_third_signal_ends_the_process_whatever_is_left() {
    let dir = Dir::new();
    let mut child = common::child("hangs_in_a_subscriber", &[("URL", &dir.url("a.db"))]);
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id() as i32;
    // SAFETY: our own child, which has not been waited for.
    let send = |signal| unsafe { libc::kill(pid, signal) };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().find(|line| line.ends_with("ready")).unwrap();
    send(libc::SIGTERM);
    lines.by_ref().find(|line| line.ends_with("hangs")).unwrap();
    // The second is for those who wait for writers.
    send(libc::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the second signal has ended it");
    send(libc::SIGINT);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGINT));
}
