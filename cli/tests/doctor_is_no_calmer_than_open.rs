//! What makes `open` of a URL fail is a problem for `doctor` too, and what stops others is told; nothing else is an alarm.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use common::{Dir, Holder, Ran, hold_if_child, ran};
use litekeel_core::{Connection, Options};

/// In a process of another user: whether opening succeeds.
#[test]
fn opens() {
    let Ok(url) = std::env::var("OPENS") else { return };
    match Connection::open(Some(&url), &Options::new()) {
        Ok(db) => {
            db.close().unwrap();
            println!("OPENED");
        }
        Err(error) => println!("REFUSED {} {error}", error.name()),
    }
}

fn mode(path: impl AsRef<Path>, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A program of this directory as a user who owns nothing, root or not.
fn as_nobody(program: &Path, words: &[&str], dir: &Dir) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(dir.path()).env_remove("DATABASE_URL");
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(65534).gid(65534);
    }
    command
}

#[test]
fn whatever_open_refuses_is_a_problem() {
    let (dir, programs) = (Dir::new(), Dir::new());
    mode(dir.path(), 0o755);
    mode(programs.path(), 0o755);
    let litekeel = programs.public_binary();
    let opener = programs.file("opener");
    assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&opener).status().unwrap().success());
    let database = |at: &str| {
        std::fs::create_dir(dir.file(at)).unwrap();
        mode(dir.file(at), 0o777);
        dir.database(&format!("{at}/a.db"), 10)
    };
    mode(database("file"), 0o444);
    database("directory");
    mode(dir.file("directory"), 0o555);
    mode(database("unreadable"), 0o000);
    let linked = database("linked");
    std::fs::hard_link(&linked, dir.file("linked/b.db")).unwrap();
    mode(&linked, 0o666);
    let fine = database("fine");
    mode(&fine, 0o666);
    let side = database("side");
    mode(&side, 0o666);
    std::fs::write(dir.file("side/a.db-wal"), b"").unwrap();
    mode(dir.file("side/a.db-wal"), 0o400);
    let rollback = dir.database("fine/d.db?journal_mode=delete", 5);
    mode(&rollback, 0o666);
    std::fs::create_dir(dir.file("orphan")).unwrap();
    mode(dir.file("orphan"), 0o777);
    std::fs::write(dir.file("orphan/a.db"), b"").unwrap();
    std::fs::write(dir.file("orphan/a.db-wal"), [1; 64]).unwrap();
    for name in ["orphan/a.db", "orphan/a.db-wal"] {
        mode(dir.file(name), 0o666);
    }
    let mut both = [0, 0];
    for url in [
        "file/a.db",
        "file/a.db?mode=ro",
        "file/a.db?mode=rw",
        "directory/a.db",
        "directory/a.db?mode=ro",
        "directory/a.db?immutable=1",
        "unreadable/a.db",
        "linked/a.db",
        "linked/a.db?mode=ro",
        "linked/a.db?hard_links=1",
        "fine/a.db",
        "fine/a.db?mode=ro",
        "fine/a.db?synchronous=off",
        "fine/a.db?page_size=8192",
        "fine/d.db",
        "fine/d.db?mode=ro",
        "side/a.db",
        "orphan/a.db",
        "orphan/a.db?mode=ro",
    ] {
        let full = format!("file:{}/{url}", dir.path().display());
        let ran_doctor = ran(as_nobody(&litekeel, &["doctor", &full], &dir));
        let mut open = as_nobody(&opener, &["--exact", "opens", "--nocapture"], &dir);
        open.env("OPENS", &full);
        let opened = ran(open);
        let refused = opened.out.contains("REFUSED");
        assert_ne!(refused, opened.out.contains("OPENED"), "{opened:?}");
        // Two names of one file are a problem, whether or not opening was told to bear it.
        let expected = refused || url.starts_with("linked/");
        assert_eq!(ran_doctor.status, i32::from(expected), "{url}: {} but {}", opened.out, ran_doctor.out);
        assert_eq!(ran_doctor.out.contains('✗'), expected, "{url}: {}", ran_doctor.out);
        both[usize::from(refused)] += 1;
        if url == "directory/a.db?mode=ro" {
            assert!(
                ran_doctor.out.contains("immutable=1") && !ran_doctor.out.contains("with mode=ro"),
                "{ran_doctor:?}"
            );
        }
    }
    assert!(both[0] >= 7 && both[1] >= 7, "{both:?}");
    for name in ["directory", "unreadable/a.db"] {
        mode(dir.file(name), 0o777);
    }
}

fn doctor(dir: &Dir, words: &[&str]) -> Ran {
    dir.litekeel(&[&["doctor", "a.db"], words].concat())
}

