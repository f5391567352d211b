//! Who holds a lock, and in which state that is.

use std::time::Duration;

/// A process, or a connection of this process, that holds a lock.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Holder {
    /// The process id; this process's own when the holder is one of its connections; 0 for a process that has no number here.
    pub pid: u32,
    /// The lock.
    pub role: HolderRole,
    /// The command line, empty when it may not be read.
    pub command: String,
    /// What it is doing. For a connection of this process `Running` while it is in a call, `Idle` between two calls of a
    /// transaction.
    pub state: HolderState,
    /// For how long, as far as known: never for another process; for a connection of this process, since it has the
    /// lock.
    pub since: Option<Duration>,
    /// For a connection of this process: the running statement, or the latest one of its transaction.
    pub sql: Option<String>,
    /// For a connection of this process: where it was opened.
    pub opened_at: Option<String>,
    /// The connection's open transaction was last used by the thread that asks, which therefore waits in vain.
    pub by_this_thread: bool,
}

impl Holder {
    /// One of which no more is known.
    pub(crate) fn new(pid: u32, role: HolderRole, command: String, state: HolderState) -> Holder {
        Holder { pid, role, command, state, since: None, sql: None, opened_at: None, by_this_thread: false }
    }
}

/// Which lock somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HolderRole {
    /// The write lock of a WAL.
    Writer,
    /// The lock of who moves a WAL into the database.
    Checkpointer,
    /// The lock of who reads a WAL anew that a process left behind.
    Recoverer,
    /// A WAL's read mark.
    Reader,
    /// All of the database file.
    Exclusive,
    /// A rollback journal's write lock.
    Reserved,
    /// The database file, as soon as its readers are done.
    Pending,
    /// The database file, for reading.
    Shared,
    /// A connection of this process is in a call, of which it is not known what it locks.
    InACall,
}

impl HolderRole {
    /// The name in reports and error objects.
    pub fn as_str(self) -> &'static str {
        match self {
            HolderRole::Writer => "writer",
            HolderRole::Checkpointer => "checkpointer",
            HolderRole::Recoverer => "recoverer",
            HolderRole::Reader => "reader",
            HolderRole::Exclusive => "exclusive",
            HolderRole::Reserved => "reserved",
            HolderRole::Pending => "pending",
            HolderRole::Shared => "shared",
            HolderRole::InACall => "in a call",
        }
    }

    /// Whether it is a write lock.
    pub fn writes(self) -> bool {
        matches!(self, HolderRole::Writer | HolderRole::Reserved | HolderRole::Pending | HolderRole::Exclusive)
    }

    /// Whether it is a read lock, which is in no writer's way in WAL mode.
    pub fn reads(self) -> bool {
        matches!(self, HolderRole::Reader | HolderRole::Shared)
    }
}

/// What a process, or a connection of this process, is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HolderState {
    /// It works; a connection of this process is in a call.
    Running,
    /// It waits for something.
    Sleeping,
    /// A signal has stopped it (SIGSTOP).
    Stopped,
    /// It has ended, and its parent has not asked yet.
    Zombie,
    /// A connection of this process is between two calls of a transaction.
    Idle,
    /// The system does not tell.
    #[default]
    Unknown,
}

impl HolderState {
    /// The name in reports and error objects; empty when unknown.
    pub fn as_str(self) -> &'static str {
        match self {
            HolderState::Running => "running",
            HolderState::Sleeping => "sleeping",
            HolderState::Stopped => "stopped",
            HolderState::Zombie => "zombie",
            HolderState::Idle => "idle",
            HolderState::Unknown => "",
        }
    }
}
