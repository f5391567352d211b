//! Resolved settings → an open, tuned, verified connection. Here stand the doors; `sequence` tells the order.
//!
//! Must not know: how a query runs.

pub(crate) mod by_descriptor;
mod compile_options;
mod errors;
mod followers;
mod hardening;
pub(crate) mod inspect;
mod journal;
pub(crate) mod opening;
mod pragmas;
mod probe;
pub(crate) mod rehearsal;
mod replica_copy;
mod replicated;
mod restored;
mod sequence;
mod share;
mod sibling;
pub(crate) mod target;
pub(crate) mod verify;

use std::sync::Arc;

use crate::connection::Connection;
use crate::error::codes;
use crate::error::{FailedStep, Result};
use crate::platform::file_id::file_id;
use crate::registry;
use crate::settings::resolve;
use crate::settings::{Options, Origin, Resolved, SettingId, SettingValue, Target};
use sequence::{Owners, open_new};

pub(crate) use hardening::{read as read_switch, version as sqlite_version};
pub(crate) use opening::Opening;
pub(crate) use pragmas::pragma_value;
pub(crate) use sequence::destination;

impl Connection {
    /// Opens the database that `url`, the environment or the default names: tuned, verified, registered.
    ///
    /// ```
    /// use litekeel_core::{Connection, Options, codes};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path().join("app.db").display().to_string();
    /// // What the call says goes over what the URL says; every setting is read back, and the report has it.
    /// let mut options = Options::new();
    /// options.set("busy_timeout", "2s")?;
    /// let db = Connection::open(Some(&format!("file:{path}?synchronous=full")), &options)?;
    /// assert_eq!(db.report().row("synchronous").map(|row| row.value.as_str()), Some("2"), "as SQLite says full");
    /// assert_eq!(db.report().row("busy_timeout").map(|row| row.value.as_str()), Some("2000"));
    /// db.close()?;
    ///
    /// // A setting that does not exist is refused, with the one that was probably meant.
    /// let error = Connection::open(Some(&format!("file:{path}?sychronous=full")), &Options::new()).unwrap_err();
    /// assert_eq!(error.code(), codes::UNKNOWN_PARAM);
    /// assert!(error.hint().contains("synchronous"));
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The configuration codes for the URL and the options; SQLite's code, explained, with the step that failed.
    pub fn open(url: Option<&str>, options: &Options) -> Result<Arc<Connection>> {
        open(resolve(url, options)?, options)
    }
}

/// Opens what was resolved: the process's shared connection with `share=1`, else one of its own.
pub(crate) fn open(mut resolved: Resolved, options: &Options) -> Result<Arc<Connection>> {
    if options.inspect {
        inspect::tighten(&mut resolved);
        let Target::File(path) = resolved.target.clone() else { return open_new(resolved, options, Owners::One) };
        return inspect::patiently(&path, || open_new(resolved.clone(), options, Owners::One));
    }
    restored::if_missing(&resolved, options)?;
    if !resolved.settings.bool(SettingId::Share) {
        return open_new(resolved, options, Owners::One);
    }
    let Target::File(path) = &resolved.target else {
        return Err(errors::shared_memory_database());
    };
    let lock = registry::creation_lock(path);
    let _creating = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(existing) = file_id(path).and_then(share::find_shared) {
        share::same_settings(&existing, &resolved)?;
        match existing.retain() {
            // Closed since it was found, or of no use to anybody any more.
            Err(error) if matches!(error.code(), codes::CLOSED | codes::PANIC) => {}
            shared => return shared.map_err(|error| error.with_step(FailedStep::Share)),
        }
    }
    open_new(resolved, options, Owners::WhoeverAsks)
}

/// Another connection like the one that was resolved before.
pub(crate) fn sibling(resolved: &Resolved, opened_at: &str) -> Result<Arc<Connection>> {
    let options = Options { opened_at: Some(opened_at.to_owned()), nofollow: resolved.nofollow, ..Options::default() };
    open_new(resolved.clone(), &options, Owners::One)
}

/// What a connection that works for another one may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assistant {
    /// Read (`PRAGMA query_only`).
    Reads,
    /// Whatever the other one may.
    Writes,
}

/// A connection that works for another one and closes before it: what is done once per database is left to that one.
pub(crate) fn assistant(resolved: &Resolved, opened_at: &str, may: Assistant) -> Result<Arc<Connection>> {
    let mut resolved = resolved.clone();
    let settings = &mut resolved.settings;
    settings.set(SettingId::CloseCheckpoint, SettingValue::Word("none"), Origin::BuiltIn);
    settings.set(SettingId::Optimize, SettingValue::Word("off"), Origin::BuiltIn);
    // Whoever it works for waits for the replica, without holding the lock that others wait for.
    settings.set(SettingId::Durability, SettingValue::Word("local"), Origin::BuiltIn);
    if may == Assistant::Reads {
        settings.set(SettingId::QueryOnly, SettingValue::Bool(true), Origin::BuiltIn);
    }
    if let Some(SettingValue::Int(size)) = settings.get(SettingId::CacheSize) {
        let size = assistant_cache(*size);
        settings.set(SettingId::CacheSize, SettingValue::Int(size), Origin::BuiltIn);
    }
    sibling(&resolved, opened_at)
}

/// The `cache_size` of a connection that works for one with `size`: an eighth, so that a handful of them take less than
/// that one does, but no less than SQLite's own default of 2000 KiB (or as many pages of 4 KiB).
fn assistant_cache(size: i64) -> i64 {
    if size < 0 { (size / 8).min(size.max(-2000)) } else { (size / 8).max(size.min(500)) }
}
