//! Litestream beside a database: whether there are signs of it, and how far its replica is.

use std::path::PathBuf;
use std::time::Duration;

use litekeel_core::SettingId;
use litekeel_core::litestream_is_beside;
use litekeel_core::{LitestreamTask, litestream_task};
use litekeel_core::{Replica, replica_status};
use serde::Serialize;

use crate::database::Database;
use crate::processes::Process;

/// Why Litestream is thought of, the surest first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Its process has the database open.
    Process(u32),
    /// Its directory is there, and somebody has the database open who has no number here.
    Unseen,
    /// Its directory is beside the database.
    Directory,
    /// The URL says so.
    Settings,
}

/// The surest sign; `None` where there is none, or the URL says that it is not used.
pub fn sign(database: &Database, users: &[Process]) -> Option<Sign> {
    let settings = &database.resolved.settings;
    let wanted = settings.get(SettingId::Replication).map(ToString::to_string).unwrap_or_default();
    if wanted == "none" {
        return None;
    }
    let directory = litestream_is_beside(&database.path);
    let daemon = users.iter().find(|user| litestream_task(&user.command) == Some(LitestreamTask::Replicates));
    match daemon {
        Some(user) => Some(Sign::Process(user.pid)),
        None if directory && users.iter().any(|user| user.pid == 0) => Some(Sign::Unseen),
        None if directory => Some(Sign::Directory),
        None => (wanted == "litestream").then_some(Sign::Settings),
    }
}

/// Where Litestream answers.
pub fn socket(database: &Database) -> PathBuf {
    database.resolved.settings.text(SettingId::ReplicationSocket).unwrap_or_default().into()
}

/// How far the replica is, as data.
#[derive(Serialize)]
pub struct State {
    pub pid: u64,
    pub version: String,
    pub stopped: bool,
    /// Litestream's numbers of the positions, 16 hexadecimal digits.
    pub position: String,
    pub replicated: String,
    /// Transactions that are not at the replica yet.
    pub behind: u64,
}

impl From<Replica> for State {
    fn from(replica: Replica) -> State {
        State {
            behind: replica.behind(),
            pid: replica.pid,
            version: replica.version,
            stopped: replica.stopped,
            position: format!("{:016x}", replica.position),
            replicated: format!("{:016x}", replica.replicated),
        }
    }
}

/// A look is not held up by a daemon that hangs for longer.
const LIMIT: Duration = Duration::from_millis(300);

/// Asks where there is a sign; `None` where nobody answers for this database.
pub fn look(database: &Database, users: &[Process]) -> Option<State> {
    sign(database, users)?;
    replica_status(&database.path, &socket(database), LIMIT).ok().flatten().map(State::from)
}

impl State {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let who = format!("Litestream {} (pid {})", self.version, self.pid);
        match (self.stopped, self.behind) {
            (true, _) => format!("{who} has stopped replicating it"),
            (_, 0) => format!("{who} replicates it: everything up to {} is at the replica", self.position),
            (_, 1) => format!("{who} replicates it: 1 transaction is not at the replica yet"),
            // It forgets the position at the replica when that fails.
            _ if self.replicated == "0000000000000000" => {
                format!("{who} replicates it, and does not know what is at the replica: see its log")
            }
            (_, count) => format!("{who} replicates it: {count} transactions are not at the replica yet"),
        }
    }

    pub fn is_well(&self) -> bool {
        !self.stopped && self.behind == 0
    }
}
