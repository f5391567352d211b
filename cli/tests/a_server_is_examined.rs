//! `litekeel url` and `litekeel doctor` for the database of a libSQL server, against a server that does as it is told.

mod common;
#[path = "../../remote/tests/scripted/mod.rs"]
mod scripted;

use std::net::TcpListener;

use common::{Dir, Ran, ran};
use scripted::{CANARY, Reply, Server, kept, ok, server};

const VERSION: &str = "sqld 0.24.32 (40c272de 2025-02-14)";

const ONE: &str = r#"{"cols":[{"name":"1"}],"rows":[[{"type":"integer","value":"1"}]]}"#;

/// The answers to the five statements whose time is taken; from the third one on they share a stream.
fn five() -> [Reply; 5] {
    let next = |baton| kept(baton, None, ONE, "null", 5);
    [ok(ONE), ok(ONE), kept("k1", Some(ONE), ONE, "null", 5), next("k2"), next("k3")]
}

/// The command on a server that answers so, with a token in the URL.
fn examined(server: &Server, more: &[&str]) -> Ran {
    let mut words = vec!["doctor"];
    let url = server.url("&statement_timeout=5s");
    words.push(&url);
    words.extend(more);
    let ran = Dir::new().litekeel(&words);
    assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{ran:?}");
    ran
}

fn finding(ran: &Ran, check: &str) -> (String, String) {
    let json = ran.json();
    let found = json["findings"].as_array().unwrap().iter().find(|one| one["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check}: {json}"));
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    (text("level"), format!("{} | {}", text("found"), text("remedy")))
}

#[test]
fn a_server_that_is_well_is_told_as_such() {
    let server = server([Reply::Text(200, VERSION.into())].into_iter().chain(five()).collect());
    let ran = examined(&server, &["--json"]);
    assert_eq!((ran.status, ran.json()["level"].as_str()), (0, Some("note")), "{ran:?}");
    assert_eq!(finding(&ran, "server"), ("fine".into(), format!("it answers: {VERSION} | ")));
    assert_eq!(finding(&ran, "tls").0, "note");
    assert_eq!(finding(&ran, "token").0, "fine");
    assert!(finding(&ran, "latency").1.starts_with("a statement takes "));
    assert_eq!(server.asked().len(), 6);
    assert_eq!(server.requests()[0], "", "the question who it is has no body");
}

#[test]
fn what_is_wrong_is_a_problem_with_a_remedy() {
    let refused = |status, text: &str| {
        let answer = Reply::Json(status, format!(r#"{{"error":"Unauthorized: {CANARY} {text}"}}"#));
        server(vec![Reply::Text(200, VERSION.into()), answer])
    };
    for (server, check, remedy) in [
        (refused(401, "`The JWT has expired`"), "statement", "get a new one"),
        (refused(401, "`The JWT is invalid`"), "statement", "check authToken="),
        (refused(404, "no namespace"), "statement", "another one"),
        (server(vec![Reply::Cut, Reply::Cut]), "server", "network"),
    ] {
        let ran = examined(&server, &["--json"]);
        assert_eq!(ran.status, 1, "{ran:?}");
        let (level, text) = finding(&ran, check);
        assert!(level == "problem" && text.contains(remedy), "{text}");
    }
    // Nobody there; one that takes connections and says nothing.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    for (port, text) in [(nobody, "is the server running"), (hole.local_addr().unwrap().port(), "within 300 ms")] {
        let url = format!("http://127.0.0.1:{port}?statement_timeout=300ms");
        let ran = Dir::new().litekeel(&["doctor", &url]);
        assert_eq!(ran.status, 1, "{ran:?}");
        // What is told is broken into lines.
        assert!(ran.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(text), "{ran:?}");
    }
}

#[test]
fn a_clock_that_is_wrong_is_told_and_one_that_is_right_is_not() {
    let now = std::process::Command::new("date").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C").output();
    let now = String::from_utf8(now.unwrap().stdout).unwrap();
    for (date, level) in [("Sun, 06 Nov 1994 08:49:37 GMT", "warning"), (now.trim(), "fine")] {
        let head = format!("HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {}\r\n\r\n{VERSION}", VERSION.len());
        let server = server([Reply::Raw(head)].into_iter().chain(five()).collect());
        let ran = examined(&server, &["--json", "--strict"]);
        assert_eq!(finding(&ran, "clock").0, level, "{ran:?}");
        assert_eq!(ran.status, i32::from(level == "warning"), "{ran:?}");
    }
}

/// A token says itself when it ends.
#[test]
fn a_token_that_has_ended_is_told_before_the_server_tells() {
    let answers = vec![Reply::Text(200, VERSION.into()), Reply::Json(401, r#"{"error":"Unauthorized: x"}"#.into())];
    let server = server(answers);
    let dir = Dir::new();
    let mut command = dir.command(&["doctor", &format!("http://127.0.0.1:{}", server.port), "--json"]);
    // {"exp":1700000000}
    command.env("LIBSQL_AUTH_TOKEN", "e30.eyJleHAiOjE3MDAwMDAwMDB9.c4nary");
    let ran = ran(command);
    let (level, text) = finding(&ran, "token");
    assert!(
        level == "problem" && text.contains("LIBSQL_AUTH_TOKEN has ended") && text.contains("get a new one"),
        "{text}"
    );
    assert!(!format!("{ran:?}").contains("c4nary"));
}

#[test]
fn a_url_of_a_server_is_explained_without_its_token() {
    let dir = Dir::new();
    let url = format!("libsql://db.example.org?authToken={CANARY}&statement_timeout=2s&mode=ro");
    let told = dir.litekeel(&["url", &url, "--json"]);
    let json = told.json();
    for (name, value) in [("url", "https://db.example.org"), ("source", "argument"), ("token", "url"), ("mode", "ro")] {
        assert_eq!(json[name], value, "{json}");
    }
    assert_eq!((json["tls"].as_bool(), json["statement_timeout_ms"].as_u64()), (Some(true), Some(2000)));
    let mut command = dir.command(&["url"]);
    command.env("DATABASE_URL", "http://localhost:8080").env("LIBSQL_AUTH_TOKEN", CANARY);
    let environment = ran(command);
    assert!(environment.out.contains("LIBSQL_AUTH_TOKEN") && environment.out.contains("(env)"), "{environment:?}");
    assert!(!format!("{told:?}{environment:?}").contains(CANARY));
    let wrong = dir.litekeel(&["url", "libsql://db.example.org?busy_timeout=5"]);
    assert!(wrong.status == 2 && wrong.err.contains("busy_timeout"), "{wrong:?}");
}
