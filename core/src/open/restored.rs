//! A database that does not exist is brought back from its replica before it is opened.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::errors;
use super::target;
use crate::error::Result;
use crate::events::{self, Event, EventName};
use crate::lifecycle::shutdown_state;
use crate::replication;
use crate::replication::restore::{self, RestoreOutcome, RestoreSource};
use crate::report::OpenReport;
use crate::settings::{Options, Resolved, SettingId, Target, words};
use crate::waiting::deadline;

/// Names Litestream's program. In the environment, not in the URL: that may come from elsewhere, and must not run programs.
const PROGRAM: &str = "LITEKEEL_LITESTREAM";

/// Restores it where `restore` says so.
///
/// # Errors
/// `KEEL_NOT_RESTORED`, also when the time of the call is up; `KEEL_ORPHAN_WAL`; `KEEL_SHUTTING_DOWN` when that begins meanwhile.
pub(super) fn if_missing(resolved: &Resolved, options: &Options) -> Result<()> {
    let settings = &resolved.settings;
    let required = match settings.restore() {
        Some(words::Restore::Required) => true,
        Some(words::Restore::IfAvailable) => false,
        _ => return Ok(()),
    };
    let Target::File(path) = &resolved.target else { return Ok(()) };
    if resolved.roots.is_some() {
        return Err(errors::restore_in_roots());
    }
    shutdown_state::refuse_if_begun()?;
    // One that has to be restored did exist here, and so did its directory.
    target::make_directories_for(resolved, settings.access(), &mut OpenReport::default())?;
    let began = Instant::now();
    let ends = || shutdown_state::refuse_if_begun().is_err() || deadline::gives_up();
    match restore::if_missing(path, &source(settings.text(SettingId::RestoreFrom)), options.file_mode, &ends)? {
        None => shutdown_state::refuse_if_begun().and_then(|()| Err(replication::errors::given_up(path))),
        Some(RestoreOutcome::There) => Ok(()),
        Some(RestoreOutcome::NoBackup) if required => Err(replication::errors::no_backup(path, "restore=if_available")),
        Some(RestoreOutcome::NoBackup) => Ok(()),
        Some(RestoreOutcome::Restored) => {
            tell(path, began);
            Ok(())
        }
    }
}

fn source(from: Option<&str>) -> RestoreSource {
    let program = std::env::var_os(PROGRAM).filter(|name| !name.is_empty());
    let program = program.map_or_else(|| PathBuf::from("litestream"), PathBuf::from);
    let from = from.filter(|from| !from.is_empty());
    let is_url = |from: &&str| from.contains("://");
    let config = from.filter(|from| !is_url(from));
    RestoreSource { program, replica: from.filter(is_url).map(str::to_owned), config: config.map(PathBuf::from) }
}

fn tell(path: &Path, began: Instant) {
    let ms = began.elapsed().as_millis() as i64;
    let text = format!("{} did not exist, and was restored from its replica in {ms} ms", path.display());
    let event = Event::new(EventName::Restored).int("ms", ms).text("message", text);
    events::tell_users(&[], event, path);
}
