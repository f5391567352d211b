//! Many databases of one directory, one for each tenant: a bounded number of connections open at a time.

mod errors;
mod names;
mod places;
mod pooled;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, fs};

pub use pooled::PooledConnection;

use crate::connection::Connection;
use crate::error::Result;
use crate::platform::file_id::file_id;
use crate::platform::fork;
use crate::settings::{Options, SettingId, SettingValue};
use crate::url;
use names::Names;
use places::{Leaving, Place, Places, Taken};

/// How many connections are open at most, where nothing else is said.
pub const DEFAULT_MAX: usize = 100;

/// How long [`Databases::get`] waits for a place where the settings name no `busy_timeout`.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// The databases of one directory: each is a file of its own, opened when it is asked for, and closed again when another
/// one needs its place, the one first that has not been used for the longest time.
///
/// Each use has a connection of its own for as long as it lasts: two users of one database do not meet in a transaction.
/// Safe to use from any thread.
///
/// ```
/// use litekeel_core::{Databases, Options};
///
/// # fn main() -> litekeel_core::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let directory = directory.path();
/// let tenants = Databases::open(directory, 200, &Options::new())?;
/// tenants.create("acme")?.exec("CREATE TABLE visit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL)")?;
///
/// let db = tenants.get("acme")?;
/// db.exec("INSERT INTO visit(at) VALUES (unixepoch())")?;
/// db.give_back()?;
///
/// assert_eq!(tenants.get("acne").unwrap_err().name(), "KEEL_NO_DATABASE");
/// tenants.close()
/// # }
/// ```
pub struct Databases {
    directory: PathBuf,
    names: Names,
    options: Options,
    wait: Duration,
    places: Arc<Places>,
    generation: u32,
}

impl Databases {
    /// The databases of a directory, which is created where it is missing; files are called NAME`.db`. At most `max`
    /// connections are open at a time; 0 means [`DEFAULT_MAX`]. `options` hold for each of them; `attach` is `none` unless
    /// they say otherwise, so that no SQL reaches another tenant's file.
    ///
    /// # Errors
    /// `KEEL_ARGUMENT` for an option that the directory decides (`base_dir`, `allowed_roots`, `nofollow`, `mode`, `inspect`)
    /// and for `share`; `KEEL_IO` when the directory cannot be made. A setting that is wrong is told by the first open.
    pub fn open(directory: &Path, max: usize, options: &Options) -> Result<Databases> {
        Databases::open_with_extension(directory, ".db", max, options)
    }

    /// As [`open`](Databases::open), for files with another extension: `.sqlite`.
    ///
    /// # Errors
    /// As [`open`](Databases::open); `KEEL_ARGUMENT` for what is not like `.db`.
    pub fn open_with_extension(directory: &Path, extension: &str, max: usize, options: &Options) -> Result<Databases> {
        let names = Names::new(extension)?;
        let mut options = options.clone();
        refuse_what_the_directory_decides(&options)?;
        let failed = |error: std::io::Error| errors::directory(directory, &error);
        fs::create_dir_all(directory).map_err(failed)?;
        // Once and for all: neither the working directory nor a link that is turned later leads elsewhere.
        let directory = fs::canonicalize(directory).map_err(failed)?;
        (options.ignore_env, options.nofollow, options.allowed_roots) = (true, true, vec![directory.clone()]);
        if options.get(SettingId::Attach).is_none() {
            options.set("attach", "none")?;
        }
        let wait = match options.get(SettingId::BusyTimeout) {
            Some(SettingValue::Int(millis)) => u64::try_from(*millis).map_or(DEFAULT_WAIT, Duration::from_millis),
            _ => DEFAULT_WAIT,
        };
        let places = Arc::new(Places::new(if max == 0 { DEFAULT_MAX } else { max }));
        let generation = fork::generation();
        Ok(Databases { directory, names, options, wait, places, generation })
    }

