//! A C program whose standard error nobody reads, or that has none, ends as it would have: same status, same rows, closed.
#![cfg(target_os = "linux")]

mod object;

use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

#[derive(Clone, Copy, Debug, PartialEq)]
enum StandardError {
    Read,
    ReaderGone,
    Closed,
}

struct End {
    status: ExitStatus,
    told: String,
    rows: i64,
    wal: bool,
}

fn run(program: &Path, mode: &str, standard_error: StandardError) -> End {
    let dir = object::scratch("unread");
    let database = dir.join("a.db");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(program);
    command.args([mode, database.to_str().unwrap()]).stderr(Stdio::from(writer));
    // As a shell starts a program: this one ignores SIGPIPE, and an ignored signal stays so.
    // SAFETY: `signal` and `close` may be called between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::signal(libc::SIGTERM, libc::SIG_DFL);
            if standard_error == StandardError::Closed {
                libc::close(2);
            }
            Ok(())
        });
    }
    let mut told = String::new();
    let mut child;
    if standard_error == StandardError::ReaderGone {
        drop(reader);
        child = command.spawn().unwrap();
    } else {
        child = command.spawn().unwrap();
        drop(command); // It holds the other end of the pipe.
        reader.read_to_string(&mut told).unwrap();
    }
    let status = child.wait().unwrap();
    let wal = dir.join("a.db-wal").exists();
    let db = rusqlite::Connection::open(&database).unwrap();
    let rows = db.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
    let rows = rows.unwrap_or_else(|error| panic!("{mode}, {standard_error:?}, {status}: {error}: {told}"));
    drop(db);
    fs::remove_dir_all(dir).unwrap();
    End { status, told, rows, wal }
}

#[test]
fn who_does_not_read_changes_nothing() {
    let dir = object::scratch("unread-program");
    let program = object::compile("unread", &dir);
    for (mode, code, signal, rows, line) in [
        ("exit", Some(3), None, 1, "a connection was open at exit"),
        ("two", Some(3), None, 2, "a connection was open at exit"),
        ("strict", Some(1), None, 1, "profile=test: exit status 1"),
        ("signal", None, Some(libc::SIGTERM), 1, "1 transaction(s) rolled back"),
    ] {
        for standard_error in [StandardError::Read, StandardError::ReaderGone, StandardError::Closed] {
            let end = run(&program, mode, standard_error);
            let ended = (end.status.code(), end.status.signal(), end.rows, end.wal);
            assert_eq!(ended, (code, signal, rows, false), "{mode}, {standard_error:?}: {}", end.told);
            // The line is there to be lost.
            assert_eq!(end.told.contains(line), standard_error == StandardError::Read, "{mode}: {:?}", end.told);
        }
    }
    fs::remove_dir_all(dir).unwrap();
}
