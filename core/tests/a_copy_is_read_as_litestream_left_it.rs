//! `role=follower`: a copy that `litestream restore -f` keeps is never read stale, nor with half of a change, and nothing is kept
//! between two reads. With a writer of the test's own that does as Litestream does, and with the real one.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/litestream.rs"]
mod litestream;

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use common::{Dir, Killed, child, exec, get, is_child, open};
use litekeel_core::{Connection, Error, Token, codes, sqlite};

const PAGE: usize = 4096;
const PENDING: i64 = 0x4000_0000;

fn lock(file: &fs::File, kind: i32, start: i64, length: i64) {
    // SAFETY: plain data, and a plain call.
    unsafe {
        let mut range: libc::flock = std::mem::zeroed();
        range.l_type = kind as _;
        range.l_start = start as _;
        range.l_len = length as _;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &range), 0);
    }
}

/// What Litestream does with a change, by a trace of its system calls: the writer of one page after another in `TO`, until it
/// is as `FROM`, and the note of `TXID`. With `STOP` it is killed after the first page.
#[test]
fn applies() {
    if !is_child("applies") {
        return;
    }
    let text = |name: &str| std::env::var(name).unwrap();
    let (new, to) = (fs::read(text("FROM")).unwrap(), text("TO"));
    let old = fs::read(&to).unwrap();
    let file = fs::File::options().write(true).open(&to).unwrap();
    lock(&file, libc::F_WRLCK, PENDING, 1);
    lock(&file, libc::F_WRLCK, PENDING + 2, 510);
    for (number, page) in new.chunks(PAGE).enumerate() {
        let mut page = page.to_vec();
        if number == 0 {
            // The counter by which SQLite knows a change stays.
            page[24..28].copy_from_slice(&old[24..28]);
            page[92..96].copy_from_slice(&old[92..96]);
        }
        if old.get(number * PAGE..(number + 1) * PAGE) != Some(&page[..]) {
            file.write_all_at(&page, (number * PAGE) as u64).unwrap();
            if std::env::var_os("STOP").is_some() {
                std::process::abort();
            }
        }
    }
    file.set_len(new.len() as u64).unwrap();
    file.sync_all().unwrap();
    lock(&file, libc::F_UNLCK, PENDING + 2, 510);
    lock(&file, libc::F_UNLCK, PENDING, 1);
    fs::write(format!("{to}-txid.tmp"), format!("{}\n", text("TXID"))).unwrap();
    fs::rename(format!("{to}-txid.tmp"), format!("{to}-txid")).unwrap();
}

/// A primary, and the copy of it.
struct Pair {
    dir: Dir,
    primary: Arc<Connection>,
    txid: std::cell::Cell<u64>,
}

impl Pair {
    /// `journal`: that of the primary, which the copy's header says too.
    fn new(journal: &str) -> Pair {
        let dir = Dir::new();
        let primary = open(&dir.url(&format!("primary.db?journal_mode={journal}"))).unwrap();
        exec(&primary, "CREATE TABLE t(a, b); CREATE TABLE u(a, b)");
        exec(&primary, "INSERT INTO t VALUES(0, randomblob(3000)); INSERT INTO u VALUES(0, randomblob(3000))");
        let pair = Pair { dir, primary, txid: 0.into() };
        pair.settle();
        common::copy_file(&pair.dir, "primary.db", "copy.db");
        pair.note(1);
        pair
    }

    fn settle(&self) {
        let _ = self.primary.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn note(&self, txid: u64) {
        self.txid.set(txid);
        fs::write(self.dir.file("copy.db-txid"), format!("{txid:016x}\n")).unwrap();
    }

    /// Commits `value` to both tables, on pages that lie apart.
    fn commit(&self, value: u64) {
        exec(&self.primary, &format!("BEGIN; UPDATE t SET a = {value}; UPDATE u SET a = {value}; COMMIT"));
        self.settle();
    }

    fn apply_with(&self, stop: bool) -> bool {
        let (from, to) = (self.dir.file("primary.db"), self.dir.file("copy.db"));
        let txid = format!("{:016x}", self.txid.get() + 1);
        let mut command =
            child("applies", &[("FROM", from.to_str().unwrap()), ("TO", to.to_str().unwrap()), ("TXID", &txid)]);
        if stop {
            command.env("STOP", "1");
        }
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success();
        self.txid.set(self.txid.get() + u64::from(done));
        done
    }

    fn apply(&self) {
        assert!(self.apply_with(false));
    }

    fn follower(&self, more: &str) -> Result<Arc<Connection>, Error> {
        open(&self.dir.url(&format!("copy.db?role=follower&busy_timeout=200{more}")))
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("copy"));
        names.sort();
        names
    }
}

