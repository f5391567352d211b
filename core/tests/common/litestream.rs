//! The real Litestream, for the tests that `scripts/test-scale` runs.
#![allow(dead_code)] // Each test program uses its part.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Dir, Killed};

pub fn litestream() -> PathBuf {
    PathBuf::from(std::env::var_os("LITESTREAM").expect("scripts/test-scale names the executable in LITESTREAM"))
}

/// A daemon that replicates `a.db` of the directory to a folder beside it.
pub struct Daemon {
    pub process: Killed,
    dir: PathBuf,
}

impl Daemon {
    pub fn start(dir: &Dir) -> Daemon {
        let at = dir.path().to_owned();
        let place = at.display();
        let _ = fs::remove_file(at.join("s.sock"));
        let config = format!(
            "socket: {{enabled: true, path: {place}/s.sock}}\ndbs:\n  - path: {place}/a.db\n    replica: {{type: file, path: {place}/replica}}\n"
        );
        fs::write(at.join("litestream.yml"), config).unwrap();
        let log = fs::File::options().create(true).append(true).open(at.join("log")).unwrap();
        let mut command = Command::new(litestream());
        command.arg("replicate").arg("-config").arg(at.join("litestream.yml"));
        let process = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let daemon = Daemon { process: Killed(process), dir: at };
        daemon.sync();
        daemon
    }

    /// Waits until everything that is committed now is at the replica.
    pub fn sync(&self) {
        let body = format!("{{\"path\":\"{}/a.db\",\"wait\":true,\"timeout\":30}}", self.dir.display());
        let request = format!(
            "POST /sync HTTP/1.1\r\nHost: litestream\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        let mut last = String::new();
        while began.elapsed() < Duration::from_secs(60) {
            last.clear();
            if let Ok(mut stream) = UnixStream::connect(self.dir.join("s.sock")) {
                stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
                let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut last));
                if asked.is_ok() && last.starts_with("HTTP/1.1 200") && last.contains("replicated_txid") {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Litestream did not sync in 60 s: {last}\n{}", fs::read_to_string(self.dir.join("log")).unwrap());
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}
