//! The barrier: waits until Litestream says that what is committed is at the replica, and looks whether it speaks of this
//! very database.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::control::{Answer, Wait, ask, has_log_up_to, number, quoted, texts};
use crate::error::codes;
use crate::error::{Error, FailedStep, Result};
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
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Token).ok_or_else(|| {
            Error::new(codes::INVALID_VALUE, "a position is 16 hexadecimal digits, as replicated() gives them")
        })
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
    let has = if listed.is_empty() { "none at all".to_owned() } else { listed.join(", ") };
    let text = format!("Litestream at {} does not replicate this database; it replicates {has}", socket.display());
    let hint =
        "add the database to Litestream's configuration by this path, or name its socket with replication_socket";
    Err(question.failed(FailedStep::NotThisDatabase, text).with_hint(hint))
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
            let text = format!("{} is not the file any more that was opened", name.display());
            return Err(self.failed(FailedStep::NotThisDatabase, text).with_hint("open the database again"));
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
            409 => {
                let text = format!("Litestream has stopped replicating this database: {said}");
                Err(self.failed(FailedStep::Stopped, text).with_hint("start it again: litestream start"))
            }
            _ if said.contains("deadline exceeded") => Err(self.late()),
            status => {
                let text = format!("Litestream could not copy to the replica: {said} (status {status})");
                let hint = remedy(&said);
                Err(self.failed(FailedStep::ReplicaRefuses, text).with_hint(hint))
            }
        }
    }

    fn confirmed(&self, name: &Path, body: &str) -> Result<Token> {
        let (Some(local), Some(there), true) =
            (number(body, "txid"), number(body, "replicated_txid"), body.ends_with('}'))
        else {
            let text = format!("Litestream's answer does not say what is at the replica: {body}");
            return Err(self.failed(FailedStep::Protocol, text).with_hint("use Litestream 0.5.17 or newer"));
        };
        if there < local {
            let text = format!("the replica has {there:016x} of {local:016x}");
            return Err(self.failed(FailedStep::ReplicaRefuses, text));
        }
        // In another container the same path can be another database. What Litestream has read lies beside the one it reads.
        if !litestream_directory(name).is_some_and(|directory| has_log_up_to(&directory, local)) {
            let text = format!(
                "Litestream answers for {}, but what it has copied does not lie beside this database: it means another file of that \
                 name, or keeps its directory elsewhere (meta-path), where it cannot be checked",
                name.display()
            );
            let hint = "let both see the database and its directory by the same path; use no meta-path";
            return Err(self.failed(FailedStep::NotThisDatabase, text).with_hint(hint));
        }
        Ok(Token(local))
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Result<Answer> {
        ask(self.socket, method, target, body, &self.wait).map_err(|error| self.io(&error))
    }

    fn io(&self, error: &io::Error) -> Error {
        let socket = self.socket.display();
        let (step, text, hint) = match error.kind() {
            io::ErrorKind::TimedOut => return self.late(),
            io::ErrorKind::Interrupted => {
                (FailedStep::Cancelled, error.to_string(), "wait for it again on an open connection")
            }
            io::ErrorKind::InvalidData => (
                FailedStep::Protocol,
                format!("{socket}: {error}"),
                "name Litestream's own socket with replication_socket",
            ),
            io::ErrorKind::PermissionDenied => (
                FailedStep::DaemonGone,
                format!("Litestream's socket {socket} may not be used: {error}"),
                "run both as the same user: the socket has mode 0600",
            ),
            _ => (
                FailedStep::DaemonGone,
                format!("Litestream does not answer at its socket {socket}: {error}"),
                "start Litestream, with socket: {enabled: true, path: …} in its configuration; replication_socket names another path",
            ),
        };
        self.failed(step, text).with_hint(hint).with_errno(error.raw_os_error().unwrap_or(0))
    }

    fn late(&self) -> Error {
        let text = format!("Litestream did not confirm it within {} ms", self.timeout.as_millis());
        self.failed(FailedStep::Timeout, text).with_hint("call it again, or wait longer (replication_timeout)")
    }

    /// What was committed stays so, and that is what the caller has to know first.
    fn failed(&self, step: FailedStep, text: String) -> Error {
        let text = format!("committed here, but not confirmed at the replica: {text}");
        Error::new(codes::NOT_REPLICATED, text).with_path(self.path).with_step(step)
    }
}

/// What to do about a failure at the replica, by Litestream's words.
fn remedy(said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["no space left", "disk full", "quota"]) {
        "make room at the replica, then call this again; the database itself is not harmed"
    } else if has(&[
        "xpired",
        "StatusCode: 401",
        "StatusCode: 403",
        "AccessDenied",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
    ]) {
        "give Litestream new access to the replica (a token or key in its configuration or environment), and start it again; the \
         database itself is not harmed"
    } else {
        "see to the replica (room, access, network), then call this again; the database itself is not harmed"
    }
}