const BOTH: &str = "SELECT t.a || ' ' || u.a FROM t, u";

fn is_locked(path: &Path) -> bool {
    let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap()));
    fs::read_to_string("/proc/locks").unwrap().lines().any(|line| line.contains(&inode))
}

#[test]
fn a_connection_that_stays_open_sees_each_change() {
    for journal in ["wal", "delete"] {
        let pair = Pair::new(journal);
        let db = pair.follower("").unwrap();
        assert_eq!(get(&db, BOTH), "0 0");
        // The control: as any other connection would read it, when the header lets Litestream write meanwhile.
        let plain = (journal == "delete").then(|| rusqlite::Connection::open(pair.dir.file("copy.db")).unwrap());
        let sees = |plain: &rusqlite::Connection| plain.query_row(BOTH, [], |row| row.get::<_, String>(0)).unwrap();
        assert!(plain.as_ref().is_none_or(|plain| sees(plain) == "0 0"));
        for value in 1..=20 {
            pair.commit(value);
            pair.apply();
            assert_eq!(get(&db, BOTH), format!("{value} {value}"), "{journal}");
            assert_eq!(db.position().unwrap().txid(), pair.txid.get());
        }
        if let Some(plain) = plain {
            assert_eq!(sees(&plain), "0 0", "without the role it is stale without end: this proves nothing");
        }
        // A change of the schema, and a smaller file.
        exec(&pair.primary, "DROP TABLE u; CREATE TABLE v(a); INSERT INTO v VALUES('new'); VACUUM");
        pair.settle();
        pair.apply();
        assert_eq!(get(&db, "SELECT a FROM v"), "new");
        assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
        db.close().unwrap();
        pair.primary.close().unwrap();
    }
}

#[test]
fn nothing_is_kept_between_two_reads() {
    let pair = Pair::new("wal");
    let (db, copy) = (pair.follower("").unwrap(), pair.dir.file("copy.db"));
    assert_eq!(get(&db, BOTH), "0 0");
    assert!(!is_locked(&copy));
    assert_eq!(pair.files(), ["copy.db", "copy.db-txid"]);
    // In a transaction it is one state, and the writer waits for its end.
    exec(&db, "BEGIN; SELECT count(*) FROM t");
    assert!(is_locked(&copy), "the look itself");
    pair.commit(1);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let txid = format!("{:016x}", 2);
        let envs = [("FROM", pair.dir.file("primary.db")), ("TO", copy.clone())];
        let done = &done;
        scope.spawn(move || {
            let mut command = child("applies", &[("TXID", &txid)]);
            command.envs(envs).stdout(Stdio::null());
            assert!(command.status().unwrap().success());
            done.store(true, Ordering::Release);
        });
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(get(&db, BOTH), "0 0");
        assert!(!done.load(Ordering::Acquire), "it has to wait");
        exec(&db, "COMMIT");
    });
    assert_eq!(get(&db, BOTH), "1 1");
    // Neither a write nor a kept lock.
    let error = db.exec("INSERT INTO t VALUES(1, 2)").unwrap_err();
    assert_eq!(error.code() & 0xff, sqlite::SQLITE_READONLY, "{error}");
    let error = db.exec("PRAGMA locking_mode=exclusive").unwrap_err();
    assert!(error.message().contains("a lock that is kept would stop it"), "{error}");
    assert_eq!(get(&db, "PRAGMA journal_mode=wal"), "delete");
    // Copied step by step, a database that changes at each look would begin anew for ever.
    db.close().unwrap();
    set_time(&copy, SystemTime::now() - Duration::from_secs(60));
    let db = pair.follower("").unwrap();
    let to = pair.dir.file("backup.db").display().to_string();
    db.backup(&to, 1, |_, _| false).unwrap();
    let backup = rusqlite::Connection::open(&to).unwrap();
    assert_eq!(backup.query_row(BOTH, [], |row| row.get::<_, String>(0)).unwrap(), "1 1");
    db.close().unwrap();
    assert_eq!(pair.files(), ["copy.db", "copy.db-txid"]);
    pair.primary.close().unwrap();
}

