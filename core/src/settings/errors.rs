//! How what is wrong with the settings is said.

use std::io;
use std::path::Path;

use super::table::SettingId;
use super::words::Mode;
use crate::error::Error;
use crate::error::codes;
use crate::url::shown_name;

/// Two settings exclude each other; each with what it is set to, as `key=value`.
pub(super) fn conflict(a: SettingId, shown_a: &str, b: SettingId, shown_b: &str, why: &str) -> Error {
    Error::new(codes::CONFLICT, format!("{shown_a} and {shown_b} exclude each other: {why}")).with_hint(format!(
        "remove {} or {}",
        a.key(),
        b.key()
    ))
}

// Of the URL's source and the path.

pub(super) fn empty_argument() -> Error {
    Error::new(codes::EMPTY_URL, "the database URL is the empty string")
        .with_hint("leave the argument out for DATABASE_URL or the default, or name a file: file:data/app.db")
}

pub(super) fn environment_not_utf8() -> Error {
    Error::new(codes::INVALID_UTF8, "the environment's DATABASE_URL is not UTF-8")
}

pub(super) fn no_working_directory(error: &io::Error) -> Error {
    Error::new(codes::IO, format!("the working directory cannot be read: {error}"))
        .with_errno(error.raw_os_error().unwrap_or(0))
}

/// `most`: how many bytes SQLite takes.
pub(super) fn path_too_long(path: &Path, most: usize) -> Error {
    let length = path.as_os_str().len();
    let text = format!("{} is {length} bytes long; SQLite opens at most {most}", path.display());
    Error::new(codes::PATH_TOO_LONG, text)
}

pub(super) fn names_a_directory(path: &Path) -> Error {
    Error::new(codes::NOT_A_FILE, format!("{} names a directory", path.display()))
        .with_hint("name the file in it")
        .with_path(path)
}

// Of an option against the URL.

pub(super) fn immutable_loosened() -> Error {
    let text = "the URL says immutable=1, the call immutable=0: access can only be tightened";
    Error::new(codes::CONFLICT, text).with_hint("remove immutable from the call, or change the URL")
}

pub(super) fn memory_for_a_file() -> Error {
    let text = "the URL names a file, the call says mode=memory: its writes would be lost";
    Error::new(codes::CONFLICT, text).with_hint("pass :memory: as the URL")
}

pub(super) fn mode_loosened(url: Mode, call: Mode) -> Error {
    let text =
        format!("the URL says mode={}, the call mode={}: access can only be tightened", url.as_str(), call.as_str());
    Error::new(codes::CONFLICT, text).with_hint("remove mode from the call, or change the URL")
}

// Of one value.

/// `shown`: the value as it may be shown.
pub(super) fn invalid_value(key: &str, shown: &str, takes: &str) -> Error {
    Error::new(codes::INVALID_VALUE, format!("{key}={shown} is not a valid value"))
        .with_hint(format!("{key} takes {takes}"))
}

pub(super) fn not_yet(key: &str, text: &str) -> Error {
    Error::new(codes::NOT_YET, format!("{key}={text} is known, but this version of litekeel does not carry it yet"))
}

pub(super) fn option_too_long(key: &str, value: &str) -> Error {
    let text = format!("an option of {} bytes with a value of {} bytes", key.len(), value.len());
    Error::new(codes::INVALID_VALUE, text)
}

pub(super) fn invalid_in_environment(variable: &str, error: &Error) -> Error {
    Error::new(codes::INVALID_VALUE, format!("the environment's {variable}: {}", error.message()))
        .with_hint(format!("{}; or unset {variable}", error.hint()))
}

pub(super) fn unknown(key: &str, hint: String) -> Error {
    Error::new(codes::UNKNOWN_PARAM, format!("unknown setting {}", shown_name(key))).with_hint(hint)
}

pub(super) fn needs_unsafe(id: SettingId, value: &str) -> Error {
    Error::new(codes::NEEDS_UNSAFE, format!("{}={value} can lose or damage data", id.key()))
}

// Of settings that exclude each other in words of their own.

pub(super) fn shared_cache_on_a_file() -> Error {
    Error::new(codes::CONFLICT, "cache=shared on a file: SQLite's shared cache ignores the busy timeout")
        .with_hint("remove cache=shared; WAL already lets readers and a writer work side by side")
}

pub(super) fn follower_on_another_vfs(vfs: &str) -> Error {
    let text = format!("role=follower needs SQLite's own VFS, and vfs={vfs} is another one");
    Error::new(codes::CONFLICT, text).with_hint("remove vfs")
}

pub(super) fn restored_never() -> Error {
    Error::new(codes::CONFLICT, "restore_from says from where, and restore that it is never done")
        .with_hint("add restore=required or restore=if_available, or remove restore_from")
}

pub(super) fn password_in_restore_from() -> Error {
    Error::new(codes::INVALID_VALUE, "restore_from has a password in it").with_hint(
        "write the replica into Litestream's configuration file, and name that: restore_from=/etc/litestream.yml",
    )
}

pub(super) fn restore_from_an_option() -> Error {
    Error::new(codes::INVALID_VALUE, "restore_from is neither a URL nor the path of a file")
        .with_hint("as in s3://bucket/app, or /etc/litestream.yml")
}

pub(super) fn action_without_limit() -> Error {
    Error::new(codes::CONFLICT, "wal_max_action says what happens at four times wal_max, which is not set")
        .with_hint("add wal_max=64MiB or so, or remove wal_max_action")
}

pub(super) fn excluded_by_litestream(id: SettingId, value: &str, why: &str) -> Error {
    let text = format!("{}={value}, but Litestream replicates this database: {why}", id.key());
    Error::new(codes::CONFLICT, text)
        .with_hint(format!("remove {}, or add replication=none if Litestream is not used any more", id.key()))
}
