//! Litestream's control socket: HTTP over a Unix socket, one request a connection, with a deadline.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::platform::standard_error;

/// An answer that is longer is not one of Litestream's.
const LONGEST: u64 = 1 << 20;

/// A status and the body that came with it.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// How often a wait looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long an answer is waited for.
pub(crate) struct Wait<'a> {
    pub(crate) deadline: Instant,
    /// Asked every [`LOOK`]: why nobody waits any more.
    pub(crate) ended: &'a dyn Fn() -> Option<&'static str>,
}

impl Wait<'_> {
    /// What is left.
    ///
    /// # Errors
    /// `TimedOut` at the deadline.
    pub(super) fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Until the next look; never zero, which would mean without a limit.
    fn look(&self) -> io::Result<Duration> {
        if let Some(why) = (self.ended)() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, why));
        }
        Ok(self.left()?.clamp(Duration::from_millis(1), LOOK))
    }
}

/// Whether the call is to be made again: a look's time is over, or a signal came.
fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Asks and waits for the whole answer.
///
/// # Errors
/// `TimedOut` at the deadline; `Interrupted`, with the reason, when the wait has ended; `InvalidData` for what is not an
/// answer; the system's, such as a socket where nobody listens.
pub(super) fn ask(socket: &Path, method: &str, target: &str, body: &str, wait: &Wait<'_>) -> io::Result<Answer> {
    // HTTP/1.0: no chunks, and the end of the connection is the end of the answer.
    let request = format!(
        "{method} {target} HTTP/1.0\r\nHost: litestream\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = connect(socket, wait)?;
    let mut unsent = request.as_bytes();
    while !unsent.is_empty() {
        stream.set_write_timeout(Some(wait.look()?))?;
        match stream.write(unsent) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => unsent = &unsent[length..],
            Err(error) if again(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        stream.set_read_timeout(Some(wait.look()?))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if again(&error) => {}
            Err(error) => return Err(error),
        }
        if answer.len() as u64 > LONGEST {
            return Err(not_an_answer());
        }
    }
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(not_an_answer)
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Answer { status, body: body.trim().to_owned() })
}

fn not_an_answer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what answers there does not answer as Litestream does")
}

/// `std` connects without a limit, and a daemon that hangs with a full queue would hold the caller for ever.
fn connect(socket: &Path, wait: &Wait<'_>) -> io::Result<UnixStream> {
    let name = socket.as_os_str().as_bytes();
    // SAFETY: an address of zeros is a valid one.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= address.sun_path.len() || name.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty or too long for a socket"));
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    // SAFETY: plain system calls; the descriptor that comes belongs to nobody else.
    let stream = unsafe {
        let fd = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        UnixStream::from(standard_error::above_standard(OwnedFd::from_raw_fd(fd))?)
    };
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    loop {
        // Linux keeps to it in connect() as well, and a connect() of such a socket that was given up can be made again.
        stream.set_write_timeout(Some(wait.look()?))?;
        // SAFETY: the address is one of the length that is given, NUL-terminated; the descriptor is open.
        if unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) } == 0 {
            return Ok(stream);
        }
        let error = io::Error::last_os_error();
        if !again(&error) {
            return Err(error);
        }
    }
}

/// The whole number that the body has under `name`. A quote inside a JSON text is escaped, so `"name":` cannot be in one.
pub(super) fn number(body: &str, name: &str) -> Option<u64> {
    let start = format!("\"{name}\":");
    let rest = body[body.find(&start)? + start.len()..].trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

/// The texts that the body has under `name`, in order.
pub(super) fn texts(body: &str, name: &str) -> Vec<String> {
    let start = format!("\"{name}\":");
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find(&start) {
        rest = rest[at + start.len()..].trim_start();
        if let Some(text) = rest.strip_prefix('"') {
            found.extend(unescaped(text));
        }
    }
    found
}

/// A JSON text up to its closing quote.
fn unescaped(text: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut chars = text.chars();
    let mut pair = [0; 2];
    loop {
        let c = match chars.next()? {
            '"' => return String::from_utf16(&units).ok(),
            '\\' => match chars.next()? {
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                other => other,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut pair));
    }
}

/// The path as JSON text; `None` where it is not UTF-8, which JSON cannot say.
pub(super) fn quoted(path: &Path) -> Option<String> {
    let mut text = String::from("\"");
    for c in path.to_str()?.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c < ' ' => text.push_str(&format!("\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    Some(text)
}

/// Whether the directory holds a piece of the log at least as new as `txid`.
pub(super) fn has_log_up_to(directory: &Path, txid: u64) -> bool {
    let last = |name: &OsStr| u64::from_str_radix(name.to_str()?.strip_suffix(".ltx")?.split_once('-')?.1, 16).ok();
    let levels = std::fs::read_dir(directory.join("ltx")).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = |level: PathBuf| std::fs::read_dir(level).into_iter().flatten().flatten();
    levels.flat_map(files).any(|file| last(&file.file_name()).is_some_and(|newest| newest >= txid))
}