/// Killed in the middle, Litestream leaves half of a change and no lock.
#[test]
fn half_of_a_change_is_shown_to_nobody() {
    let pair = Pair::new("wal");
    let db = pair.follower("").unwrap();
    assert_eq!(get(&db, BOTH), "0 0");
    pair.commit(1);
    assert!(!pair.apply_with(true));
    assert!(!is_locked(&pair.dir.file("copy.db")));
    // The control: half of it is there for anybody else.
    let halves = Command::new("cp").arg(pair.dir.file("copy.db")).arg(pair.dir.file("half.db")).status().unwrap();
    assert!(halves.success());
    let plain = rusqlite::Connection::open(pair.dir.file("half.db")).unwrap();
    let half: String = plain.query_row(BOTH, [], |row| row.get(0)).unwrap();
    assert!(half == "1 0" || half == "0 1", "{half}: this proves nothing");
    for error in [db.exec(BOTH).unwrap_err(), pair.follower("").unwrap_err()] {
        assert_eq!(error.code(), sqlite::SQLITE_BUSY, "{error}");
        assert!(
            error.message().contains("has not finished what it writes") && error.hint().contains("restore -f"),
            "{error}"
        );
    }
    pair.apply();
    assert_eq!(get(&db, BOTH), "1 1");
    db.close().unwrap();
    pair.primary.close().unwrap();
}

fn set_time(path: &Path, time: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A clock that is set back between what Litestream writes and its note.
#[test]
fn a_clock_that_jumps_shows_nothing_old() {
    let pair = Pair::new("wal");
    let db = pair.follower("").unwrap();
    assert_eq!(get(&db, BOTH), "0 0");
    set_time(&pair.dir.file("copy.db-txid"), SystemTime::now() - Duration::from_secs(3600));
    // Who has read it knows that the file is the same; another one is told.
    assert_eq!(get(&db, BOTH), "0 0");
    let error = pair.follower("").unwrap_err();
    assert!(
        error.message().contains("the clock was set back") && error.hint().contains("next commit at the primary"),
        "{error}"
    );
    pair.commit(1);
    pair.apply();
    assert_eq!(get(&db, BOTH), "1 1");
    pair.follower("").unwrap().close().unwrap();
    // Set forward it changes nothing, also for half of a change that comes after.
    set_time(&pair.dir.file("copy.db-txid"), SystemTime::now() + Duration::from_secs(3600));
    assert_eq!(get(&db, BOTH), "1 1");
    pair.commit(2);
    assert!(!pair.apply_with(true));
    assert_eq!(db.exec(BOTH).unwrap_err().code(), sqlite::SQLITE_BUSY);
    pair.apply();
    assert_eq!(get(&db, BOTH), "2 2");
    db.close().unwrap();
    pair.primary.close().unwrap();
}

#[test]
fn a_position_is_waited_for() {
    let pair = Pair::new("delete");
    let db = pair.follower("&replication_timeout=100ms").unwrap();
    assert_eq!(db.wait_for(Token::new(1), None).unwrap(), Token::new(1));
    let error = db.wait_for("0000000000000002".parse().unwrap(), None).unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::BEHIND, Some("timeout")), "{error}");
    assert!(
        error.message().contains("has 0000000000000001, and 0000000000000002") && error.message().contains("100 ms"),
        "{error}"
    );
    pair.commit(1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let has = db.wait_for(Token::new(2), Some(Duration::from_secs(60))).unwrap();
            (has, get(&db, BOTH))
        });
        pair.apply();
        assert_eq!(waiter.join().unwrap(), (Token::new(2), "1 1".to_owned()));
    });
    for wrong in ["", "2", "000000000000000g", "00000000000000002"] {
        assert!(wrong.parse::<Token>().is_err(), "{wrong}");
    }
    fs::remove_file(pair.dir.file("copy.db-txid")).unwrap();
    assert_eq!(db.position().unwrap_err().step(), Some("no_position"));
    db.close().unwrap();
    assert_eq!(db.position().unwrap_err().code(), codes::CLOSED);
    assert_eq!(pair.primary.wait_for(Token::new(1), None).unwrap_err().code(), codes::CONFLICT);
    pair.primary.close().unwrap();
}

