//! With `allowed_roots` nothing is created, opened or removed elsewhere: not through a link that leads nowhere, not by
//! ATTACH, VACUUM INTO or a backup, and not while somebody renames things under way.

mod common;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Dir, Killed, child, exec, get, is_child, skip};
use litekeel_core::resolve;
use litekeel_core::{Connection, Error, Options, codes};

/// `in` is allowed; `out` lies beside it, with a database in it.
fn place() -> Dir {
    let dir = Dir::new();
    fs::create_dir_all(dir.file("in")).unwrap();
    fs::create_dir_all(dir.file("out")).unwrap();
    let db = common::open(&dir.url("out/secret.db")).unwrap();
    exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES('secret')");
    db.close().unwrap();
    dir
}

fn within(dir: &Dir, root: &str) -> Options {
    let mut options = Options::new();
    options.set("allowed_roots", dir.file(root).to_str().unwrap()).unwrap();
    options
}

/// Every file below, with its content.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().flatten() {
        let (name, path) = (entry.file_name().into_string().unwrap(), entry.path());
        if path.is_dir() {
            found.insert(name.clone() + "/", vec![]);
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            // A link may lead nowhere.
            found.insert(name, fs::read(path).unwrap_or_default());
        }
    }
    found
}

#[track_caller]
fn refused(outcome: Result<impl std::fmt::Debug, Error>, what: &str) {
    let error = outcome.expect_err(what);
    assert_eq!(error.code(), codes::PATH_NOT_ALLOWED, "{what}: {error}");
    assert!(error.hint().contains("allowed_roots"), "{error}");
}

#[test]
fn no_path_leads_out() {
    let dir = place();
    let before = files(&dir.file("out"));
    let options = within(&dir, "in");
    symlink("../out/new.db", dir.file("in/dangling.db")).unwrap();
    symlink("../out/secret.db", dir.file("in/link.db")).unwrap();
    symlink("../out", dir.file("in/dir")).unwrap();
    symlink("../out/nowhere", dir.file("in/dangling")).unwrap();
    symlink("dangling.db", dir.file("in/chain.db")).unwrap();
    for name in [
        "in/dangling.db",
        "in/link.db",
        "in/chain.db",
        "in/dir/new.db",
        "in/dir/secret.db",
        "in/dangling/new.db",
        "in/dangling/deep/new.db",
        "out/new.db",
        "in/../out/new.db",
        "in/x/../../out/new.db",
    ] {
        for query in ["", "?mode=rw", "?mode=ro", "?vfs=unix"] {
            refused(Connection::open(Some(&dir.url(&format!("{name}{query}"))), &options), name);
        }
        let mut mode = options.clone();
        mode.set("file_mode", "0600").unwrap();
        refused(Connection::open(Some(&dir.url(name)), &mode), name);
    }
    assert_eq!(files(&dir.file("out")), before);
    // What stays inside is opened, by a link too, and directories are made.
    symlink("a.db", dir.file("in/inner.db")).unwrap();
    fs::create_dir(dir.file("in/real")).unwrap();
    symlink("real", dir.file("in/alias")).unwrap();
    for name in ["in/a.db", "in/inner.db", "in/deep/er/b.db", "in/alias/new/c.db"] {
        let db = Connection::open(Some(&dir.url(name)), &options).unwrap();
        exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1); CREATE TEMP TABLE x AS SELECT 1");
        db.sibling().unwrap().close().unwrap();
        db.close().unwrap();
    }
    assert!(!files(&dir.file("in")).keys().any(|name| name.ends_with("-wal") || name.ends_with("-shm")));
    assert!(dir.file("in/real/new/c.db").exists());
    assert_eq!(files(&dir.file("out")), before);
}