    /// A connection to the database of that name, for the caller alone until it is given back: by
    /// [`give_back`](PooledConnection::give_back), or when it goes out of scope. One that was used before is used again, as
    /// its last user left it: what changes a connection (a pragma, a function, a timeout) stays with it.
    ///
    /// Where all connections are in use it waits for one, first come, first served, for as long as `busy_timeout`.
    ///
    /// # Errors
    /// `KEEL_NO_DATABASE` where there is no such file: a typing error creates nothing. `KEEL_ARGUMENT` for what cannot be a
    /// name: letters, digits, `_`, `-` and `.` up to 200, a letter, digit or `_` first. `KEEL_ALL_IN_USE`, `KEEL_CLOSED`,
    /// `KEEL_FORKED`; those of [`Connection::open`].
    pub fn get(&self, name: &str) -> Result<PooledConnection> {
        self.use_one(name, false)
    }

    /// As [`get`](Databases::get), and creates the database where it does not exist.
    ///
    /// # Errors
    /// As [`get`](Databases::get), but for `KEEL_NO_DATABASE`.
    pub fn create(&self, name: &str) -> Result<PooledConnection> {
        self.use_one(name, true)
    }

    /// Closes the connections to one database now, to move, restore or delete its file. Returns how many it has closed. One
    /// that somebody else is closing, as when another database needs its place, is waited for as long as `busy_timeout`.
    ///
    /// # Errors
    /// `KEEL_ALL_IN_USE` while one of them is in use; what closing failed with; `KEEL_ARGUMENT`, `KEEL_FORKED`.
    pub fn evict(&self, name: &str) -> Result<usize> {
        self.check_process()?;
        let path = self.path(name)?;
        let (idle, in_use) = self.places.take_all_of(name);
        let evicted = idle.len();
        let closed = close_each(idle);
        if in_use > 0 {
            return Err(errors::in_use(name, in_use, path));
        }
        if !self.places.wait_until_left(name, Instant::now() + self.wait) {
            return Err(errors::being_closed(name, path));
        }
        closed.map(|()| evicted)
    }

    /// How many connections are open now, those in use included; none in a forked child.
    pub fn open_count(&self) -> usize {
        if self.check_process().is_err() {
            return 0;
        }
        self.places.open_count()
    }

    /// The directory, by its real name.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Closes all connections that are idle; one that is in use is closed when it is given back. From then on
    /// [`get`](Databases::get) is refused. Dropping does the same.
    ///
    /// # Errors
    /// What closing the first one failed with that failed. All others are closed none the less.
    pub fn close(&self) -> Result<()> {
        if self.check_process().is_err() {
            return Ok(());
        }
        close_each(self.places.close())
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases").field("directory", &self.directory).finish_non_exhaustive()
    }
}

fn refuse_what_the_directory_decides(options: &Options) -> Result<()> {
    let given = [
        ("base_dir", options.base_dir.is_some()),
        ("allowed_roots", !options.allowed_roots.is_empty()),
        ("nofollow", options.nofollow),
        ("inspect", options.inspect),
        ("mode", options.get(SettingId::Mode).is_some()),
        ("share", options.get(SettingId::Share).is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some(("share", _)) => Err(errors::share_has_no_place()),
        Some((key, _)) => Err(errors::decided_by_directory(key)),
    }
}

impl Databases {
    fn check_process(&self) -> Result<()> {
        if self.generation == fork::generation() {
            return Ok(());
        }
        Err(errors::forked())
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        Ok(self.directory.join(self.names.file_of(name)?))
    }

    fn use_one(&self, name: &str, create: bool) -> Result<PooledConnection> {
        self.check_process()?;
        let path = self.path(name)?;
        let deadline = Instant::now() + self.wait;
        loop {
            if !create && fs::symlink_metadata(&path).is_err() {
                return Err(errors::no_database(name, path));
            }
            match self.places.take(name, deadline)? {
                Place::Idle(taken, connection) if is_usable(&connection, &path) => {
                    return Ok(self.pooled(taken, name, connection, false));
                }
                Place::Idle(taken, connection) => {
                    let leaving = self.places.leave(name, connection);
                    taken.keep();
                    let _ = leaving.close();
                }
                Place::Evicted(taken, leaving) => {
                    let _ = leaving.close();
                    return self.open_one(taken, name, &path, create);
                }
                Place::Free(taken) => return self.open_one(taken, name, &path, create),
            }
        }
    }

    /// Opens a connection in a place that was taken for it.
    fn open_one(&self, taken: Taken, name: &str, path: &Path, create: bool) -> Result<PooledConnection> {
        let mut options = self.options.clone();
        options.set("mode", if create { "rwc" } else { "rw" })?;
        let connection = Connection::open(Some(&url_of(path)?), &options)?;
        Ok(self.pooled(taken, name, connection, true))
    }

    /// The place is the connection's now.
    fn pooled(&self, taken: Taken, name: &str, connection: Arc<Connection>, newly_opened: bool) -> PooledConnection {
        let pooled = PooledConnection::new(self.places.clone(), name, connection, newly_opened);
        taken.keep();
        pooled
    }
}

/// Closes each of them, and gives their places up. Tells what failed first.
fn close_each(leaving: Vec<Leaving>) -> Result<()> {
    leaving.into_iter().map(Leaving::close).fold(Ok(()), Result::and)
}

fn url_of(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| errors::directory_is_not_utf8(path))?;
    Ok(format!("file:{}", url::encode(text).replace('~', "%7E")))
}

