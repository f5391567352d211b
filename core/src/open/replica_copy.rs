//! A copy that Litestream keeps up to date: whether it is one, before it is opened.

use std::path::Path;

use crate::connection::errors::without_note;
use crate::error::Result;
use crate::platform::litestream::copy_position;
use crate::replication::barrier::Token;
use crate::report::OpenReport;
use crate::settings::{Settings, Target, words};

pub(super) fn is_one(settings: &Settings) -> bool {
    settings.role() == Some(words::Role::Follower)
}

/// # Errors
/// `KEEL_BEHIND` for a file without Litestream's note of its position.
pub(super) fn check(target: &Target, settings: &Settings) -> Result<()> {
    let Target::File(path) = target else { return Ok(()) };
    if is_one(settings) && copy_position(path).is_none() {
        return Err(without_note(path));
    }
    Ok(())
}

/// The position that it has, in the report.
pub(super) fn describe(path: Option<&Path>, settings: &Settings, report: &mut OpenReport) {
    let Some(position) = path.filter(|_| is_one(settings)).and_then(copy_position) else { return };
    if let Some(row) = report.rows.iter_mut().find(|row| row.name == "role") {
        row.note = format!("the copy had position {} when it was opened", Token::new(position));
    }
}
