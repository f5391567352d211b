//! The processes that use a database, as data.

use litekeel_core::error::{Holder, HolderState, Role};
use litekeel_core::litestream::{Task, task};
use litekeel_core::users::User;
use serde::Serialize;

use crate::output;

/// Somebody who holds a lock.
#[derive(Serialize)]
pub struct Held {
    pub pid: u32,
    #[serde(serialize_with = "output::role")]
    pub role: Role,
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
    task(command).map(Task::as_str)
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
