//! `mv backup.db app.db` under an open connection, and then another connection of the same process to that name: what a pool does after
//! a restore. In one process no lock keeps the two from taking each other's log for their own.

mod common;

use std::fs;

use common::{Dir, exec, get, open};
use litekeel_core::codes;

const TABLE: &str = "CREATE TABLE t(a PRIMARY KEY, b)";

fn rows(count: u32, what: &str) -> String {
    format!(
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count}) SELECT i, '{what}' FROM n"
    )
}

/// A connection whose last rows are in the log, and a backup of its own content beside it.
fn restored() -> (Dir, std::sync::Arc<litekeel_core::Connection>) {
    let dir = Dir::new();
    let old = open(&dir.url("a.db?wal_autocheckpoint=0")).unwrap();
    exec(&old, &format!("{TABLE}; {}", rows(500, "old")));
    let backup = open(&dir.url("backup.db")).unwrap();
    exec(&backup, &format!("{TABLE}; CREATE TABLE u(a); {}", rows(3000, "restored")));
    backup.close().unwrap();
    fs::rename(dir.file("backup.db"), dir.file("a.db")).unwrap();
    (dir, old)
}

/// The file that was put there is whole in the end.
fn is_whole(dir: &Dir) {
    let db = open(&dir.url("a.db")).unwrap();
    assert_eq!(
        get(&db, "SELECT group_concat(x) FROM (SELECT b || ' ' || count(*) AS x FROM t GROUP BY b)"),
        "restored 3000"
    );
    assert_eq!(get(&db, "PRAGMA integrity_check"), "ok");
    db.close().unwrap();
}

#[test]
fn a_connection_is_refused_until_the_old_one_has_noticed_or_is_closed() {
    for noticed in [false, true] {
        let (dir, old) = restored();
        if noticed {
            assert_eq!(old.health().unwrap().latched.map(|code| code.code()), Some(codes::DATABASE_MOVED));
        } else {
            let error = open(&dir.url("a.db")).unwrap_err();
            assert_eq!(error.code(), codes::DATABASE_MOVED, "{error}");
            assert!(error.message().contains("close that connection"), "{error}");
        }
        // Closing it keeps its log elsewhere, and leaves none for the file that has the name now.
        let new = noticed.then(|| open(&dir.url("a.db")).unwrap());
        if let Some(new) = &new {
            assert_eq!(get(new, "SELECT count(*) FROM t WHERE b = 'restored'"), "3000");
        }
        let _ = old.close();
        if let Some(new) = new {
            new.close().unwrap();
        }
        is_whole(&dir);
    }
}

/// Two files that never shared a log, whatever their names were, are none of this.
#[test]
fn a_new_database_in_an_empty_place_is_opened() {
    let (dir, old) = restored();
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        fs::rename(dir.file(name), dir.file(&name.replace("a.db", "moved.db"))).unwrap();
    }
    let new = open(&dir.url("a.db")).unwrap();
    exec(&new, &format!("{TABLE}; INSERT INTO t VALUES(1, 'new')"));
    assert_eq!(get(&new, "SELECT group_concat(b) FROM t"), "new");
    new.close().unwrap();
    let _ = old.close();
    // Nor is a second connection to the same file.
    let (one, two) = (open(&dir.url("a.db")).unwrap(), open(&dir.url("a.db")).unwrap());
    assert_eq!(get(&two, "SELECT group_concat(b) FROM t"), "new");
    two.close().unwrap();
    one.close().unwrap();
}
