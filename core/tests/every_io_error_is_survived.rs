//! Every call of the file system fails once, in turn, and then once and for all: nobody crashes, nothing is reported as
//! done that is not there afterwards, the error says which operation, and the database is whole when the fault is gone.

mod common;
#[path = "common/shim.rs"]
mod shim;

use std::sync::Arc;

use common::{Dir, get, open};
use litekeel_core::{Connection, Error};

/// Opens, migrates, writes in transactions, checkpoints and closes. Returns the number of acknowledged transactions.
fn work(dir: &Dir) -> (u64, Option<Error>) {
    let mut acked = 0;
    let mut run = || -> Result<(), Error> {
        let db: Arc<Connection> = open(&dir.url(&format!(
            "a.db?vfs={}&checkpoint=auto&wal_autocheckpoint=4&optimize=off&busy_timeout=0&synchronous=full",
            shim::NAME
        )))?;
        let outcome = (|| {
            db.exec("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, body BLOB)")?;
            for n in 1..=6 {
                db.exec_atomic(&format!("INSERT INTO t VALUES ({n}, randomblob(3000))"))?;
                acked = n;
            }
            db.checkpoint(litekeel_core::sqlite::SQLITE_CHECKPOINT_TRUNCATE).map(drop)
        })();
        let closed = db.close().map(drop);
        outcome.and(closed)
    };
    let failure = run().err();
    (acked, failure)
}

/// Without the fault the database opens, is whole, and has every acknowledged row and no gap.
fn check(dir: &Dir, acked: u64, what: &str) {
    let db = open(&dir.url("a.db?profile=test")).unwrap_or_else(|error| panic!("{what}: reopening: {error}"));
    assert_eq!(get(&db, "PRAGMA integrity_check"), "ok", "{what}");
    let tables: u64 = get(&db, "SELECT count(*) FROM sqlite_schema").parse().unwrap();
    let (count, last): (u64, u64) = if tables == 0 {
        (0, 0)
    } else {
        let pair = get(&db, "SELECT count(*) || ' ' || coalesce(max(n), 0) FROM t");
        let (count, last) = pair.split_once(' ').unwrap();
        (count.parse().unwrap(), last.parse().unwrap())
    };
    // One more than was acknowledged may be there: the commit that failed after it was durable.
    assert!(
        count == last && (acked..=acked + 1).contains(&count),
        "{what}: {acked} acknowledged, {count} rows to {last}"
    );
    db.close().unwrap();
}

fn every_call(sticky: bool, only_sync: bool) -> u64 {
    let _alone = shim::alone();
    let mut failures = 0;
    for n in 1.. {
        let dir = Dir::new();
        shim::arm(n, sticky, only_sync);
        let (acked, failure) = work(&dir);
        let failed = shim::disarm();
        let Some(call) = failed else {
            assert!(failure.is_none(), "nothing failed, and yet: {failure:?}");
            assert_eq!(acked, 6);
            return failures;
        };
        let what = format!("call {n} ({call}{})", if sticky { ", and all after it" } else { "" });
        if let Some(error) = &failure {
            failures += 1;
            assert!(error.code() != 0 && !error.message().is_empty(), "{what}: {error:?}");
            assert!(error.message().contains("a.db"), "{what}: the message names no file: {}", error.message());
        } else {
            assert_eq!(acked, 6, "{what}: no error, and yet not everything was done");
        }
        check(&dir, acked, &what);
    }
    unreachable!()
}

#[test]
fn once() {
    let failures = every_call(false, false);
    println!("{failures} failures were reported");
    assert!(failures > 20, "only {failures} calls made a difference: the fault does not reach SQLite");
}

#[test]
fn for_good() {
    assert!(every_call(true, false) > 20);
}

#[test]
fn a_failed_fsync_at_commit_is_never_called_a_success() {
    let _alone = shim::alone();
    let dir = Dir::new();
    let db = open(&dir.url(&format!("a.db?vfs={}&synchronous=full&checkpoint=auto", shim::NAME))).unwrap();
    db.exec("CREATE TABLE t(n)").unwrap();
    shim::arm(1, false, true);
    let error = db.exec("INSERT INTO t VALUES (1)").unwrap_err();
    assert_eq!(shim::disarm(), Some("sync"));
    assert_eq!(error.code(), litekeel_core::sqlite::SQLITE_IOERR_FSYNC, "{error}");
    // The same data is not there either, and the connection goes on.
    assert_eq!(get(&db, "SELECT count(*) FROM t"), "0");
    db.exec("INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(get(&db, "SELECT group_concat(n) FROM t"), "2");
    db.close().unwrap();
}
