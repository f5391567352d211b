//! The first read. Open itself succeeds on garbage: NOTADB, CORRUPT, a -wal that cannot be opened and a recovery in
//! progress only show here.

use super::Opening;
use crate::error::Result;
use crate::{raw, sqlite};

const STEP: &str = "probe";

/// Reads the schema; returns whether the database is new, that is, has no page yet.
pub(super) fn probe(opening: &mut Opening) -> Result<bool> {
    // SAFETY: the handle is open and nobody else has it yet.
    let read = unsafe {
        // One read transaction for both.
        raw::text(opening.raw, c"BEGIN")
            .and_then(|_| raw::text(opening.raw, c"SELECT count(*) FROM sqlite_schema"))
            .and_then(|_| raw::text(opening.raw, c"PRAGMA page_count"))
            .and_then(|pages| raw::text(opening.raw, c"COMMIT").map(|_| pages))
    };
    match read {
        Ok(pages) => Ok(pages.as_deref() == Some("0")),
        Err(rc) => Err(opening.fail(if rc == 0 { sqlite::SQLITE_ERROR } else { rc }, STEP)),
    }
}
