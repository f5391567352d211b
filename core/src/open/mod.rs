//! Resolved settings → an open, tuned, verified connection. The order matters, and is told here.
//!
//! A pragma before the busy handler fails at once on a contended file; `page_size` after WAL is silently ignored;
//! `foreign_keys` inside a transaction too. Every failure names its step.

pub mod by_descriptor;
mod compile_options;
mod hardening;
pub(crate) mod inspect;
mod journal;
pub(crate) mod opening;
mod pragmas;
mod probe;
pub mod rehearsal;
mod share;
mod sibling;
pub(crate) mod target;
pub(crate) mod verify;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::connection::{Connection, Identity};
use crate::error::codes;
use crate::error::printable::printable;
use crate::error::{Error, Result};
use crate::events;
use crate::events::Event;
use crate::lifecycle::{initialize, shutdown};
use crate::platform::file_id::{FileStamp, file_id};
use crate::preflight::{second_library, second_sqlite};
use crate::registry;
use crate::report::OpenReport;
use crate::settings::Access;
use crate::settings::resolve;
use crate::settings::words;
use crate::settings::{Id, Options, Origin, Resolved, Settings, Target, Value};
use crate::vfs::confinement::confine;
use crate::vfs::open_files;
use crate::wal::checkpointer;
use crate::wal::checkpointer::Wish;
use inspect::ReadPath;

pub(crate) use hardening::{read as read_switch, version as sqlite_version};
pub(crate) use opening::Opening;
pub(crate) use pragmas::as_sqlite;

impl Connection {
    /// Opens the database that `url`, the environment or the default names: tuned, verified, registered.
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
        let Target::File(path) = resolved.target.clone() else { return open_new(resolved, options, false) };
        return inspect::patiently(&path, || open_new(resolved.clone(), options, false));
    }
    if !resolved.settings.bool(Id::Share) {
        return open_new(resolved, options, false);
    }
    let Target::File(path) = &resolved.target else {
        return Err(Error::new(codes::CONFLICT, "share=1 needs a database in a file")
            .with_hint("remove share=1, or name a file"));
    };
    let lock = registry::creation_lock(path);
    let _creating = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(existing) = file_id(path).and_then(share::find_shared) {
        share::same_settings(&existing, &resolved)?;
        match existing.retain() {
            // Closed since it was found, or of no use to anybody any more.
            Err(error) if matches!(error.code(), codes::CLOSED | codes::PANIC) => {}
            shared => return shared.map_err(|error| error.with_step("share")),
        }
    }
    open_new(resolved, options, true)
}

/// Another connection like the one that was resolved before.
pub(crate) fn sibling(resolved: &Resolved, opened_at: &str) -> Result<Arc<Connection>> {
    let options = Options { opened_at: Some(opened_at.to_owned()), nofollow: resolved.nofollow, ..Options::default() };
    open_new(resolved.clone(), &options, false)
}

/// Opens the destination of a backup: checked as any other file, but not tuned, since its whole content is replaced.
pub(crate) fn destination(
    resolved: &Resolved,
    options: &Options,
    access: Access,
    report: &mut OpenReport,
) -> Result<Opening> {
    initialize::initialise();
    let settings = &resolved.settings;
    target::prepare(resolved, options, access, report).map_err(|e| e.with_step("target"))?;
    if let Target::File(path) = &resolved.target {
        second_sqlite::check(path, settings.foreign_sqlite()).map_err(|e| e.with_step("foreign_sqlite"))?;
    }
    let mut opening = opening::open(resolved, options, access)?;
    opening.install_busy_handler(settings);
    Ok(opening)
}

/// A connection that works for another one and closes before it: what is done once per database is left to that one.
pub(crate) fn assistant(resolved: &Resolved, opened_at: &str, query_only: bool) -> Result<Arc<Connection>> {
    let mut resolved = resolved.clone();
    let settings = &mut resolved.settings;
    settings.set(Id::CloseCheckpoint, Value::Word("none"), Origin::BuiltIn);
    settings.set(Id::Optimize, Value::Word("off"), Origin::BuiltIn);
    if query_only {
        settings.set(Id::QueryOnly, Value::Bool(true), Origin::BuiltIn);
    }
    if let Some(Value::Int(size)) = settings.get(Id::CacheSize) {
        let size = assistant_cache(*size);
        settings.set(Id::CacheSize, Value::Int(size), Origin::BuiltIn);
    }
    sibling(&resolved, opened_at)
}

/// The `cache_size` of a connection that works for one with `size`: an eighth, so that a handful of them take less than
/// that one does, but no less than SQLite's own default of 2000 KiB (or as many pages of 4 KiB).
fn assistant_cache(size: i64) -> i64 {
    if size < 0 { (size / 8).min(size.max(-2000)) } else { (size / 8).max(size.min(500)) }
}

