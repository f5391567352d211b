//! C programs, compiled by the system's compiler, against the shared library of this build.
#![cfg(target_os = "linux")]

mod object;

use std::path::Path;
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

/// The sanitizer of the compiler watches the programs, and the memory of the library too: what is lost is reported.
#[test]
fn the_address_sanitizer_finds_nothing_and_nothing_leaks() {
    let dir = object::scratch("sanitizer");
    let sanitized = |name: &str, source: &Path| {
        object::compile_with(&["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], name, source, &dir)
    };
    // The control: memory that nobody points to any more.
    let leak = dir.join("leak.c");
    let text = "#include <stdlib.h>\nchar *volatile kept;\nint main(void) { kept = malloc(7); kept = 0; return 0; }\n";
    std::fs::write(&leak, text).unwrap();
    let output = Command::new(sanitized("leak", &leak)).current_dir(&dir).output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("7 byte(s) leaked"),
        "{output:?}"
    );
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    for name in ["abi", "calls", "care", "arguments"] {
        let program = sanitized(name, &sources.join(format!("{name}.c")));
        let work = dir.join(format!("in-{name}"));
        std::fs::create_dir(&work).unwrap();
        run(Command::new(program).arg("small").current_dir(work));
    }
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
