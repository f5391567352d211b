//! A C program that asked for it closes its databases when a signal ends it; nothing acknowledged is lost, nothing half.
#![cfg(target_os = "linux")]

mod object;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    database: PathBuf,
}

/// Starts `shutdown MODE` and waits until it is ready.
fn start(program: &Path, dir: &Path, mode: &str) -> Program {
    let database = dir.join(format!("{mode}.db"));
    let _ = std::fs::remove_file(&database);
    let mut command = Command::new(program);
    command.args([mode, database.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whoever runs the tests in the background, or under nohup, has them ignore signals, and an ignored one stays so.
    // SAFETY: `signal` may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    if line != "ready\n" {
        panic!("{mode}: {:?}", child.wait_with_output());
    }
    Program { child, out, database }
}

struct End {
    status: ExitStatus,
    took: Duration,
    out: String,
    err: String,
    wal: bool,
    rows: i64,
    database: PathBuf,
}

impl Program {
    fn signal(&self, signal: i32) {
        // SAFETY: our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    fn end(mut self) -> End {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > Duration::from_secs(30) {
                self.child.kill().unwrap();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = began.elapsed();
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let wal = Path::new(&format!("{}-wal", self.database.display())).exists();
        let database = self.database;
        let rows = count(&database, "SELECT count(*) FROM t");
        End { status, took, out, err, wal, rows, database }
    }
}

fn count(database: &Path, sql: &str) -> i64 {
    let db = rusqlite::Connection::open(database).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_signal_closes_everything_and_the_exit_status_is_its_own() {
    let dir = object::scratch("shutdown");
    let program = object::compile("shutdown", &dir);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let running = start(&program, &dir, "idle");
        running.signal(signal);
        let end = running.end();
        assert_eq!((end.status.signal(), end.wal, end.rows), (Some(signal), false, 1), "{}", end.err);
        assert!(end.took < Duration::from_secs(2), "nothing was to wait for: {:?}", end.took);
    }
    // The control: without it, the WAL stays.
    let running = start(&program, &dir, "control");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.signal(), end.wal), (Some(libc::SIGTERM), true));
    let status = Command::new(&program).args(["wrong", dir.join("wrong.db").to_str().unwrap()]).status().unwrap();
    assert!(status.success());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn writers_finish_or_are_rolled_back_whole_and_readers_are_not_waited_for() {
    let dir = object::scratch("shutdown-writers");
    let program = object::compile("shutdown", &dir);
    for round in 0..8 {
        let running = start(&program, &dir, "pairs");
        std::thread::sleep(Duration::from_millis(5 + 17 * round));
        running.signal(libc::SIGTERM);
        let end = running.end();
        assert_eq!((end.status.signal(), end.wal), (Some(libc::SIGTERM), false), "{}", end.err);
        let last = end.out.lines().last().map_or(0, |line| line.parse::<i64>().unwrap());
        let halves = count(&end.database, "SELECT count(*) FROM (SELECT 1 FROM t GROUP BY a HAVING count(*) <> 2)");
        // What was committed just before the end may not have been acknowledged any more.
        assert!(halves == 0 && (end.rows == 2 * last || end.rows == 2 * last + 2), "{} of {last}", end.rows);
    }
    let running = start(&program, &dir, "finishing");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.signal(), end.wal, end.rows), (Some(libc::SIGTERM), false, 2), "{}", end.err);

    let running = start(&program, &dir, "stuck");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.signal(), end.wal, end.rows), (Some(libc::SIGTERM), false, 0), "{}", end.err);
    assert!(end.took >= Duration::from_millis(300) && end.err.contains("1 transaction(s) rolled back"), "{}", end.err);

    let running = start(&program, &dir, "reading");
    std::thread::sleep(Duration::from_millis(100));
    running.signal(libc::SIGINT);
    let end = running.end();
    assert_eq!((end.status.signal(), end.wal), (Some(libc::SIGINT), false), "{}", end.err);
    assert!(end.took < Duration::from_secs(2), "a reader was waited for: {:?}", end.took);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_handler_of_the_program_a_second_signal_and_a_child_are_respected() {
    let dir = object::scratch("shutdown-chain");
    let program = object::compile("shutdown", &dir);
    let running = start(&program, &dir, "chained");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.code(), end.wal, end.rows), (Some(7), false, 1), "{}", end.err);

    let running = start(&program, &dir, "twice");
    running.signal(libc::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.signal(), end.wal, end.rows), (Some(libc::SIGTERM), false, 0), "{}", end.err);
    assert!(end.took < Duration::from_secs(30), "the writer was waited for after the second: {:?}", end.took);

    for mode in ["ignored", "forked", "cloned"] {
        let running = start(&program, &dir, mode);
        running.signal(libc::SIGTERM);
        let end = running.end();
        assert_eq!((end.status.signal(), end.wal, end.rows), (Some(libc::SIGTERM), false, 2), "{mode}: {}", end.err);
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// Whatever ends the process in the program's own handler, closing has come first; and the handler does run.
#[test]
fn a_handler_that_ends_the_process_does_so_after_everything_is_closed() {
    let dir = object::scratch("shutdown-handlers");
    let program = object::compile("shutdown", &dir);
    for _ in 0..5 {
        // `over-dies`: one that is installed over ours and calls it before it ends the process.
        // As the runtimes of Ruby, PHP, Go and others do, and as a program with `_exit` in its handler.
        for (mode, expected) in [
            ("dies", (None, Some(libc::SIGTERM))),
            ("leaves", (Some(9), None)),
            ("over-dies", (None, Some(libc::SIGTERM))),
        ] {
            let running = start(&program, &dir, mode);
            running.signal(libc::SIGTERM);
            let end = running.end();
            let status = (end.status.code(), end.status.signal());
            assert_eq!((status, end.wal, end.rows), (expected, false, 1), "{mode}: {}", end.err);
        }
    }
    // Installed over ours: called at once, and hands on to ours, which closes. The program's end is its own affair.
    let running = start(&program, &dir, "over");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.code(), end.wal, end.rows, &end.out[..]), (Some(7), false, 1, "over\n"), "{}", end.err);
    // One above ours and one below: the one below hears of it too, when everything is closed.
    let running = start(&program, &dir, "between");
    running.signal(libc::SIGTERM);
    let end = running.end();
    assert_eq!((end.status.code(), end.wal, end.rows), (Some(7), false, 1), "{}", end.err);
    assert!(end.out.starts_with("over\n") && end.out.contains("under\n"), "{}", end.out);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_main_that_returns_while_it_is_closed_has_the_signals_status() {
    let dir = object::scratch("shutdown-returns");
    let program = object::compile("shutdown", &dir);
    for mode in ["returns", "returns-writing"] {
        for _ in 0..5 {
            let running = start(&program, &dir, mode);
            // In `pause`, before which it has said that it is ready.
            std::thread::sleep(Duration::from_millis(50));
            running.signal(libc::SIGTERM);
            let end = running.end();
            assert_eq!(
                (end.status.signal(), end.wal, end.rows),
                (Some(libc::SIGTERM), false, 1),
                "{mode}: {}",
                end.err
            );
            assert!(!end.err.contains("open at exit"), "{}", end.err);
            assert!(end.took < Duration::from_secs(30), "who exits ends no transaction any more: {:?}", end.took);
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn after_the_signal_every_write_is_refused_with_the_one_code() {
    let dir = object::scratch("shutdown-late");
    let program = object::compile("shutdown", &dir);
    for _ in 0..20 {
        let running = start(&program, &dir, "late");
        std::thread::sleep(Duration::from_millis(20));
        running.signal(libc::SIGTERM);
        let end = running.end();
        assert_eq!((end.status.code(), end.wal, end.rows), (Some(8), false, 1), "{}", end.err);
        assert_eq!(end.out, "refused\n");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_child_of_a_process_that_used_us_closes_its_own_connections_and_no_others() {
    let dir = object::scratch("shutdown-prefork");
    let program = object::compile("shutdown", &dir);
    for (mode, status, rows) in
        [("prefork-exit", 5, 2), ("prefork-open", 5, 2), ("prefork-signal", 115, 2), ("prefork-both", 115, 2)]
    {
        let end = start(&program, &dir, mode).end();
        assert_eq!((end.status.code(), end.wal, end.rows), (Some(status), false, rows), "{mode}: {}", end.err);
        let childs = dir.join(format!("{mode}.db-child-wal"));
        assert!(!childs.exists(), "{mode}: {}", end.err);
        let told = end.err.matches("a connection was open at exit (closed now)").count();
        assert_eq!(told, usize::from(status == 5), "{mode}: {}", end.err);
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn quick_exit_closes_too() {
    let dir = object::scratch("shutdown-quick");
    let program = object::compile("shutdown", &dir);
    let end = start(&program, &dir, "quick").end();
    assert_eq!((end.status.code(), end.wal, end.rows), (Some(6), false, 1), "{}", end.err);
    std::fs::remove_dir_all(dir).unwrap();
}
