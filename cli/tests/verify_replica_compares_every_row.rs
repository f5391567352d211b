//! `litekeel verify-replica`, with a daemon and a restoring program of the test's own, and beside the real Litestream.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::Dir;

/// Confirms everything, as position 10.
fn daemon(dir: &Dir) {
    let listener = UnixListener::bind(dir.file("s.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut seen, mut part) = (Vec::new(), [0; 1024]);
            // The question's JSON is the end of it.
            while !seen.ends_with(b"}") {
                match stream.read(&mut part) {
                    Ok(length) if length > 0 => seen.extend_from_slice(&part[..length]),
                    _ => break,
                }
            }
            let _ = stream
                .write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"status\":\"synced\",\"txid\":10,\"replicated_txid\":10}\n");
        }
    });
    let level = dir.file(".a.db-litestream/ltx/0");
    fs::create_dir_all(&level).unwrap();
    fs::write(level.join("000000000000000a-000000000000000a.ltx"), "").unwrap();
}

/// In the place of Litestream's program: restores `replica.db`, and notes how it was called.
fn program(dir: &Dir) -> PathBuf {
    let path = dir.file("litestream.sh");
    let place = dir.path().display();
    let text = format!(
        "#!/bin/sh\necho \"$@\" > {place}/called\n[ -e {place}/replica.db ] || {{ echo 'no matching backup files available' >&2; exit 1; }}\ncp {place}/replica.db \"$5\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_same_is_the_same_and_every_difference_is_named() {
    let dir = Dir::new();
    let path = dir.database("a.db", 500);
    fs::copy(&path, dir.file("replica.db")).unwrap();
    daemon(&dir);
    let (program, rooms) = (program(&dir), dir.file("rooms"));
    fs::create_dir(&rooms).unwrap();
    let url = format!("file:{}?replication_socket={}", path.display(), dir.file("s.sock").display());
    let (program, rooms_text) = (program.display().to_string(), rooms.display().to_string());
    let verify = |more: &[&str]| {
        let mut words =
            vec!["verify-replica", &url, "--litestream", &program, "--dir", &rooms_text, "--timeout", "30s"];
        words.extend(more);
        let ran = dir.litekeel(&words);
        assert_eq!(fs::read_dir(&rooms).unwrap().count(), 0, "the copy is removed");
        ran
    };
    let ran = verify(&["--json", "--replica", "file:///r"]);
    assert_eq!((ran.status, ran.json()["good"].as_bool()), (0, Some(true)), "{ran:?}");
    assert_eq!(ran.json()["txid"], "000000000000000a");
    let called = fs::read_to_string(dir.file("called")).unwrap();
    assert!(called.starts_with("restore -txid 000000000000000a -o ") && called.ends_with(" file:///r\n"), "{called}");
    let ran = verify(&["--config", "l.yml"]);
    assert!(ran.status == 0 && ran.out.contains("the same"), "{ran:?}");
    let called = fs::read_to_string(dir.file("called")).unwrap();
    assert!(called.ends_with(&format!(" -config l.yml {}\n", path.display())), "{called}");

    // The control: one row that the replica lacks, and one that it has otherwise.
    let live = rusqlite::Connection::open(&path).unwrap();
    let table: String =
        live.query_row("SELECT name FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0)).unwrap();
    live.execute_batch(&format!("DELETE FROM {table} WHERE rowid = 400; PRAGMA wal_checkpoint(TRUNCATE)")).unwrap();
    let ran = verify(&[]);
    assert!(ran.status == 1 && ran.out.contains(&table) && ran.out.contains("not the same"), "{ran:?}");
    drop(live);

    // A replica that is damaged.
    let mut bytes = fs::read(dir.file("replica.db")).unwrap();
    let page = bytes.len() - 4096;
    bytes[page..].fill(0xa5);
    fs::write(dir.file("replica.db"), bytes).unwrap();
    let ran = verify(&["--json"]);
    assert_eq!((ran.status, ran.json()["good"].as_bool()), (1, Some(false)), "{ran:?}");
    assert_ne!(ran.json()["integrity"][0], "ok");

    // None at all, and no program.
    fs::remove_file(dir.file("replica.db")).unwrap();
    let ran = verify(&[]);
    assert!(ran.status == 3 && ran.err.contains("no matching backup files"), "{ran:?}");
    let ran = dir.litekeel(&["verify-replica", &url, "--litestream", "/no/such/program", "--timeout", "30s"]);
    assert!(ran.status == 3 && ran.err.contains("install Litestream"), "{ran:?}");
    // Nobody is held up behind it.
    rusqlite::Connection::open(&path).unwrap().execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
}

/// Killed however the test ends.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Beside Litestream and a writer that never pauses: always the same; and not, when the replica is another one's.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn a_replica_is_compared_while_others_write() {
    let litestream = std::env::var("LITESTREAM").expect("scripts/test-scale names the executable in LITESTREAM");
    let dir = Dir::new();
    let place = dir.path().display().to_string();
    let config = format!(
        "socket: {{enabled: true, path: {place}/s.sock}}\ndbs:\n  - path: {place}/a.db\n    replica: {{type: file, path: {place}/replica}}\n"
    );
    fs::write(dir.file("l.yml"), config).unwrap();
    let url = format!("file:{place}/a.db?replication=litestream&replication_socket={place}/s.sock");
    let db = litekeel_core::Connection::open(Some(&url), &litekeel_core::Options::new()).unwrap();
    db.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB); CREATE INDEX i ON t(data)").unwrap();
    let log = fs::File::create(dir.file("log")).unwrap();
    let mut command = Command::new(&litestream);
    command.args(["replicate", "-config"]).arg(dir.file("l.yml"));
    let _daemon = Daemon(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let began = Instant::now();
    while let Err(error) = db.replicated(Some(Duration::from_secs(5))) {
        assert!(began.elapsed() < Duration::from_secs(60), "{error}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    let verify = |config: &str| {
        dir.litekeel(&[
            "verify-replica",
            &url,
            "--litestream",
            &litestream,
            "--config",
            config,
            "--timeout",
            "30s",
            "--json",
        ])
    };
    let rows = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut rows = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                db.exec("INSERT INTO t(data) VALUES(randomblob(300))").unwrap();
                rows += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
            rows
        });
        let mut locked = 0;
        for _ in 0..10 {
            let ran = verify("l.yml");
            if ran.status != 0 {
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            assert_eq!((ran.status, ran.json()["good"].as_bool()), (0, Some(true)), "{ran:?}");
            locked = locked.max(ran.json()["locked_ms"].as_u64().unwrap());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        eprintln!("10 times the same beside a writer; writers waited at most {locked} ms");
        writer.join().unwrap()
    });
    assert!(rows > 100, "{rows} rows: this proves little");
    db.close().unwrap();
}
