//! `litekeel replicated`: the position when Litestream confirms it, and the reason when nobody does.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use common::Dir;

#[test]
fn it_ends_well_only_when_the_daemon_has_confirmed() {
    let dir = Dir::new();
    let path = dir.database("a.db", 1);
    let url = format!("file:{}?replication_socket={}", path.display(), dir.file("s.sock").display());
    let ran = dir.litekeel(&["replicated", &url, "--timeout", "30s"]);
    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.err.contains("not confirmed at the replica") && ran.err.contains("s.sock"), "{ran:?}");

    let listener = UnixListener::bind(dir.file("s.sock")).unwrap();
    let daemon = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut seen = Vec::new();
        let mut part = [0; 1024];
        // The question's JSON is the end of it.
        while !seen.ends_with(b"}") {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0);
            seen.extend_from_slice(&part[..length]);
        }
        stream
            .write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"status\":\"synced\",\"txid\":10,\"replicated_txid\":10}\n")
            .unwrap();
    });
    let level = path.with_file_name(".a.db-litestream").join("ltx/0");
    std::fs::create_dir_all(&level).unwrap();
    std::fs::write(level.join("000000000000000a-000000000000000a.ltx"), "").unwrap();
    let ran = dir.litekeel(&["replicated", &url, "--timeout", "30s", "--json"]);
    daemon.join().unwrap();
    assert_eq!((ran.status, ran.json()["txid"].as_str()), (0, Some("000000000000000a")), "{ran:?}");
}