#[test]
fn what_is_no_such_copy_is_refused_and_so_is_what_would_break_it() {
    let pair = Pair::new("wal");
    let refused = |more: &str, code: i32| {
        let error = pair.follower(more).unwrap_err();
        assert_eq!(error.code(), code, "{more}: {error}");
        error
    };
    for more in [
        "mode=rw",
        "replication=litestream",
        "durability=replicated",
        "restore=required",
        "immutable=1",
        "locking_mode=exclusive",
        "read_lock=kept",
        "mmap_size=1MiB",
    ] {
        refused(&format!("&{more}"), codes::CONFLICT);
    }
    // Another program that has it open in WAL mode stops Litestream.
    let db = pair.follower("").unwrap();
    let wal = pair.dir.file("copy.db-wal");
    fs::write(&wal, "").unwrap();
    let error = db.exec(BOTH).unwrap_err();
    assert!(
        error.code() == sqlite::SQLITE_BUSY
            && error.message().contains("in WAL mode")
            && error.message().contains("copy.db-wal"),
        "{error}"
    );
    fs::remove_file(&wal).unwrap();
    assert_eq!(get(&db, BOTH), "0 0");
    // Another copy has been put in its place.
    common::copy_file(&pair.dir, "primary.db", "other.db");
    fs::rename(pair.dir.file("other.db"), pair.dir.file("copy.db")).unwrap();
    let error = db.exec(BOTH).unwrap_err();
    assert!(error.code() == sqlite::SQLITE_READONLY_DBMOVED && error.hint().contains("reopen"), "{error}");
    db.close().unwrap();
    fs::remove_file(pair.dir.file("copy.db-txid")).unwrap();
    let error = refused("", codes::BEHIND);
    assert!(error.message().contains("copy.db-txid") && error.hint().contains("litestream restore -f"), "{error}");
    pair.primary.close().unwrap();
}

