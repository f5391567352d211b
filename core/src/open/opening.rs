//! The handle while it is being opened: `sqlite3_open_v2`, and closing again when a later step fails.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::errors;
use super::inspect::{self, ReadPath};
use super::replica_copy;
use crate::connection::health;
use crate::error::{Error, FailedStep, Result};
use crate::explain::{FailedCall, explain};
use crate::raw::handle;
use crate::settings::Access;
use crate::settings::words;
use crate::settings::{Options, Resolved, SettingId, Settings, Target};
use crate::sqlite;
use crate::url;
use crate::vfs::file_monitor::FileMonitor;
use crate::vfs::{self, shared_memory, shim};
use crate::waiting::busy_handler::BusyHandler;

/// A handle on its way to becoming a connection; dropped on failure, it closes.
pub(crate) struct Opening {
    pub raw: *mut sqlite::sqlite3,
    pub path: Option<PathBuf>,
    pub access: Access,
    pub watch: Option<Arc<FileMonitor>>,
    pub(super) waiting: Option<Box<BusyHandler>>,
    /// What it opens lies under allowed roots.
    pub(super) confined: bool,
    /// What SQLite answered when it was set.
    pub(crate) pragma_answers: RefCell<Vec<(SettingId, Option<String>)>>,
    path_note: Option<&'static str>,
}

impl Opening {
    /// SQLite's failure, explained, with the step that failed.
    pub(crate) fn fail(&self, rc: i32, step: FailedStep) -> Error {
        // What the shim refused has a sentence of its own: SQLite's code for it would send the reader elsewhere.
        // SAFETY: what `sqlite3_open_v2` gave, which may be null, and nobody else has it yet.
        let refused = unsafe { health::refusal_at_open(self.raw, rc) };
        refused.unwrap_or_else(|| explain(&self.subject(), rc)).with_step(step)
    }

    /// A failure to change the journal mode, which SQLite refuses without waiting: we have waited for so long.
    pub(crate) fn fail_conversion(&self, rc: i32, step: FailedStep, waited: Duration) -> Error {
        explain(&FailedCall { conversion: Some(waited), ..self.subject() }, rc).with_step(step)
    }

    fn subject(&self) -> FailedCall<'_> {
        FailedCall {
            path_note: self.path_note,
            activity: self.waiting.as_ref().map(|waiting| &*waiting.activity),
            ..FailedCall::of(self.raw, self.path.as_deref(), self.access)
        }
    }

    /// Runs a statement; the first column of its first row.
    pub(crate) fn run(&self, sql: String, step: FailedStep) -> Result<Option<String>> {
        // SAFETY: the handle is open and nobody else has it yet.
        unsafe { handle::query_owned_sql(self.raw, sql) }.map_err(|rc| self.fail(rc, step))
    }

    pub(super) fn install_busy_handler(&mut self, settings: &Settings) {
        let ms = settings.int(SettingId::BusyTimeout).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as i32;
        // SAFETY: the handle is open; the boxed handler lives until after it is closed.
        unsafe {
            if settings.busy() == Some(words::BusyWaiting::Sqlite) {
                sqlite::sqlite3_busy_timeout(self.raw, ms);
            } else {
                let waiting = BusyHandler::new(self.raw, ms as u32);
                waiting.install();
                self.waiting = Some(waiting);
            }
        }
    }

    pub(crate) fn busy_timeout(&self) -> Option<i64> {
        self.waiting.as_ref().map(|waiting| waiting.timeout().as_millis() as i64)
    }

    /// Gives up the ownership: the caller closes.
    pub(super) fn into_parts(mut self) -> (*mut sqlite::sqlite3, Option<Box<BusyHandler>>, Option<PathBuf>) {
        (std::mem::replace(&mut self.raw, ptr::null_mut()), self.waiting.take(), self.path.take())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: opened here and given to nobody; the busy handler's state is dropped after this.
            unsafe { handle::sqlite3_close_v2(self.raw) };
        }
    }
}

/// Opens the file or the memory database.
pub(super) fn open(resolved: &Resolved, options: &Options, access: Access) -> Result<Opening> {
    open_with(resolved, options, access, ReadPath::Plain)
}

/// Opens a file to look only, and says how.
pub(super) fn inspect(resolved: &Resolved, options: &Options, access: Access) -> Result<(Opening, ReadPath)> {
    let Target::File(path) = &resolved.target else { return Ok((open(resolved, options, access)?, ReadPath::Plain)) };
    if replica_copy::is_one(&resolved.settings) {
        return Ok((open(resolved, options, access)?, ReadPath::Plain));
    }
    let look = inspect::first_look(path, &resolved.settings)?;
    let opening = open_with(resolved, options, access, look)?;
    // Immutable would read a rollback database while another process changes it: there the shared lock is needed.
    // SAFETY: it was just opened, and nobody else has it.
    if look == ReadPath::Immutable && !unsafe { inspect::is_wal(opening.raw) } {
        drop(opening);
        return Ok((open(resolved, options, access)?, ReadPath::Plain));
    }
    Ok((opening, look))
}

