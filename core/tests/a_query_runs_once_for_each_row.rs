//! Packed parameters: the statement runs once for each of their rows, however its own rows are read.

mod common;

use common::{exec, get, open};
use litekeel_core::Encoder;

#[test]
fn without_a_row_of_parameters_a_statement_does_not_run() {
    let connection = open(":memory:").unwrap();
    exec(&connection, "CREATE TABLE t(a)");
    let empty = Encoder::new([b"a".as_slice()]).finish();
    for sql in ["INSERT INTO t VALUES(?)", "INSERT INTO t VALUES(?) RETURNING a"] {
        assert_eq!(connection.query(sql, Some(empty.table())).unwrap().table().changes(), 0);
        let (rows, mut stream) = connection.stream(sql, Some(empty.table()), 1000).unwrap();
        assert_eq!((rows.table().rows(), rows.table().changes()), (0, 0));
        assert!(stream.next_batch().unwrap().is_none());
    }
    assert_eq!(get(&connection, "SELECT count(*) FROM t"), "0");
    connection.close().unwrap();
}
