//! `litekeel restore-if-missing`: brings a database back from Litestream's replica before a program starts, once.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::{Error, Result, codes};
use serde::Serialize;

use crate::database::Database;
use crate::exit::Exit;
use crate::interrupt;
use crate::litestream::Litestream;
use crate::output::{self, say};
use crate::terminal::{Terminal, Tone};

#[derive(Args)]
pub struct RestoreIfMissing {
    /// The URL or path of the database.
    url: Option<String>,
    #[command(flatten)]
    litestream: Litestream,
    /// It is fine if there is nothing to restore: the first start of a new program.
    #[arg(long)]
    if_available: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    path: String,
    /// "there", "restored" or "no_backup".
    outcome: &'static str,
    took_ms: u64,
}

/// How often it is looked whether another process has finished.
const LOOK: Duration = Duration::from_millis(20);

impl RestoreIfMissing {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let began = Instant::now();
        let path = Database::of(self.url.as_deref())?.path;
        let Some(outcome) = self.settle(&path)? else { return Ok(Exit::Interrupted) };
        let text = match outcome {
            "there" => "is there already",
            "restored" => "is restored from its replica",
            _ => "has no backup yet: it begins empty",
        };
        let outcome =
            Outcome { path: path.display().to_string(), outcome, took_ms: began.elapsed().as_millis() as u64 };
        if self.json {
            output::json(&outcome);
        } else {
            say!("{} {text}", out.paint(Tone::Good, &outcome.path));
        }
        Ok(Exit::Fine)
    }

    /// What has become of it; `None` when it was interrupted.
    fn settle(&self, path: &Path) -> Result<Option<&'static str>> {
        if is_there(path)? {
            return Ok(Some("there"));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|error| failed(parent, "cannot be made", &error))?;
        let Some(_lock) = Lock::take(&beside(path, ".restore-lock"))? else { return Ok(None) };
        // Another process may have restored it while this one waited.
        if is_there(path)? {
            return Ok(Some("there"));
        }
        for suffix in ["-wal", "-journal"] {
            let left = beside(path, suffix);
            if left.exists() {
                let text = format!("{} does not exist, but {} does", path.display(), left.display());
                return Err(Error::new(codes::ORPHAN_WAL, text).with_path(&left).with_hint(
                    "it may have commits that no replica has: find the database that it belongs to, or move it away to restore",
                ));
            }
        }
        let room = Room::make(parent, path)?;
        let copy = room.0.join("restored.db");
        self.restore(path, &copy)?;
        if interrupt::asked() {
            return Ok(None);
        }
        if !copy.exists() {
            if self.if_available {
                return Ok(Some("no_backup"));
            }
            let text = format!("{} does not exist, and there is no backup of it", path.display());
            return Err(Error::new(codes::IO, text).with_path(path).with_hint(
                "see whether the replica is the right one; --if-available lets a new program begin with nothing",
            ));
        }
        publish(&copy, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::new(codes::IO, format!("{} was created by another program meanwhile", path.display()))
                    .with_path(path)
                    .with_hint("nothing was replaced: start the program only when this has ended")
            }
            _ => failed(path, "cannot get its name", &error),
        })?;
        Ok(Some("restored"))
    }

    fn restore(&self, database: &Path, copy: &Path) -> Result<()> {
        let options = ["-if-replica-exists", "-integrity-check", "quick", "-o"].map(OsStr::new);
        let ended = self.litestream.restore(database, &[&options[..], &[copy.as_os_str()]].concat())?;
        if ended.status.success() {
            return Ok(());
        }
        let text = self.litestream.failure(ended, "failed");
        Err(Error::new(codes::IO, text)
            .with_path(database)
            .with_hint("see to the replica and the access to it, then run this again: nothing was created"))
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::new(codes::IO, format!("{} {what}: {error}", path.display())).with_path(path)
}

/// # Errors
/// For a file without content: a program may have it open, and what was put over it would be another file.
fn is_there(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == 0 => {
            let text = format!("{} is there and has no content", path.display());
            Err(Error::new(codes::IO, text)
                .with_path(path)
                .with_hint("if no program uses it, remove it and run this again"))
        }
        Ok(_) => Ok(true),
        // A link that leads nowhere would be replaced by nothing that was meant.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => Ok(false),
        Err(error) => Err(failed(path, "cannot be looked at", &error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The content is on the disk before it has the name, and nothing that is there is replaced.
fn publish(copy: &Path, path: &Path) -> io::Result<()> {
    File::open(copy)?.sync_all()?;
    rename_new(copy, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
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

/// Held by the one process that restores; the system gives it back when that is killed.
struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// `None` when the wait was interrupted.
    fn take(path: &Path) -> Result<Option<Lock>> {
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
            if interrupt::asked() {
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
        let start = beside(path, ".restoring-");
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
        Ok(Room(PathBuf::from(std::ffi::OsStr::from_bytes(&template))))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What stays is removed by the next one that holds the lock.
        let _ = fs::remove_dir_all(&self.0);
    }
}
