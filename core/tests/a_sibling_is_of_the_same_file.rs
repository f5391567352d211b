//! A sibling is another connection to the very file of the first one, while that one is open.

mod common;

use common::{Dir, exec, get, open};
use litekeel_core::{Assistant, codes};

#[test]
fn a_file_that_was_moved_or_replaced_has_no_sibling_and_none_is_created() {
    let dir = Dir::new();
    let connection = open(&dir.url("a.db")).unwrap();
    exec(&connection, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    connection.sibling().unwrap().close().unwrap();
    std::fs::rename(dir.file("a.db"), dir.file("b.db")).unwrap();
    let asked = || [connection.sibling(), connection.assistant("a task", Assistant::Reads)];
    for error in asked().map(Result::unwrap_err) {
        assert_eq!((error.code(), error.path()), (codes::DATABASE_MOVED, Some(&*dir.file("a.db"))), "{error}");
    }
    assert!(!dir.file("a.db").exists());
    // Another database in its place. It is made elsewhere: beside the first one's -shm none may be opened under this name.
    let other = open(&dir.url("c.db")).unwrap();
    exec(&other, "CREATE TABLE t(a)");
    other.close().unwrap();
    std::fs::rename(dir.file("c.db"), dir.file("a.db")).unwrap();
    assert!(asked().into_iter().all(|sibling| sibling.unwrap_err().code() == codes::DATABASE_MOVED));
    connection.close().unwrap();
}

#[test]
fn a_closed_connection_has_no_sibling() {
    let dir = Dir::new();
    let connection = open(&dir.url("a.db")).unwrap();
    connection.close().unwrap();
    assert_eq!(connection.sibling().unwrap_err().code(), codes::CLOSED);
    assert_eq!(connection.assistant("a task", Assistant::Writes).unwrap_err().code(), codes::CLOSED);
}

#[test]
fn what_works_for_a_connection_takes_less_memory_than_that_one() {
    let dir = Dir::new();
    for (asked, sibling, assistant) in [
        ("", "-64000", "-8000"),
        ("?cache_size=-10000", "-10000", "-2000"),
        ("?cache_size=-1000", "-1000", "-1000"),
        ("?cache_size=64MiB", "-65536", "-8192"),
        ("?cache_size=80000", "80000", "10000"),
        ("?cache_size=3000", "3000", "500"),
        ("?cache_size=20", "20", "20"),
        ("?profile=read-heavy", "-128000", "-16000"),
    ] {
        let connection = open(&dir.url(&format!("a.db{asked}"))).unwrap();
        let another = connection.sibling().unwrap();
        assert_eq!(get(&another, "PRAGMA cache_size"), sibling, "{asked}");
        another.close().unwrap();
        for may in [Assistant::Reads, Assistant::Writes] {
            let works = connection.assistant("a task", may).unwrap();
            assert_eq!(get(&works, "PRAGMA cache_size"), assistant, "{asked}");
            works.close().unwrap();
        }
        connection.close().unwrap();
    }
}
