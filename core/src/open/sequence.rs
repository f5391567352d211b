//! The order of opening. It matters, and is told here alone.
//!
//! A pragma before the busy handler fails at once on a contended file; `page_size` after WAL is silently ignored;
//! `foreign_keys` inside a transaction too. Every failure names its step.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::followers::followers;
use super::inspect::{self, ReadPath};
use super::opening::{self, Opening};
use super::target::{self, Prepared};
use super::{hardening, journal, pragmas, probe, replica_copy, replicated, verify};
use crate::connection::{Connection, Identity};
use crate::error::printable::printable;
use crate::error::{Error, FailedStep, Result};
use crate::events::{self, Event, EventName};
use crate::lifecycle::{error_log, initialize, shutdown_state};
use crate::platform::file_id::{FileStamp, file_id};
use crate::preflight::{second_library, second_sqlite};
use crate::report::OpenReport;
use crate::settings::{Access, Options, Resolved, SettingId, Settings, Target, words};
use crate::vfs::attached;
use crate::vfs::confinement::confine;
use crate::vfs::open_files;
use crate::vfs::wal_keeper::CheckpointPolicy;
use crate::wal::checkpointer::{self, Wish};

/// Who may use the connection that is opened.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Owners {
    /// Whoever opens it.
    One,
    /// Every host of the process that asks for this file with `share=1`.
    WhoeverAsks,
}

/// A handle that is open, and how it reads.
struct Handle {
    opening: Opening,
    read_path: ReadPath,
    /// The state of the file before it was opened, when it may be read without locks.
    before: Option<FileStamp>,
}

/// Opens, tunes, verifies and registers a connection of its own.
pub(super) fn open_new(resolved: Resolved, options: &Options, owners: Owners) -> Result<Arc<Connection>> {
    let _confined = confine(resolved.roots.as_ref());
    let mut sequence = Sequence::begin(resolved, options)?;
    sequence.look_for_litestream_beside()?;
    let prepared = sequence.prepare_the_path()?;
    sequence.refuse_second_copies()?;
    let _look_only = options.inspect.then(open_files::create_nothing);
    let mut handle = sequence.open_the_handle(&prepared)?;
    sequence.harden(&mut handle.opening)?;
    sequence.create(&mut handle.opening)?;
    sequence.look_for_litestream_inside(&mut handle.opening)?;
    sequence.tune(&handle.opening, &prepared)?;
    sequence.verify(&mut handle.opening, &prepared)?;
    sequence.finish_the_report(&handle);
    sequence.hand_over(handle, owners)
}

/// What was asked for, and what was found on the way.
struct Sequence<'a> {
    resolved: Resolved,
    options: &'a Options,
    access: Access,
    report: OpenReport,
    began: Instant,
}