/// Litestream, following its own replica. One that was ended does not go on with the copy that it has when that is newer than
/// the replica's latest snapshot: then it begins with a new copy.
fn follow(dir: &Dir) -> Killed {
    let began = Instant::now();
    loop {
        let log = fs::File::options().create(true).append(true).open(dir.file("follower.log")).unwrap();
        let mut command = Command::new(litestream::litestream());
        command.args(["restore", "-f", "-follow-interval", "100ms", "-o"]).arg(dir.file("copy.db"));
        command.arg(format!("file://{}", dir.file("replica").display()));
        let mut follower =
            Killed(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let follows = || fs::read_to_string(dir.file("follower.log")).unwrap();
        let (lines, before) = ("entering follow mode", follows().matches("entering follow mode").count());
        while follower.0.try_wait().unwrap().is_none() {
            if follows().matches(lines).count() > before && dir.file("copy.db-txid").exists() {
                return follower;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{}", follows());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(follows().trim_end().lines().last().unwrap().contains("to re-restore"), "{}", follows());
        for name in ["copy.db", "copy.db-txid"] {
            let _ = fs::remove_file(dir.file(name));
        }
    }
}

/// Set however the scope ends: its threads must not go on after a failure.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs `look` on the connection, which is opened anew when the copy is another one, or not there at the moment.
fn read<T>(db: &mut Option<Arc<Connection>>, url: &str, look: impl Fn(&Connection) -> Result<T, Error>) -> T {
    let began = Instant::now();
    loop {
        let opened = match db.take() {
            Some(db) => Ok(db),
            None => open(url),
        };
        let error = match opened {
            Ok(opened) => match look(&opened) {
                Ok(seen) => {
                    *db = Some(opened);
                    return seen;
                }
                Err(error) => {
                    let _ = opened.exec("ROLLBACK");
                    opened.close().unwrap();
                    error
                }
            },
            Err(error) => error,
        };
        let expected = [sqlite::SQLITE_READONLY_DBMOVED, sqlite::SQLITE_BUSY, codes::BEHIND, codes::IO];
        let gone = error.code() & 0xff == sqlite::SQLITE_CANTOPEN;
        assert!(gone || expected.contains(&error.code()), "{error}");
        assert!(began.elapsed() < Duration::from_secs(60), "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn number(db: &Connection, sql: &str) -> Result<i64, Error> {
    let rows = db.query(sql, None)?;
    match rows.table().cell(0, 0) {
        litekeel_core::Cell::Int(value) => Ok(value),
        other => panic!("{other:?}"),
    }
}

/// Several readers for as long as a writer writes and Litestream follows, is killed and started again.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn the_real_litestream_is_followed_without_a_stale_or_a_torn_read() {
    let seed: u64 =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| std::process::id().into());
    eprintln!("SEED={seed}");
    let mut random = seed | 1;
    let dir = Dir::new();
    let url = dir.url(&format!("a.db?replication=litestream&replication_socket={}", dir.file("s.sock").display()));
    let db = open(&url).unwrap();
    exec(&db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, data BLOB); CREATE TABLE total(n INTEGER)");
    exec(
        &db,
        "WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i LIMIT 200) INSERT INTO t SELECT x, 0, randomblob(2000) FROM i",
    );
    exec(&db, "INSERT INTO total VALUES(0)");
    let _daemon = litestream::Daemon::start(&dir);
    let mut follower = Some(follow(&dir));
    let copy = dir.url("copy.db?role=follower&busy_timeout=5s");
    let (done, reads, mut kills) = (AtomicBool::new(false), AtomicU64::new(0), 0);
    let mut waited = Vec::new();
    std::thread::scope(|scope| {
        let _done = Done(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                let (mut db, mut newest) = (None, 0);
                while !done.load(Ordering::Acquire) {
                    // Both in one state, and never an older one than before.
                    let (sum, total) = read(&mut db, &copy, |db| {
                        db.exec("BEGIN")?;
                        let seen = (number(db, "SELECT sum(n) FROM t")?, number(db, "SELECT n FROM total")?);
                        db.exec("COMMIT").map(|()| seen)
                    });
                    assert_eq!(sum, total, "a torn read");
                    assert!(total >= newest, "{total} after {newest}");
                    newest = total;
                    reads.fetch_add(1, Ordering::Relaxed);
                    // Who reads without a pause keeps the writer waiting.
                    std::thread::sleep(Duration::from_millis(2));
                }
                if let Some(db) = db {
                    db.close().unwrap();
                }
            });
        }
        let mut reader = None;
        for round in 1..=40i64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (random >> 33) % 200 + 1;
            exec(
                &db,
                &format!(
                    "BEGIN IMMEDIATE; UPDATE t SET n = n + 1, data = randomblob(2000) WHERE id = {id}; UPDATE total SET n = n + 1; COMMIT"
                ),
            );
            if round == 20 {
                exec(&db, "CREATE TABLE later(a)");
            }
            let position = db.replicated(Some(Duration::from_secs(30))).unwrap();
            let kill = (random >> 20).is_multiple_of(8);
            if kill {
                // Perhaps in the middle of what it writes.
                std::thread::sleep(Duration::from_millis((random >> 40) % 120));
                drop(follower.take());
                follower = Some(follow(&dir));
                kills += 1;
            }
            let began = Instant::now();
            let own = read(&mut reader, &copy, |reader| {
                let has = reader.wait_for(position, Some(Duration::from_secs(10)))?;
                assert!(has >= position);
                number(reader, "SELECT n FROM total")
            });
            waited.push(began.elapsed());
            assert_eq!(own, round, "its own write");
        }
        let reader = reader.unwrap();
        assert_eq!(get(&reader, "PRAGMA integrity_check"), "ok");
        reader.close().unwrap();
    });
    waited.sort();
    let reads = reads.into_inner();
    assert!(reads > 300, "{reads} reads prove little");
    eprintln!(
        "{reads} reads of three readers, 0 torn; 40 of 40 own writes read, {} ms after the replica had them in the middle and {} at most; {kills} kills",
        waited[20].as_millis(),
        waited[39].as_millis()
    );
    drop(follower);
    db.close().unwrap();
}
