//! A FIFO in the place of a database or of a file beside it would be waited for, for ever.

mod common;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::Dir;

#[test]
fn every_command_ends() {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let dir = Dir::new();
        dir.database("a.db", 1);
        dir.database("b.db", 1);
        let place = dir.file(&format!("b.db{suffix}"));
        let _ = fs::remove_file(&place);
        let name = CString::new(place.as_os_str().as_bytes()).unwrap();
        // SAFETY: a NUL-terminated name.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for (words, refuses) in [
            (&["doctor", "b.db"][..], true),
            (&["checkpoint", "b.db"], true),
            (&["backup", "b.db", "c.db"], true),
            (&["restore", "b.db", "c.db"], true),
            (&["backup", "a.db", "b.db", "--overwrite"], true),
            // These only look at names and locks.
            (&["who", "b.db"], false),
            (&["watch", "b.db", "--count", "1"], false),
        ] {
            let mut child = dir.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let began = Instant::now();
            let status = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status;
                }
                if began.elapsed() > Duration::from_secs(30) {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("{words:?} hangs at b.db{suffix}");
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
            assert_eq!(status.success(), !refuses, "{words:?} at b.db{suffix}: {said}");
            assert!(!dir.file("c.db").exists(), "{words:?} at b.db{suffix}");
        }
    }
}
