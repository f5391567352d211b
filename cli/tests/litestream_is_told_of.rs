//! `doctor`, `who` and `watch` know Litestream: whether it runs, how far its replica is, and that its locks are no fault. With
//! a daemon of the test's own, and beside the real one.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::Dir;

/// Answers as Litestream does: `sync` is its answer to a question for the position, or for the replica.
fn daemon(dir: &Dir, sync: Arc<Mutex<(u16, String)>>) {
    let listener = UnixListener::bind(dir.file("s.sock")).unwrap();
    let path = dir.file("a.db").display().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut seen, mut part) = (String::new(), [0; 1024]);
            let is_whole = |seen: &str| {
                seen.split_once("\r\n\r\n").is_some_and(|(head, body)| head.starts_with("GET") || body.ends_with('}'))
            };
            while !is_whole(&seen) {
                match stream.read(&mut part) {
                    Ok(length) if length > 0 => seen.push_str(std::str::from_utf8(&part[..length]).unwrap()),
                    _ => break,
                }
            }
            let (status, body) = match seen.split(' ').nth(1) {
                Some("/info") => (200, r#"{"version":"0.5.17","pid":4711,"database_count":1}"#.to_owned()),
                Some("/list") => (200, format!(r#"{{"databases":[{{"path":"{path}","status":"replicating"}}]}}"#)),
                _ => sync.lock().unwrap().clone(),
            };
            let _ = write!(stream, "HTTP/1.0 {status} Text\r\n\r\n{body}\n");
        }
    });
}

/// As Litestream has it beside a database of which it has copied so many transactions.
fn directory(dir: &Dir, txid: u64) {
    let level = dir.file(".a.db-litestream/ltx/0");
    fs::create_dir_all(&level).unwrap();
    fs::write(level.join(format!("{txid:016x}-{txid:016x}.ltx")), "").unwrap();
}

/// The level and the words of a check of the doctor's; `None` where it found nothing to say.
fn doctor(dir: &Dir, url: &str, check: &str) -> Option<(String, String)> {
    let ran = dir.litekeel(&["doctor", url, "--json"]);
    let json = ran.json();
    let finding = json["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check)?;
    let text = |name: &str| finding[name].as_str().unwrap().to_owned();
    Some((text("level"), format!("{} -> {}", text("found"), text("remedy"))))
}

fn assert_says(found: Option<(String, String)>, level: &str, words: &[&str]) {
    let (is, text) = found.expect("nothing was found");
    assert!(is == level && words.iter().all(|word| text.contains(word)), "{is}: {text}");
}

#[test]
fn a_database_without_litestream_has_no_finding_of_it() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    assert_eq!(doctor(&dir, "a.db", "replica"), None);
    let _user = dir.open("a.db");
    assert_eq!(doctor(&dir, "a.db", "replica"), None);
    let ran = dir.litekeel(&["who", "a.db", "--json"]);
    assert!(ran.json()["replica"].is_null(), "{ran:?}");
    assert!(ran.json()["users"].as_array().unwrap().iter().all(|user| user["litestream"].is_null()), "{ran:?}");
    // Left on purpose.
    directory(&dir, 3);
    assert_eq!(doctor(&dir, "file:a.db?replication=none", "replica"), None);
}

#[test]
fn a_litestream_that_does_not_run_is_missed() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    directory(&dir, 3);
    let url = format!("file:a.db?replication_socket={}", dir.file("s.sock").display());
    assert_says(doctor(&dir, &url, "replica"), "warning", &["no Litestream replicates", "s.sock", "start Litestream"]);
    let declared = format!("{url}&profile=litestream");
    fs::remove_dir_all(dir.file(".a.db-litestream")).unwrap();
    assert_says(doctor(&dir, &declared, "replica"), "warning", &["no Litestream replicates"]);
    assert_eq!(doctor(&dir, &url, "replica"), None);
}

