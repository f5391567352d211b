//! What Litestream's control socket says of a database, without waiting for the replica.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::barrier::{Barrier, Token, replicated};
use super::control::{Wait, ask, has_log_up_to, number, quoted, texts};
use crate::error::Result;
use crate::platform::file_id::file_id;
use crate::platform::path_facts::litestream_directory;

/// How far the replica is, by Litestream's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replica {
    /// The process that answered; of its own PID namespace.
    pub pid: u64,
    /// Its version, such as `0.5.17`.
    pub version: String,
    /// The database has been stopped (`litestream stop`): it copies nothing of it.
    pub stopped: bool,
    /// The position that it has read from the database.
    pub position: u64,
    /// The position that it has seen at the replica; 0 after a failure there, until it has looked again.
    pub replicated: u64,
}

impl Replica {
    /// How many transactions it has read that are not at the replica yet.
    pub fn behind(&self) -> u64 {
        self.position.saturating_sub(self.replicated)
    }
}

/// Asks at the socket; `None` where Litestream does not have the database. It reads what has been committed since it last
/// looked, as it does once a second, and does not wait for the replica.
///
/// # Errors
/// The system's, where nobody listens at the socket or the answer takes longer than `limit`; `InvalidData` for an answer that
/// is not Litestream's.
pub fn look(database: &Path, socket: &Path, limit: Duration) -> io::Result<Option<Replica>> {
    let wait = Wait { deadline: Instant::now() + limit, ended: &|| None };
    let info = ask(socket, "GET", "/info", "", &wait)?.body;
    let (Some(version), Some(pid)) = (texts(&info, "version").into_iter().next(), number(&info, "pid")) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("that is not Litestream's answer: {info}")));
    };
    let mut replica = Replica { pid, version, stopped: false, position: 0, replicated: 0 };
    let file = file_id(database);
    let listed = texts(&ask(socket, "GET", "/list", "", &wait)?.body, "path");
    let names = listed.into_iter().map(PathBuf::from);
    let mut ours = names.filter(|name| name == database || (file.is_some() && file_id(name) == file));
    let Some(name) = ours.find_map(|name| quoted(&name)) else { return Ok(None) };
    let answer = ask(socket, "POST", "/sync", &format!("{{\"path\":{name},\"wait\":false}}"), &wait)?;
    match (answer.status, number(&answer.body, "txid"), number(&answer.body, "replicated_txid")) {
        // In another container the same path can be another database.
        (200, Some(position), _)
            if position > 0 && !litestream_directory(database).is_some_and(|place| has_log_up_to(&place, position)) =>
        {
            return Ok(None);
        }
        (200, Some(position), Some(there)) => (replica.position, replica.replicated) = (position, there),
        (409, ..) => replica.stopped = true,
        _ => {
            let text = texts(&answer.body, "error").into_iter().next().unwrap_or(answer.body);
            return Err(io::Error::other(text));
        }
    }
    Ok(Some(replica))
}

/// Waits until everything that was committed before is at the replica, for who has no connection.
///
/// # Errors
/// As [`crate::Connection::replicated`].
pub fn wait(
    database: &Path,
    socket: &Path,
    limit: Duration,
    ended: &dyn Fn() -> Option<&'static str>,
) -> Result<Token> {
    let barrier = Barrier {
        path: database.to_owned(),
        file: file_id(database),
        socket: socket.to_owned(),
        timeout: limit,
        deadline: Instant::now() + limit,
    };
    replicated(&barrier, ended)
}
