//! What every command does first: understand the URL, and open the database without leaving a trace.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use litekeel_core::in_pid_namespace;
use litekeel_core::{CloseReport, Connection, Error, Options, Result, codes};
use litekeel_core::{Resolved, Target, UrlSource, resolve};

use crate::environment;
use crate::output::tell;

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
        if resolved.url_source == UrlSource::Default
            && let Some(file) = environment::unread()
        {
            tell!(
                "litekeel: {} sets DATABASE_URL, which the environment does not have: --env-file {0} reads it",
                file.display()
            );
        }
        match &resolved.target {
            Target::File(path) => Ok(Database { path: path.clone(), url: url.map(str::to_owned), resolved }),
            Target::Memory => Err(Error::new(
                codes::CONFLICT,
                format!("{} is a database in memory: no other process can see it", resolved.shown_url),
            )
            .with_hint("name a file: file:data/app.db")),
        }
    }

    /// For commands that create nothing.
    ///
    /// # Errors
    /// That there is no such file, or that it cannot be looked at.
    pub fn must_exist(&self) -> Result<()> {
        let Err(error) = std::fs::metadata(&self.path) else { return Ok(()) };
        let place = self.path.display();
        let error = match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(codes::IO, format!("{place} does not exist"))
                .with_hint("check the path; litekeel doctor says what is in the way"),
            _ => Error::new(codes::IO, format!("{place}: {error}"))
                .with_hint("litekeel doctor says what is wrong with the path"),
        };
        Err(error.with_path(&self.path))
    }

    /// Opens to look only, where somebody may use the database in a way that shows only so.
    pub fn glance_if_used(&self) -> Option<Opened> {
        let looks = self.beside("-shm").exists() || in_pid_namespace();
        looks.then(|| self.glance().ok()).flatten()
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

    /// Whether a `-wal` with something in it lies there without a `-shm`, as beside a copy that `cp` has made of both.
    pub fn lacks_shm(&self) -> bool {
        self.wal_bytes().is_some_and(|size| size > 0) && !self.beside("-shm").exists()
    }

    /// Opens to read a database that nobody has opened since it came with its `-wal`: SQLite makes the `-shm`, and neither the
    /// database nor its `-wal` is changed.
    pub fn recovering(&self) -> Result<Opened> {
        let mut options = Options::new();
        options.set("mode", "ro")?;
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
