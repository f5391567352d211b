//! A thousand signals a second interrupt system calls, not the work; and litekeel changes what no signal does.
//!
//! `LITEKEEL_LONG=1` makes it a minute.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Dir, child, get, is_child, open};

static ALARMS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_alarm(_: i32) {
    ALARMS.fetch_add(1, Ordering::Relaxed);
}

/// What each signal does: the address of its handler, default or ignored.
fn dispositions() -> Vec<usize> {
    (1..64)
        .map(|signal| {
            // SAFETY: plain data; nothing is changed.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, std::ptr::null(), &mut action);
                action.sa_sigaction
            }
        })
        .collect()
}

#[test]
fn works_amid_signals() {
    if !is_child("works_amid_signals") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    let before = dispositions();
    let db = open(&url).unwrap();
    db.exec("CREATE TABLE t(a)").unwrap();
    assert_eq!(dispositions(), before, "opening has changed what a signal does");
    // SAFETY: the handler only counts. Without SA_RESTART every system call that a signal meets returns EINTR.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_alarm as *const () as usize;
        libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
    }
    let seconds = if std::env::var_os("LITEKEEL_LONG").is_some() { 60 } else { 2 };
    let end = Instant::now() + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                let mut rows = 0;
                while Instant::now() < end {
                    let db = open(&url).unwrap();
                    for _ in 0..20 {
                        db.exec_atomic("INSERT INTO t VALUES(randomblob(500))").unwrap();
                        rows += 1;
                    }
                    db.exec("SELECT count(*) FROM t WHERE a > x'80'").unwrap();
                    db.close().unwrap();
                }
                rows
            })
        })
        .collect();
    // At each of the threads that work: one sent to the process would mostly reach a thread that only waits.
    while Instant::now() < end {
        for thread in &threads {
            // SAFETY: a thread that has not been joined.
            unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGALRM) };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let rows: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(get(&db, "SELECT count(*) FROM t"), rows.to_string());
    db.close().unwrap();
    println!("{rows} rows amid {} signals", ALARMS.load(Ordering::Relaxed));
    assert!(ALARMS.load(Ordering::Relaxed) > 100, "there were hardly any signals");
}

#[test]
fn a_storm_of_signals_makes_no_error() {
    let output = child("works_amid_signals", &[("URL", &Dir::new().url("a.db?busy_timeout=60s"))]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success() && text.contains("rows amid"), "{output:?}");
}
