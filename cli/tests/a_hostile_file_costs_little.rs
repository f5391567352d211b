//! A file of some kilobytes whose schema asks for gigabytes, or for years: examining it, and taking it for a copy, ends,
//! with little memory, and says why. An honest file is no alarm.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::Dir;
use rusqlite::Connection;

/// A table with one row `a`, to whose declaration generated columns are added behind SQLite's back: no insert of ours
/// computes them.
fn hostile(dir: &Dir, name: &str, a: &str, columns: &str) {
    let db = Connection::open(dir.file(name)).unwrap();
    db.execute_batch("CREATE TABLE t(a)").unwrap();
    db.execute("INSERT INTO t VALUES(?1)", [a]).unwrap();
    db.execute_batch("PRAGMA writable_schema = 1").unwrap();
    db.execute("UPDATE sqlite_schema SET sql = ?1", [format!("CREATE TABLE t(a, {columns})")]).unwrap();
    db.close().unwrap();
    assert!(std::fs::metadata(dir.file(name)).unwrap().len() < 100_000);
}

/// The status, what it said, how long it took, and the most memory it had, in bytes.
fn measured(dir: &Dir, words: &[&str]) -> (i32, String, Duration, u64) {
    let began = Instant::now();
    let child = dir.command(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let watching = std::thread::spawn(move || {
        let mut most = 0;
        // Gone when the process is; a zombie has no memory.
        while let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM")) else { break };
            most = most.max(line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(5));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.signal(), None, "{text}");
    (output.status.code().unwrap(), text, began.elapsed(), watching.join().unwrap())
}

#[test]
fn gigabytes_out_of_kilobytes() {
    let dir = Dir::new();
    let columns: Vec<_> = (0..20).map(|n| format!("c{n} TEXT NOT NULL AS (hex(zeroblob(a + {n})))")).collect();
    hostile(&dir, "big.db", "400000000", &columns.join(", "));
    dir.database("live.db", 10);
    for (words, status) in [
        (&["doctor", "big.db"][..], 1),
        (&["doctor", "big.db", "--full"], 1),
        (&["restore", "big.db", "live.db", "--overwrite"], 3),
        (&["backup", "big.db", "copy.db"], 3),
    ] {
        let (has, text, _, memory) = measured(&dir, words);
        assert_eq!(has, status, "{words:?}: {text}");
        assert!(text.contains("computes values that are longer than the whole file"), "{words:?}: {text}");
        assert!(memory < 300 << 20, "{words:?}: {memory} bytes");
    }
    assert!(!dir.file("copy.db").exists());
    // It can be copied by who says so.
    assert_eq!(dir.litekeel(&["backup", "big.db", "copy.db", "--no-check"]).status, 0);
}

#[test]
fn years_out_of_kilobytes() {
    let dir = Dir::new();
    // One call that compares half of its bytes at each place, and hears no interrupt.
    let column = "c INT NOT NULL AS (instr(zeroblob(16000000), CAST(zeroblob(a) || x'01' AS BLOB)))";
    hostile(&dir, "slow.db", "8000000", column);
    dir.database("live.db", 10);
    let before = dir.listing();
    for words in [
        &["doctor", "slow.db", "--check-timeout", "200ms"][..],
        &["restore", "slow.db", "live.db", "--overwrite", "--check-timeout", "200ms"],
        &["backup", "slow.db", "copy.db", "--check-timeout", "200ms"],
    ] {
        let (status, text, took, _) = measured(&dir, words);
        assert_eq!(status, 3, "{words:?}: {text}");
        assert!(text.contains("did not end within 200 ms") && text.contains("--check-timeout"), "{words:?}: {text}");
        // It ends by itself; a machine that is busy may take its time.
        assert!(took < Duration::from_secs(60), "{words:?}: {took:?}");
    }
    let names = |listing: &std::collections::BTreeMap<String, _>| listing.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&dir.listing()), names(&before), "nothing is left behind");
}

#[test]
fn a_check_that_hears_ends_in_order() {
    let dir = Dir::new();
    // Honest, and longer than the time it gets: each row computes a little.
    let db = dir.open("rows.db");
    let sql = "CREATE TABLE t(a, b TEXT NOT NULL AS (hex(zeroblob(a)))); \
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) INSERT INTO t SELECT 20000 FROM n";
    db.lock().unwrap().sqlite().execute_batch(sql).unwrap();
    db.close().unwrap();
    let ran = dir.litekeel(&["doctor", "rows.db", "--json", "--check-timeout", "10ms"]);
    let json = ran.json();
    let findings = json["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == "content").unwrap();
    assert!(ran.status == 1 && found["found"].as_str().unwrap().contains("did not end within 10 ms"), "{json}");
    // With time it is fine.
    for words in [&["doctor", "rows.db"][..], &["backup", "rows.db", "copy.db"], &["restore", "copy.db", "again.db"]] {
        let ran = dir.litekeel(words);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
}