impl Sequence<'_> {
    fn begin(resolved: Resolved, options: &Options) -> Result<Sequence<'_>> {
        let began = Instant::now();
        shutdown_state::refuse_if_begun().map_err(at(FailedStep::Open))?;
        initialize::initialise();
        error_log::take_recovered();
        let report = OpenReport {
            url: resolved.shown_url.clone(),
            url_source: resolved.url_source.as_str(),
            warnings: resolved.warnings.clone(),
            ..OpenReport::default()
        };
        Ok(Sequence { access: resolved.settings.access(), resolved, options, report, began })
    }

    fn look_for_litestream_beside(&mut self) -> Result<()> {
        match &self.resolved.target {
            Target::File(path) if !self.options.inspect => {
                replicated::look_beside(path, &mut self.resolved.settings, &mut self.report)
            }
            _ => Ok(()),
        }
    }

    fn prepare_the_path(&mut self) -> Result<Prepared> {
        replica_copy::check(&self.resolved.target, &self.resolved.settings)?;
        target::prepare(&self.resolved, self.options, self.access, &mut self.report).map_err(at(FailedStep::Target))
    }

    /// Another litekeel in the process, and another SQLite that has the file.
    fn refuse_second_copies(&mut self) -> Result<()> {
        let action = self.resolved.settings.foreign_sqlite();
        let step = at(FailedStep::ForeignSqlite);
        self.report.warnings.extend(second_library::check(action).map_err(&step)?);
        if let Target::File(path) = &self.resolved.target {
            self.report.warnings.extend(second_sqlite::check(path, action).map_err(&step)?);
        }
        Ok(())
    }

    fn open_the_handle(&mut self, prepared: &Prepared) -> Result<Handle> {
        let handle = if self.options.inspect { self.inspect()? } else { self.open_plainly()? };
        prepared.finish(handle.opening.path.as_deref()).map_err(at(FailedStep::Target))?;
        Ok(handle)
    }

    fn open_plainly(&self) -> Result<Handle> {
        let opening = opening::open(&self.resolved, self.options, self.access)?;
        Ok(Handle { opening, read_path: ReadPath::Plain, before: None })
    }

    /// Opens it so that nothing of it is changed.
    fn inspect(&self) -> Result<Handle> {
        let before = match &self.resolved.target {
            Target::File(path) => FileStamp::at(path),
            Target::Memory => None,
        };
        let (opening, read_path) = opening::inspect(&self.resolved, self.options, self.access)?;
        Ok(Handle { opening, read_path, before })
    }

    fn harden(&self, opening: &mut Opening) -> Result<()> {
        hardening::apply(opening, &self.resolved.settings, self.resolved.roots.is_some())?;
        opening.install_busy_handler(&self.resolved.settings);
        Ok(())
    }

    /// What only a new database takes; for one that is not new it is refused.
    fn create(&mut self, opening: &mut Opening) -> Result<()> {
        let new_database = probe::probe(opening)?;
        self.report.new_database = new_database && opening.path.is_some();
        let settings = &self.resolved.settings;
        if new_database {
            pragmas::create_only(opening, settings)
        } else {
            pragmas::refuse_create_only(opening, settings)
        }
    }

    fn look_for_litestream_inside(&mut self, opening: &mut Opening) -> Result<()> {
        if self.options.inspect {
            return Ok(());
        }
        replicated::look_inside(opening, &mut self.resolved.settings, &mut self.report)?;
        replicated::declare(opening, &self.resolved.settings)
    }

    fn tune(&mut self, opening: &Opening, prepared: &Prepared) -> Result<()> {
        let settings = &self.resolved.settings;
        pragmas::locking_mode(opening, settings)?;
        journal::set(opening, settings)?;
        pragmas::tune(opening, settings, prepared)?;
        pragmas::file_controls(opening, settings)?;
        if settings.optimize() == Some(words::Optimize::Open) && opening.access != Access::Read {
            pragmas::optimize(opening, &mut self.report);
        }
        // Last: it would refuse what stands above.
        pragmas::query_only(opening, settings)
    }

    fn verify(&mut self, opening: &mut Opening, prepared: &Prepared) -> Result<()> {
        let settings = &self.resolved.settings;
        verify::verify(opening, settings, prepared, &mut self.report)?;
        if self.options.inspect {
            return Ok(());
        }
        replicated::verify(opening, settings, &mut self.report)
    }

    fn finish_the_report(&mut self, handle: &Handle) {
        let (opening, report) = (&handle.opening, &mut self.report);
        inspect::correct(handle.read_path, report);
        if self.access == Access::Read && !self.options.inspect {
            report.warnings.extend(opening.path.as_deref().and_then(target::locks_the_owner_out));
        }
        report_recovery(opening, self.options, report);
        verify::describe(opening, &self.resolved.settings, report);
        replica_copy::describe(opening.path.as_deref(), &self.resolved.settings, report);
        // They name paths, and are printed.
        for warning in &mut report.warnings {
            *warning = printable(warning).into_owned();
        }
        report.path = opening.path.clone();
        report.elapsed = self.began.elapsed();
    }

    fn hand_over(self, handle: Handle, owners: Owners) -> Result<Arc<Connection>> {
        let connection = assemble(handle, self.resolved, self.options, owners, self.report);
        if let Err(error) = shutdown_state::refuse_if_begun() {
            // It began meanwhile, and may have closed what it saw before this one was there.
            connection.close()?;
            return Err(error.with_step(FailedStep::Open));
        }
        Ok(connection)
    }
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
    target::prepare(resolved, options, access, report).map_err(at(FailedStep::Target))?;
    if let Target::File(path) = &resolved.target {
        second_sqlite::check(path, settings.foreign_sqlite()).map_err(at(FailedStep::ForeignSqlite))?;
    }
    let mut opening = opening::open(resolved, options, access)?;
    opening.install_busy_handler(settings);
    Ok(opening)
}