#[test]
fn a_write_lock_that_is_held_all_the_while_is_told_and_a_short_one_is_not() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let me = "a_write_lock_that_is_held_all_the_while_is_told_and_a_short_one_is_not";
    let url = format!("file:{}/a.db", dir.path().display());
    let writer = Holder::start(me, &url, "BEGIN IMMEDIATE");
    let ran = doctor(&dir, &[]);
    let line =
        ran.out.lines().find(|line| line.contains("through this whole look")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(line.starts_with("! holders") && line.contains(&format!("pid {} (", writer.0.id())), "{line}");
    assert!(line.contains("SQLITE_BUSY") && ran.status == 0 && ran.out.ends_with("1 warning\n"), "{ran:?}");
    assert_eq!(doctor(&dir, &["--strict"]).status, 1);
    // The table says that nobody knows since when.
    let row = ran.out.lines().find(|line| line.contains(" writer ")).unwrap();
    assert_eq!(row.split_whitespace().nth(3), Some("?"), "{row}");
    let ran = dir.litekeel(&["checkpoint", "a.db"]);
    let last = ran.out.lines().last().unwrap();
    assert!(ran.status == 1 && last.contains(&format!("pid {} (", writer.0.id())), "{ran:?}");
    assert!(last.contains("has the write lock, which truncate needs"), "{ran:?}");
    drop(writer);
    // A reader has none.
    let reader = Holder::start(me, &url, "BEGIN; SELECT * FROM t");
    let ran = doctor(&dir, &[]);
    assert!(!ran.out.contains("whole look") && ran.out.ends_with("nothing to worry about\n"), "{ran:?}");
    drop(reader);
    // Somebody who writes again and again holds it for moments.
    let busy = dir.open("a.db?busy_timeout=5s");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // Nearly all the time, but never for long.
                let sql = "BEGIN IMMEDIATE; INSERT INTO t VALUES(1, 2), (3, 4); COMMIT";
                busy.lock().unwrap().sqlite().execute_batch(sql).unwrap();
            }
        });
        for _ in 0..5 {
            let ran = doctor(&dir, &[]);
            assert!(!ran.out.contains("whole look"), "{ran:?}");
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    busy.close().unwrap();
}

#[test]
fn what_was_not_looked_at_is_said_and_nothing_is_said_twice() {
    let dir = Dir::new();
    dir.database("a.db", 10);
    assert!(doctor(&dir, &[]).out.contains("· foreign_keys not checked (--full)"));
    assert!(doctor(&dir, &["--no-content"]).out.contains("· content      not checked (--no-content)"));
    assert!(!doctor(&dir, &["--full"]).out.contains("not checked"));

    let db = dir.open("f.db?foreign_keys=0");
    let sql = "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO c VALUES(1), (2)";
    db.lock().unwrap().sqlite().execute_batch(sql).unwrap();
    db.close().unwrap();
    let ran = dir.litekeel(&["doctor", "f.db", "--full"]);
    assert!(ran.status == 1 && ran.out.contains("2 rows of c refer to rows of p that do not exist"), "{ran:?}");
}

#[test]
fn a_crashed_process_is_a_note_and_litestreams_lock_its_own_affair() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let me = "a_crashed_process_is_a_note_and_litestreams_lock_its_own_affair";
    let url = format!("file:{}/a.db", dir.path().display());
    drop(Holder::start(me, &url, "INSERT INTO t VALUES(1, 2)"));
    let ran = doctor(&dir, &[]);
    assert!(!ran.out.contains("recovered") && ran.out.contains("the last one did not close"), "{ran:?}");
    assert_eq!((ran.status, ran.out.matches('!').count()), (0, 0), "{ran:?}");

    let named = dir.file("litestream");
    assert!(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&named).status().unwrap().success());
    let reader = Holder::start_as(&named, me, &url, "BEGIN; SELECT * FROM t", &[]);
    let other = Holder::start(me, &url, "INSERT INTO t VALUES(3, 4)");
    let ran = doctor(&dir, &[]);
    let lines: Vec<_> = ran.out.lines().collect();
    let at = lines.iter().position(|line| line.contains("pins frame")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(lines[at].contains("litestream") && lines[at + 1].contains("checkpoints by itself"), "{ran:?}");
    assert!(!ran.out.contains("if it hangs"), "{ran:?}");
    drop((reader, other));
}

