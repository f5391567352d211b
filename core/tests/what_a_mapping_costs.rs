//! What the setting mmap_size says of itself: where something else cuts a mapped file short, reading ends the process. Without a
//! mapping it is an error.
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use common::{Dir, Killed, child, exec, get, is_child, open};

const ROWS: u32 = 2000;

#[test]
fn a_file_that_is_cut_short_ends_who_reads_it_by_a_mapping_alone() {
    const NAME: &str = "a_file_that_is_cut_short_ends_who_reads_it_by_a_mapping_alone";
    if is_child(NAME) {
        let db = open(&std::env::var("URL").unwrap()).unwrap();
        // In a transaction: at its start SQLite looks how long the file is, and maps it anew.
        exec(&db, "BEGIN");
        assert_eq!(get(&db, "SELECT count(*) FROM t WHERE a < 3"), "2");
        println!("\nopen");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let error = db.query("SELECT sum(length(b)) FROM t", None).map(|_| ()).unwrap_err();
        println!("error: {error}");
        return;
    }
    for (mmap_size, ends) in [("64MiB", Some(libc::SIGBUS)), ("0", None)] {
        let dir = Dir::new();
        let path = dir.file("a.db");
        let db = open(&dir.url("a.db?journal_mode=delete")).unwrap();
        exec(&db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
        exec(
            &db,
            &format!(
                "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT i, randomblob(1000) FROM n LIMIT {ROWS}"
            ),
        );
        db.close().unwrap();
        // Small pages in the cache: what is read at the end was not read before.
        let url = dir.url(&format!("a.db?journal_mode=delete&cache_size=10&mmap_size={mmap_size}"));
        let mut command = child(NAME, &[("URL", &url)]);
        let mut process = Killed(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "open"));
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(8192).unwrap();
        process.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        let said: Vec<String> = lines.map_while(Result::ok).collect();
        let status = process.0.wait().unwrap();
        assert_eq!(status.signal(), ends, "mmap_size={mmap_size}: {status:?} {said:?}");
        assert_eq!(said.iter().any(|line| line.starts_with("error: ")), ends.is_none(), "{said:?}");
    }
    let table = litekeel_core::reference_page();
    let row = table.lines().find(|line| line.contains("`mmap_size`")).unwrap();
    assert!(row.contains("ends the process (SIGBUS)"), "{row}");
}
