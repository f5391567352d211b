//! The server as a child process, killed with the test.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use litekeel_remote::{Endpoint, Remote};
use tempfile::TempDir;

/// A server, and the directory with its data and its log.
pub struct Sqld {
    dir: TempDir,
    http: u16,
    grpc: u16,
    primary: Option<u16>,
    process: Option<Child>,
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Sqld {
    pub fn primary() -> Sqld {
        Sqld::with(None)
    }

    pub fn replica_of(primary: &Sqld) -> Sqld {
        Sqld::with(Some(primary.grpc))
    }

    fn with(primary: Option<u16>) -> Sqld {
        let dir = tempfile::Builder::new().prefix("litekeel-").tempdir().unwrap();
        let mut server = Sqld { dir, http: 0, grpc: 0, primary, process: None };
        server.start();
        server
    }

    /// Starts it and waits until it answers. The first time it looks for ports until no other process has taken them
    /// meanwhile.
    pub fn start(&mut self) {
        let first = self.http == 0;
        for _ in 0..5 {
            if first {
                (self.http, self.grpc) = (free_port(), free_port());
            }
            let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
            let mut command = Command::new(std::env::var_os("SQLD").expect("scripts/test-scale names it in SQLD"));
            command.args(["--no-welcome", "--db-path"]).arg(self.dir.path().join("data"));
            command.args(["--http-listen-addr", &format!("127.0.0.1:{}", self.http)]);
            match self.primary {
                Some(port) => command.args(["--primary-grpc-url", &format!("http://127.0.0.1:{port}")]),
                None => command.args(["--grpc-listen-addr", &format!("127.0.0.1:{}", self.grpc)]),
            };
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            self.process = Some(command.spawn().unwrap());
            let until = Instant::now() + Duration::from_secs(30);
            while Instant::now() < until {
                if self.process.as_mut().unwrap().try_wait().unwrap().is_some() {
                    break;
                }
                let body = r#"{"requests":[{"type":"execute","stmt":{"sql":"SELECT 1"}},{"type":"close"}]}"#;
                if self.post(body).is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            self.kill();
            // A later start wants the same ports again.
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("it does not start: {}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            process.wait().unwrap();
        }
    }

    /// Its URL, with more parameters.
    pub fn url(&self, more: &str) -> String {
        format!("libsql://127.0.0.1:{}?tls=0{more}", self.http)
    }

    pub fn open(&self, more: &str) -> Remote {
        Remote::at(Endpoint::parse(&self.url(more), None).unwrap())
    }

    fn post(&self, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let head =
            format!("POST /v3/pipeline HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}");
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Plain statements on a stream that is kept, as other clients send them: the answer, and the baton.
    pub fn raw(&self, baton: Option<String>, statements: &[&str]) -> (String, Option<String>) {
        let requests = statements.iter().map(|sql| format!(r#"{{"type":"execute","stmt":{{"sql":"{sql}"}}}}"#));
        let requests = requests.collect::<Vec<_>>().join(",");
        let baton = baton.map_or("null".to_owned(), |baton| format!("\"{baton}\""));
        let answer = self.post(&format!(r#"{{"baton":{baton},"requests":[{requests}]}}"#)).expect("an answer");
        let next = answer.split(r#""baton":""#).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
        (answer, next)
    }
}

impl Drop for Sqld {
    fn drop(&mut self) {
        self.kill();
    }
}
