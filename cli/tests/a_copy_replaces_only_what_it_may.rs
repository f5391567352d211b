//! What a copy may be written over, and what may be taken for a copy: by every way to name a file.

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Dir, Holder, Ran, hold_if_child, ran};

fn rows(dir: &Dir, name: &str) -> i64 {
    let db = dir.open(&format!("{name}?mode=rw&busy_timeout=5s"));
    let count = db.lock().unwrap().sqlite().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    db.close().unwrap();
    count
}

/// The names in a directory, sorted.
fn names(dir: &Dir, at: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir.file(at))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn refused(ran: &Ran, word: &str) {
    assert!(ran.status == 2 && ran.err.contains(word), "{ran:?}");
}

#[test]
fn whatever_path_leads_to_a_database_it_is_not_replaced_unasked() {
    let dir = Dir::new();
    dir.database("app.db", 10);
    dir.database("sub/precious.db", 20);
    symlink("sub", dir.file("link")).unwrap();
    symlink("sub/precious.db", dir.file("alias.db")).unwrap();
    for to in [
        "sub/precious.db",
        "nodir/../sub/precious.db",
        "nodir/deep/../../sub/precious.db",
        "link/precious.db",
        "nodir/../link/precious.db",
        "alias.db",
        "file:nodir/../sub/precious.db?mode=rw&mkdir=1",
    ] {
        for words in [["backup", "app.db", to], ["restore", "app.db", to]] {
            refused(&dir.litekeel(&words), "--overwrite");
            assert_eq!(names(&dir, "."), ["alias.db", "app.db", "link", "sub"], "{to}");
            assert_eq!((names(&dir, "sub"), rows(&dir, "sub/precious.db")), (vec!["precious.db".into()], 20), "{to}");
        }
    }
    // Asked for, by such a path too.
    let ran = dir.litekeel(&["backup", "app.db", "nodir/../link/precious.db", "--overwrite"]);
    assert_eq!((ran.status, rows(&dir, "sub/precious.db")), (0, 10), "{ran:?}");
    // And a name that is free is no alarm.
    let ran = dir.litekeel(&["backup", "app.db", "nodir/../link/new.db"]);
    assert_eq!((ran.status, rows(&dir, "sub/new.db")), (0, 10), "{ran:?}");
    // What a link leads to that is not there is not made behind it.
    symlink("sub/gone.db", dir.file("dangling.db")).unwrap();
    for overwrite in [&["backup", "app.db", "dangling.db"][..], &["backup", "app.db", "dangling.db", "--overwrite"][..]]
    {
        let ran = dir.litekeel(overwrite);
        assert!(ran.status != 0 && !dir.file("sub/gone.db").exists(), "{ran:?}");
    }
}

#[test]
fn never_onto_the_source_or_the_files_beside_a_database() {
    hold_if_child();
    let dir = Dir::new();
    dir.database("app.db", 10);
    dir.database("other.db", 5);
    symlink(".", dir.file("here")).unwrap();
    let url = format!("file:{}/app.db", dir.path().display());
    let me = "never_onto_the_source_or_the_files_beside_a_database";
    let user = Holder::start(me, &url, "INSERT INTO t VALUES(1, 2)");
    let before = dir.listing();
    for to in ["app.db", "./app.db", "nodir/../app.db", "here/app.db"] {
        refused(&dir.litekeel(&["backup", "app.db", to, "--overwrite"]), "itself");
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        for name in ["app.db", "nodir/../app.db", "here/app.db", "other.db"] {
            let ran = dir.litekeel(&["backup", "app.db", &format!("{name}{suffix}"), "--overwrite"]);
            refused(&ran, suffix);
        }
    }
    let now = dir.listing();
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    drop(user);
    assert_eq!((rows(&dir, "app.db"), rows(&dir, "other.db")), (11, 5));
    // The suffix alone is only a name.
    let ran = dir.litekeel(&["backup", "app.db", "my-journal"]);
    assert_eq!((ran.status, rows(&dir, "my-journal")), (0, 11), "{ran:?}");
}

