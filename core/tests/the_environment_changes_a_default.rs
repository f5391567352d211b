//! `LITEKEEL_READ_LOCK` changes the default of `read_lock` for a program that says nothing about it, and for no other.

mod common;

use common::{Dir, child, is_child};
use litekeel_core::{Connection, Options};

const TEST: &str = "what_the_environment_sets";
const CASES: [(&str, &[&str]); 4] =
    [("", &[]), ("?read_lock=kept", &[]), ("?read_lock=released", &[]), ("", &["env=ignore"])];

#[test]
fn what_the_environment_sets() {
    if !is_child(TEST) {
        return;
    }
    let url = std::env::var("URL").unwrap();
    for (parameters, call) in CASES {
        let mut options = Options::new();
        for option in call {
            let (key, value) = option.split_once('=').unwrap();
            options.set(key, value).unwrap();
        }
        match Connection::open(Some(&format!("{url}{parameters}")), &options) {
            Ok(connection) => {
                let row = connection.report().row("read_lock").unwrap().clone();
                println!("\nfound {} {}", row.value, row.source);
            }
            Err(error) => println!("\nfound {} {}; {}", error.name(), error.message(), error.hint()),
        }
    }
    println!("\nfound by default {:?}", litekeel_core::keeps_read_locks_by_default().ok());
}

fn found(variable: Option<&str>) -> Vec<String> {
    let dir = Dir::new();
    let mut command = child(TEST, &[("URL", &dir.url("app.db"))]);
    command.env_remove("LITEKEEL_READ_LOCK");
    command.envs(variable.map(|value| ("LITEKEEL_READ_LOCK", value)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.strip_prefix("found ").map(str::to_owned)).collect()
}

#[test]
fn it_is_above_the_profile_and_below_the_url() {
    let built_in = "kept built-in";
    let none = [built_in, "kept url", "released url", built_in, "by default Some(true)"];
    assert_eq!(found(None), none);
    assert_eq!(found(Some("")), none);
    assert_eq!(
        found(Some("kept")),
        ["kept environment", "kept url", "released url", built_in, "by default Some(true)"]
    );
    assert_eq!(
        found(Some("released")),
        ["released environment", "kept url", "released url", built_in, "by default Some(false)"]
    );
}

#[test]
fn what_it_cannot_be_is_refused() {
    let refused = "KEEL_INVALID_VALUE the environment's LITEKEEL_READ_LOCK: read_lock=lost is not a valid value; \
                   read_lock takes one of kept released; or unset LITEKEEL_READ_LOCK";
    assert_eq!(found(Some("lost")), [refused, refused, refused, "kept built-in", "by default None"]);
}
