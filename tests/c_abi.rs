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

/// Memory that nobody points to any more: the control of whatever looks for leaks.
const LEAK: &str =
    "#include <stdlib.h>\nchar *volatile kept;\nint main(void) { kept = malloc(7); kept = 0; return 0; }\n";

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
fn a_file_for_each_tenant() {
    let dir = object::scratch("databases");
    run(Command::new(object::compile("databases", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

/// The shared object guards whoever uses SQLite's symbols alone, from the moment it is loaded.
#[test]
fn a_host_of_sqlites_own_symbols_destroys_nothing_either() {
    let dir = object::scratch("raw");
    let python = "import sqlite3; c = sqlite3.connect('raw.db'); c.executemany('INSERT INTO t(who) VALUES(?)', \
        [('other%d' % i,) for i in range(500)]); c.commit(); c.close()";
    run(Command::new(object::compile("raw", &dir)).arg(format!("python3 -c \"{python}\"")).current_dir(&dir));
    let check = "import sqlite3; c = sqlite3.connect('raw.db'); \
        assert c.execute('PRAGMA integrity_check').fetchone() == ('ok',); \
        assert c.execute('SELECT count(*) FROM t').fetchone() == (500,)";
    run(Command::new("python3").args(["-c", check]).current_dir(&dir));
    let kept = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(kept.into_iter().any(|name| name.to_string_lossy().starts_with("raw.db-wal.unlinked-")));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn every_argument_may_be_rubbish() {
    let dir = object::scratch("arguments");
    run(Command::new(object::compile("arguments", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

/// musl gives a thread 128 KiB by itself; nothing here may ask for more.
#[test]
fn a_small_stack_is_enough() {
    let dir = object::scratch("small-stack");
    run(Command::new(object::compile("small_stack", &dir)).current_dir(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

/// Parameters and rows as C and C++ programs handle them, in the oldest dialects that the headers promise.
#[test]
fn packed_h_and_litekeel_hpp_carry_every_value() {
    let dir = object::scratch("packed");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    for (compiler, standard, source) in
        [("cc", "-std=c99", "packed.c"), ("cc", "-std=c11", "packed.c"), ("c++", "-std=c++17", "packed.cc")]
    {
        let flags = [standard, "-pedantic", "-Wshadow", "-Wconversion"];
        let strict = if source == "packed.c" { &flags[..1] } else { &flags[..2] };
        let program = object::compile_by(compiler, strict, "packed", &sources.join(source), &dir);
        let work = dir.join(standard);
        std::fs::create_dir(&work).unwrap();
        run(Command::new(program).current_dir(work));
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// The program in the comment at the top of the header.
#[test]
fn the_example_of_the_header_runs() {
    let header = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/litekeel.h")).unwrap();
    let code: String = header
        .lines()
        .skip_while(|line| !line.contains("#include <litekeel.h>"))
        .map_while(|line| line.strip_prefix(" *   ").or((line == " *").then_some("")))
        .map(|line| format!("{line}\n"))
        .collect();
    let dir = object::scratch("example");
    std::fs::write(dir.join("app.c"), code).unwrap();
    let output =
        Command::new(object::compile_file("app", &dir.join("app.c"), &dir)).current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "answer\n------\n    42\n");
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
    std::fs::write(&leak, LEAK).unwrap();
    let output = Command::new(sanitized("leak", &leak)).current_dir(&dir).output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("7 byte(s) leaked"),
        "{output:?}"
    );
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    for name in ["abi", "calls", "care", "databases", "arguments", "packed"] {
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
    // With the suppressions that are installed, of which a program's own leak is none.
    let supp = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/litekeel.supp");
    let valgrind = || {
        let mut command = Command::new("valgrind");
        command
            .args(["-q", "--leak-check=full", "--error-exitcode=9"])
            .arg(format!("--suppressions={}", supp.display()));
        command
    };
    let leak = dir.join("leak.c");
    std::fs::write(&leak, LEAK).unwrap();
    let output = valgrind().arg(object::compile_file("leak", &leak, &dir)).output().unwrap();
    assert!(
        !output.status.success()
            && String::from_utf8_lossy(&output.stderr).contains("7 bytes in 1 blocks are definitely"),
        "{output:?}"
    );
    run(valgrind().arg(object::compile("packed", &dir)).current_dir(&dir));
    // The others fork, and what a thread held is lost in a child that does not have the thread.
    for (program, argument) in [("abi", "2000"), ("calls", ""), ("care", ""), ("databases", ""), ("arguments", "small")]
    {
        let program = object::compile(program, &dir);
        run(Command::new("valgrind").args(["-q", "--error-exitcode=9"]).arg(program).arg(argument).current_dir(&dir));
    }
    std::fs::remove_dir_all(dir).unwrap();
}
