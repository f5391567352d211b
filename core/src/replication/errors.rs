//! The sentences of what is not at the replica, or does not come back from it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, FailedStep, codes};
use crate::locks::processes;

pub(super) fn not_a_position() -> Error {
    Error::new(codes::INVALID_VALUE, "a position is 16 hexadecimal digits, as replicated() gives them")
}

// Of waiting for the replica. What was committed stays so, and that is what the caller has to know first.

fn not_replicated(path: &Path, step: FailedStep, text: &str) -> Error {
    let text = format!("committed here, but not confirmed at the replica: {text}");
    Error::new(codes::NOT_REPLICATED, text).with_path(path).with_step(step)
}

/// `replicates`: the databases that Litestream names.
pub(super) fn not_this_database(path: &Path, socket: &Path, replicates: &[String]) -> Error {
    let has = if replicates.is_empty() { "none at all".to_owned() } else { replicates.join(", ") };
    let text = format!("Litestream at {} does not replicate this database; it replicates {has}", socket.display());
    let hint =
        "add the database to Litestream's configuration by this path, or name its socket with replication_socket";
    not_replicated(path, FailedStep::NotThisDatabase, &text).with_hint(hint)
}

pub(super) fn another_file_by_now(path: &Path, name: &Path) -> Error {
    let text = format!("{} is not the file any more that was opened", name.display());
    not_replicated(path, FailedStep::NotThisDatabase, &text).with_hint("open the database again")
}

/// `name`: by which Litestream knows the database that it has confirmed.
pub(super) fn copied_elsewhere(path: &Path, name: &Path) -> Error {
    let text = format!(
        "Litestream answers for {}, but what it has copied does not lie beside this database: it means another file of that \
         name, or keeps its directory elsewhere (meta-path), where it cannot be checked",
        name.display()
    );
    let hint = "let both see the database and its directory by the same path; use no meta-path";
    not_replicated(path, FailedStep::NotThisDatabase, &text).with_hint(hint)
}

pub(super) fn stopped(path: &Path, said: &str) -> Error {
    let text = format!("Litestream has stopped replicating this database: {said}");
    not_replicated(path, FailedStep::Stopped, &text).with_hint("start it again: litestream start")
}

/// `status`: of Litestream's answer, as in HTTP.
pub(super) fn not_copied(path: &Path, said: &str, status: u16) -> Error {
    let text = format!("Litestream could not copy to the replica: {said} (status {status})");
    not_replicated(path, FailedStep::ReplicaRefuses, &text).with_hint(remedy(said))
}

pub(super) fn unclear_answer(path: &Path, body: &str) -> Error {
    let text = format!("Litestream's answer does not say what is at the replica: {body}");
    not_replicated(path, FailedStep::Protocol, &text).with_hint("use Litestream 0.5.17 or newer")
}

/// The positions at the replica and here.
pub(super) fn replica_behind(path: &Path, there: u64, here: u64) -> Error {
    not_replicated(path, FailedStep::ReplicaRefuses, &format!("the replica has {there:016x} of {here:016x}"))
}

pub(super) fn late(path: &Path, timeout: Duration) -> Error {
    let text = format!("Litestream did not confirm it within {} ms", timeout.as_millis());
    not_replicated(path, FailedStep::Timeout, &text).with_hint("call it again, or wait longer (replication_timeout)")
}

/// A question at Litestream's socket that has failed, for another reason than the time.
pub(super) fn at_the_socket(path: &Path, socket: &Path, error: &io::Error) -> Error {
    let socket = socket.display();
    let (step, text, hint) = match error.kind() {
        io::ErrorKind::Interrupted => {
            (FailedStep::Cancelled, error.to_string(), "wait for it again on an open connection")
        }
        io::ErrorKind::InvalidData => {
            (FailedStep::Protocol, format!("{socket}: {error}"), "name Litestream's own socket with replication_socket")
        }
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
    not_replicated(path, step, &text).with_hint(hint).with_errno(error.raw_os_error().unwrap_or(0))
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

// Of restoring.

fn not_restored(path: &Path, text: String) -> Error {
    Error::new(codes::NOT_RESTORED, text).with_path(path).with_step(FailedStep::Restore)
}

/// A call of the operating system about `path` has failed.
pub(super) fn restore_failed(path: &Path, what: &str, error: &io::Error) -> Error {
    not_restored(path, format!("{} {what}: {error}", path.display())).with_errno(error.raw_os_error().unwrap_or(0))
}

pub(super) fn program_not_run(path: &Path, program: &Path, error: &io::Error) -> Error {
    not_restored(path, format!("{} cannot be run: {error}", program.display()))
        .with_hint("install Litestream, or say where it is: --litestream for the command, LITEKEEL_LITESTREAM in the environment")
        .with_errno(error.raw_os_error().unwrap_or(0))
}

/// `said`: how Litestream's program has ended, and what it said.
pub(super) fn program_failed(path: &Path, program: &Path, said: &str) -> Error {
    not_restored(path, format!("{} restore failed {said}", program.display()))
        .with_hint("see to the replica and the access to it, then try again: nothing was created")
}

/// `left`: the `-wal` or `-journal` that lies there.
pub(super) fn log_beside_nothing(path: &Path, left: &Path) -> Error {
    orphan(left, format!("{} does not exist, but {} does", path.display(), left.display()))
}

/// As [`log_beside_nothing`], where the database is an empty file.
pub(super) fn log_beside_empty(path: &Path, left: &Path) -> Error {
    orphan(left, format!("{} has no content, but {} has", path.display(), left.display()))
}

fn orphan(left: &Path, text: String) -> Error {
    Error::new(codes::ORPHAN_WAL, text).with_path(left).with_hint(
        "it may have commits that no replica has: find the database that it belongs to, or move it away to restore",
    )
}

pub(super) fn created_meanwhile(path: &Path) -> Error {
    not_restored(path, format!("{} was created by another program meanwhile", path.display()))
        .with_hint("nothing was replaced: start the program only when this has ended")
}

/// That the replica has nothing, for who needs something.
pub fn no_backup(path: &Path, content_with_nothing: &str) -> Error {
    let what = if fs::symlink_metadata(path).is_ok() { "has no content" } else { "does not exist" };
    not_restored(path, format!("{} {what}, and there is no backup of it", path.display())).with_hint(format!(
        "see whether the replica is the right one; {content_with_nothing} lets a new program begin with nothing"
    ))
}

/// That nobody waits for it any more: the time of the call is up, or its thread is ending.
pub(crate) fn given_up(path: &Path) -> Error {
    let text = "was not restored in the time that the call has, or its thread is ending";
    not_restored(path, format!("{} {text}", path.display())).with_hint(
        "nothing was created: give it more time, or restore before the program starts: litekeel restore-if-missing",
    )
}

/// It is not known that no program will write to the empty file, and what was put in its place would be another file.
pub(super) fn empty_despite_backup(path: &Path) -> Error {
    let text = format!("{} is there and has no content, but there is a backup of it", path.display());
    not_restored(path, text).with_hint(match processes::in_use(path) {
        Some(false) => "no process has a lock on it: if no program uses it, move it away and try again",
        _ => "a program may have it open, and nothing is put in its place: end every program that uses it first",
    })
}

/// `target`: where the link at `path` leads.
pub(super) fn link_to_nothing(path: &Path, target: &Path) -> Error {
    not_restored(path, format!("{} is a link to {}, and there is no such file", path.display(), target.display()))
        .with_hint("nothing is put in a link's place: name the file itself in the URL, or remove the link")
}
