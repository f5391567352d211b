//! `litekeel restore-if-missing`: once, whole or not at all, and never over anything; with a restoring program of the test's own.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use common::Dir;

/// In the place of Litestream's program: writes `replica.db` in two halves with a pause, and notes each call.
fn program(dir: &Dir) -> String {
    let path = dir.file("litestream.sh");
    let place = dir.path().display();
    let text = format!(
        "#!/bin/sh\necho \"$@\" >> {place}/called\n[ -e {place}/broken ] && {{ echo 'access denied' >&2; exit 1; }}\n\
         [ -e {place}/replica.db ] || exit 0\n[ \"$6\" = {place}/a.db ] && exit 9\n\
         head -c 5000 {place}/replica.db > \"$6\"\nsleep 0.2\n[ -e {place}/killed ] && kill -9 $PPID && exit 1\ncp {place}/replica.db \"$6\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn names(dir: &Dir) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("a.db"));
    names.sort();
    names
}

fn calls(dir: &Dir) -> usize {
    fs::read_to_string(dir.file("called")).unwrap_or_default().lines().count()
}

#[test]
fn many_that_start_at_once_restore_once_and_see_it_whole() {
    let dir = Dir::new();
    let made = dir.database("replica.db", 500);
    let whole = fs::read(&made).unwrap();
    let program = program(&dir);
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = dir.command(&[
                "restore-if-missing",
                "a.db",
                "--litestream",
                &program,
                "--replica",
                "file:///r",
                "--json",
            ]);
            command.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut outcomes: Vec<_> = children
        .into_iter()
        .map(|child| {
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.success(), "{ended:?}");
            assert_eq!(fs::read(dir.file("a.db")).unwrap(), whole, "nobody has come back before it was whole");
            let json: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
            json["outcome"].as_str().unwrap().to_owned()
        })
        .collect();
    outcomes.sort();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "restored").count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "there").count(), 7, "{outcomes:?}");
    assert_eq!(calls(&dir), 1);
    assert_eq!(names(&dir), ["a.db", "a.db.restore-lock"]);
    let called = fs::read_to_string(dir.file("called")).unwrap();
    assert!(
        called.starts_with("restore -if-replica-exists -integrity-check quick -o ") && called.ends_with(" file:///r\n"),
        "{called}"
    );
}

/// A process that is killed in the middle leaves no half database under the name, and nothing in the way of the next one.
#[test]
fn a_kill_in_the_middle_leaves_no_half_database() {
    let dir = Dir::new();
    let made = dir.database("replica.db", 500);
    let program = program(&dir);
    let arguments = ["restore-if-missing", "a.db", "--litestream", &program];
    fs::write(dir.file("killed"), "").unwrap();
    let status = dir.command(&arguments).status().unwrap();
    assert!(!status.success());
    let left = names(&dir);
    assert!(left.len() == 2 && left[0] == "a.db.restore-lock" && left[1].starts_with("a.db.restoring-"), "{left:?}");
    fs::remove_file(dir.file("killed")).unwrap();
    let ran = dir.litekeel(&arguments);
    assert!(ran.status == 0 && ran.out.contains("restored"), "{ran:?}");
    assert_eq!(fs::read(dir.file("a.db")).unwrap(), fs::read(&made).unwrap());
    assert_eq!(names(&dir), ["a.db", "a.db.restore-lock"]);
}

#[test]
fn what_is_there_stays_and_what_is_missing_is_said() {
    let dir = Dir::new();
    let program = program(&dir);
    let restore = |more: &[&str]| {
        let mut words = vec!["restore-if-missing", "a.db", "--litestream", program.as_str()];
        words.extend(more);
        dir.litekeel(&words)
    };
    let ran = restore(&[]);
    assert!(ran.status == 3 && ran.err.contains("no backup of it") && ran.err.contains("--if-available"), "{ran:?}");
    let ran = restore(&["--if-available", "--json"]);
    assert_eq!((ran.status, ran.json()["outcome"].as_str()), (0, Some("no_backup")), "{ran:?}");
    assert!(!dir.file("a.db").exists());

    fs::write(dir.file("broken"), "").unwrap();
    for more in [&[][..], &["--if-available"]] {
        let ran = restore(more);
        assert!(ran.status == 3 && ran.err.contains("access denied"), "a failure is not an absence: {ran:?}");
    }
    // Nor where the program that starts it ignores SIGCHLD, which `exec` passes on.
    let mut command = dir.command(&["restore-if-missing", "a.db", "--litestream", &program, "--if-available"]);
    // SAFETY: `signal` may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGCHLD, libc::SIG_IGN);
            Ok(())
        });
    }
    let ended = command.output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(3) && told.contains("access denied"), "{ended:?}");
    fs::remove_file(dir.file("broken")).unwrap();
    // A file without content is a database that begins.
    fs::write(dir.file("a.db"), "").unwrap();
    let ran = restore(&["--if-available", "--json"]);
    assert_eq!((ran.status, ran.json()["outcome"].as_str()), (0, Some("no_backup")), "{ran:?}");
    fs::remove_file(dir.file("a.db")).unwrap();

    // Nothing is asked for where there is anything.
    dir.database("replica.db", 5);
    let before = calls(&dir);
    fs::write(dir.file("a.db-wal"), "frames").unwrap();
    let ran = restore(&[]);
    assert!(ran.status != 0 && ran.err.contains("a.db-wal"), "{ran:?}");
    assert_eq!(fs::read(dir.file("a.db-wal")).unwrap(), b"frames");
    fs::remove_file(dir.file("a.db-wal")).unwrap();
    fs::write(dir.file("a.db"), "").unwrap();
    let ran = restore(&[]);
    assert!(ran.status == 3 && ran.err.contains("has no content, but there is a backup"), "{ran:?}");
    assert_eq!(fs::metadata(dir.file("a.db")).unwrap().len(), 0);
    let before = before + 1;
    assert_eq!(calls(&dir), before, "it was asked for a backup");
    fs::write(dir.file("a.db"), "anything").unwrap();
    let ran = restore(&["--json"]);
    assert_eq!((ran.status, ran.json()["outcome"].as_str()), (0, Some("there")), "{ran:?}");
    assert_eq!(fs::read(dir.file("a.db")).unwrap(), b"anything");
    assert_eq!(calls(&dir), before);
    fs::remove_file(dir.file("a.db")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.file("a.db")).unwrap();
    assert_eq!(restore(&[]).status, 3);
    assert_eq!(calls(&dir), before);
}
