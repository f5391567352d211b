//! The barrier: waits until Litestream says that what is committed is at the replica, and looks whether it speaks of this
//! very database.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::control::{Answer, Wait, ask, has_log_up_to, number, quoted, texts};
use super::errors;
use crate::error::{Error, Result};
use crate::platform::file_id::{FileId, file_id};
use crate::platform::path_facts::litestream_directory;

/// A position in what Litestream has replicated of one database: everything up to it is at the replica.
///
/// Positions of one database can be compared; those of two databases, or from before and after a new beginning of the
/// replica, cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u64);

impl Token {
    /// The position with this number, as another process or machine has got it from [`txid`](Token::txid).
    pub fn new(txid: u64) -> Token {
        Token(txid)
    }

    /// Litestream's number of the transaction, as `litestream restore -txid` takes it in 16 hexadecimal digits.
    pub fn txid(self) -> u64 {
        self.0
    }
}

impl FromStr for Token {
    type Err = Error;

    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// `KEEL_INVALID_VALUE` for anything but 16 hexadecimal digits.
    fn from_str(text: &str) -> Result<Token> {
        let digits = Some(text).filter(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Token).ok_or_else(errors::not_a_position)
    }
}

impl fmt::Display for Token {
    /// 16 hexadecimal digits, as Litestream writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Which database is asked about, and where.
#[derive(Clone, Debug)]
pub(crate) struct Barrier {
    pub(crate) path: PathBuf,
    pub(crate) file: Option<FileId>,
    pub(crate) socket: PathBuf,
    /// As the caller said it, for the error.
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
}

/// Waits until everything that was committed to the database before the call is at the replica; `ended` is asked many times
/// a second, and says why nobody waits for it any more.
///
/// # Errors
/// `KEEL_NOT_REPLICATED`, with the step that says why.
pub(crate) fn replicated(barrier: &Barrier, ended: &dyn Fn() -> Option<&'static str>) -> Result<Token> {
    let Barrier { path, file, socket, timeout, deadline } = barrier;
    let wait = Wait { deadline: *deadline, ended };
    let (file, timeout) = (*file, *timeout);
    let question = Question { path, file, socket, timeout, wait };
    for name in question.names() {
        if let Some(token) = question.ask_for(&name)? {
            return Ok(token);
        }
    }
    // It may know the file by a name that links lead from.
    let answer = question.ask("GET", "/list", "")?;
    let listed = if answer.status == 200 { texts(&answer.body, "path") } else { Vec::new() };
    for name in listed.iter().map(PathBuf::from).filter(|name| file.is_some() && file_id(name) == file) {
        if let Some(token) = question.ask_for(&name)? {
            return Ok(token);
        }
    }
    Err(errors::not_this_database(path, socket, &listed))
}

struct Question<'a> {
    path: &'a Path,
    file: Option<FileId>,
    socket: &'a Path,
    timeout: Duration,
    wait: Wait<'a>,
}

impl Question<'_> {
    /// The path as it was opened, and where links lead.
    fn names(&self) -> Vec<PathBuf> {
        let mut names = vec![self.path.to_owned()];
        names.extend(std::fs::canonicalize(self.path).ok().filter(|real| real != self.path));
        names
    }

    /// The position; `None` where Litestream has no database of that name.
    fn ask_for(&self, name: &Path) -> Result<Option<Token>> {
        if self.file.is_some() && file_id(name) != self.file {
            return Err(errors::another_file_by_now(self.path, name));
        }
        let Some(quoted) = quoted(name) else { return Ok(None) };
        // Whole seconds only: it refuses 0.5. Our own deadline is the exact one.
        let left = self.wait.left().map_err(|error| self.io(&error))?;
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let body = format!("{{\"path\":{quoted},\"wait\":true,\"timeout\":{seconds}}}");
        let answer = self.ask("POST", "/sync", &body)?;
        let said = texts(&answer.body, "error").into_iter().next().unwrap_or_else(|| answer.body.clone());
        match answer.status {
            200 => self.confirmed(name, &answer.body).map(Some),
            404 => Ok(None),
            409 => Err(errors::stopped(self.path, &said)),
            _ if said.contains("deadline exceeded") => Err(self.late()),
            status => Err(errors::not_copied(self.path, &said, status)),
        }
    }

    fn confirmed(&self, name: &Path, body: &str) -> Result<Token> {
        let (Some(local), Some(there), true) =
            (number(body, "txid"), number(body, "replicated_txid"), body.ends_with('}'))
        else {
            return Err(errors::unclear_answer(self.path, body));
        };
        if there < local {
            return Err(errors::replica_behind(self.path, there, local));
        }
        // In another container the same path can be another database. What Litestream has read lies beside the one it reads.
        if !litestream_directory(name).is_some_and(|directory| has_log_up_to(&directory, local)) {
            return Err(errors::copied_elsewhere(self.path, name));
        }
        Ok(Token(local))
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Result<Answer> {
        ask(self.socket, method, target, body, &self.wait).map_err(|error| self.io(&error))
    }

    fn io(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::TimedOut => self.late(),
            _ => errors::at_the_socket(self.path, self.socket, error),
        }
    }

    fn late(&self) -> Error {
        errors::late(self.path, self.timeout)
    }
}
