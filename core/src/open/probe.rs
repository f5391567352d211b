//! The first read. Open itself succeeds on garbage: NOTADB, CORRUPT, a -wal that cannot be opened and a recovery in
//! progress only show here.

use super::Opening;
use crate::error::{FailedStep, Result};
use crate::raw::handle;
use crate::settings::SettingId;
use crate::sqlite;

const STEP: FailedStep = FailedStep::Probe;

/// Reads the schema; returns whether the database is new, that is, has no page yet. One read transaction serves all that
/// needs one: each costs a pair of system calls.
pub(super) fn probe(opening: &mut Opening) -> Result<bool> {
    let raw = opening.raw;
    // SAFETY: the handle is open and nobody else has it yet.
    let read = unsafe {
        handle::query_text_with(raw, c"SELECT count(*) FROM sqlite_schema", |tables| {
            // Where a table is, there are pages.
            let pages =
                if tables.as_deref() == Some("0") { handle::query_text(raw, c"PRAGMA page_count")? } else { None };
            Ok((pages, handle::query_text(raw, c"PRAGMA application_id")?))
        })
    };
    match read {
        Ok((pages, application)) => {
            let new = pages.as_deref() == Some("0");
            if !new {
                // Of a database that exists it is never set.
                opening.pragma_answers.get_mut().push((SettingId::ApplicationId, application));
            }
            Ok(new)
        }
        Err(rc) => Err(opening.fail(if rc == 0 { sqlite::SQLITE_ERROR } else { rc }, STEP)),
    }
}