#[test]
fn nor_does_attach_or_a_copy() {
    let dir = place();
    let before = files(&dir.file("out"));
    symlink("../out", dir.file("in/dir")).unwrap();
    let mut options = within(&dir, "in");
    options.set("attach", "any").unwrap();
    for url in [dir.url("in/a.db"), ":memory:".to_owned(), "file::memory:?cache=shared".to_owned()] {
        let db = Connection::open(Some(&url), &options).unwrap();
        exec(&db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
        for place in ["out/secret.db", "out/new.db", "in/dir/secret.db", "in/dir/new.db", "in/../out/new.db"] {
            let path = dir.file(place).display().to_string();
            for sql in [
                format!("ATTACH '{path}' AS b"),
                // An authorizer does not see what is not a literal.
                format!("ATTACH '{path}' || '' AS b"),
                format!("ATTACH 'file:{path}?mode=ro' AS b"),
                format!("VACUUM INTO '{path}'"),
                format!("VACUUM INTO '{path}' || ''"),
            ] {
                let error = db.exec(&sql).expect_err(&sql);
                let unknown_name = sql.contains("file:") && error.code() > 0;
                assert!(unknown_name || error.code() == codes::PATH_NOT_ALLOWED, "{sql}: {error}");
            }
            refused(db.backup(&format!("file:{path}"), 0, |_, _| false), place);
        }
        // What stays inside goes on.
        let inner = dir.file("in/b.db").display().to_string();
        db.exec(&format!("ATTACH '{inner}' AS b; CREATE TABLE b.u(a); INSERT INTO b.u VALUES(2); DETACH b")).unwrap();
        db.exec("ATTACH ':memory:' AS m; CREATE TABLE m.u(a); DETACH m; VACUUM").unwrap();
        db.exec(&format!("VACUUM INTO '{}'", dir.file("in/c.db").display())).unwrap();
        db.backup(&dir.url("in/d.db"), 0, |_, _| false).unwrap();
        db.close().unwrap();
        for name in ["b.db", "c.db", "d.db"] {
            fs::remove_file(dir.file("in").join(name)).unwrap();
        }
    }
    assert_eq!(files(&dir.file("out")), before);
}

/// A call on one connection does not bind another that it opens, nor does the end of one free the other.
#[test]
fn each_connection_has_its_own_roots() {
    let dir = place();
    let confined = Connection::open(Some(&dir.url("in/a.db")), &within(&dir, "in")).unwrap();
    let free = Connection::open(Some(&dir.url("out/free.db")), &Options::new()).unwrap();
    let attach = format!("ATTACH '{}' AS b", dir.file("out/secret.db").display());
    let first = confined.lock().unwrap();
    let second = free.lock().unwrap();
    second.sqlite().execute_batch(&format!("{attach}; DETACH b")).unwrap();
    common::open(&dir.url("out/another.db")).unwrap().close().unwrap();
    drop(first);
    second.sqlite().execute_batch(&format!("{attach}; DETACH b")).unwrap();
    drop(second);
    let second = free.lock().unwrap();
    let first = confined.lock().unwrap();
    drop(second);
    assert!(first.sqlite().execute_batch(&attach).is_err(), "the other's end lets it out");
    drop(first);
    // On SQLite's own handle, where nobody says whose call it is.
    let raw = confined.lock().unwrap().raw();
    let run = |sql: &str| {
        let sql = CString::new(sql).unwrap();
        let none = std::ptr::null_mut();
        // SAFETY: the connection is open, and nobody else uses it.
        unsafe { litekeel_core::sqlite::sqlite3_exec(raw, sql.as_ptr(), None, none, std::ptr::null_mut()) }
    };
    assert_eq!(run(&attach), litekeel_core::sqlite::SQLITE_AUTH);
    assert_eq!(run("ATTACH ':memory:' AS m; DETACH m; VACUUM"), 0);
    assert_eq!(get(&confined, "SELECT 1"), "1");
    confined.close().unwrap();
    free.close().unwrap();
    // One shared connection serves owners with the same roots only.
    let mut shared = within(&dir, "in");
    shared.set("share", "1").unwrap();
    let db = Connection::open(Some(&dir.url("in/s.db")), &shared).unwrap();
    let mut wider = within(&dir, "");
    wider.set("share", "1").unwrap();
    assert_eq!(Connection::open(Some(&dir.url("in/s.db")), &wider).unwrap_err().code(), codes::MISMATCH);
    db.close().unwrap();
}

#[test]
fn nofollow_creates_nothing_behind_a_link() {
    let dir = place();
    symlink("../out", dir.file("in/dir")).unwrap();
    let mut options = Options::new();
    options.set("nofollow", "1").unwrap();
    let before = files(&dir.file("out"));
    for name in ["in/dir/new/x.db", "in/dir/x.db"] {
        let error = Connection::open(Some(&dir.url(name)), &options).unwrap_err();
        assert!(error.to_string().contains("nofollow"), "{error}");
    }
    assert_eq!(files(&dir.file("out")), before);
    let real = fs::canonicalize(dir.path()).unwrap();
    let url = format!("file:{}/in/made/for/it/x.db", real.display());
    Connection::open(Some(&url), &options).unwrap().close().unwrap();
}

#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
    let (a, b) = (name(a), name(b));
    // SAFETY: NUL-terminated names.
    unsafe { libc::renameat2(libc::AT_FDCWD, a.as_ptr(), libc::AT_FDCWD, b.as_ptr(), libc::RENAME_EXCHANGE) };
}

