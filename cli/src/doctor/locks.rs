//! Who stands in whose way.

use std::time::{Duration, Instant};

use litekeel_core::HolderState;
use litekeel_core::{Hazard, HazardLevel};
use litekeel_core::{holders, in_pid_namespace};

use crate::database::Database;
use crate::interrupt;
use crate::process_name::process_name;
use crate::processes::Held;
use crate::terminal::time;
use crate::wal::Wal;
use crate::who::{self, Presence};

/// From so many bytes on a pinned WAL is a warning: four times what an automatic checkpoint lets it grow to.
const MANY_PINNED: i64 = 16 << 20;
/// A write lock that is held for less is ordinary work.
const LONG_HOLD: Duration = Duration::from_millis(400);
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Whoever is stopped never gives its lock back.
pub fn stopped(holder: &Held) -> Option<Hazard> {
    if holder.state != HolderState::Stopped {
        return None;
    }
    let what = if holder.role.reads() { "a read lock" } else { "the write lock" };
    let text = format!("{} holds {what} and has been stopped (SIGSTOP)", process_name(holder.pid, &holder.command));
    // Litestream would only have to be started again.
    let or_end = if holder.litestream.is_some() { "" } else { " or end it" };
    let remedy = format!("resume it (kill -CONT {}){or_end}", holder.pid);
    Some(Hazard::new("holders", HazardLevel::Problem, text, remedy))
}

/// Whether one process has the write lock in every look from `began`, when `first` was seen, until now.
pub fn held_throughout(database: &Database, began: Instant, first: &Presence) -> Option<Hazard> {
    let writer = first.writer()?;
    let holds = || {
        let _open = if in_pid_namespace() { database.glance_if_used() } else { None };
        let now = holders(&database.path, None).unwrap_or_default();
        now.iter().any(|holder| holder.pid == writer.pid && holder.role.writes())
    };
    // The look may have been a short one.
    while holds() {
        if began.elapsed() >= LONG_HOLD {
            // Who commits again and again has it in every look too, but not all the while: the log has grown.
            let log = |presence: &Presence| presence.wal.as_ref().map(|wal| (wal.frames, wal.checkpointed));
            if who::presence(database).ok().as_ref().and_then(log) != log(first) {
                return None;
            }
            let who = process_name(writer.pid, &writer.command);
            let held = time(began.elapsed());
            let text =
                format!("{who} has held the write lock through this whole look ({held}); others get SQLITE_BUSY");
            let remedy = match writer.pid {
                _ if writer.litestream.is_some() => {
                    "do not end Litestream: see what it says in its log; others wait with a busy_timeout of 5s or more"
                        .to_owned()
                }
                0 => "look for it on the host or in the other containers: its transaction should be short".to_owned(),
                pid => {
                    format!("its transaction should be short: see what pid {pid} waits for (litekeel watch), or end it")
                }
            };
            return Some(Hazard::new("holders", HazardLevel::Warning, text, remedy));
        }
        if !interrupt::sleep(LOOKS_EVERY) {
            return None;
        }
    }
    None
}

/// Frames that a reader keeps from being recycled are ordinary while they are few.
pub fn pins(wal: &Wal) -> Option<Hazard> {
    let pin = wal.worst()?;
    let many = pin.bytes > MANY_PINNED;
    let level = if many { HazardLevel::Warning } else { HazardLevel::Note };
    let remedy = match (pin.is_litestream(), many) {
        // Its long read is how it works: it keeps others from checkpointing what it has not copied yet.
        (true, false) => "nothing: Litestream keeps a read lock, and checkpoints by itself",
        (true, true) => {
            "Litestream keeps a read lock and checkpoints by itself; it is far behind: look whether it replicates (its log)"
        }
        _ => "end that reader's transaction, or the process if it hangs",
    };
    Some(Hazard::new("pins", level, pin.sentence(), remedy))
}