#[test]
fn what_an_earlier_database_left_does_not_change_the_copy() {
    let dir = Dir::new();
    dir.database("app.db", 10);
    for suffix in ["-journal", "-wal"] {
        std::fs::write(dir.file(&format!("copy.db{suffix}")), [7; 4096]).unwrap();
        let ran = dir.litekeel(&["backup", "app.db", "copy.db"]);
        assert!(ran.status != 0 && ran.err.contains(&format!("copy.db{suffix}")), "{ran:?}");
        assert!(!dir.file("copy.db").exists(), "{ran:?}");
        std::fs::remove_file(dir.file(&format!("copy.db{suffix}"))).unwrap();
    }
    assert_eq!(dir.litekeel(&["backup", "app.db", "copy.db"]).status, 0);
}

#[test]
fn an_empty_file_is_not_a_copy() {
    let dir = Dir::new();
    dir.database("live.db", 10);
    std::fs::write(dir.file("copy.db"), b"").unwrap();
    let before = dir.listing();
    for words in [
        &["restore", "copy.db", "live.db", "--overwrite"][..],
        &["restore", "copy.db", "live.db", "--overwrite", "--no-check"][..],
        &["restore", "copy.db", "new.db"][..],
        &["restore", "copy.db", "deep/new.db"][..],
        &["backup", "copy.db", "live.db", "--overwrite"][..],
        &["backup", "file:copy.db?mode=ro", "new.db"][..],
    ] {
        let ran = dir.litekeel(words);
        assert!(ran.status == 3 && ran.err.contains("is empty") && ran.out.is_empty(), "{words:?} {ran:?}");
        assert_eq!(dir.listing().len(), before.len(), "{words:?}");
        assert_eq!(rows(&dir, "live.db"), 10, "{words:?}");
    }
    // One that was cut to a part of its pages is none either.
    let copy = dir.database("cut.db", 2000);
    let half = std::fs::metadata(&copy).unwrap().len() / 8192 * 4096;
    std::fs::OpenOptions::new().write(true).open(&copy).unwrap().set_len(half).unwrap();
    let ran = dir.litekeel(&["restore", "cut.db", "live.db", "--overwrite"]);
    assert!(ran.status == 3 && rows(&dir, "live.db") == 10, "{ran:?}");
}

