//! `restore=`: a database that does not exist is brought back from its replica by whoever opens it first; once, whole, and
//! over nothing. With a restoring program of the test's own, and with the real Litestream.

mod common;
#[path = "common/litestream.rs"]
mod litestream;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use common::{Dir, child, exec, get, is_child, open};
use litekeel_core::codes;

/// In the place of Litestream's program: writes `replica.db` in two halves with a pause, and notes each call.
fn program(dir: &Dir) -> String {
    let path = dir.file("litestream.sh");
    let place = dir.path().display();
    let text = format!(
        "#!/bin/sh\necho \"$@\" >> {place}/called\n[ -e {place}/broken ] && {{ echo 'access denied' >&2; exit 1; }}\n\
         [ -e {place}/replica.db ] || exit 0\nhead -c 5000 {place}/replica.db > \"$6\"\nsleep 0.3\ncp {place}/replica.db \"$6\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn calls(dir: &Dir) -> String {
    fs::read_to_string(dir.file("called")).unwrap_or_default()
}

fn names(dir: &Dir) -> Vec<String> {
    let entries =
        fs::read_dir(dir.file("data")).map(|all| all.map(|one| one.unwrap().file_name().into_string().unwrap()));
    let mut names: Vec<_> = entries.map(Iterator::collect).unwrap_or_default();
    // Those that close at the same moment leave the WAL to each other.
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

/// Opens in several threads at once, and prints what each found: its rows, or its error.
#[test]
fn opens() {
    if !is_child("opens") {
        return;
    }
    let url = std::env::var("URL").unwrap();
    if std::env::var_os("NO_CHILDREN").is_some() {
        // SAFETY: a plain call; the process has no children yet.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
    if std::env::var_os("REAPS").is_some() {
        // SAFETY: a plain call.
        std::thread::spawn(|| unsafe {
            loop {
                if libc::waitpid(-1, std::ptr::null_mut(), 0) < 0 {
                    std::thread::yield_now();
                }
            }
        });
    }
    #[cfg(target_os = "linux")]
    if std::env::var_os("NO_RENAMEAT2").is_some() && !refuse_renameat2() {
        return println!("\nfailed no seccomp");
    }
    let events = Arc::new(Mutex::new(0));
    let heard = events.clone();
    let _subscription = litekeel_core::subscribe_to_events(Arc::new(move |event: &litekeel_core::Event| {
        *heard.lock().unwrap() += usize::from(event.name.as_str() == "restored");
    }));
    std::thread::scope(|scope| {
        let open_one = || match open(&url) {
            Ok(db) => {
                println!("\nfound {}", get(&db, "SELECT count(*) FROM sqlite_schema"));
                db.close().unwrap();
            }
            Err(error) => {
                println!("\nfailed {} {} {error} -> {}", error.name(), error.step().unwrap_or("?"), error.hint())
            }
        };
        for _ in 0..std::env::var("THREADS").map_or(1, |text| text.parse().unwrap()) {
            scope.spawn(open_one);
        }
    });
    println!("\nevents {}", events.lock().unwrap());
}

/// As a file system answers that does not know it. For this thread and those that it starts; whether that is possible.
#[cfg(target_os = "linux")]
fn refuse_renameat2() -> bool {
    let one = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        one(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        one(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_renameat2 as u32),
        one(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        one(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program lives until both calls have returned.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    }
}

fn opening(dir: &Dir, parameters: &str, program: &str) -> Command {
    let mut command =
        child("opens", &[("URL", &dir.url(&format!("data/a.db?{parameters}"))), ("LITEKEEL_LITESTREAM", program)]);
    command.stdout(Stdio::piped());
    command
}

fn said(output: &std::process::Output, word: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_owned()).collect()
}

/// What one process says that opens it.
fn opened(dir: &Dir, parameters: &str, program: &str) -> String {
    let output = opening(dir, parameters, program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let found: Vec<_> = ["found ", "failed "].iter().flat_map(|word| said(&output, word)).collect();
    assert_eq!(found.len(), 1, "{output:?}");
    found[0].clone()
}

fn replica(dir: &Dir) {
    let db = open(&dir.url("replica.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t SELECT randomblob(20000)");
    db.close().unwrap();
}

#[test]
fn eight_processes_with_two_threads_restore_once() {
    let dir = Dir::new();
    replica(&dir);
    let program = program(&dir);
    let parameters = "restore=required&restore_from=file:///r";
    let children: Vec<_> =
        (0..8).map(|_| opening(&dir, parameters, &program).env("THREADS", "2").spawn().unwrap()).collect();
    let mut events = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(said(&output, "found "), ["1", "1"], "{output:?}");
        events += said(&output, "events ")[0].parse::<usize>().unwrap();
    }
    let calls = calls(&dir);
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(
        calls.starts_with("restore -if-replica-exists -integrity-check quick -o ") && calls.ends_with(" file:///r\n"),
        "{calls}"
    );
    assert_eq!(names(&dir), ["a.db", "a.db.restore-lock"]);
    assert_eq!(events, 1, "the one that restored tells");
}

#[test]
fn it_is_restored_only_where_that_was_asked_for_and_nothing_is_there() {
    let dir = Dir::new();
    replica(&dir);
    let program = program(&dir);
    // The control: without the setting it is created empty.
    assert_eq!(opened(&dir, "", &program), "0");
    assert_eq!(opened(&dir, "restore=never", &program), "0");
    assert_eq!(opened(&dir, "restore=required", &program), "0", "what is there stays");
    assert_eq!(calls(&dir), "");
    fs::remove_dir_all(dir.file("data")).unwrap();
    // The configuration is named by its path.
    assert_eq!(opened(&dir, "restore=if_available&restore_from=/etc/l.yml", &program), "1");
    assert!(
        calls(&dir).ends_with(&format!(" -config /etc/l.yml {}\n", dir.file("data/a.db").display())),
        "{}",
        calls(&dir)
    );
    // Where the program lets the system reap its children, too.
    fs::remove_dir_all(dir.file("data")).unwrap();
    let output = opening(&dir, "restore=required", &program).env("NO_CHILDREN", "1").output().unwrap();
    assert_eq!(said(&output, "found "), ["1"], "{output:?}");
    // Looking restores nothing.
    fs::remove_dir_all(dir.file("data")).unwrap();
    let mut options = litekeel_core::Options::new();
    options.inspect = true;
    let url = dir.url("data/a.db?restore=required");
    assert!(litekeel_core::Connection::open(Some(&url), &options).is_err());
    assert!(!dir.file("data").exists());
}

#[test]
fn what_hinders_it_is_said_and_nothing_is_created() {
    let dir = Dir::new();
    let program = program(&dir);
    let says = |parameters: &str, program: &str, words: &[&str]| {
        let text = opened(&dir, parameters, program);
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!dir.file("data/a.db").exists(), "{text}");
    };
    says(
        "restore=required",
        &program,
        &["KEEL_NOT_RESTORED restore", "there is no backup of it", "restore=if_available"],
    );
    says(
        "restore=required",
        "/no/such/program",
        &["KEEL_NOT_RESTORED", "/no/such/program cannot be run", "LITEKEEL_LITESTREAM"],
    );
    says("restore=if_available", "/no/such/program", &["KEEL_NOT_RESTORED", "install Litestream"]);
    fs::write(dir.file("broken"), "").unwrap();
    for restore in ["restore=required", "restore=if_available"] {
        says(restore, &program, &["KEEL_NOT_RESTORED", "access denied", "exit status: 1"]);
    }
    fs::remove_file(dir.file("broken")).unwrap();
    replica(&dir);
    fs::write(dir.file("data/a.db-wal"), "frames").unwrap();
    says("restore=required", &program, &["KEEL_ORPHAN_WAL", "a.db-wal"]);
    fs::remove_file(dir.file("data/a.db-wal")).unwrap();
    // Only the lock is left, and it is in nobody's way.
    assert_eq!(names(&dir), ["a.db.restore-lock"]);
    assert_eq!(opened(&dir, "restore=required", &program), "1");
    // A new program.
    fs::remove_file(dir.file("replica.db")).unwrap();
    fs::remove_dir_all(dir.file("data")).unwrap();
    assert_eq!(opened(&dir, "restore=if_available", &program), "0");
    assert!(dir.file("data/a.db").exists());
}

/// A backup that cannot be read is not one that does not exist: then an empty database would begin beside it.
#[test]
fn a_failure_is_told_where_exit_statuses_get_lost() {
    let dir = Dir::new();
    let program = program(&dir);
    let says = |restore: &str, program: &str, env: &str| {
        let output = opening(&dir, &format!("restore={restore}"), program).env(env, "1").output().unwrap();
        [said(&output, "found "), said(&output, "failed ")].concat().join("; ")
    };
    fs::write(dir.file("broken"), "").unwrap();
    for env in ["NO_CHILDREN", "REAPS"] {
        for restore in ["required", "if_available"] {
            let text = says(restore, &program, env);
            assert!(text.starts_with("KEEL_NOT_RESTORED restore ") && text.contains("access denied"), "{env}: {text}");
            assert!(!dir.file("data/a.db").exists(), "{env}: {text}");
        }
    }
    assert!(says("if_available", &program, "NO_CHILDREN").contains("exit status: 1"), "it is known all the same");
    let text = says("if_available", "/no/such/program", "NO_CHILDREN");
    assert!(text.contains("/no/such/program cannot be run") && text.contains("install Litestream"), "{text}");
    fs::remove_file(dir.file("broken")).unwrap();
    // The controls: no backup is none, and one is restored.
    assert!(says("required", &program, "NO_CHILDREN").contains("there is no backup of it"));
    assert_eq!(says("if_available", &program, "NO_CHILDREN"), "0");
    fs::remove_dir_all(dir.file("data")).unwrap();
    replica(&dir);
    assert_eq!(says("if_available", &program, "NO_CHILDREN"), "1");
}

#[test]
fn a_new_program_of_eight_processes_begins() {
    for _ in 0..3 {
        let dir = Dir::new();
        let program = program(&dir);
        let start = |_| opening(&dir, "restore=if_available", &program).env("THREADS", "2").spawn().unwrap();
        for child in (0..8).map(start).collect::<Vec<_>>() {
            let output = child.wait_with_output().unwrap();
            assert_eq!(said(&output, "found "), ["0", "0"], "{output:?}");
        }
    }
}

/// A file without content may be a new database that a program has open, and has not written to.
#[test]
fn an_empty_file_without_a_backup_is_a_new_database() {
    let dir = Dir::new();
    let program = program(&dir);
    let held = open(&dir.url("data/a.db?journal_mode=delete")).unwrap();
    let file = dir.file("data/a.db");
    assert_eq!(fs::metadata(&file).unwrap().len(), 0, "the test is about an empty file");
    assert_eq!(opened(&dir, "journal_mode=delete&restore=if_available", &program), "0");
    let text = opened(&dir, "journal_mode=delete&restore=required", &program);
    assert!(text.contains("KEEL_NOT_RESTORED") && text.contains("has no content, and there is no backup"), "{text}");
    // Where there is one, it is not begun with nothing, and nothing takes the place of what may be in use.
    replica(&dir);
    for restore in ["required", "if_available"] {
        let text = opened(&dir, &format!("journal_mode=delete&restore={restore}"), &program);
        assert!(text.contains("KEEL_NOT_RESTORED") && text.contains("no content, but there is a backup"), "{text}");
        assert!(!text.contains("remove it"), "{text}");
    }
    let advice = |words: &str| {
        let text = opened(&dir, "restore=if_available", &program);
        assert!(text.contains(words), "{text}");
    };
    advice("no process has a lock on it");
    exec(&held, "BEGIN IMMEDIATE");
    advice("a program may have it open");
    exec(&held, "ROLLBACK");
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
    held.close().unwrap();
    fs::write(dir.file("data/a.db-wal"), "frames").unwrap();
    let text = opened(&dir, "restore=if_available", &program);
    assert!(text.contains("KEEL_ORPHAN_WAL") && text.contains("has no content, but"), "{text}");
    assert_eq!(fs::read(dir.file("data/a.db-wal")).unwrap(), b"frames");
}

#[test]
fn only_what_a_restore_left_is_removed() {
    let dir = Dir::new();
    let program = program(&dir);
    let put = |path: &str| {
        let path = dir.file(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    };
    let kept = [
        "data/a.db.restoring-by-hand-2026/restored.db",
        "data/a.db.restoring-backup/only-copy.db",
        "data/a.db.restoring-Backup/restored.db",
        "data/a.db.restoring-Backup/notes/restored.db",
        "data/a.db.restoring-/restored.db",
        "data/a.db.restoring-notes1",
    ];
    let gone = ["data/a.db.restoring-aB3dEf/restored.db", "data/a.db.restoring-aB3dEf/restored.db.tmp"];
    kept.iter().chain(&gone).for_each(|path| put(path));
    assert_eq!(opened(&dir, "restore=if_available", &program), "0");
    for path in kept {
        assert!(dir.file(path).exists(), "{path}");
    }
    assert!(!dir.file("data/a.db.restoring-aB3dEf").exists());
}

/// Opens under a deadline, and on a thread that its host ends.
#[test]
fn gives_up() {
    if !is_child("gives_up") {
        return;
    }
    if std::env::var_os("NO_CHILDREN").is_some() {
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
    let url = std::env::var("URL").unwrap();
    let limit = litekeel_core::limit_calls(std::time::Duration::from_millis(300));
    let error = open(&url).unwrap_err();
    println!("\nfailed {} {error}", error.name());
    drop(limit);
    litekeel_core::end_waits_when(|| true);
    let error = open(&url).unwrap_err();
    println!("\nfailed {} {error}", error.name());
}

#[test]
fn a_restore_ends_with_the_time_of_its_call() {
    for env in ["NO_CHILDREN", "CHILDREN"] {
        let dir = Dir::new();
        let program = dir.file("litestream.sh");
        let pids = dir.file("pids");
        fs::write(&program, format!("#!/bin/sh\necho $$ >> {}\nexec sleep 120\n", pids.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let began = std::time::Instant::now();
        let envs =
            [("URL", &*dir.url("data/a.db?restore=if_available")), ("LITEKEEL_LITESTREAM", program.to_str().unwrap())];
        let output = child("gives_up", &envs).env(env, "1").output().unwrap();
        let failed = said(&output, "failed ");
        assert!(failed.len() == 2 && failed.iter().all(|one| one.starts_with("KEEL_NOT_RESTORED ")), "{output:?}");
        assert!(began.elapsed().as_secs() < 100, "it waited for the program's end");
        assert_eq!(names(&dir), ["a.db.restore-lock"]);
        // Nor does the program go on, if it has come so far as to say its number.
        for pid in fs::read_to_string(&pids).unwrap_or_default().lines() {
            let comm = format!("/proc/{pid}/comm");
            while fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n") && began.elapsed().as_secs() < 100 {
                std::thread::yield_now();
            }
            assert!(began.elapsed().as_secs() < 100, "{pid} goes on");
        }
    }
}

/// It would write into the directory of the database for nobody, for as long as it takes.
#[test]
#[cfg(target_os = "linux")]
fn the_program_ends_with_the_process_that_waits_for_it() {
    for env in ["NO_CHILDREN", "CHILDREN"] {
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            let dir = Dir::new();
            let (program, pids) = (dir.file("litestream.sh"), dir.file("pids"));
            fs::write(&program, format!("#!/bin/sh\necho $$ > {}\nexec sleep 120\n", pids.display())).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            let mut process =
                opening(&dir, "restore=required", program.to_str().unwrap()).env(env, "1").spawn().unwrap();
            let began = std::time::Instant::now();
            let soon = || assert!(began.elapsed().as_secs() < 60, "{env} {signal}");
            let pid = loop {
                match fs::read_to_string(&pids).ok().and_then(|text| text.strip_suffix('\n').map(str::to_owned)) {
                    Some(pid) => break pid,
                    None => soon(),
                }
            };
            // SAFETY: a plain call; the process is our child.
            assert_eq!(unsafe { libc::kill(process.id() as libc::pid_t, signal) }, 0);
            process.wait().unwrap();
            // Gone, or dead and not yet asked for by whoever is its parent now.
            let status = format!("/proc/{pid}/status");
            while fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ")) {
                soon();
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_told_as_one() {
    let dir = Dir::new();
    let program = program(&dir);
    replica(&dir);
    fs::create_dir(dir.file("data")).unwrap();
    std::os::unix::fs::symlink("elsewhere.db", dir.file("data/a.db")).unwrap();
    let text = opened(&dir, "restore=required", &program);
    for word in ["KEEL_NOT_RESTORED", "a.db is a link to elsewhere.db", "name the file itself"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!dir.file("data/elsewhere.db").exists() && calls(&dir).is_empty());
}

/// NFS and some FUSE file systems.
#[test]
#[cfg(target_os = "linux")]
fn it_gets_its_name_where_no_rename_refuses_to_replace() {
    let dir = Dir::new();
    replica(&dir);
    let output = opening(&dir, "restore=required", &program(&dir)).env("NO_RENAMEAT2", "1").output().unwrap();
    if said(&output, "failed ") == ["no seccomp"] {
        return common::skip("seccomp is not available: a file system without renameat2 was not tried");
    }
    assert_eq!(said(&output, "found "), ["1"], "{output:?}");
    assert_eq!(names(&dir), ["a.db", "a.db.restore-lock"]);
}

#[test]
fn a_url_cannot_ask_for_what_it_may_not() {
    let dir = Dir::new();
    let fails = |url: &str, code: i32| {
        let error = open(url).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        error.to_string() + error.hint()
    };
    fails(&dir.url("a.db?restore_from=s3://b/a"), codes::CONFLICT);
    fails("file::memory:?restore=required", codes::CONFLICT);
    let text = fails(&dir.url("a.db?restore=required&restore_from=sftp://ada:canary@host/a"), codes::INVALID_VALUE);
    assert!(!text.contains("canary") && text.contains("configuration file"), "{text}");
    fails(&dir.url("a.db?restore=required&restore_from=-config"), codes::INVALID_VALUE);
    let mut options = litekeel_core::Options::new();
    options.allowed_roots = vec![dir.path().to_owned()];
    let error = litekeel_core::Connection::open(Some(&dir.url("a.db?restore=required")), &options).unwrap_err();
    assert_eq!((error.code(), error.step()), (codes::CONFLICT, Some("restore")), "{error}");
    assert!(!dir.file("a.db").exists() && !dir.file("a.db.restore-lock").exists());
}

/// A machine that has lost its disk.
#[test]
#[ignore = "needs the real Litestream: scripts/test-scale litestream"]
fn the_real_litestream_restores_what_it_has() {
    let dir = Dir::new();
    let parameters = format!("replication=litestream&replication_socket={}", dir.file("s.sock").display());
    let db = open(&dir.url(&format!("a.db?{parameters}"))).unwrap();
    exec(&db, "CREATE TABLE t(a)");
    let daemon = litestream::Daemon::start(&dir);
    for n in 0..50 {
        exec(&db, &format!("INSERT INTO t VALUES({n})"));
    }
    db.replicated(None).unwrap();
    drop(daemon);
    db.close().unwrap();
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        let _ = fs::remove_file(dir.file(name));
    }
    fs::remove_dir_all(dir.file(".a.db-litestream")).unwrap();
    let program = litestream::litestream().display().to_string();
    let config = dir.file("litestream.yml").display().to_string();
    let restore = format!("{parameters}&restore=required&restore_from={config}");
    let children: Vec<_> = (0..8)
        .map(|_| {
            let url = dir.url(&format!("a.db?{restore}"));
            let mut command = child("opens", &[("URL", &url), ("LITEKEEL_LITESTREAM", &program)]);
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(said(&output, "failed "), [""; 0], "{output:?}");
    }
    let db = open(&dir.url(&format!("a.db?{parameters}"))).unwrap();
    assert_eq!(get(&db, "SELECT count(*) || ' ' || sum(a) FROM t"), "50 1225");
    // It goes on from there.
    let _daemon = litestream::Daemon::start(&dir);
    exec(&db, "INSERT INTO t VALUES(50)");
    db.replicated(None).unwrap();
    db.close().unwrap();
}