fn open_new(resolved: Resolved, options: &Options, shared: bool) -> Result<Arc<Connection>> {
    let began = Instant::now();
    let _confined = confine(resolved.roots.as_ref());
    shutdown::refuse().map_err(|error| error.with_step("open"))?;
    initialize::initialise();
    initialize::take_recovered();
    let settings = &resolved.settings;
    let mut report = OpenReport {
        url: resolved.shown_url.clone(),
        url_source: resolved.url_source.as_str(),
        warnings: resolved.warnings.clone(),
        ..OpenReport::default()
    };
    let access = settings.access();
    let prepared = target::prepare(&resolved, options, access, &mut report).map_err(|e| e.with_step("target"))?;
    let other_copies = settings.foreign_sqlite();
    report.warnings.extend(second_library::check(other_copies).map_err(|e| e.with_step("foreign_sqlite"))?);
    if let Target::File(path) = &resolved.target {
        report.warnings.extend(second_sqlite::check(path, other_copies).map_err(|e| e.with_step("foreign_sqlite"))?);
    }
    let _look_only = options.inspect.then(open_files::create_nothing);
    let before = match &resolved.target {
        Target::File(path) if options.inspect => FileStamp::at(path),
        _ => None,
    };
    let (mut opening, look) = match options.inspect {
        true => opening::inspect(&resolved, options, access)?,
        false => (opening::open(&resolved, options, access)?, ReadPath::Plain),
    };
    prepared.finish(opening.path.as_deref()).map_err(|e| e.with_step("target"))?;
    hardening::apply(&opening, settings, resolved.roots.is_some())?;
    opening.install_busy_handler(settings);
    let new_database = probe::probe(&mut opening)?;
    report.new_database = new_database && opening.path.is_some();
    if new_database {
        pragmas::create_only(&opening, settings)?;
    } else {
        pragmas::refuse_create_only(&opening, settings)?;
    }
    pragmas::locking_mode(&opening, settings)?;
    journal::set(&opening, settings)?;
    pragmas::tune(&opening, settings, &prepared)?;
    pragmas::file_controls(&opening, settings)?;
    if settings.optimize() == Some(words::Optimize::Open) && access != Access::Read {
        pragmas::optimize(&opening, &mut report);
    }
    pragmas::query_only(&opening, settings)?;
    verify::verify(&opening, settings, &prepared, &mut report)?;
    inspect::correct(look, &mut report);

    if access == Access::Read
        && !options.inspect
        && let Some(path) = &opening.path
    {
        report.warnings.extend(target::locks_the_owner_out(path));
    }

    report.recovered_frames = initialize::take_recovered();
    // Who only looks recovers in memory, and leaves it to others.
    if report.recovered_frames > 0 && !options.inspect {
        report.warnings.push(format!(
            "recovered {} frames: the process that used the database before did not close it",
            report.recovered_frames
        ));
    }
    verify::describe(&opening, settings, &mut report);
    // They name paths, and are printed.
    for warning in &mut report.warnings {
        *warning = printable(warning).into_owned();
    }
    let file = opening.path.as_deref().and_then(file_id);
    report.path = opening.path.clone();
    report.elapsed = began.elapsed();
    if report.recovered_frames > 0 && !options.inspect {
        events::tell_users(
            &[],
            Event::new("recovered").int("frames", report.recovered_frames as i64),
            opening.path.as_deref().unwrap_or(Path::new(":memory:")),
        );
    }
    let inspected = (look == ReadPath::Immutable).then_some(before).flatten();
    let watch = opening.watch.take();
    if let (Some(watch), Some(wish)) = (&watch, wish(settings, &report)) {
        checkpointer::join(watch, wish);
    }
    let (raw, waiting, path) = opening.into_parts();
    let identity = Identity {
        share_key: if shared { file } else { None },
        path,
        file,
        access,
        opened_at: options.opened_at.clone().unwrap_or_default(),
        report,
        strict: settings.profile() == Some(words::ProfileName::Test),
        resolved: Some(resolved),
        watch,
        inspected,
    };
    // SAFETY: the handle is open, and `into_parts` gave up its ownership.
    let connection = unsafe { Connection::assemble(raw, waiting, identity) };
    if let Err(error) = shutdown::refuse() {
        // It began meanwhile, and may have closed what it saw before this one was there.
        connection.close()?;
        return Err(error.with_step("open"));
    }
    Ok(connection)
}

/// What is to be done for the WAL beside SQLite's own checkpoints; `None` for nothing.
fn wish(settings: &Settings, report: &OpenReport) -> Option<Wish> {
    let checkpoint = settings.checkpoint();
    let wal_max = settings.int(Id::WalMax).unwrap_or(0);
    let background = checkpoint == Some(words::Checkpoint::Background);
    let idle = background || matches!(checkpoint, Some(words::Checkpoint::AutoIdle | words::Checkpoint::Idle));
    // A reader moves nothing, and has nobody else do so.
    if settings.mode() == Some(words::Mode::Ro) {
        return None;
    }
    if !(idle || wal_max > 0) || report.row("journal_mode").is_none_or(|row| row.value != "wal") {
        return None;
    }
    Some(Wish {
        background,
        idle,
        pages: settings.int(Id::WalAutocheckpoint).unwrap_or(0),
        wal_max,
        refuse: settings.wal_max_action() == Some(words::WalMaxAction::Error),
        vfs: settings.text(Id::Vfs).and_then(|name| std::ffi::CString::new(name).ok()),
    })
}
