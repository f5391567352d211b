//! `replicated()` against a daemon of the test's own that speaks Litestream's HTTP: it confirms only what was confirmed, says
//! why not otherwise, and never holds the caller beyond its time.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Dir, exec, open};
use litekeel_core::{Connection, codes};

/// Answers each request with what the function makes of its first line and body; `None` is no answer at all.
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(dir: &Dir, answer: impl Fn(&str, &str) -> Option<(u16, String)> + Send + 'static) -> Fake {
        let listener = UnixListener::bind(dir.file("s.sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (line, body) = request(&mut stream);
                heard.lock().unwrap().push(format!("{line} {body}"));
                match answer(&line, &body) {
                    Some((status, body)) => {
                        let length = body.len();
                        let _ = write!(stream, "HTTP/1.0 {status} Text\r\nContent-Length: {length}\r\n\r\n{body}\n");
                    }
                    None => silent.push(stream),
                }
            }
        });
        Fake { asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &mut UnixStream) -> (String, String) {
    let mut text = Vec::new();
    let mut part = [0; 1024];
    loop {
        let length = stream.read(&mut part).unwrap();
        text.extend_from_slice(&part[..length]);
        let seen = String::from_utf8(text.clone()).unwrap();
        if let Some((head, body)) = seen.split_once("\r\n\r\n") {
            let wanted: usize =
                head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
            if body.len() == wanted {
                return (head.lines().next().unwrap().to_owned(), body.to_owned());
            }
        }
        assert!(length > 0, "the request ends early: {seen}");
    }
}

/// What Litestream has copied lies there.
fn copied(dir: &Dir, name: &str, txid: u64) {
    let level = dir.file(&format!(".{name}-litestream")).join("ltx/0");
    fs::create_dir_all(&level).unwrap();
    fs::write(level.join(format!("{txid:016x}-{txid:016x}.ltx")), "").unwrap();
}

fn database(dir: &Dir) -> Arc<Connection> {
    let socket = dir.file("s.sock");
    let url = dir
        .url(&format!("a.db?replication=litestream&replication_timeout=30s&replication_socket={}", socket.display()));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE IF NOT EXISTS t(a)");
    db
}

fn synced(path: &Path, local: u64, there: u64) -> Option<(u16, String)> {
    let path = path.display();
    Some((200, format!("{{\"status\":\"synced\",\"path\":\"{path}\",\"txid\":{local},\"replicated_txid\":{there}}}")))
}

/// The step and the text of the failure.
fn failure(db: &Connection) -> (&'static str, String) {
    let error = db.replicated(None).unwrap_err();
    assert_eq!(error.code(), codes::NOT_REPLICATED, "{error}");
    assert!(error.message().starts_with("committed here, but not confirmed"), "{error}");
    assert!(!error.hint().is_empty());
    (error.step().unwrap(), error.to_string())
}

#[test]
fn what_the_daemon_confirms_is_confirmed() {
    let dir = Dir::new();
    let db = database(&dir);
    copied(&dir, "a.db", 0x1a);
    let path = dir.file("a.db");
    let fake = Fake::start(&dir, move |_, _| synced(&path, 26, 26));
    let token = db.replicated(Some(Duration::from_millis(29_500))).unwrap();
    assert_eq!((token.txid(), token.to_string().as_str()), (26, "000000000000001a"));
    let asked = fake.asked();
    let seen = dir.file("a.db");
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Whole seconds.
    let end = asked[0]
        .strip_prefix(&format!("POST /sync HTTP/1.0 {{\"path\":\"{}\",\"wait\":true,\"timeout\":", seen.display()));
    let seconds = end.and_then(|end| end.strip_suffix('}')).unwrap_or_else(|| panic!("{asked:?}"));
    assert!((1..=30).contains(&seconds.parse::<u32>().unwrap()), "{asked:?}");
    db.close().unwrap();
}

