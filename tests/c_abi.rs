//! C programs, compiled by the system's compiler, against the shared library of this build.
#![cfg(target_os = "linux")]

mod object;

use std::process::Command;

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
}

#[test]
fn the_whole_road_and_every_wrong_turn() {
    let dir = object::scratch("abi");
    run(Command::new(object::compile("abi", &dir)).arg("1000000").current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn batches_deadlines_backups_the_log_and_what_errors_tell() {
    let dir = object::scratch("calls");
    run(Command::new(object::compile("calls", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn who_holds_it_how_it_is_and_what_happens() {
    let dir = object::scratch("care");
    run(Command::new(object::compile("care", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn every_argument_may_be_rubbish() {
    let dir = object::scratch("arguments");
    run(Command::new(object::compile("arguments", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn valgrind_finds_nothing() {
    let dir = object::scratch("valgrind");
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "valgrind is missing: apt-get install valgrind");
        eprintln!("SKIPPED: valgrind is not installed");
        return;
    }
    for (program, argument) in [("abi", "2000"), ("calls", ""), ("care", ""), ("arguments", "small")] {
        let program = object::compile(program, &dir);
        run(Command::new("valgrind").args(["-q", "--error-exitcode=9"]).arg(program).arg(argument).current_dir(&dir));
    }
    std::fs::remove_dir_all(dir).unwrap();
}
