//! A reader in a process of its own.
#![allow(dead_code)] // Each test program uses its part.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::common::{child, exec, get, open};

/// A process that holds a read transaction until it is killed.
pub struct Reader(Child);

impl Reader {
    pub fn start(test: &str, url: &str) -> Reader {
        let mut process = child(test, &[("URL", url)]).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let ready = out.lines().map_while(Result::ok).any(|line| line.contains("reading"));
        assert!(ready, "the reader did not start");
        Reader(process)
    }
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
    pub fn stop(&self) {
        // SAFETY: a signal to our own child.
        unsafe { libc::kill(self.pid() as i32, libc::SIGSTOP) };
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the process does.
pub fn read_until_killed() -> ! {
    let connection = open(&std::env::var("URL").unwrap()).unwrap();
    exec(&connection, "BEGIN");
    get(&connection, "SELECT count(*) FROM t");
    println!("reading");
    loop {
        std::thread::park();
    }
}
