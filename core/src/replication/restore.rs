//! A database that does not exist is brought back from Litestream's replica: once, whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::codes;
use crate::error::{Error, FailedStep, Result};
use crate::platform::path_facts::sidecar;
use crate::platform::standard_error;

/// Where the replica is, and by which program it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Litestream's program: a path, or a name that `PATH` leads to.
    pub program: PathBuf,
    /// The replica's URL; it comes before the configuration.
    pub replica: Option<String>,
    /// Litestream's configuration file; without it `/etc/litestream.yml`.
    pub config: Option<PathBuf>,
}

/// What has become of a database that may have been missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    There,
    /// It is there now, complete.
    Restored,
    /// The replica has nothing of it.
    NoBackup,
}

/// How a run of `litestream restore` ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// It says that it restored, or that it was told to be content with nothing.
    pub success: bool,
    /// Its exit status, and what it said, for people.
    pub said: String,
}

/// How often it is looked whether a process has finished.
const LOOK: Duration = Duration::from_millis(20);

impl Source {
    /// Runs `litestream restore` for `database` with these further arguments and waits for its end; `None` when `asked` said
    /// that nobody waits any more, and it was ended.
    ///
    /// # Errors
    /// When the program cannot be run. What it made of it is in what it said.
    pub fn run(&self, database: &Path, arguments: &[&OsStr], asked: &dyn Fn() -> bool) -> Result<Option<Ended>> {
        let cannot = |error: io::Error| {
            failure(database, format!("{} cannot be run: {error}", self.program.display()))
                .with_hint("install Litestream, or say where it is: --litestream for the command, LITEKEEL_LITESTREAM in the environment")
                .with_errno(error.raw_os_error().unwrap_or(0))
        };
        // A file, not a pipe: what it leaves running must not be waited for.
        let said = tempfile().map_err(|error| failed(database, "has no place for what Litestream says", &error))?;
        let mut restore = Command::new(&self.program);
        restore.arg("restore").args(arguments);
        match (&self.replica, &self.config) {
            (Some(replica), _) => restore.arg(replica),
            (None, Some(config)) => restore.arg("-config").arg(config).arg(database),
            (None, None) => restore.arg(database),
        };
        let output = said.try_clone().and_then(|second| Ok((said.try_clone()?, second))).map_err(cannot)?;
        let mut child = restore.stdin(Stdio::null()).stdout(output.0).stderr(output.1).spawn().map_err(cannot)?;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if asked() => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Ok(None);
                }
                Ok(None) => std::thread::sleep(LOOK),
                // The program that we are in lets the system reap its children (SIGCHLD is ignored): what is there decides.
                Err(_) => break None,
            }
        };
        let text = text_of(&said);
        Ok(Some(Ended {
            success: status.is_none_or(|status| status.success()),
            said: match status {
                Some(status) => format!("({status}): {text}"),
                None => format!("(its exit status is not known): {text}"),
            },
        }))
    }
}

/// An open file without a name.
fn tempfile() -> io::Result<File> {
    let mut template = std::env::temp_dir().join("litekeel-XXXXXX").into_os_string().into_encoded_bytes();
    template.push(0);
    // SAFETY: a writable, NUL-terminated text that ends with six X.
    let fd = unsafe { libc::mkstemp(template.as_mut_ptr().cast()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now and belongs to nobody else; the name is NUL-terminated.
    let file = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::unlink(template.as_ptr().cast());
        OwnedFd::from_raw_fd(fd)
    };
    Ok(standard_error::above_standard(file)?.into())
}

fn text_of(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; 4096];
    // The end of it says why.
    let from = file.metadata().map_or(0, |meta| meta.len().saturating_sub(bytes.len() as u64));
    let length = file.read_at(&mut bytes, from).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
}

