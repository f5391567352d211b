//! What the tests of the command share: a directory, the real binary, and a process that uses a database.
#![allow(dead_code)] // Each test program uses its part.

pub mod tmux;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use litekeel_core::{Connection, Options};
use serde_json::Value;

/// A directory of one test, gone when the test is. Its name was never used before: a process that was killed leaves its
/// directory behind, and its number comes again.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Dir {
        // Some tests look into it as another user.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        Dir(tempfile::Builder::new().prefix("litekeel-cli-").permissions(mode).tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Every file with its size, time and inode, and the directory's own time.
    pub fn listing(&self) -> BTreeMap<String, (u64, i64, i64, u64)> {
        let own = self.path().metadata().unwrap();
        let entries = std::fs::read_dir(self.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            (entry.file_name().into_string().unwrap(), (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ino()))
        });
        entries.chain([(".".to_owned(), (0, own.mtime(), own.mtime_nsec(), own.ino()))]).collect()
    }

    /// Runs the command in this directory.
    pub fn litekeel(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_litekeel"));
        command.args(arguments).current_dir(self.path()).env_remove("DATABASE_URL").env_remove("NO_COLOR");
        command
    }

    /// A copy of the binary that every user may run: the original may lie where nobody else may look. By a process of its
    /// own: a file that is open for writing here would be so in a child that another test starts now, and cannot be run.
    pub fn public_binary(&self) -> PathBuf {
        let copy = self.file("litekeel");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_litekeel")).arg(&copy).status().unwrap();
        assert!(copied.success());
        copy
    }

    /// A database `name` with a table `t` of so many rows, in WAL mode unless told otherwise; closed.
    pub fn database(&self, name: &str, rows: u32) -> PathBuf {
        let db = self.open(name);
        let sql = format!(
            "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}) \
             INSERT INTO t SELECT i, hex(randomblob(100)) FROM n"
        );
        db.lock().unwrap().sqlite().execute_batch(&sql).unwrap();
        db.close().unwrap();
        self.file(name.split('?').next().unwrap())
    }

    pub fn open(&self, name: &str) -> std::sync::Arc<Connection> {
        Connection::open(Some(&format!("file:{}/{name}", self.path().display())), &Options::new()).unwrap()
    }
}

/// What a run of the command gave.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn ran(mut command: Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that runs SQL on a database and then stays as it is until it is killed.
pub struct Holder(pub Child);

impl Holder {
    /// Runs this test program again, as `test`, which has to call [`hold_if_child`] first.
    pub fn start(test: &str, url: &str, sql: &str) -> Holder {
        Holder::start_with(test, url, sql, &[])
    }

    /// The same with more arguments, which the test program takes for names of other tests.
    pub fn start_with(test: &str, url: &str, sql: &str, arguments: &[&str]) -> Holder {
        Holder::run(&std::env::current_exe().unwrap(), test, url, sql, arguments)
    }

    /// The same under the name of another program: a copy of this one.
    pub fn start_as(program: &Path, test: &str, url: &str, sql: &str, arguments: &[&str]) -> Holder {
        Holder::run(program, test, url, sql, arguments)
    }

    fn run(program: &Path, test: &str, url: &str, sql: &str, arguments: &[&str]) -> Holder {
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env("HOLD_URL", url)
            .env("HOLD_SQL", sql)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "holding"));
        Holder(child)
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child, not waited for yet.
        unsafe { libc::kill(self.0.id() as i32, signal) };
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the process that [`Holder::start`] made: runs the SQL, steps one row of its last SELECT, and stays.
pub fn hold_if_child() {
    let (Ok(url), Ok(sql)) = (std::env::var("HOLD_URL"), std::env::var("HOLD_SQL")) else { return };
    let db = Connection::open(Some(&url), &Options::new()).unwrap();
    db.lock().unwrap().sqlite().execute_batch(&sql).unwrap();
    println!("\nholding");
    std::thread::sleep(std::time::Duration::from_secs(120));
    std::process::exit(0);
}
