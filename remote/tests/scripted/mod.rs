//! A server that answers as it was told to.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub const CANARY: &str = "ca.na-ry_0123456789";

#[derive(Clone)]
pub enum Reply {
    Json(u16, String),
    Text(u16, String),
    /// The whole answer, as it goes over the wire.
    Raw(String),
    /// Reads the request, and ends the connection.
    Cut,
    /// Reads the request, and says nothing.
    Silent,
    /// Promises more than it sends, and ends the connection.
    Short(String),
    /// Promises much, and sends a byte now and then.
    Trickle,
}

pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

fn serve(stream: TcpStream, replies: &Mutex<std::vec::IntoIter<Reply>>, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.lock().unwrap().push(String::from_utf8(body).unwrap());
        let (status, kind, text) = match replies.lock().unwrap().next() {
            Some(Reply::Json(status, text)) => (status, "application/json", text),
            Some(Reply::Text(status, text)) => (status, "text/plain", text),
            Some(Reply::Raw(text)) => {
                let _ = stream.write_all(text.as_bytes());
                continue;
            }
            Some(Reply::Cut) => return,
            Some(Reply::Silent) => {
                let _ = reader.read_line(&mut line);
                return;
            }
            Some(Reply::Short(text)) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{text}", text.len() + 1);
                let _ = stream.write_all(head.as_bytes());
                return;
            }
            Some(Reply::Trickle) => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n");
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            None => (500, "text/plain", "the script is over".to_owned()),
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).unwrap();
    }
}

pub fn server(replies: Vec<Reply>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (replies, seen) = (Arc::new(Mutex::new(replies.into_iter())), Arc::new(Mutex::new(Vec::new())));
    let recorded = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (replies, seen) = (replies.clone(), recorded.clone());
            thread::spawn(move || serve(stream, &replies, &seen));
        }
    });
    Server { port, seen }
}

impl Server {
    /// Its URL, with a token and more parameters.
    pub fn url(&self, more: &str) -> String {
        format!("libsql://127.0.0.1:{}?tls=0&authToken={CANARY}{more}", self.port)
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub fn ok(result: &str) -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":null,"base_url":null,"results":[{{"type":"ok","response":{{"type":"execute","result":{result}}}}}]}}"#
        ),
    )
}

pub const EMPTY: &str =
    r#"{"cols":[],"rows":[],"affected_row_count":1,"last_insert_rowid":"7","replication_index":"41"}"#;

pub fn begun() -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":"b1","base_url":null,"results":[{{"type":"ok","response":{{"type":"execute","result":{EMPTY}}}}},{{"type":"ok","response":{{"type":"get_autocommit","is_autocommit":false}}}}]}}"#
        ),
    )
}

/// A batch's one step: its result and its error.
pub fn step(result: &str, error: &str, autocommit: bool) -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"baton":"b2","base_url":null,"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{result}],"step_errors":[{error}],"replication_index":"42"}}}}}},{{"type":"ok","response":{{"type":"get_autocommit","is_autocommit":{autocommit}}}}}]}}"#
        ),
    )
}
