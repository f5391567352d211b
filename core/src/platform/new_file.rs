//! A file under a new name, where what is there already stays. An empty one is created in one step, so that no descriptor of
//! it is ever closed: another thread may have opened it in between, and a close takes the locks of the whole process along.

use std::ffi::CString;
use std::fs;
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
    use std::fs::OpenOptions;
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

/// Renames a file to a name that is free.
///
/// # Errors
/// `AlreadyExists` when it is not.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other);
        let (from, to) = (name(from)?, name(to)?);
        let here = libc::AT_FDCWD;
        // SAFETY: two NUL-terminated paths. By its number: musl has no function for it.
        let rc = unsafe {
            libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), libc::RENAME_NOREPLACE)
        };
        if rc == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // A file system (NFS, some FUSE) or a kernel that does not know the flag.
        if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) {
            return Err(error);
        }
    }
    link_new(from, to)
}

/// The same where a rename that replaces nothing is not known: a second name, and the first one goes.
fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        // Without hard links (FAT) nothing better is left than to look first.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS)) => {
            match fs::symlink_metadata(to) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
                _ => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            }
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_new_name_replaces_nothing_by_either_way() {
        let own = tempfile::tempdir().unwrap();
        let dir = own.path();
        let (from, to) = (dir.join("from"), dir.join("to"));
        for rename in [rename_new, link_new] {
            fs::write(&from, "new").unwrap();
            rename(&from, &to).unwrap();
            assert_eq!((fs::read_to_string(&to).unwrap().as_str(), from.exists()), ("new", false));
            assert_eq!(fs::metadata(&to).unwrap().nlink(), 1);
            fs::write(&from, "other").unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read_to_string(&to).unwrap().as_str(), from.exists()), ("new", true));
            // A link that leads nowhere is something too.
            fs::remove_file(&to).unwrap();
            std::os::unix::fs::symlink("nowhere", &to).unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            fs::remove_file(&to).unwrap();
        }
    }
}