fn open_with(resolved: &Resolved, options: &Options, access: Access, look: ReadPath) -> Result<Opening> {
    let settings = &resolved.settings;
    let path = match &resolved.target {
        Target::File(path) => Some(path.as_path()),
        Target::Memory => None,
    };
    let shared = path.is_none() && settings.cache() == Some(words::Cache::Shared);
    let vfs = if shared && shared_memory::register() {
        Some(shared_memory::VFS.to_owned())
    } else {
        settings.text(SettingId::Vfs).map(registered_vfs).transpose()?
    };
    let mut flags = sqlite::SQLITE_OPEN_NOMUTEX | sqlite::SQLITE_OPEN_EXRESCODE;
    flags |= match access {
        Access::Read => sqlite::SQLITE_OPEN_READONLY,
        Access::Write => sqlite::SQLITE_OPEN_READWRITE,
        Access::Create => sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE,
    };
    if options.nofollow {
        flags |= sqlite::SQLITE_OPEN_NOFOLLOW;
    }
    let name = match path {
        None if shared => Ok(shared_memory::DATABASE.to_owned()),
        None => CString::new(":memory:"),
        Some(path) => match native_parameters(settings, look) {
            query if query.is_empty() => CString::new(path.as_os_str().as_bytes()),
            query => {
                flags |= sqlite::SQLITE_OPEN_URI;
                CString::new(format!("file://{}?{query}", url::encode_bytes(path.as_os_str().as_bytes())))
            }
        },
    }
    .map_err(|_| errors::nul_in_path())?;

    let mut opening = Opening {
        raw: ptr::null_mut(),
        path: path.map(Path::to_owned),
        access,
        watch: None,
        waiting: None,
        confined: false,
        pragma_answers: RefCell::default(),
        path_note: resolved.triple_slash.then_some(errors::TRIPLE_SLASH),
    };
    let vfs = vfs.as_ref().map_or(ptr::null(), |vfs| vfs.as_ptr());
    // SAFETY: NUL-terminated strings that outlive the call; SQLite sets the handle even when it fails.
    let mut open = || unsafe { sqlite::sqlite3_open_v2(name.as_ptr(), &mut opening.raw, flags, vfs) };
    let rc = if settings.role() == Some(words::Role::Follower) { vfs::replica_copy::opening(open) } else { open() };
    if rc != sqlite::SQLITE_OK {
        return Err(opening.fail(rc, FailedStep::Open));
    }
    // SAFETY: the handle is open and nobody else has it yet.
    if replica_copy::is_one(settings) && !unsafe { vfs::replica_copy::is_on(opening.raw) } {
        return Err(errors::follower_on_another_vfs());
    }
    if let Some(path) = path {
        // SAFETY: the handle is open and nobody else has it yet.
        opening.watch = unsafe { shim::install(opening.raw, path) };
    }
    Ok(opening)
}

/// What only a URI can tell SQLite.
fn native_parameters(settings: &Settings, look: ReadPath) -> String {
    let mut query = Vec::new();
    if !look.parameter().is_empty() {
        query.push(look.parameter().to_owned());
    }
    if settings.bool(SettingId::Immutable) {
        query.push("immutable=1".to_owned());
    }
    if settings.bool(SettingId::Nolock) {
        query.push("nolock=1".to_owned());
    }
    if settings.get(SettingId::Psow).is_some() {
        query.push(format!("psow={}", i32::from(settings.bool(SettingId::Psow))));
    }
    if let Some(of) = settings.text(SettingId::Modeof) {
        query.push(format!("modeof={}", url::encode(of)));
    }
    query.join("&")
}

fn registered_vfs(name: &str) -> Result<CString> {
    let unknown = || errors::unknown_vfs(name, &vfs_names());
    let text = CString::new(name).map_err(|_| unknown())?;
    // SAFETY: a NUL-terminated name; the list of VFSes is SQLite's.
    if unsafe { sqlite::sqlite3_vfs_find(text.as_ptr()) }.is_null() { Err(unknown()) } else { Ok(text) }
}

fn vfs_names() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: SQLite's list of VFSes is linked by pNext; each has a NUL-terminated name.
    unsafe {
        let mut vfs = sqlite::sqlite3_vfs_find(ptr::null());
        while !vfs.is_null() {
            names.extend(handle::copy_text((*vfs).zName));
            vfs = (*vfs).pNext;
        }
    }
    names
}