/// Restores the database at `path` if it does not exist; `None` when `asked` said that nobody waits for it any more.
///
/// Of several processes and threads that ask at once, one restores, and the others wait for it. The database gets its name when
/// it is complete and on the disk, and takes no other file's place. `mode`: its permission bits.
///
/// # Errors
/// `KEEL_NOT_RESTORED`, with what Litestream said; `KEEL_ORPHAN_WAL` where a `-wal` or `-journal` lies without its database.
pub fn if_missing(
    path: &Path,
    source: &Source,
    mode: Option<u32>,
    asked: &dyn Fn() -> bool,
) -> Result<Option<Outcome>> {
    if is_there(path)? {
        return Ok(Some(Outcome::There));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(_lock) = Lock::take(&sidecar(path, ".restore-lock"), asked)? else { return Ok(None) };
    // Another process may have restored it while this one waited.
    if is_there(path)? {
        return Ok(Some(Outcome::There));
    }
    for suffix in ["-wal", "-journal"] {
        let left = sidecar(path, suffix);
        if left.exists() {
            let text = format!("{} does not exist, but {} does", path.display(), left.display());
            return Err(Error::new(codes::ORPHAN_WAL, text).with_path(&left).with_hint(
                "it may have commits that no replica has: find the database that it belongs to, or move it away to restore",
            ));
        }
    }
    let room = Room::make(parent, path)?;
    let copy = room.0.join("restored.db");
    let options = ["-if-replica-exists", "-integrity-check", "quick", "-o"].map(OsStr::new);
    let Some(ended) = source.run(path, &[&options[..], &[copy.as_os_str()]].concat(), asked)? else { return Ok(None) };
    if !ended.success {
        let text = format!("{} restore failed {}", source.program.display(), ended.said);
        return Err(failure(path, text)
            .with_hint("see to the replica and the access to it, then try again: nothing was created"));
    }
    if asked() {
        return Ok(None);
    }
    if !copy.exists() {
        return Ok(Some(Outcome::NoBackup));
    }
    publish(&copy, path, mode).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            failure(path, format!("{} was created by another program meanwhile", path.display()))
                .with_hint("nothing was replaced: start the program only when this has ended")
        }
        _ => failed(path, "cannot get its name", &error),
    })?;
    Ok(Some(Outcome::Restored))
}

/// That the replica has nothing, for who needs something.
pub fn no_backup(path: &Path, content_with_nothing: &str) -> Error {
    failure(path, format!("{} does not exist, and there is no backup of it", path.display())).with_hint(format!(
        "see whether the replica is the right one; {content_with_nothing} lets a new program begin with nothing"
    ))
}

fn failure(path: &Path, text: String) -> Error {
    Error::new(codes::NOT_RESTORED, text).with_path(path).with_step(FailedStep::Restore)
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    failure(path, format!("{} {what}: {error}", path.display())).with_errno(error.raw_os_error().unwrap_or(0))
}

/// # Errors
/// For a file without content: a program may have it open, and what was put over it would be another file.
fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == 0 => {
            Err(failure(path, format!("{} is there and has no content", path.display()))
                .with_hint("if no program uses it, remove it and try again"))
        }
        Ok(_) => Ok(true),
        // A link that leads nowhere would be replaced by nothing that was meant.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => Ok(false),
        Err(error) => Err(failed(path, "cannot be looked at", &error)),
    }
}

/// The content is on the disk before it has the name, and nothing that is there is replaced.
fn publish(copy: &Path, path: &Path, mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        fs::set_permissions(copy, fs::Permissions::from_mode(mode))?;
    }
    File::open(copy)?.sync_all()?;
    rename_new(copy, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use std::ffi::CString;
    let (old, new) = (CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?);
    const RENAME_NOREPLACE: libc::c_uint = 1;
    let here = libc::AT_FDCWD;
    // SAFETY: NUL-terminated paths.
    let rc = unsafe { libc::syscall(libc::SYS_renameat2, here, old.as_ptr(), here, new.as_ptr(), RENAME_NOREPLACE) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    // A hard link fails where the name is taken, which a rename would not.
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Held by the one that restores; the system gives it back when its process is killed.
struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// `None` when nobody waits any more.
    fn take(path: &Path, asked: &dyn Fn() -> bool) -> Result<Option<Lock>> {
        let mut open = OpenOptions::new();
        open.read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let file = open.open(path).map_err(|error| failed(path, "cannot be opened", &error))?;
        // SAFETY: the descriptor is the file's.
        while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let error = io::Error::last_os_error();
            if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                return Err(failed(path, "cannot be locked", &error));
            }
            if asked() {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
        Ok(Some(Lock(file)))
    }
}

/// A directory beside the database that goes away. Its name is a new one: Litestream may still run for one who was killed.
struct Room(PathBuf);

impl Room {
    /// Removes what others have left, who do not hold the lock any more.
    fn make(parent: &Path, path: &Path) -> Result<Room> {
        let start = sidecar(path, ".restoring-");
        let left = fs::read_dir(parent).map_err(|error| failed(parent, "cannot be read", &error))?.flatten();
        let name = start.file_name().unwrap_or_default().as_bytes();
        for entry in left.filter(|entry| entry.file_name().as_bytes().starts_with(name)) {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
        let mut template = start.as_os_str().as_bytes().to_vec();
        template.extend(b"XXXXXX\0");
        // SAFETY: a writable, NUL-terminated text that ends with six X.
        if unsafe { libc::mkdtemp(template.as_mut_ptr().cast()) }.is_null() {
            return Err(failed(parent, "takes no directory", &io::Error::last_os_error()));
        }
        template.pop();
        Ok(Room(PathBuf::from(OsStr::from_bytes(&template))))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What stays is removed by the next one that holds the lock.
        let _ = fs::remove_dir_all(&self.0);
    }
}
