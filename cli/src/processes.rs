//! The processes that use a database, as data.

use litekeel_core::User;
use litekeel_core::{Holder, HolderRole, HolderState};
use litekeel_core::{LitestreamTask, litestream_task};
use serde::Serialize;

use crate::output;

/// Somebody who holds a lock.
#[derive(Serialize)]
pub struct Held {
    pub pid: u32,
    #[serde(serialize_with = "output::role")]
    pub role: HolderRole,
    #[serde(serialize_with = "output::state")]
    pub state: HolderState,
    pub command: String,
    /// For how long, in milliseconds, where it is known.
    pub since_ms: Option<u64>,
    /// What it does, if it is Litestream: `replicates`, `follows` or `other`.
    pub litestream: Option<&'static str>,
}

/// Somebody who has it open.
#[derive(Serialize)]
pub struct Process {
    pub pid: u32,
    #[serde(serialize_with = "output::state")]
    pub state: HolderState,
    pub command: String,
    /// As of a holder.
    pub litestream: Option<&'static str>,
}

fn litestream(command: &str) -> Option<&'static str> {
    litestream_task(command).map(LitestreamTask::as_str)
}

impl From<Holder> for Held {
    fn from(holder: Holder) -> Held {
        Held {
            pid: holder.pid,
            litestream: litestream(&holder.command),
            role: holder.role,
            state: holder.state,
            command: holder.command,
            since_ms: holder.since.map(|since| since.as_millis() as u64),
        }
    }
}

impl From<User> for Process {
    fn from(user: User) -> Process {
        let litestream = litestream(&user.command);
        Process { pid: user.pid, state: user.state, command: user.command, litestream }
    }
}