/// Another process that puts links in the place of a directory and of a database, and takes them away again.
#[cfg(target_os = "linux")]
#[test]
fn swaps_names() {
    if !is_child("swaps_names") {
        return;
    }
    let root = std::path::PathBuf::from(std::env::var("ROOT").unwrap());
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut random = seed;
    // Until the parent's end, which kills it.
    loop {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // Now at once, now after a whole open.
        std::thread::sleep(std::time::Duration::from_micros((random >> 33) % 1500));
        exchange(&root.join("d"), &root.join("d-link"));
        exchange(&root.join("x.db"), &root.join("x-link"));
        if !root.exists() {
            return;
        }
    }
}

/// Opens amid the swaps; returns how many databases or files of theirs are found outside afterwards.
#[cfg(target_os = "linux")]
fn amid_swaps(opens: u32, mut open: impl FnMut(&Dir, &str) -> bool) -> (u32, u32, usize) {
    let dir = place();
    for name in ["in/d", "out/d"] {
        fs::create_dir(dir.file(name)).unwrap();
    }
    symlink("../out/d", dir.file("in/d-link")).unwrap();
    symlink("../out/x.db", dir.file("in/x-link")).unwrap();
    fs::write(dir.file("in/x.db"), "").unwrap();
    let root = dir.file("in").display().to_string();
    let _swapper = Killed(child("swaps_names", &[("ROOT", &root)]).spawn().unwrap());
    let (mut opened, mut failed) = (0, 0);
    for number in 0..opens {
        let name = match number % 3 {
            0 => "in/x.db".to_owned(),
            1 => format!("in/d/{number}.db"),
            _ => format!("in/d/new-{number}/a.db"),
        };
        match open(&dir, &name) {
            true => opened += 1,
            false => {
                failed += 1;
                // A refusal takes no time: most tries would meet the same link.
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        }
    }
    let outside = files(&dir.file("out")).into_keys().filter(|name| name != "d/" && name != "secret.db").count();
    (opened, failed, outside)
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_lands_outside_while_names_are_swapped() {
    let opens = std::env::var("OPENS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let stopped = AtomicBool::new(false);
    let (opened, failed, outside) = amid_swaps(opens, |dir, name| {
        let outcome = Connection::open(Some(&dir.url(name)), &within(dir, "in"));
        let Ok(db) = outcome else { return false };
        let _ = db.exec("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)");
        db.close().unwrap();
        true
    });
    println!("{opened} opened, {failed} refused, {outside} files outside");
    assert_eq!(outside, 0);
    assert!(opened > 0, "nothing was opened: nothing was tried");
    // The same for copies: by their own name or none, and never half of one.
    let (copied, failed, outside) = amid_swaps(opens, |dir, name| {
        let mut options = within(dir, "in");
        options.set("attach", "any").unwrap();
        let db = Connection::open(Some(":memory:"), &options).unwrap();
        exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        let url = dir.url(&name.replace("x.db", "d/x.db"));
        let copied = db.backup(&url, 0, |_, _| false).is_ok();
        db.close().unwrap();
        copied
    });
    println!("{copied} copied, {failed} refused, {outside} files outside");
    assert_eq!(outside, 0);
    assert!(copied > 0, "nothing was copied: nothing was tried");
    // By SQL, which nobody resolves beforehand.
    for sql in ["ATTACH", "VACUUM INTO"] {
        let (done, failed, outside) = amid_swaps(opens, |dir, name| {
            let mut options = within(dir, "in");
            options.set("attach", "any").unwrap();
            let db = Connection::open(Some(":memory:"), &options).unwrap();
            exec(&db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
            // ATTACH makes no directories; what is there and not empty VACUUM INTO refuses.
            let path = dir.file(&name.replace("new-", "").replace("/a.db", ".db")).display().to_string();
            let script = match sql {
                "ATTACH" => {
                    format!("ATTACH '{path}' AS b; CREATE TABLE IF NOT EXISTS b.u(a); INSERT INTO b.u VALUES(1)")
                }
                _ => format!("VACUUM INTO '{path}'"),
            };
            let done = db.exec(&script).is_ok();
            db.close().unwrap();
            done
        });
        println!("{sql}: {done} done, {failed} refused, {outside} files outside");
        assert_eq!(outside, 0, "{sql}");
        assert!(done > 0, "{sql}: nothing was tried");
    }
    // The control: to look first and to open then is not enough.
    let (opened, failed, outside) = amid_swaps(opens, |dir, name| {
        if stopped.load(Ordering::Relaxed) {
            return false;
        }
        let Ok(resolved) = resolve(Some(&dir.url(name)), &within(dir, "in")) else { return false };
        drop(resolved);
        let landed = Connection::open(Some(&dir.url(name)), &Options::new()).map(|db| db.close()).is_ok();
        let names = files(&dir.file("out"));
        stopped.store(names.keys().any(|name| name != "d/" && name != "secret.db"), Ordering::Relaxed);
        landed
    });
    println!("without: {opened} opened, {failed} refused, {outside} files outside");
    if outside == 0 {
        skip("the swaps never came between the look and the open: this machine has one processor");
    }
}

/// No false alarm: SQLite's own temporary files, which lie elsewhere, and what it makes beside the database.
#[test]
fn temporary_files_and_journals_are_no_way_out() {
    let dir = place();
    let before = files(&dir.file("out"));
    let mut options = within(&dir, "in");
    for (key, value) in [("temp_store", "file"), ("cache_size", "10"), ("attach", "any"), ("journal_mode", "delete")] {
        options.set(key, value).unwrap();
    }
    let db = Connection::open(Some(&dir.url("in/a.db")), &options).unwrap();
    let rows =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT randomblob(900) FROM n";
    // A temporary table, a sort and a VACUUM too large for the cache.
    exec(
        &db,
        &format!(
            "CREATE TEMP TABLE x AS {rows}; CREATE TABLE t AS SELECT * FROM x ORDER BY 1; DELETE FROM t WHERE rowid % 2; VACUUM"
        ),
    );
    // A transaction on two files, which has a journal above theirs.
    exec(&db, &format!("ATTACH '{}' AS b; CREATE TABLE b.u(a)", dir.file("in/b.db").display()));
    exec(&db, "BEGIN; INSERT INTO t SELECT * FROM x; INSERT INTO b.u SELECT * FROM x; COMMIT; DETACH b");
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "4500");
    db.close().unwrap();
    assert_eq!(files(&dir.file("in")).into_keys().collect::<Vec<_>>(), ["a.db", "b.db"]);
    assert_eq!(files(&dir.file("out")), before);
}
