//! Creating an empty file under its name in one step, so that no descriptor of it is ever closed: another thread may have
//! opened it in between, and a close takes the locks of the whole process along.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Creates the empty file with these permissions, less what the umask takes away.
///
/// # Errors
/// The system's; `AlreadyExists` for a name that is taken.
#[cfg(target_os = "linux")]
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a NUL-terminated path.
    if unsafe { libc::mknod(name.as_ptr(), libc::S_IFREG | mode, 0) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use linked::create;

/// Elsewhere `mknod` makes devices only: the file is created under a name that nobody knows, closed, and then given its own.
#[cfg(any(test, not(target_os = "linux")))]
mod linked {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::OpenOptionsExt;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    pub(crate) fn create(path: &Path, mode: u32) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        CString::new(path.as_os_str().as_bytes())?;
        loop {
            let mut hidden = path.as_os_str().to_owned();
            hidden.push(format!(".new-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            let hidden = Path::new(&hidden);
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(hidden) {
                Ok(file) => drop(file),
                // Left behind by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            // A hard link fails where the name is taken, which a rename would not.
            let linked = fs::hard_link(hidden, path);
            let _ = fs::remove_file(hidden);
            return linked;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn check(create: fn(&Path, u32) -> io::Result<()>) {
        let own = tempfile::tempdir().unwrap();
        let dir = own.path();
        let path = dir.join("app.db");
        create(&path, 0o600).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.mode() & 0o777, meta.nlink()), (0, 0o600, 1));
        fs::write(&path, "kept").unwrap();
        assert_eq!(create(&path, 0o644).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "nothing else is left");
        assert_eq!(create(&dir.join("none/app.db"), 0o600).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_created_once_with_its_mode() {
        check(create);
    }

    #[test]
    fn where_mknod_makes_no_files_too() {
        check(linked::create);
    }
}