/// Whether a connection that was idle is still one to the file at the path, and open: a shutdown may have closed it.
fn is_usable(connection: &Connection, path: &Path) -> bool {
    connection.file_id().is_some() && connection.file_id() == file_id(path) && connection.lock().is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::error::codes;

    fn with_one_idle(directory: &Path, max: usize) -> Arc<Databases> {
        let databases = Databases::open(directory, max, &Options::new()).unwrap();
        databases.create("a").unwrap().give_back().unwrap();
        Arc::new(databases)
    }

    /// What `evict` gives while somebody else closes the connection, which it does not before `close` is called.
    fn evicted_beside(databases: &Arc<Databases>, close: impl FnOnce()) -> Result<usize> {
        let (sender, receiver) = mpsc::channel();
        let evicting = databases.clone();
        let thread = std::thread::spawn(move || sender.send(evicting.evict("a")).unwrap());
        if let Ok(early) = receiver.recv_timeout(Duration::from_millis(300)) {
            return early.and(Err(errors::closed()));
        }
        close();
        thread.join().unwrap();
        receiver.recv().unwrap()
    }

    /// The file may be moved when it returns, and nobody uses it.
    #[test]
    fn who_evicts_waits_for_whoever_closes_it_already() {
        let directory = tempfile::tempdir().unwrap();
        let databases = with_one_idle(directory.path(), 1);
        let (leaving, in_use) = databases.places.take_all_of("a");
        assert_eq!((leaving.len(), in_use, databases.open_count()), (1, 0, 1));
        assert_eq!(evicted_beside(&databases, || close_each(leaving).unwrap()).unwrap(), 0);
        assert_eq!(databases.open_count(), 0);

        // For another database's place.
        let databases = with_one_idle(directory.path(), 1);
        let Ok(Place::Evicted(taken, leaving)) = databases.places.take("b", Instant::now()) else { panic!("no place") };
        assert_eq!(databases.open_count(), 1);
        assert_eq!(evicted_beside(&databases, || leaving.close().unwrap()).unwrap(), 0);
        drop(taken);
        assert_eq!(databases.open_count(), 0);

        // Whom it cannot wait for is told, and one that is in use still is.
        let mut options = Options::new();
        options.set("busy_timeout", "50").unwrap();
        let databases = Arc::new(Databases::open(directory.path(), 2, &options).unwrap());
        databases.get("a").unwrap().give_back().unwrap();
        let (leaving, _) = databases.places.take_all_of("a");
        let error = databases.evict("a").unwrap_err();
        assert!(error.code() == codes::ALL_IN_USE && error.message().contains("still being closed"), "{error:?}");
        close_each(leaving).unwrap();
        let using = databases.get("a").unwrap();
        let error = databases.evict("a").unwrap_err();
        assert!(error.code() == codes::ALL_IN_USE && error.message().contains("in use by 1"), "{error:?}");
        using.give_back().unwrap();
        assert_eq!(databases.evict("a").unwrap(), 1);
    }

    #[test]
    fn a_panic_takes_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let databases = with_one_idle(directory.path(), 1);
        for name in ["a", "b", "c"] {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let place = databases.places.take(name, Instant::now()).unwrap();
                assert_eq!(databases.open_count(), 1);
                let _place = place;
                panic!("in the middle of opening");
            }));
            assert!(panicked.is_err());
            assert_eq!(databases.open_count(), 0, "{name}");
        }
        databases.create("d").unwrap().give_back().unwrap();
    }
}
