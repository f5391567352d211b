//! `journal_mode`, with a retry loop of its own: converting to WAL while another connection holds RESERVED returns BUSY
//! at once, without calling the busy handler. Eight processes that open one fresh file run into it all the time.

use std::time::{Duration, Instant};

use super::Opening;
use crate::error::{FailedStep, Result};
use crate::raw::handle;
use crate::settings::words::JournalMode;
use crate::settings::{SettingId, Settings};
use crate::sqlite;
use crate::waiting::deadline;

const STEP: FailedStep = FailedStep::JournalMode;

pub(super) fn set(opening: &Opening, settings: &Settings) -> Result<()> {
    let Some(wanted) = settings.journal_mode().map(JournalMode::as_str) else { return Ok(()) };
    let began = Instant::now();
    let patience = Duration::from_millis(settings.int(SettingId::BusyTimeout).unwrap_or(0).max(0) as u64);
    // What the handler itself waited counts too, so the deadline is one for both.
    let mut pause = Duration::from_millis(2);
    loop {
        // SAFETY: the handle is open and nobody else has it yet.
        let outcome = unsafe {
            match handle::query_text(opening.raw, c"PRAGMA journal_mode") {
                Ok(has) if has.as_deref() == Some(wanted) => return Ok(()),
                Ok(_) => handle::query_owned_sql(opening.raw, format!("PRAGMA journal_mode={wanted}")),
                Err(rc) => Err(rc),
            }
        };
        match outcome {
            // Another answer than the one wanted is found, and explained, by the verification.
            Ok(_) => return Ok(()),
            Err(rc) if rc & 0xff == sqlite::SQLITE_BUSY => {
                let waited = began.elapsed();
                if waited >= patience || deadline::gives_up() {
                    return Err(opening.fail_conversion(rc, STEP, waited));
                }
                let jitter = u64::from(waited.subsec_nanos() ^ std::process::id()) % 1000;
                std::thread::sleep((pause + pause.mul_f64(jitter as f64 / 1000.0)).min(patience - waited));
                pause = (pause * 3 / 2).min(Duration::from_millis(10));
            }
            Err(rc) => return Err(opening.fail(rc, STEP)),
        }
    }
}