#[test]
fn how_far_the_replica_is_is_what_the_daemon_says() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    directory(&dir, 10);
    let sync = Arc::new(Mutex::new((200, r#"{"status":"synced","txid":10,"replicated_txid":10}"#.to_owned())));
    daemon(&dir, sync.clone());
    let url = format!("file:a.db?replication_socket={}", dir.file("s.sock").display());
    let says = |status, body: &str| *sync.lock().unwrap() = (status, body.to_owned());
    let who = || dir.litekeel(&["who", &url]).out;
    // A process that uses it: alone nobody holds anything.
    let _user = dir.open("a.db");
    assert_says(doctor(&dir, &url, "replica"), "fine", &["000000000000000a", "Litestream 0.5.17 (pid 4711)"]);
    assert!(who().contains("everything up to 000000000000000a is at the replica"), "{}", who());

    says(200, r#"{"status":"synced_local","txid":10,"replicated_txid":8}"#);
    assert!(who().contains("2 transactions are not at the replica yet"), "{}", who());
    let ran = dir.litekeel(&["watch", &url, "--count", "1"]);
    assert!(ran.out.contains("replica behind 2"), "{ran:?}");
    let ran = dir.litekeel(&["watch", &url, "--count", "1", "--json"]);
    let line: serde_json::Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!((&line["replica"]["behind"], &line["replica"]["version"]), (&2.into(), &"0.5.17".into()), "{ran:?}");

    says(500, r#"{"error":"write a.ltx.tmp: no space left on device"}"#);
    assert_says(doctor(&dir, &url, "replica"), "problem", &["no space left on device", "make room at the replica"]);
    says(409, r#"{"error":"database not open"}"#);
    assert_says(doctor(&dir, &url, "replica"), "problem", &["stopped", "litestream start"]);
    assert!(who().contains("has stopped replicating it"), "{}", who());

    // It means another file of that name: what it has copied does not lie here.
    says(200, r#"{"status":"synced","txid":99,"replicated_txid":99}"#);
    assert!(!who().contains("Litestream 0.5.17"), "{}", who());
    assert_says(doctor(&dir, &url, "replica"), "warning", &["no Litestream replicates", "another file of that name"]);
}

/// A large WAL beside Litestream: `litekeel checkpoint` would break the replica.
#[test]
fn a_large_wal_is_not_to_be_checkpointed_behind_litestreams_back() {
    let dir = Dir::new();
    let db = dir.open("a.db?replication=litestream");
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(300000))").unwrap();
    directory(&dir, 3);
    assert_says(
        doctor(&dir, "file:a.db?wal_alarm=100KiB", "wal"),
        "warning",
        &["more than wal_alarm", "start Litestream"],
    );
    assert_says(doctor(&dir, "file:a.db?wal_alarm=1MiB", "wal"), "fine", &["Litestream checkpoints it"]);
    let (_, text) = doctor(&dir, "file:a.db?replication=none&wal_alarm=100KiB", "wal").unwrap();
    assert!(!text.contains("Litestream checkpoints"), "{text}");
    db.close().unwrap();
}

/// A copy that Litestream keeps, with a shell of that name in its place.
#[test]
fn a_copy_that_nobody_keeps_is_told_of() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    let url = "file:a.db?role=follower&busy_timeout=100ms";
    assert_says(doctor(&dir, url, "open"), "problem", &["a.db-txid", "litestream restore -f"]);
    fs::write(dir.file("a.db-txid"), "000000000000001a\n").unwrap();
    let ran = dir.litekeel(&["doctor", url]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_says(doctor(&dir, url, "replica"), "warning", &["position 000000000000001a", "no Litestream follows"]);
    assert_eq!(doctor(&dir, "a.db", "replica"), None, "only of a copy");

    assert!(Command::new("cp").arg("/bin/sh").arg(dir.file("litestream")).status().unwrap().success());
    fs::write(dir.file("restore"), "exec 3< a.db\necho follows\nread word\n").unwrap();
    let mut command = Command::new(dir.file("litestream"));
    command.args(["restore", "-f"]).current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut follower = Daemon(command.spawn().unwrap());
    let mut word = [0; 7];
    follower.0.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    let pid = follower.0.id();
    assert_says(doctor(&dir, url, "replica"), "fine", &["position 000000000000001a", &format!("(pid {pid})")]);
    // Written since its note.
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(dir.file("a.db-txid")).unwrap().set_modified(old).unwrap();
    assert_says(doctor(&dir, url, "replica"), "warning", &["has not noted", "next commit at the primary"]);
    drop(follower);
    let ran = dir.litekeel(&["doctor", url]);
    assert!(ran.status == 1 && ran.out.contains("half of a change"), "{ran:?}");
}

/// Killed however the test ends.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn litestream() -> String {
    std::env::var("LITESTREAM").expect("scripts/test-scale names the executable in LITESTREAM")
}

fn real(dir: &Dir) -> Daemon {
    let place = dir.path().display();
    let config = format!(
        "socket: {{enabled: true, path: {place}/s.sock}}\ndbs:\n  - path: {place}/a.db\n    replica: {{type: file, path: {place}/replica}}\n"
    );
    fs::write(dir.file("l.yml"), config).unwrap();
    let _ = fs::remove_file(dir.file("s.sock"));
    let log = fs::File::create(dir.file("log")).unwrap();
    let mut command = Command::new(litestream());
    command.args(["replicate", "-config"]).arg(dir.file("l.yml"));
    Daemon(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
}

fn control(dir: &Dir, what: &str) {
    let done =
        Command::new(litestream()).arg(what).arg("-socket").arg(dir.file("s.sock")).arg(dir.file("a.db")).output();
    assert!(done.as_ref().unwrap().status.success(), "{done:?}");
}

#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn the_real_litestream_is_told_of_as_it_is() {
    let dir = Dir::new();
    let url = format!("file:a.db?replication_socket={}", dir.file("s.sock").display());
    let db = dir.open("a.db?replication=litestream");
    db.exec("CREATE TABLE t(a); INSERT INTO t VALUES(1)").unwrap();
    let started = real(&dir);
    // It looks for the first time within a second or so.
    let until_well = || {
        let began = Instant::now();
        while doctor(&dir, &url, "replica").is_none_or(|(level, _)| level != "fine") {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", doctor(&dir, &url, "replica"));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    until_well();
    // All is well: no alarm, at each of these looks, also while somebody writes.
    let pid = started.0.id();
    for round in 0..10 {
        db.exec("INSERT INTO t VALUES(randomblob(5000))").unwrap();
        let ran = dir.litekeel(&["doctor", &url, "--strict"]);
        assert!(ran.status == 0 && ran.out.contains(&format!("(pid {pid})")), "round {round}: {ran:?}");
    }
    let json = dir.litekeel(&["who", &url, "--json"]).json();
    assert_eq!((&json["replica"]["pid"], &json["replica"]["stopped"]), (&pid.into(), &false.into()), "{json}");
    let ours = |list: &str| json[list].as_array().unwrap().iter().find(|one| one["pid"] == pid).cloned().unwrap();
    assert_eq!((&ours("holders")["role"], &ours("holders")["litestream"]), (&"reader".into(), &"replicates".into()));
    assert_eq!(ours("users")["litestream"], "replicates");

    // The replica cannot be written.
    fs::rename(dir.file("replica"), dir.file("away")).unwrap();
    fs::write(dir.file("replica"), "").unwrap();
    db.exec("INSERT INTO t VALUES(2)").unwrap();
    assert_says(doctor(&dir, &url, "replica"), "problem", &["not a directory", "see to the replica"]);
    let json = dir.litekeel(&["who", &url, "--json"]).json();
    assert!(json["replica"]["behind"].as_u64().unwrap() > 0, "{json}");
    fs::remove_file(dir.file("replica")).unwrap();
    fs::rename(dir.file("away"), dir.file("replica")).unwrap();
    until_well();

    control(&dir, "stop");
    assert_says(doctor(&dir, &url, "replica"), "problem", &["stopped", "litestream start"]);
    control(&dir, "start");
    until_well();

    // One that is stopped by a signal answers nobody.
    // SAFETY: a plain call for a child of this process.
    assert_eq!(unsafe { libc::kill(pid as libc::pid_t, libc::SIGSTOP) }, 0);
    assert_says(doctor(&dir, &url, "replica"), "warning", &["did not confirm"]);
    assert_says(doctor(&dir, &url, "holders"), "problem", &[&format!("resume it (kill -CONT {pid})")]);

    drop(started);
    assert_says(doctor(&dir, &url, "replica"), "warning", &["no Litestream replicates", "start Litestream"]);
    db.close().unwrap();
}
