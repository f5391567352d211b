//! Limits for reading a database that may have been made to do harm.
//!
//! A check of the content computes what the schema says: generated columns, indexes on expressions, CHECK constraints. A
//! file of a few kilobytes can ask for gigabytes and for years of that.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use litekeel_core::{Connection, Error, Result, sqlite};

use crate::exit::Exit;
use crate::interrupt;
use crate::output::tell;
use crate::progress::Waiting;
use crate::terminal::time;

/// A value that is stored is no longer than its file. What is computed may have this many bytes in a small one.
const LONGEST_VALUE: u64 = 16 << 20;
/// Every check may take so long, and so much longer for each byte: a slow disk reads 2 MB/s.
const LEAST: Duration = Duration::from_secs(60);
const BYTES_A_SECOND: u64 = 2_000_000;
/// A single call of a function (GLOB with many stars) hears no interrupt: after this time the process ends.
const DEAF: Duration = Duration::from_secs(2);

/// What a piece of work on a database may take.
pub struct Bounds<'a> {
    pub time: Duration,
    /// Removed if the process has to end in the middle.
    pub unfinished: Option<&'a Path>,
}

impl Bounds<'_> {
    /// As long as was asked for, else by the size of the file.
    pub fn of(path: &Path, asked: Option<Duration>) -> Bounds<'static> {
        let time = asked.unwrap_or_else(|| LEAST + Duration::from_secs(size(path) / BYTES_A_SECOND));
        Bounds { time, unfinished: None }
    }

    /// Works on a connection; Ctrl-C and the end of the time make its running statement fail.
    ///
    /// # Errors
    /// `SQLITE_INTERRUPT` when the time was over, with what to do; those of the work.
    pub fn run<T>(
        &self,
        db: &Connection,
        path: &Path,
        mut waiting: Waiting,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        {
            let guard = db.lock()?;
            let longest = size(path).max(LONGEST_VALUE).min(i32::MAX as u64) as i32;
            // SAFETY: the guard's own handle, used while the guard lives. A limit above SQLite's own changes nothing.
            unsafe { sqlite::sqlite3_limit(guard.raw(), sqlite::SQLITE_LIMIT_LENGTH, longest) };
        }
        let over = AtomicBool::new(false);
        let done = interrupt::ends(
            db,
            |elapsed| {
                waiting.show(elapsed);
                if elapsed > self.time {
                    over.store(true, Ordering::Relaxed);
                    db.interrupt();
                }
                if elapsed > self.time + DEAF {
                    self.give_up(path);
                }
            },
            work,
        );
        if over.load(Ordering::Relaxed) && done.is_err() && !interrupt::asked() {
            return Err(self.too_long(path));
        }
        done
    }

    fn too_long(&self, path: &Path) -> Error {
        Error::new(
            TOOK_TOO_LONG,
            format!("{}: reading its content did not end within {}", path.display(), time(self.time)),
        )
        .with_hint(HINT)
        .with_path(path)
    }

    /// The other thread is in a call that nothing ends, and holds what an orderly end would need.
    fn give_up(&self, path: &Path) -> ! {
        let error = self.too_long(path);
        tell!("litekeel: {}", error.message());
        tell!("  what to do: {}", error.hint());
        if let Some(file) = self.unfinished {
            let _ = std::fs::remove_file(file);
        }
        // SAFETY: ends the process without running anything more.
        unsafe { libc::_exit(Exit::Failed as i32) }
    }
}

/// The code of what took too long. SQLite's INTERRUPT would be taken for Ctrl-C.
pub const TOOK_TOO_LONG: i32 = sqlite::SQLITE_ABORT;

/// What to do about a value that is longer than the file it comes from.
pub const COMPUTES: &str = "its schema computes values that are longer than the whole file (generated columns, indexes on \
                            expressions): trust it only if you know who made it";

const HINT: &str = "its schema may compute without end (generated columns, indexes on expressions): trust it only if you \
                    know who made it; on a slow disk allow more with --check-timeout";

/// Of the database and its `-wal`.
fn size(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let files = [path, Path::new(&wal)];
    files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum()
}