#[test]
fn a_pin_makes_no_remedy_that_cannot_help() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db?journal_size_limit=100000", 10);
    let me = "a_pin_makes_no_remedy_that_cannot_help";
    let url = format!("file:{}/a.db?journal_size_limit=100000", dir.path().display());
    let reader = Holder::start(me, &url, "BEGIN; SELECT * FROM t");
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, hex(randomblob(1000000)))");
    let wal = |ran: &Ran| {
        let at = ran.out.lines().position(|line| line.starts_with("! wal")).unwrap_or_else(|| panic!("{ran:?}"));
        ran.out.lines().nth(at + 1).unwrap().to_owned()
    };
    let url = "file:a.db?journal_size_limit=100000";
    let pinned = dir.litekeel(&["doctor", url]);
    assert!(wal(&pinned).contains("end the reader") && !wal(&pinned).contains("litekeel checkpoint"), "{pinned:?}");
    drop(reader);
    let free = dir.litekeel(&["doctor", url]);
    assert!(wal(&free).contains("litekeel checkpoint moves it"), "{free:?}");
    drop(writer);
}

#[test]
fn a_process_outside_the_pid_namespace_is_seen() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("a.db", 10);
    let me = "a_process_outside_the_pid_namespace_is_seen";
    let url = format!("file:{}/a.db", dir.path().display());
    let inside = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", env!("CARGO_BIN_EXE_litekeel")]);
        command.args(words).current_dir(dir.path()).env_remove("DATABASE_URL");
        ran(command)
    };
    if inside(&["--version"]).status != 0 {
        return eprintln!("SKIPPED: no PID namespace may be made here");
    }
    let writer = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2); BEGIN IMMEDIATE");
    let doctor = inside(&["doctor", "a.db"]);
    assert!(!doctor.out.contains("did not close") && doctor.out.contains("somebody outside this PID"), "{doctor:?}");
    assert!(doctor.out.contains("through this whole look"), "{doctor:?}");
    let who = inside(&["who", "a.db"]);
    let row = who.out.lines().find(|line| line.contains(" writer ")).unwrap_or_else(|| panic!("{who:?}"));
    assert!(row.trim_start().starts_with('?') && row.contains("outside this PID namespace"), "{row}");
    let watch = inside(&["watch", "a.db", "--count", "2", "--interval", "60ms"]);
    assert!(watch.out.contains("writers 1") && watch.out.contains("held in 100 %"), "{watch:?}");
    let checkpoint = inside(&["checkpoint", "a.db"]);
    assert!(
        checkpoint.status == 1 && checkpoint.out.contains("somebody outside this PID namespace has the write lock"),
        "{checkpoint:?}"
    );
    drop(writer);
    let doctor = inside(&["doctor", "a.db"]);
    assert!(!doctor.out.contains("outside") && doctor.status == 0, "{doctor:?}");
}

#[test]
fn a_missing_source_is_said_as_what_it_is() {
    let dir = Dir::new();
    for words in [
        &["backup", "nope.db", "x.db"][..],
        &["restore", "nope.db", "x.db"],
        &["checkpoint", "nope.db"],
        &["who", "nope.db"],
    ] {
        let ran = dir.litekeel(words);
        assert!(ran.status == 3 && ran.err.contains("nope.db does not exist"), "{ran:?}");
        assert!(!ran.err.contains("mode=") && ran.err.contains("check the path"), "{ran:?}");
    }
    assert_eq!(dir.listing().len(), 1);
}

/// What lies at the name of one of SQLite's files and is not a file holds no rows, and no transaction to roll back.
#[test]
fn what_is_not_a_log_is_not_taken_for_one() {
    for suffix in ["-wal", "-shm", "-journal"] {
        for kind in ["a directory", "a symbolic link", "a socket"] {
            let dir = Dir::new();
            dir.database("a.db", 10);
            let place = dir.file(&format!("a.db{suffix}"));
            let _socket = match kind {
                "a directory" => std::fs::create_dir(&place).map(|()| None),
                "a symbolic link" => {
                    std::fs::write(dir.file("elsewhere"), "some bytes").unwrap();
                    std::os::unix::fs::symlink("elsewhere", &place).map(|()| None)
                }
                _ => std::os::unix::net::UnixListener::bind(&place).map(Some),
            }
            .unwrap();
            let context = format!("{kind} as {suffix}");
            let ran = dir.litekeel(&["doctor", "a.db", "--json"]);
            let findings = ran.json()["findings"].as_array().unwrap().clone();
            let problems: Vec<_> = findings.iter().filter(|finding| finding["level"] == "problem").collect();
            let said = format!("a.db{suffix} is {kind}, not a file");
            assert!(
                problems.iter().any(|finding| finding["found"].as_str().unwrap().contains(&said)),
                "{context}: {ran:?}"
            );
            assert!(!ran.out.contains("recovers it") && !ran.out.contains("never delete"), "{context}: {}", ran.out);
            // The same words from every other command.
            let backup = dir.litekeel(&["backup", "a.db", "copy.db"]);
            assert!(
                backup.status == 0 && suffix == "-shm" || backup.err.contains(&format!("is {kind}, not a file")),
                "{context}: {backup:?}"
            );
            assert!(!backup.err.contains("crashed"), "{context}: {backup:?}");
        }
    }
}
