//! What the tests of open and close share.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use litekeel_core::{Connection, Error, Options};

/// A directory of one test, gone when the test is.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("litekeel-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Dir(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    pub fn url(&self, rest: &str) -> String {
        format!("file:{}/{rest}", self.0.display())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn open(url: &str) -> Result<Arc<Connection>, Error> {
    Connection::open(Some(url), &Options::new())
}

pub fn exec(connection: &Connection, sql: &str) {
    connection.lock().unwrap().sqlite().execute_batch(sql).unwrap();
}

pub fn get(connection: &Connection, sql: &str) -> String {
    let guard = connection.lock().unwrap();
    guard
        .sqlite()
        .query_row(sql, [], |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            })
        })
        .unwrap()
}

/// Runs one test function of this binary in a process of its own, with `ROLE` set for it.
pub fn child(test: &str, envs: &[(&str, &str)]) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("ROLE", test);
    command.envs(envs.iter().copied());
    command
}

/// Whether this process was started by [`child`] for that test.
pub fn is_child(test: &str) -> bool {
    std::env::var("ROLE").is_ok_and(|role| role == test)
}
