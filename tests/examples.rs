//! The examples run: the same open, query, refusal and close from every language, on the library of this build.
//!
//! A language that is missing here fails when CI=true and is skipped loudly elsewhere.
#![cfg(target_os = "linux")]

mod object;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The first of the programs that can be started.
fn find(what: &str, candidates: &[PathBuf], version: &str) -> Option<PathBuf> {
    let found =
        candidates.iter().find(|program| Command::new(program).arg(version).output().is_ok_and(|o| o.status.success()));
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} is missing: install it");
        eprintln!("SKIPPED: the example in {what} ({what} is not installed)");
    }
    found.cloned()
}

/// A directory with `prefix/lib`, `prefix/include` and the pkg-config file, as `make install` lays them out.
fn prefix(dir: &Path) {
    let root = Path::new(ROOT);
    let lib = dir.join("prefix/lib");
    std::fs::create_dir_all(lib.join("pkgconfig")).unwrap();
    for name in ["liblitekeel.so", "liblitekeel.so.0"] {
        symlink(object::shared(), lib.join(name)).unwrap();
    }
    let include = dir.join("prefix/include");
    std::fs::create_dir(&include).unwrap();
    symlink(root.join("include/litekeel.h"), include.join("litekeel.h")).unwrap();
    let headers = include.join("litekeel");
    std::fs::create_dir(&headers).unwrap();
    let sqlite = Command::new(format!("{ROOT}/scripts/sqlite-include")).current_dir(ROOT).output().unwrap();
    let sqlite = PathBuf::from(String::from_utf8(sqlite.stdout).unwrap().trim());
    symlink(sqlite.join("sqlite3.h"), headers.join("sqlite3.h")).unwrap();
    symlink(root.join("include/litekeel/packed.h"), headers.join("packed.h")).unwrap();
    let template = std::fs::read_to_string(root.join("packaging/litekeel.pc.in")).unwrap();
    let filled = template
        .replace("@PREFIX@", &dir.join("prefix").display().to_string())
        .replace("@LIBDIR@", "${prefix}/lib")
        .replace("@INCLUDEDIR@", "${prefix}/include")
        .replace("@RPATH@", "-Wl,-rpath,${libdir}")
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    std::fs::write(lib.join("pkgconfig/litekeel.pc"), filled).unwrap();
}

/// Runs an example in `dir` and holds what it prints against what all of them print.
fn shows(language: &str, dir: &Path, command: &mut Command) {
    let lib = dir.join("prefix/lib");
    let output = command
        .current_dir(dir)
        .env("LITEKEEL_LIBRARY", object::shared())
        .env("LD_LIBRARY_PATH", &lib)
        .env("PKG_CONFIG_PATH", lib.join("pkgconfig"))
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{language}: {out}\n{err}");
    let lines: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix(&format!("{language}: "))).collect();
    assert_eq!(lines.len(), 4, "{out}\n{err}");
    // Each language prints a row in its own way; the values are the same.
    for value in ["1", "Ada", "1843.5"] {
        assert!(lines[0].contains(value), "{value} in {out}");
    }
    assert!(lines[1].contains('2') && lines[1].contains("Grace"), "{out}");
    assert!(
        lines[2].contains("unknown setting busy_timeot") && lines[2].contains("did you mean busy_timeout?"),
        "{out}"
    );
    assert!(lines[3].to_lowercase().ends_with("-wal left: false"), "{out}");
    assert!(dir.join(format!("{language}-data/app.db")).exists());
    std::fs::remove_dir_all(dir).unwrap();
}

