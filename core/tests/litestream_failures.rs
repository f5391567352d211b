//! What goes wrong beside the real Litestream: each gets an error that says what to do, and nothing that was acknowledged as
//! replicated is missing. `scripts/test-scale` runs this. The full disk, the daemon that is killed and the clock are in the tests
//! beside this one.

mod common;
#[path = "common/litestream.rs"]
mod litestream;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, Killed, exec, open};
use litekeel_core::{Connection, codes};

/// As much of an object store as Litestream asks for, in memory. Its tokens expire and are renewed.
struct Store {
    port: u16,
    expired: Arc<AtomicBool>,
}

type Objects = Arc<Mutex<BTreeMap<String, usize>>>;

impl Store {
    fn start() -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (expired, objects) = (Arc::new(AtomicBool::new(false)), Objects::default());
        let told = expired.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (expired, objects) = (told.clone(), objects.clone());
                std::thread::spawn(move || while answer(&stream, &expired, &objects).is_some() {});
            }
        });
        Store { port, expired }
    }
}

/// Answers one request of a connection; `None` at its end.
fn answer(stream: &TcpStream, expired: &AtomicBool, objects: &Objects) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = head.first()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, text) = if expired.load(Ordering::Acquire) {
        (403, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>".to_owned())
    } else if method == "PUT" {
        objects.lock().unwrap().insert(path.trim_start_matches("/bucket/").to_owned(), length);
        (200, String::new())
    } else if query.contains("list-type=2") {
        let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or("").replace("%2F", "/");
        let objects = objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(key, size)| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"x\"</ETag><Size>{size}</Size></Contents>")
        });
        let found: String = found.collect();
        (
            200,
            format!("<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"),
        )
    } else {
        (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned())
    };
    let mut to = stream;
    write!(
        to,
        "HTTP/1.1 {status} Status\r\nContent-Type: application/xml\r\nETag: \"x\"\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .ok()
}

fn until<T>(what: &str, look: impl Fn() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(why) => assert!(began.elapsed() < Duration::from_secs(60), "{what}: {why}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn replicated(db: &Connection) {
    until("it does not come to the replica", || {
        db.replicated(Some(Duration::from_secs(10))).map_err(|error| error.to_string())
    });
}

#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn a_token_that_expired_is_said_and_confirms_nothing() {
    let (dir, store) = (Dir::new(), Store::start());
    let place = dir.path().display();
    let config = format!(
        "socket: {{enabled: true, path: {place}/s.sock}}\ndbs:\n  - path: {place}/a.db\n    replica: {{type: s3, bucket: bucket, path: app, region: us-east-1, \
         endpoint: 'http://127.0.0.1:{}', force-path-style: true, access-key-id: EXAMPLE, secret-access-key: canary}}\n",
        store.port
    );
    fs::write(dir.file("litestream.yml"), config).unwrap();
    let url = dir.url(&format!("a.db?durability=replicated&replication_timeout=20s&replication_socket={place}/s.sock"));
    let db = open(&url).unwrap();
    let _ = db.exec("CREATE TABLE t(a)");
    let log = fs::File::create(dir.file("log")).unwrap();
    let mut command = Command::new(litestream::litestream());
    // This machine's own ways to the outside are not for a server on loopback.
    for name in ["AWS_CA_BUNDLE", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
        command.env_remove(name);
    }
    command.args(["replicate", "-config"]).arg(dir.file("litestream.yml"));
    let _daemon = Killed(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    replicated(&db);
    db.exec("INSERT INTO t VALUES(1)").unwrap();

    store.expired.store(true, Ordering::Release);
    let error = db.exec("INSERT INTO t VALUES(2)").unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::NOT_REPLICATED, Some("replica_refuses")), "{error}");
    assert!(error.message().contains("The provided token has expired"), "{error}");
    assert!(error.hint().contains("new access"), "{error}");
    assert!(!format!("{error:?} {}", error.hint()).contains("canary"), "{error:?}");
    // It stands here, and is confirmed with what comes after when the token is a new one.
    assert_eq!(common::get(&db, "SELECT count(*) FROM t"), "2");
    store.expired.store(false, Ordering::Release);
    replicated(&db);
    db.exec("INSERT INTO t VALUES(3)").unwrap();
    db.close().unwrap();
}

/// The way to the replica is gone, for the primary and for a copy that follows; both say so, and both go on when it is back.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn a_replica_that_is_gone_is_said_at_both_ends() {
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?replication=litestream&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    let _daemon = litestream::Daemon::start(&dir);
    let log = fs::File::create(dir.file("follower.log")).unwrap();
    let mut command = Command::new(litestream::litestream());
    command.args(["restore", "-f", "-follow-interval", "100ms", "-o"]).arg(dir.file("copy.db"));
    command.arg(format!("file://{}", dir.file("replica").display()));
    let _follower = Killed(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let copy = until("the copy is not there", || {
        open(&dir.url("copy.db?role=follower&busy_timeout=30s")).map_err(|error| error.to_string())
    });
    assert_eq!(common::get(&copy, "SELECT count(*) FROM t"), "1");

    fs::rename(dir.file("replica"), dir.file("away")).unwrap();
    fs::write(dir.file("replica"), "").unwrap();
    exec(&db, "INSERT INTO t VALUES(2)");
    let error = db.replicated(Some(Duration::from_secs(10))).unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::NOT_REPLICATED, Some("replica_refuses")), "{error}");
    let before = copy.position().unwrap();
    let error =
        copy.wait_for(litekeel_core::Token::new(before.txid() + 1), Some(Duration::from_millis(500))).unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::BEHIND, Some("timeout")), "{error}");
    // What it has can still be read.
    assert_eq!(common::get(&copy, "SELECT count(*) FROM t"), "1");

    fs::remove_file(dir.file("replica")).unwrap();
    fs::rename(dir.file("away"), dir.file("replica")).unwrap();
    replicated(&db);
    let position = db.replicated(None).unwrap();
    copy.wait_for(position, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(common::get(&copy, "SELECT count(*) FROM t"), "2");
    copy.close().unwrap();
    db.close().unwrap();
}

/// The machine of the primary is gone: what was confirmed is in the copy that follows, up to the last row.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn when_the_primary_is_gone_the_copy_has_what_was_confirmed() {
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?replication=litestream&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let daemon = litestream::Daemon::start(&dir);
    let log = fs::File::create(dir.file("follower.log")).unwrap();
    let mut command = Command::new(litestream::litestream());
    command.args(["restore", "-f", "-follow-interval", "100ms", "-o"]).arg(dir.file("copy.db"));
    command.arg(format!("file://{}", dir.file("replica").display()));
    let _follower = Killed(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    let mut position = None;
    for row in 1..=50 {
        exec(&db, &format!("INSERT INTO t VALUES({row})"));
        position = Some(db.replicated(Some(Duration::from_secs(30))).unwrap());
    }
    drop(daemon);
    let error = db.replicated(Some(Duration::from_secs(1))).unwrap_err();
    assert_eq!(error.step(), Some("daemon_gone"), "{error}");
    assert!(error.hint().contains("start Litestream"), "{error}");
    db.close().unwrap();
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        let _ = fs::remove_file(dir.file(name));
    }
    let copy = until("the copy is not there", || {
        open(&dir.url("copy.db?role=follower&busy_timeout=30s")).map_err(|error| error.to_string())
    });
    copy.wait_for(position.unwrap(), Some(Duration::from_secs(60))).unwrap();
    assert_eq!(common::get(&copy, "SELECT count(*) || ' ' || sum(a) FROM t"), "50 1275");
    copy.close().unwrap();
}
