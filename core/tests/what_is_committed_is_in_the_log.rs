//! A commit that has returned is in the `-wal`, whole, whatever was written of its frames how often: whoever finds the database and
//! its log without the WAL-index, as after a crash, finds it. `SEED` makes another run of it.

mod common;

use std::process::Command;

use common::random::{Random, seed};
use common::{Dir, exec, get, open};

/// What the database and its log hold by themselves.
fn found(dir: &Dir, sql: &str) -> String {
    let other = Dir::new();
    // By another program: a descriptor that is closed here would drop the locks of this process.
    let files = [dir.file("app.db"), dir.file("app.db-wal")];
    assert!(Command::new("cp").args(files).arg(other.path()).status().unwrap().success());
    let raw = rusqlite::Connection::open(other.file("app.db")).unwrap();
    raw.query_row(sql, [], |row| row.get(0)).unwrap()
}

const WHAT: &str = "SELECT count(*) || ' ' || sum(n) || ' ' || sum(length(body)) FROM t";

fn commits(parameters: &str, random: &mut Random) {
    let dir = Dir::new();
    // A cache of a few pages: a transaction's frames are written before it ends, and some of them again.
    let db = open(&dir.url(&format!("app.db?checkpoint=auto&cache_size=10&{parameters}"))).unwrap();
    exec(
        &db,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, body BLOB);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, 0, zeroblob(700) FROM n",
    );
    for commit in 0..12 {
        exec(&db, "BEGIN");
        for _ in 0..1 + random.below(4) {
            let (from, size) = (1 + random.below(60), 500 + random.below(400));
            match random.below(5) {
                0 => exec(
                    &db,
                    &format!("SAVEPOINT s; UPDATE t SET n = n + 7, body = zeroblob({size}); ROLLBACK TO s; RELEASE s"),
                ),
                1 => exec(&db, "UPDATE t SET n = n + 1"),
                2 => exec(&db, &format!("UPDATE t SET n = n + 1, body = zeroblob({size}) WHERE id >= {from}")),
                _ => exec(&db, &format!("UPDATE t SET n = n + 1 WHERE id = {from}")),
            }
        }
        exec(&db, "COMMIT");
        assert_eq!(found(&dir, WHAT), get(&db, WHAT), "{parameters}, commit {commit}");
    }
    assert_eq!(found(&dir, "PRAGMA integrity_check"), "ok", "{parameters}");
    db.close().unwrap();
}

#[test]
fn whatever_the_pages_and_the_waits_for_the_disk_are() {
    let mut random = Random(seed());
    for page_size in [512, 4096, 65_536] {
        for synchronous in ["normal", "full"] {
            for more in ["psow=1&unsafe=1", "psow=0&unsafe=1", "locking_mode=exclusive"] {
                commits(&format!("page_size={page_size}&synchronous={synchronous}&{more}"), &mut random);
            }
        }
    }
}