#[test]
fn a_copy_that_is_exchanged_meanwhile_gives_all_of_it_or_nothing() {
    let dir = Dir::new();
    dir.database("live.db", 10);
    dir.database("copy.db", 30_000);
    // Slowly, so that the exchange falls before the end.
    let mut command = dir.command(&["restore", "copy.db", "live.db", "--overwrite", "--pages", "10", "--pause", "2ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !dir.file("live.db-journal").exists() && !dir.file("live.db-wal").exists() {
        assert!(began.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none(), "it is copying");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::write(dir.file("empty.db"), b"").unwrap();
    std::fs::rename(dir.file("empty.db"), dir.file("copy.db")).unwrap();
    let status = child.wait().unwrap();
    // Either all of what was checked, or nothing.
    let expected = if status.success() { 30_000 } else { 10 };
    assert_eq!(rows(&dir, "live.db"), expected, "{status}");
}

#[test]
fn a_killed_backup_leaves_nothing_under_the_name() {
    let dir = Dir::new();
    dir.database("app.db", 20_000);
    std::fs::create_dir(dir.file("out")).unwrap();
    let mut command = dir.command(&["backup", "app.db", "out/copy.db", "--pages", "10", "--pause", "20ms"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while names(&dir, "out").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none(), "it is copying");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.file("out/copy.db").exists(), "{:?}", names(&dir, "out"));
    // Somebody's own file of such a name, and what a backup may still be writing, stay; what is long dead goes.
    let left = names(&dir, "out");
    assert!(left.iter().all(|name| name.starts_with(".copy.db.litekeel-")), "{left:?}");
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    for name in
        [".copy.db.litekeel-1-old", ".other.db.litekeel-1-0", ".copy.db.litekeel-77-0", ".copy.db.litekeel-78-0"]
    {
        std::fs::write(dir.file(&format!("out/{name}")), b"x").unwrap();
        if !name.contains("78") {
            let file = std::fs::OpenOptions::new().write(true).open(dir.file(&format!("out/{name}"))).unwrap();
            file.set_modified(old).unwrap();
        }
    }
    // The name is free: no --overwrite is needed.
    let ran = dir.litekeel(&["backup", "app.db", "out/copy.db"]);
    assert_eq!((ran.status, rows(&dir, "out/copy.db")), (0, 20_000), "{ran:?}");
    let now = names(&dir, "out");
    for (name, stays) in [
        (".copy.db.litekeel-1-old", true),
        (".other.db.litekeel-1-0", true),
        (".copy.db.litekeel-78-0", true),
        (".copy.db.litekeel-77-0", false),
    ] {
        assert_eq!(now.iter().any(|other| other == name), stays, "{name}: {now:?}");
    }
}

#[test]
fn a_directory_is_not_offered_to_be_replaced() {
    let dir = Dir::new();
    dir.database("a.db", 1);
    std::fs::create_dir(dir.file("out")).unwrap();
    for more in [&[][..], &["--overwrite"]] {
        for verb in ["backup", "restore"] {
            let ran = dir.litekeel(&[&[verb, "a.db", "out"], more].concat());
            assert!(ran.status != 0 && ran.err.contains("out is a directory"), "{ran:?}");
            assert!(!ran.err.contains("--overwrite"), "{ran:?}");
        }
    }
}

#[test]
fn the_copy_has_the_permissions_of_the_original() {
    for mode in [0o444, 0o400, 0o640, 0o660, 0o600] {
        let dir = Dir::new();
        let path = dir.database("app.db", 100);
        std::fs::create_dir(dir.file("out")).unwrap();
        std::fs::set_permissions(dir.file("out"), std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let ran = as_its_owner(&dir, &["backup", "app.db", "out/copy.db"]);
        assert_eq!(ran.status, 0, "{mode:o} {ran:?}");
        let has = std::fs::metadata(dir.file("out/copy.db")).unwrap().mode() & 0o777;
        assert_eq!(has, mode, "{has:o} instead of {mode:o}");
        assert_eq!(names(&dir, "out"), ["copy.db"]);
        std::fs::set_permissions(dir.file("out/copy.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(rows(&dir, "out/copy.db"), 100);
    }
}

/// Root may write everywhere: as another user then, who owns everything in the directory.
fn as_its_owner(dir: &Dir, words: &[&str]) -> Ran {
    use std::os::unix::process::CommandExt;
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return dir.litekeel(words);
    }
    for name in [".", "app.db", "out"] {
        std::os::unix::fs::chown(dir.file(name), Some(65534), Some(65534)).unwrap();
    }
    let mut command = std::process::Command::new(dir.public_binary());
    command.args(words).current_dir(dir.path()).uid(65534).gid(65534).env_remove("DATABASE_URL");
    ran(command)
}

#[test]
fn what_root_restores_belongs_to_the_owner_of_the_directory() {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return eprintln!("SKIPPED: only root creates files for others");
    }
    let dir = Dir::new();
    dir.database("copy.db", 10);
    std::fs::create_dir(dir.file("data")).unwrap();
    std::os::unix::fs::chown(dir.file("data"), Some(65534), Some(65533)).unwrap();
    let owner = |name: &str| {
        let meta = std::fs::metadata(dir.file(name)).unwrap();
        (meta.uid(), meta.gid())
    };
    for to in ["data/new.db", "data/deep/er/new.db"] {
        let ran = dir.litekeel(&["restore", "copy.db", to]);
        assert_eq!((ran.status, owner(to), ran.err.as_str()), (0, (65534, 65533), ""), "{ran:?}");
    }
    assert_eq!((owner("data/deep"), owner("data/deep/er")), ((65534, 65533), (65534, 65533)));
    // A database that exists keeps its owner.
    std::os::unix::fs::chown(dir.file("data/new.db"), Some(1234), Some(1235)).unwrap();
    assert_eq!(dir.litekeel(&["restore", "copy.db", "data/new.db", "--overwrite"]).status, 0);
    assert_eq!(owner("data/new.db"), (1234, 1235));
    // A copy may be read by nobody who may not read the original: it stays with who made it.
    assert_eq!(dir.litekeel(&["backup", "copy.db", "data/backup.db"]).status, 0);
    assert_eq!(owner("data/backup.db"), (0, 0));
}

#[test]
fn a_copy_in_another_text_encoding_breaks_no_open_connection() {
    let dir = Dir::new();
    let db = dir.open("utf16.db");
    db.lock().unwrap().sqlite().execute_batch("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a, b)").unwrap();
    db.close().unwrap();
    dir.database("live.db", 10);
    let user = dir.open("live.db");
    for words in [["restore", "utf16.db", "live.db", "--overwrite"], ["backup", "utf16.db", "live.db", "--overwrite"]] {
        let ran = dir.litekeel(&words);
        refused(&ran, "UTF-16le");
        assert!(ran.err.contains("UTF-8") && ran.err.contains("move it"), "{ran:?}");
    }
    let count = |db: &litekeel_core::Connection| -> i64 {
        db.lock().unwrap().sqlite().query_row("SELECT count(*) FROM t WHERE b <> 'x'", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&user), 10);
    user.close().unwrap();
    // The same encoding, a new name, and a database without a page are no alarm.
    std::fs::write(dir.file("empty.db"), b"").unwrap();
    for words in [
        &["restore", "utf16.db", "again.db"][..],
        &["restore", "utf16.db", "again.db", "--overwrite"][..],
        &["restore", "utf16.db", "empty.db", "--overwrite"][..],
    ] {
        let ran = dir.litekeel(words);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
}

#[test]
fn a_damaged_database_is_replaced_or_the_way_to_do_it_is_told() {
    let dir = Dir::new();
    dir.database("copy.db", 30);
    // A damaged page in the middle is nothing to a transaction that replaces every page.
    let path = dir.database("page.db", 2000);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 * 5..4096 * 9].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(dir.litekeel(&["restore", "copy.db", "page.db", "--overwrite"]).status, 0);
    assert_eq!(rows(&dir, "page.db"), 30);
    // What is not taken for a database, or was cut off.
    let cut = dir.database("cut.db", 2000);
    std::fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(5000).unwrap();
    std::fs::write(dir.file("text.db"), "no database ".repeat(50)).unwrap();
    for name in ["cut.db", "text.db"] {
        let before = std::fs::read(dir.file(name)).unwrap();
        let ran = dir.litekeel(&["restore", "copy.db", name, "--overwrite"]);
        assert!(ran.status == 3 && ran.err.contains("move it and its -wal away"), "{ran:?}");
        assert_eq!(std::fs::read(dir.file(name)).unwrap(), before);
        std::fs::rename(dir.file(name), dir.file("aside.db")).unwrap();
        let _ = std::fs::remove_file(dir.file(&format!("{name}-wal")));
        assert_eq!(dir.litekeel(&["restore", "copy.db", name]).status, 0);
        assert_eq!(rows(&dir, name), 30);
    }
}

#[test]
fn a_copy_whose_wal_was_left_behind_replaces_nothing() {
    let dir = Dir::new();
    dir.database("live.db", 10);
    // Everything is in the -wal; cp takes the first page alone.
    let young = dir.open("young.db?checkpoint=manual");
    young.lock().unwrap().sqlite().execute_batch("CREATE TABLE t(a, b); INSERT INTO t VALUES(1, 2)").unwrap();
    let cp = |from: &str, to: &str| {
        let status = std::process::Command::new("cp").arg(dir.file(from)).arg(dir.file(to)).status().unwrap();
        assert!(status.success());
    };
    cp("young.db", "copy.db");
    assert_eq!(std::fs::metadata(dir.file("copy.db")).unwrap().len(), 4096);
    for words in
        [&["restore", "copy.db", "live.db", "--overwrite"][..], &["restore", "copy.db", "new.db", "--no-check"]]
    {
        let ran = dir.litekeel(words);
        assert_eq!(ran.status, 3, "{ran:?}");
        assert!(ran.err.contains("no -wal beside it") && ran.err.contains("--without-wal"), "{ran:?}");
    }
    assert!(!dir.file("new.db").exists());
    assert_eq!(rows(&dir, "live.db"), 10);
    // With its -wal, which an ordinary open moves into it, it is whole.
    cp("young.db", "whole.db");
    cp("young.db-wal", "whole.db-wal");
    dir.open("whole.db").close().unwrap();
    let ran = dir.litekeel(&["restore", "whole.db", "again.db", "--no-check"]);
    assert_eq!((ran.status, rows(&dir, "again.db")), (0, 1), "{ran:?}");
    // So is one that was closed.
    young.close().unwrap();
    cp("young.db", "closed.db");
    assert_eq!(dir.litekeel(&["restore", "closed.db", "live.db", "--overwrite"]).status, 0);
    assert_eq!(rows(&dir, "live.db"), 1);
    // A database that was really empty looks the same: asked for.
    let ran = dir.litekeel(&["restore", "copy.db", "live.db", "--overwrite", "--without-wal"]);
    assert_eq!(ran.status, 0, "{ran:?}");
}