#[test]
fn what_is_not_confirmed_is_not() {
    let cases: [(u16, &str, &str, &str); 9] = [
        (200, r#"{"status":"synced","txid":26,"replicated_txid":25}"#, "replica_refuses", "000000000000001a"),
        (200, r#"{"status":"synced","txid":26}"#, "protocol", "does not say"),
        (200, r#"{"status":"synced","txid":26,"replicated_txid":2"#, "protocol", "does not say"),
        (200, "", "protocol", "does not say"),
        (200, r#"{"error":"\"txid\":26,\"replicated_txid\":26"}"#, "protocol", "does not say"),
        (409, r#"{"error":"database is not open"}"#, "stopped", "database is not open"),
        (500, r#"{"error":"write a.ltx.tmp: no space left on device"}"#, "replica_refuses", "no space left on device"),
        (500, r#"{"error":"sync database: context deadline exceeded"}"#, "timeout", "within 30000 ms"),
        (404, r#"{"error":"database not found"}"#, "not_this_database", "does not replicate this database"),
    ];
    for (status, body, step, says) in cases {
        let dir = Dir::new();
        let db = database(&dir);
        copied(&dir, "a.db", 26);
        let _fake = Fake::start(&dir, move |line, _| {
            Some(if line.starts_with("GET") { (404, String::new()) } else { (status, body.to_owned()) })
        });
        let (found, text) = failure(&db);
        assert_eq!(found, step, "{status} {body}: {text}");
        assert!(text.contains(says), "{text}");
        // It stays committed, and the connection goes on.
        exec(&db, "INSERT INTO t VALUES(1)");
        db.close().unwrap();
    }
}

#[test]
fn a_daemon_that_is_gone_hangs_or_is_another_program_is_named() {
    let dir = Dir::new();
    let db = database(&dir);
    let (step, text) = failure(&db);
    assert_eq!(step, "daemon_gone");
    assert!(text.contains("s.sock"), "{text}");

    // It died: the socket's file stays.
    drop(UnixListener::bind(dir.file("s.sock")).unwrap());
    assert_eq!(failure(&db).0, "daemon_gone");
    fs::remove_file(dir.file("s.sock")).unwrap();

    // It takes the question and says nothing.
    let silent = Fake::start(&dir, |_, _| None);
    let began = Instant::now();
    let error = db.replicated(Some(Duration::from_millis(300))).unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::NOT_REPLICATED, Some("timeout")), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(silent.asked().len(), 1);
    fs::remove_file(dir.file("s.sock")).unwrap();

    // Nobody takes it, and the queue is full.
    let full = UnixListener::bind(dir.file("s.sock")).unwrap();
    let mut waiting = Vec::new();
    let error = loop {
        let error = db.replicated(Some(Duration::from_millis(5))).unwrap_err();
        waiting.push(error.code());
        if waiting.len() == 200 {
            break error;
        }
    };
    assert_eq!(error.step(), Some("timeout"), "{error}");
    drop(full);
    fs::remove_file(dir.file("s.sock")).unwrap();

    let other = UnixListener::bind(dir.file("s.sock")).unwrap();
    let greets = std::thread::spawn(move || {
        let mut stream = other.accept().unwrap().0;
        request(&mut stream);
        stream.write_all(b"+OK ready\r\n").unwrap();
    });
    assert_eq!(failure(&db).0, "protocol");
    greets.join().unwrap();
    db.close().unwrap();
}

/// Who closes the connection does not wait for the one who waits for the replica, and ends that wait.
#[test]
fn a_close_ends_the_wait() {
    let dir = Dir::new();
    let db = database(&dir);
    let silent = Fake::start(&dir, |_, _| None);
    let wait = db.replica_wait(Some(Duration::from_secs(600))).unwrap();
    std::thread::scope(|scope| {
        let waits = [
            scope.spawn(|| db.replicated(Some(Duration::from_secs(600)))),
            scope.spawn(|| wait.run(&|| db.is_closed())),
        ];
        while silent.asked().len() < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!db.is_closed());
        db.close().unwrap();
        assert!(db.is_closed());
        for waits in waits {
            let error = waits.join().unwrap().unwrap_err();
            assert_eq!((error.code(), error.step()), (codes::NOT_REPLICATED, Some("cancelled")), "{error}");
        }
    });
    // A deadline of the caller's own ends it, too.
    let again = database(&dir);
    let limit = litekeel_core::limit_calls(Duration::from_millis(50));
    let error = again.replicated(Some(Duration::from_secs(600))).unwrap_err();
    drop(limit);
    assert_eq!(error.step(), Some("cancelled"), "{error}");
    again.close().unwrap();
}

#[test]
fn another_database_of_the_same_name_confirms_nothing() {
    let dir = Dir::new();
    let db = database(&dir);
    let path = dir.file("a.db");
    let _fake = Fake::start(&dir, move |_, _| synced(&path, 26, 26));
    // Nothing lies beside this database, then something older.
    assert_eq!(failure(&db).0, "not_this_database");
    copied(&dir, "a.db", 25);
    assert_eq!(failure(&db).0, "not_this_database");
    copied(&dir, "a.db", 26);
    assert_eq!(db.replicated(None).unwrap().txid(), 26);

    // A file that was put in its place is not the one with our commits.
    fs::rename(dir.file("a.db"), dir.file("old.db")).unwrap();
    fs::write(dir.file("a.db"), "").unwrap();
    let error = db.replicated(None).unwrap_err();
    assert!(error.code() != 0, "{error}");
    let _ = db.close();
}

#[test]
fn it_is_found_by_the_name_that_the_daemon_has() {
    let dir = Dir::new();
    let db = database(&dir);
    std::os::unix::fs::symlink(dir.file("a.db"), dir.file("link \"é\".db")).unwrap();
    copied(&dir, "link \"é\".db", 7);
    let place = dir.path().display().to_string();
    let known = format!("{{\"path\":\"{place}/link \\\"é\\\".db\",");
    let listed = format!(
        "{{\"databases\":[{{\"path\":\"{place}/b.db\",\"status\":\"replicating\"}},{{\"path\":\"{place}/link \\\"\\u00e9\\\".db\"}}]}}"
    );
    let path = dir.file("x");
    let fake = Fake::start(&dir, move |line, body| {
        if line.starts_with("GET /list") {
            return Some((200, listed.clone()));
        }
        if body.starts_with(&known) {
            synced(&path, 7, 7)
        } else {
            Some((404, "{\"error\":\"database not found\"}".to_owned()))
        }
    });
    assert_eq!(db.replicated(None).unwrap().txid(), 7);
    assert_eq!(fake.asked().len(), 3, "{:?}", fake.asked());
    db.close().unwrap();
}

#[test]
fn what_has_no_replica_is_refused_before_anybody_is_asked() {
    let memory = open("file:x?mode=memory").unwrap();
    assert_eq!(memory.replicated(None).unwrap_err().code(), codes::CONFLICT);
    memory.close().unwrap();

    let dir = Dir::new();
    let none = open(&dir.url("b.db?replication=none")).unwrap();
    assert_eq!(none.replicated(None).unwrap_err().code(), codes::CONFLICT);
    none.close().unwrap();

    let db = database(&dir);
    let path = dir.file("a.db");
    copied(&dir, "a.db", 3);
    let fake = Fake::start(&dir, move |_, _| synced(&path, 3, 3));
    exec(&db, "BEGIN");
    exec(&db, "INSERT INTO t VALUES(1)");
    let error = db.replicated(None).unwrap_err();
    assert_eq!(error.name(), "SQLITE_MISUSE", "{error}");
    assert!(fake.asked().is_empty());
    exec(&db, "COMMIT");
    assert_eq!(db.replicated(None).unwrap().txid(), 3);
    db.close().unwrap();
    assert_eq!(db.replicated(None).unwrap_err().code(), codes::CLOSED);
}

/// As one call of litekeel's.
fn sql(db: &Connection, text: &str) {
    db.exec(text).unwrap();
}

/// With `durability=replicated` each call that has committed asks once, and no other does.
#[test]
fn a_durable_commit_has_returned_when_it_is_at_the_replica() {
    let dir = Dir::new();
    copied(&dir, "a.db", 9);
    let path = dir.file("a.db");
    let fake = Fake::start(&dir, move |_, _| synced(&path, 9, 9));
    let url = dir.url(&format!("a.db?durability=replicated&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    let row = |name: &str| db.report().row(name).unwrap().value.clone();
    assert_eq!(
        (row("replication"), row("synchronous"), row("journal_mode")),
        ("litestream".into(), "2".into(), "wal".into())
    );
    let asked = |of: &str, times: usize, call: &dyn Fn()| {
        let before = fake.asked().len();
        call();
        assert_eq!(fake.asked().len() - before, times, "{of}");
    };
    asked("a table", 1, &|| sql(&db, "CREATE TABLE t(a UNIQUE)"));
    asked("a row", 1, &|| sql(&db, "INSERT INTO t VALUES(1)"));
    asked("a script of two commits", 1, &|| sql(&db, "INSERT INTO t VALUES(2); INSERT INTO t VALUES(3)"));
    asked("BEGIN and a row", 0, &|| sql(&db, "BEGIN; INSERT INTO t VALUES(4)"));
    asked("COMMIT", 1, &|| sql(&db, "COMMIT"));
    asked("a rollback", 0, &|| sql(&db, "BEGIN; INSERT INTO t VALUES(5); ROLLBACK"));
    asked("a read", 0, &|| drop(db.query("SELECT * FROM t", None).unwrap()));
    asked("nothing changed", 0, &|| sql(&db, "BEGIN; SELECT * FROM t; COMMIT"));
    asked("a statement", 1, &|| drop(db.query("INSERT INTO t VALUES(6) RETURNING a", None).unwrap()));
    asked("all or nothing", 1, &|| db.exec_atomic("INSERT INTO t VALUES(7)").unwrap());
    asked("nothing", 0, &|| drop(db.exec_atomic("INSERT INTO t VALUES(7)").unwrap_err()));
    asked("in batches", 1, &|| {
        let (_, mut rows) = db.stream("INSERT INTO t VALUES(8) RETURNING a", None, 1).unwrap();
        while rows.next_batch().unwrap().is_some() {}
    });
    // What was committed before the next BEGIN is waited for at the end of that one.
    asked("a commit and a BEGIN", 0, &|| sql(&db, "INSERT INTO t VALUES(9); BEGIN"));
    asked("the end of it", 1, &|| sql(&db, "ROLLBACK"));
    // On SQLite's own handle nobody sees the end of the call: the next one waits for it, or replicated() does.
    asked("SQLite's own handle", 0, &|| {
        db.lock().unwrap().sqlite().execute_batch("INSERT INTO t VALUES(10)").unwrap();
    });
    asked("the next call", 1, &|| drop(db.query("SELECT 1", None).unwrap()));
    let sibling = db.sibling().unwrap();
    asked("a sibling", 1, &|| sql(&sibling, "INSERT INTO t VALUES(11)"));
    asked("the others", 0, &|| drop(db.query("SELECT 1", None).unwrap()));
    sibling.close().unwrap();
    asked("the close", 0, &|| drop(db.close().unwrap()));
}

/// The commit stands when it is not confirmed, and the error says so.
#[test]
fn a_durable_commit_that_is_not_confirmed_stands() {
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?durability=replicated&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    let fails = |error: litekeel_core::Error| {
        assert_eq!((error.code(), error.step()), (codes::NOT_REPLICATED, Some("daemon_gone")), "{error}");
        assert!(error.message().starts_with("committed here, but not confirmed"), "{error}");
        assert!(!error.hint().is_empty());
    };
    fails(db.exec("CREATE TABLE t(a)").unwrap_err());
    sql(&db, "BEGIN; INSERT INTO t VALUES(1)");
    fails(db.exec("COMMIT").unwrap_err());
    fails(db.query("INSERT INTO t VALUES(2)", None).unwrap_err());
    // Of rows that are read in batches, whoever drops them would hear nothing.
    fails(db.stream("INSERT INTO t VALUES(3), (4) RETURNING a", None, 1).map(drop).unwrap_err());
    assert_eq!(common::get(&db, "SELECT count(*) FROM t"), "4");
    db.close().unwrap();
}

/// What is noted of a commit is for the call that made it, whoever else asks for the replica on the same connection.
#[test]
fn the_wait_of_another_thread_takes_no_commit_for_its_own() {
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?durability=replicated&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    let _ = db.exec("CREATE TABLE t(a)");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = db.wait_from_here(Some(Duration::from_millis(1)));
            }
        });
        let acknowledged = (0..500).filter(|_| db.exec("INSERT INTO t VALUES(1)").is_ok()).count();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        acknowledged
    });
    assert_eq!(acknowledged, 0, "commits were acknowledged, and nobody had confirmed them");
    db.close().unwrap();
}

#[test]
fn a_durable_connection_has_what_it_needs() {
    let dir = Dir::new();
    for (parameters, code) in [
        ("a.db?durability=replicated&replication=none", codes::CONFLICT),
        ("a.db?durability=replicated&synchronous=normal", codes::CONFLICT),
        ("a.db?durability=replicated&journal_mode=delete", codes::CONFLICT),
        ("a.db?durability=replicated&busy_timeout=100", codes::CONFLICT),
        ("x?mode=memory&durability=replicated", codes::CONFLICT),
        ("a.db?durability=remote", codes::INVALID_VALUE),
    ] {
        let error = open(&dir.url(parameters)).unwrap_err();
        assert_eq!(error.code(), code, "{parameters}: {error}");
    }
    let extra = open(&dir.url("a.db?durability=replicated&synchronous=extra")).unwrap();
    assert_eq!(extra.report().row("synchronous").unwrap().value, "3");
    extra.close().unwrap();
    // A reader commits nothing.
    let reader = open(&dir.url("a.db?durability=replicated&mode=ro")).unwrap();
    assert_eq!(common::get(&reader, "SELECT count(*) FROM sqlite_schema"), "0");
    reader.close().unwrap();
}
