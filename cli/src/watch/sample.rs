//! What is seen at one moment, and what has been seen so far.

use std::time::{Duration, Instant, SystemTime};

use litekeel_core::HolderRole;
use litekeel_core::{holders, in_pid_namespace};

use crate::database::Database;
use crate::who::{self, Presence};

/// One look at the files and locks.
pub struct Sample {
    pub at: SystemTime,
    /// `None` while there is no such file.
    pub database_bytes: Option<u64>,
    pub wal_bytes: Option<u64>,
    pub presence: Option<Presence>,
}

impl Sample {
    pub fn take(database: &Database) -> Sample {
        Sample {
            at: SystemTime::now(),
            database_bytes: std::fs::metadata(&database.path).ok().map(|meta| meta.len()),
            wal_bytes: database.wal_bytes(),
            presence: who::presence(database).ok(),
        }
    }

    pub fn count(&self, is_one: fn(HolderRole) -> bool) -> usize {
        let holders = self.presence.iter().flat_map(|presence| &presence.holders);
        holders.filter(|holder| is_one(holder.role)).count()
    }
}

/// Somebody who had the write lock in two looks or more with nobody else in between.
#[derive(Clone, Debug)]
pub struct Hold {
    pub pid: u32,
    pub command: String,
    pub time: Duration,
}

/// What has been seen since the beginning.
pub struct Record {
    pub began: Instant,
    /// The time between two pictures.
    pub interval: Duration,
    /// The sizes of the WAL, one for each picture.
    pub wal: Vec<u64>,
    pub wal_peak: u64,
    /// How often more of the WAL was in the database than the time before, or the WAL had begun anew.
    pub checkpoints: u64,
    moved: Option<(i64, i64)>,
    pub looks: u64,
    pub looks_locked: u64,
    pub longest: Option<Hold>,
    current: Option<(u32, String, Instant)>,
}

/// So many sizes are kept for the curve.
const KEPT: usize = 120;

impl Record {
    pub fn new(began: Instant, interval: Duration) -> Record {
        Record {
            began,
            interval,
            wal: Vec::new(),
            wal_peak: 0,
            checkpoints: 0,
            moved: None,
            looks: 0,
            looks_locked: 0,
            longest: None,
            current: None,
        }
    }

    pub fn add(&mut self, sample: &Sample) {
        let size = sample.wal_bytes.unwrap_or(0);
        let wal = sample.presence.as_ref().and_then(|presence| presence.wal.as_ref());
        let moved = wal.map(|wal| (wal.frames, wal.checkpointed));
        self.checkpoints += u64::from(match (self.moved, moved) {
            // The log began anew: what was missing has been moved, and perhaps some of the new one too.
            (Some((frames, done)), Some((frames_now, done_now))) if frames_now < frames => {
                done < frames || done_now > 0
            }
            (Some((_, done)), Some((_, done_now))) => done_now > done,
            _ => self.wal.last().is_some_and(|last| size < *last),
        });
        self.moved = moved;
        self.wal_peak = self.wal_peak.max(size);
        if self.wal.len() == KEPT {
            self.wal.remove(0);
        }
        self.wal.push(size);
        let writer = sample.presence.as_ref().and_then(Presence::writer);
        self.note(writer.map(|holder| (holder.pid, holder.command.clone())));
    }

    /// Only who has the write lock now.
    pub fn look_at_locks(&mut self, database: &Database) {
        // In a PID namespace a look at the table of locks is not enough.
        let _open = if in_pid_namespace() { database.glance_if_used() } else { None };
        let holders = holders(&database.path, None).unwrap_or_default();
        let writer = holders.into_iter().find(|holder| holder.role.writes());
        self.note(writer.map(|holder| (holder.pid, holder.command)));
    }

    fn note(&mut self, writer: Option<(u32, String)>) {
        self.looks += 1;
        let Some((pid, command)) = writer else {
            self.current = None;
            return;
        };
        self.looks_locked += 1;
        let now = Instant::now();
        let since = match &self.current {
            Some((before, _, since)) if *before == pid => *since,
            _ => now,
        };
        let time = now - since;
        if time > Duration::ZERO && self.longest.as_ref().is_none_or(|longest| time > longest.time) {
            self.longest = Some(Hold { pid, command: command.clone(), time });
        }
        self.current = Some((pid, command, since));
    }

    /// The share of the looks in which the write lock was held, in percent.
    pub fn locked_percent(&self) -> u64 {
        100 * self.looks_locked / self.looks.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_is_that_of_one_process_without_a_gap() {
        let mut record = Record::new(Instant::now(), Duration::from_secs(1));
        let writer = |pid| Some((pid, format!("process {pid}")));
        record.note(writer(1));
        assert!(record.longest.is_none());
        std::thread::sleep(Duration::from_millis(5));
        record.note(writer(1));
        std::thread::sleep(Duration::from_millis(20));
        record.note(None);
        record.note(writer(1));
        std::thread::sleep(Duration::from_millis(1));
        record.note(writer(2));
        let longest = record.longest.clone().unwrap();
        assert!(longest.pid == 1 && longest.time >= Duration::from_millis(5), "{longest:?}");
        assert!(longest.time < Duration::from_millis(20), "{longest:?}");
        assert_eq!(record.locked_percent(), 80);
    }
}
