//! A wait ends at its deadline whatever the wall clock does: it is set, it steps, it leaps by a year.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use common::{Dir, exec, is_child, open};

#[test]
fn waits() {
    if !is_child("waits") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    // The control: the clock does leap.
    let years = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / (365 * 86400);
    let (mut least, mut most) = (u64::MAX, 0);
    for _ in 0..40 {
        let now = years(SystemTime::now());
        (least, most) = (least.min(now), most.max(now));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(most - least, 2, "the clock did not leap");
    let holder = open(&url).unwrap();
    exec(&holder, "CREATE TABLE t(a); BEGIN IMMEDIATE");
    for busy in ["fair", "sqlite"] {
        let db = open(&format!("{url}?busy_timeout=500&busy={busy}")).unwrap();
        let began = Instant::now();
        let error = db.exec("BEGIN IMMEDIATE").unwrap_err();
        let waited = began.elapsed();
        assert_eq!(error.code() & 0xff, litekeel_core::sqlite::SQLITE_BUSY);
        assert!(waited >= Duration::from_millis(450) && waited < Duration::from_millis(1500), "{busy}: {waited:?}");
        if busy == "fair" {
            let told = error.busy().unwrap().waited;
            assert!(told >= Duration::from_millis(450) && told <= waited, "told {told:?}, waited {waited:?}");
        }
        db.close().unwrap();
    }
    exec(&holder, "ROLLBACK");
    holder.set_timeout(Duration::from_millis(300)).unwrap();
    let began = Instant::now();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    assert_eq!(holder.exec(endless).unwrap_err().code(), litekeel_core::sqlite::SQLITE_INTERRUPT);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(1300), "{took:?}");
    // A daemon that does not answer, and a copy that does not get further.
    let place = std::path::PathBuf::from(std::env::var_os("PLACE").unwrap());
    let _silent = std::os::unix::net::UnixListener::bind(place.join("s.sock")).unwrap();
    let db = open(&format!("{url}?replication_socket={}", place.join("s.sock").display())).unwrap();
    let began = Instant::now();
    let error = db.replicated(Some(Duration::from_millis(300))).unwrap_err();
    assert_eq!(error.step(), Some("timeout"), "{error}");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(1300), "{took:?}");
    db.close().unwrap();
    assert!(holder.close().unwrap().wal_removed);
    let made = open(&format!("file:{}/copy.db", place.display())).unwrap();
    exec(&made, "CREATE TABLE t(a)");
    made.close().unwrap();
    std::fs::write(place.join("copy.db-txid"), "0000000000000001\n").unwrap();
    // The note is as old as it is new on such a clock: only its position is asked for.
    let leap = |name: &str| {
        std::fs::File::options().write(true).open(place.join(name)).unwrap().set_modified(SystemTime::UNIX_EPOCH)
    };
    leap("copy.db").unwrap();
    let copy = open(&format!("file:{}/copy.db?role=follower", place.display())).unwrap();
    let began = Instant::now();
    let error = copy.wait_for(litekeel_core::Token::new(2), Some(Duration::from_millis(300))).unwrap_err();
    assert_eq!(error.step(), Some("timeout"), "{error}");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(1300), "{took:?}");
    copy.close().unwrap();
    println!("waited");
}

#[test]
fn timeouts_hold_while_the_wall_clock_leaps() {
    let dir = Dir::new();
    let library = dir.file("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/jumping_clock.c");
    let output = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let preload = library.to_str().unwrap();
    let output = common::child(
        "waits",
        &[("URL", &dir.url("a.db")), ("LD_PRELOAD", preload), ("PLACE", dir.path().to_str().unwrap())],
    )
    .output()
    .unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("waited"), "{output:?}");
}