/// The tour is compiled as a user would: with the system's compiler and what pkg-config says.
#[test]
fn the_tour_in_c() {
    let dir = object::scratch("tour");
    prefix(&dir);
    let compile = "cc -std=c11 -Wall -Wextra -Werror -o tour \"$1\" $(pkg-config --cflags --libs litekeel)";
    let run = |command: &mut Command| {
        let lib = dir.join("prefix/lib");
        command.current_dir(&dir).env("PKG_CONFIG_PATH", lib.join("pkgconfig")).env("LD_LIBRARY_PATH", lib);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(Command::new("bash").args(["-euc", compile, "bash", &format!("{ROOT}/demo/tour.c")]));
    let text = run(&mut Command::new(dir.join("tour")));
    for shown in [
        "demo-data/deep before: missing",
        "demo-data/deep after:  there",
        "journal_mode         wal          profile",
        "SQLITE_CONSTRAINT_FOREIGNKEY",
        "this one reads 2 pages",
        "then went through: 4 pages",
        "write lock held by pid",
        "for a relative file write file:data/app.db",
        "write journal_mode=wal",
        "the -wal after:  gone",
    ] {
        assert!(text.contains(shown), "{shown:?} in\n{text}");
    }
    assert_eq!(text.matches("secret").count(), 1, "only where the tour itself shows the URL: {text}");
    let waited = text.split("insert waited ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!((200..2000).contains(&waited.parse::<i32>().unwrap()), "{text}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn python() {
    let Some(python) = find("python", &["python3".into()], "--version") else { return };
    let dir = object::scratch("python");
    shows("python", &dir, Command::new(python).arg(format!("{ROOT}/examples/python/open_query_close.py")));
}

/// The module that the example in Python is made of: importable, with transactions, names, errors that tell all.
#[test]
fn the_python_module() {
    let Some(python) = find("python", &["python3".into()], "--version") else { return };
    let dir = object::scratch("python-module");
    let run = |command: &mut Command| {
        let output = command.current_dir(&dir).env_remove("DATABASE_URL").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said)
    };
    let test = format!("{ROOT}/tests/python/example_module.py");
    let at = format!("{ROOT}/examples/python");
    let (done, said) = run(Command::new(&python).args([&test, &at]).env("LITEKEEL_LIBRARY", object::shared()));
    assert!(done && said.trim() == "done", "{said}");
    // Where there is no library, the message says what to set.
    let missing = dir.join("missing.so");
    let (done, said) = run(Command::new(&python).args([&test, &at]).env("LITEKEEL_LIBRARY", missing));
    assert!(!done && said.contains("set LITEKEEL_LIBRARY to the file"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn go() {
    let Some(go) = find("go", &["go".into(), "/usr/local/go/bin/go".into()], "version") else { return };
    let dir = object::scratch("go");
    prefix(&dir);
    let example = format!("{ROOT}/examples/go/open_query_close.go");
    shows("go", &dir, Command::new(go).args(["run", &example]).env("CGO_ENABLED", "1").env("GOFLAGS", "-mod=mod"));
}

#[test]
fn java() {
    let Some(java) = find("java", &["java".into()], "--version") else { return };
    if find("maven", &["mvn".into()], "--version").is_none() {
        return;
    }
    let dir = object::scratch("java");
    // JNA, from Maven's local repository or Maven Central.
    let jar = format!("net.java.dev.jna:jna:{}", "5.17.0");
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy", "-DoutputDirectory=.", "-Dmdep.stripVersion=true"])
        .arg(format!("-Dartifact={jar}"))
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let example = format!("{ROOT}/examples/java/OpenQueryClose.java");
    shows("java", &dir, Command::new(java).args(["-cp", "jna.jar", &example]));
}

#[test]
fn ruby() {
    let Some(ruby) = find("ruby", &["ruby".into()], "--version") else { return };
    let dir = object::scratch("ruby");
    shows("ruby", &dir, Command::new(ruby).arg(format!("{ROOT}/examples/ruby/open_query_close.rb")));
}

#[test]
fn php() {
    let Some(php) = find("php", &["php".into()], "--version") else { return };
    let dir = object::scratch("php");
    shows("php", &dir, Command::new(php).arg(format!("{ROOT}/examples/php/open_query_close.php")));
}

#[test]
fn bun() {
    let peers = Path::new(ROOT).join("bindings-node/test");
    let beside = peers.join("node_modules/@oven/bun-linux-x64/bin/bun");
    if std::env::var("CI").as_deref() == Ok("true") && !beside.exists() {
        // The Node suite's runtimes, which its own tests install in the same way.
        assert!(
            Command::new("node").arg("prepare.js").current_dir(&peers).status().is_ok_and(|status| status.success())
        );
    }
    let Some(bun) = find("bun", &["bun".into(), beside], "--version") else { return };
    let dir = object::scratch("bun");
    shows("bun", &dir, Command::new(bun).arg(format!("{ROOT}/examples/bun/open-query-close.ts")));
}
