//! `file_mode` is what the file has, and what its side files have, whatever the umask is.

mod common;

use std::os::unix::fs::MetadataExt;

use common::Dir;
use litekeel_core::{Connection, Options};

#[test]
fn file_mode_holds_in_spite_of_the_umask() {
    // SAFETY: of this process, which runs this one test.
    unsafe { libc::umask(0o077) };
    let dir = Dir::new();
    for mode in [0o660, 0o666, 0o600, 0o644, 0o640] {
        let mut options = Options::new();
        options.set("file_mode", &format!("{mode:o}")).unwrap();
        let name = format!("{mode:o}.db");
        let db = Connection::open(Some(&dir.url(&name)), &options).unwrap();
        db.lock().unwrap().sqlite().execute_batch("CREATE TABLE t(a)").unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let has = std::fs::metadata(dir.file(&format!("{name}{suffix}"))).unwrap().mode() & 0o777;
            assert_eq!(has, mode, "{suffix}: {has:o} instead of {mode:o}");
        }
        // One that exists keeps what it has.
        let mut other = Options::new();
        other.set("file_mode", "0604").unwrap();
        let again = Connection::open(Some(&dir.url(&name)), &other).unwrap();
        assert_eq!(std::fs::metadata(dir.file(&name)).unwrap().mode() & 0o777, mode);
        // A copy has the permissions of the original too.
        let copy = format!("copy-{name}");
        again.backup(&dir.url(&copy), 0, |_, _| false).unwrap();
        assert_eq!(std::fs::metadata(dir.file(&copy)).unwrap().mode() & 0o777, mode);
        again.close().unwrap();
        db.close().unwrap();
    }
}