/// Names the step at which opening failed.
fn at(step: FailedStep) -> impl Fn(Error) -> Error {
    move |error| error.with_step(step)
}

/// What the process that used the database before left behind, and SQLite has read again.
fn report_recovery(opening: &Opening, options: &Options, report: &mut OpenReport) {
    report.recovered_frames = error_log::take_recovered();
    // Who only looks recovers in memory, and leaves it to others.
    if report.recovered_frames == 0 || options.inspect {
        return;
    }
    report.warnings.push(format!(
        "recovered {} frames: the process that used the database before did not close it",
        report.recovered_frames
    ));
    let event = Event::new(EventName::Recovered).int("frames", report.recovered_frames as i64);
    events::tell_users(&[], event, opening.path.as_deref().unwrap_or(Path::new(":memory:")));
}

/// The connection object around the open handle, registered, with its WAL in good hands.
fn assemble(
    mut handle: Handle,
    resolved: Resolved,
    options: &Options,
    owners: Owners,
    report: OpenReport,
) -> Arc<Connection> {
    let settings = &resolved.settings;
    let file = handle.opening.path.as_deref().and_then(file_id);
    let watch = handle.opening.watch.take();
    let wish = wish(settings);
    if let (Some(watch), Some(wish)) = (&watch, wish.clone())
        && report.row("journal_mode").is_some_and(|row| row.value == "wal")
    {
        checkpointer::join(watch, wish);
    }
    if let Some(watch) = &watch {
        let kept = settings.read_lock() == Some(words::ReadLock::Kept)
            && settings.locking_mode() != Some(words::LockingMode::Exclusive)
            && !options.inspect;
        watch.kept.allow(kept);
        if !settings.bool(SettingId::HardLinks) && settings.access() != Access::Read {
            watch.mind_names();
        }
    }
    let followers = followers(&resolved, watch.as_ref(), wish);
    attached::enter(handle.opening.raw as usize, followers.policy.clone());
    let access = settings.access();
    let (raw, waiting, path) = handle.opening.into_parts();
    let identity = Identity {
        share_key: if owners == Owners::WhoeverAsks { file } else { None },
        path,
        file,
        access,
        opened_at: options.opened_at.clone().unwrap_or_default(),
        report,
        replicates_commits: settings.durability() == Some(words::Durability::Replicated),
        strict: settings.profile() == Some(words::ProfileName::Test),
        resolved: Some(resolved),
        watch,
        followers: Some(followers),
        inspected: if handle.read_path == ReadPath::Immutable { handle.before } else { None },
    };
    // SAFETY: the handle is open, and `into_parts` gave up its ownership.
    unsafe { Connection::assemble(raw, waiting, identity) }
}

/// What is to be done for the WAL beside SQLite's own checkpoints; `None` for nothing.
fn wish(settings: &Settings) -> Option<Wish> {
    let checkpoint = settings.checkpoint();
    let wal_max = settings.int(SettingId::WalMax).unwrap_or(0);
    let background = checkpoint == Some(words::Checkpoint::Background);
    let idle = background || matches!(checkpoint, Some(words::Checkpoint::AutoIdle | words::Checkpoint::Idle));
    // A reader moves nothing, and has nobody else do so.
    if settings.mode() == Some(words::Mode::Ro) {
        return None;
    }
    if !(idle || wal_max > 0) {
        return None;
    }
    Some(Wish {
        policy: CheckpointPolicy {
            background,
            idle,
            pages: settings.int(SettingId::WalAutocheckpoint).unwrap_or(0),
            wal_max,
            refuse: settings.wal_max_action() == Some(words::WalMaxAction::Error),
        },
        vfs: settings.text(SettingId::Vfs).and_then(|name| std::ffi::CString::new(name).ok()),
    })
}
