//! A server that answers as it was told to.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub const CANARY: &str = "ca.na-ry_0123456789";

#[derive(Clone)]
pub enum Reply {
    Json(u16, String),
    Text(u16, String),
    /// A statement's result, in the form that the request has asked for.
    Result(String),
    /// The result of a statement in a transaction, its error, and whether the transaction is over.
    Step(String, String, bool),
    /// The whole answer, as it goes over the wire.
    Raw(String),
    /// Reads the request, and ends the connection.
    Cut,
    /// As `Cut`, after some time.
    Late(Duration),
    /// Reads the request, and says nothing.
    Silent,
    /// Promises more than it sends, and ends the connection.
    Short(String),
    /// Promises much, and sends a byte now and then.
    Trickle,
    /// As `Trickle`, with a status and a begin of the answer.
    Drip(u16, String),
    /// Each of these a little later than the one before, and then it ends the connection.
    Slow(Duration, Vec<String>),
    /// A begin of the answer, and then a line that does not end before so many bytes.
    Long(String, usize),
}

pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

/// A request that only says that a stream is over.
fn is_close(body: &str) -> bool {
    body.ends_with(r#""requests":[{"type":"close"}]}"#)
}

fn serve(stream: TcpStream, replies: &Mutex<std::vec::IntoIter<Reply>>, seen: &Mutex<Vec<String>>, deaf: bool) {
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
        let body = String::from_utf8(body).unwrap();
        // That a stream is over comes at any time.
        let is_close = is_close(&body);
        seen.lock().unwrap().push(body.clone());
        // Not in the head of the match, which would keep the lock while one connection is answered.
        let reply = match (is_close, deaf) {
            (true, true) => Some(Reply::Silent),
            (true, false) => Some(Reply::Json(200, "{}".into())),
            (false, _) => replies.lock().unwrap().next(),
        };
        let (status, kind, text) = match reply {
            Some(Reply::Json(status, text)) => (status, "application/json", text),
            Some(Reply::Text(status, text)) => (status, "text/plain", text),
            Some(Reply::Result(result)) => (200, "application/json", result_for(&body, &result)),
            Some(Reply::Step(result, error, over)) => (200, "application/json", step_for(&body, &result, &error, over)),
            Some(Reply::Raw(text)) => {
                let _ = stream.write_all(text.as_bytes());
                continue;
            }
            Some(Reply::Cut) => return,
            Some(Reply::Late(pause)) => return thread::sleep(pause),
            Some(Reply::Silent) => {
                let _ = reader.read_line(&mut line);
                return;
            }
            Some(Reply::Short(text)) => {
                let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{text}", text.len() + 1);
                let _ = stream.write_all(head.as_bytes());
                return;
            }
            Some(Reply::Trickle) => return drip(&mut stream, 200, ""),
            Some(Reply::Drip(status, text)) => return drip(&mut stream, status, &text),
            Some(Reply::Slow(pause, pieces)) => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n");
                for piece in pieces {
                    if stream.write_all(piece.as_bytes()).is_err() {
                        return;
                    }
                    thread::sleep(pause);
                }
                return;
            }
            Some(Reply::Long(text, length)) => {
                let _ = stream.write_all(format!("HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{text}").as_bytes());
                let piece = vec![b' '; 1 << 20];
                let _ = (0..length >> 20).try_for_each(|_| stream.write_all(&piece));
                return;
            }
            None => (500, "text/plain", "the script is over".to_owned()),
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).unwrap();
    }
}

fn drip(stream: &mut TcpStream, status: u16, text: &str) {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 100000\r\n\r\n{text}");
    let _ = stream.write_all(head.as_bytes());
    while stream.write_all(b" ").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server that gives these answers in the order of the requests; those that only say that a stream is over are apart.
pub fn server(replies: Vec<Reply>) -> Server {
    listen(replies, false)
}

/// As `server`, and it does not answer who says that a stream is over.
pub fn deaf_server(replies: Vec<Reply>) -> Server {
    listen(replies, true)
}

fn listen(replies: Vec<Reply>, deaf: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (replies, seen) = (Arc::new(Mutex::new(replies.into_iter())), Arc::new(Mutex::new(Vec::new())));
    let recorded = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (replies, seen) = (replies.clone(), recorded.clone());
            thread::spawn(move || serve(stream, &replies, &seen, deaf));
        }
    });
    Server { port, seen }
}

impl Server {
    /// Its URL, with a token and more parameters.
    pub fn url(&self, more: &str) -> String {
        format!("libsql://127.0.0.1:{}?tls=0&authToken={CANARY}{more}", self.port)
    }

