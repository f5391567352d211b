//! What every command does first: understand the URL, and open the database without leaving a trace.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use litekeel_core::settings::{Resolved, Target, resolve};
use litekeel_core::{CloseReport, Connection, Error, Options, Result, codes};

/// A URL that names a file.
pub struct Database {
    pub path: PathBuf,
    pub resolved: Resolved,
    url: Option<String>,
}

/// An open connection; closed when it goes out of scope, on every way out.
pub struct Opened(Arc<Connection>);

impl Opened {
    /// Closes now, for who wants to know how it went.
    pub fn close(self) -> Result<CloseReport> {
        self.0.close()
    }
}

impl Deref for Opened {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Closing again gives the same report. What fails here failed after something that is reported already.
        let _ = self.0.close();
    }
}

impl Database {
    /// Understands the URL, or DATABASE_URL, or the default.
    pub fn of(url: Option<&str>) -> Result<Database> {
        let resolved = resolve(url, &Options::new())?;
        match &resolved.target {
            Target::File(path) => Ok(Database { path: path.clone(), url: url.map(str::to_owned), resolved }),
            Target::Memory => Err(Error::new(
                codes::CONFLICT,
                format!("{} is a database in memory: no other process can see it", resolved.shown_url),
            )
            .with_hint("name a file: file:data/app.db")),
        }
    }

    /// The path with SQLite's suffix: `-wal`, `-shm`.
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// The size of the `-wal`; `None` when there is none.
    pub fn wal_bytes(&self) -> Option<u64> {
        std::fs::metadata(self.beside("-wal")).ok().map(|meta| meta.len())
    }

    /// Opens to look only, and gives up at once where that would mean to wait.
    pub fn glance(&self) -> Result<Opened> {
        let mut options = Options::new();
        options.inspect = true;
        options.set("busy_timeout", "20ms")?;
        self.open_with(options)
    }

    /// Opens to look only.
    pub fn inspect(&self) -> Result<Opened> {
        let mut options = Options::new();
        options.inspect = true;
        self.open_with(options)
    }

    /// Opens a database that exists to work on it, without converting it to another journal mode.
    pub fn work(&self, settings: &[(&str, &str)]) -> Result<Opened> {
        let looked = self.inspect()?;
        let journal = looked.report().row("journal_mode").map(|row| row.value.clone()).unwrap_or_default();
        looked.close()?;
        let mut options = Options::new();
        options.set("mode", "rw")?;
        options.set("journal_mode", &journal)?;
        for (key, value) in settings {
            options.set(key, value)?;
        }
        self.open_with(options)
    }

    fn open_with(&self, mut options: Options) -> Result<Opened> {
        options.opened_at = Some("litekeel (command)".to_owned());
        Connection::open(self.url.as_deref(), &options).map(Opened)
    }
}