    /// As [`requests`](Server::requests), without those that only say that a stream is over: a thread sends them.
    pub fn asked(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| !is_close(request)).collect()
    }

    /// Whether a request with this in it comes within some time.
    pub fn hears(&self, part: &str) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if self.requests().iter().any(|request| request.contains(part)) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub fn ok(result: &str) -> Reply {
    Reply::Result(result.to_owned())
}

/// What has the schema read anew, before what has columns.
pub const LOOK: &str = "SELECT 1 FROM sqlite_schema LIMIT 0";
/// The result of what has none.
const NOTHING: &str = r#"{"cols":[],"rows":[],"affected_row_count":0,"last_insert_rowid":null}"#;

/// The answer to a statement that was asked for by itself.
pub fn executed(result: &str) -> String {
    format!(
        r#"{{"baton":null,"base_url":null,"results":[{{"type":"ok","response":{{"type":"execute","result":{result}}}}}]}}"#
    )
}

fn result_for(body: &str, result: &str) -> String {
    if !body.contains(r#""steps":[{"stmt":{"sql":"BEGIN "#) || !body.contains(LOOK) {
        return executed(result);
    }
    let number = result.split(r#""replication_index":""#).nth(1).and_then(|rest| rest.split('"').next());
    let number = number.map_or("null".to_owned(), |number| format!("\"{number}\""));
    format!(
        r#"{{"baton":null,"base_url":null,"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{NOTHING},{NOTHING},{result},{NOTHING},null],"step_errors":[null,null,null,null,null],"replication_index":{number}}}}}}}]}}"#
    )
}

fn step_for(body: &str, result: &str, error: &str, over: bool) -> String {
    let (before, none) = if body.contains(LOOK) { (format!("{NOTHING},"), "null,") } else { (String::new(), "") };
    format!(
        r#"{{"baton":"b2","base_url":null,"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{before}{result}],"step_errors":[{none}{error}],"replication_index":"42"}}}}}},{{"type":"ok","response":{{"type":"get_autocommit","is_autocommit":{over}}}}}]}}"#
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
    Reply::Step(result.to_owned(), error.to_owned(), autocommit)
}

/// A read on a stream that is kept: the step itself and its error, and the number of the schema behind it; the first one in a
/// transaction, which ends with a COMMIT, if it does.
pub fn kept(baton: &str, first: Option<&str>, result: &str, error: &str, after: i64) -> Reply {
    let number =
        format!(r#"{{"cols":[{{"name":"schema_version"}}],"rows":[[{{"type":"integer","value":"{after}"}}]]}}"#);
    let (before, none) =
        if first.is_some() { (format!("{NOTHING},{NOTHING},"), "null,null,") } else { (String::new(), "") };
    let behind = first.map(|commit| format!(",{commit}")).unwrap_or_default();
    Reply::Json(
        200,
        format!(
            r#"{{"baton":"{baton}","base_url":null,"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{before}{result},{number}{behind}],"step_errors":[{none}{error},null],"replication_index":"50"}}}}}}]}}"#
        ),
    )
}

/// A result of one row.
pub fn one(name: &str, value: i64) -> String {
    format!(r#"{{"cols":[{{"name":"{name}"}}],"rows":[[{{"type":"integer","value":"{value}"}}]]}}"#)
}

/// What a cursor's answer begins with, for one column.
pub const CURSOR: &str = concat!(
    r#"{"baton":"c1","base_url":null}"#,
    "\n",
    r#"{"type":"step_begin","step":0,"cols":[]}"#,
    "\n",
    r#"{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}"#,
    "\n",
    r#"{"type":"step_begin","step":1,"cols":[{"name":"1","decltype":null}]}"#,
    "\n",
    r#"{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}"#,
    "\n",
    r#"{"type":"step_begin","step":2,"cols":[{"name":"a","decltype":null}]}"#,
    "\n"
);

/// A row of a cursor.
pub fn row(value: i64) -> String {
    format!("{{\"type\":\"row\",\"row\":[{{\"type\":\"integer\",\"value\":\"{value}\"}}]}}\n")
}

/// The end of a cursor.
pub const CURSOR_END: &str = "{\"type\":\"step_end\",\"affected_row_count\":0,\"last_insert_rowid\":null}\n{\"type\":\"step_begin\",\"step\":3,\"cols\":[]}\n{\"type\":\"step_end\",\"affected_row_count\":0,\"last_insert_rowid\":null}\n{\"type\":\"replication_index\",\"replication_index\":7}\n";
