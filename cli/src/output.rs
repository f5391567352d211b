//! The one way out: every line that the command prints passes here.
//!
//! Paths, other processes' command lines and names inside a database that is only examined may hold anything. What a
//! terminal would obey is written out, except for the colours that this command puts in itself. A stream that cannot be
//! written (a full disk) ends no command by a panic: it is told at the end, by the exit status too.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex};

use litekeel_core::{HolderRole, HolderState};
use litekeel_core::{is_command, printable};
use serde::{Serialize, Serializer};

/// Prints a line on standard output.
macro_rules! say {
    () => { $crate::output::line("") };
    ($($text:tt)*) => { $crate::output::line(&format!($($text)*)) };
}
/// Prints a line on standard error.
macro_rules! tell {
    ($($text:tt)*) => { $crate::output::note(&format!($($text)*)) };
}
pub(crate) use {say, tell};

/// A mark in a line that becomes a colour. No text from elsewhere can hold it: it has a number of this run.
static MARK: LazyLock<String> =
    LazyLock::new(|| format!("\u{fdd0}{:016x}", RandomState::new().build_hasher().finish()));

/// What becomes the sequence `ESC [ code m` at the exit.
pub fn colour(code: u8) -> String {
    format!("{}{code:02}", *MARK)
}

/// The line as it goes to the terminal.
pub fn shown(line: &str) -> String {
    let mut pieces = line.split(MARK.as_str());
    let mut text = printable(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2).unwrap_or(("00", piece));
        let _ = write!(text, "\x1b[{}m{}", code.trim_start_matches('0').parse().unwrap_or(0u8), printable(rest));
    }
    text
}

/// The columns that the line takes, without its colours.
pub fn columns(line: &str) -> usize {
    let mut pieces = line.split(MARK.as_str());
    let first = pieces.next().unwrap_or_default().chars().count();
    first + pieces.map(|piece| piece.chars().count().saturating_sub(2)).sum::<usize>()
}

static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

fn failure() -> std::sync::MutexGuard<'static, Option<io::Error>> {
    FAILURE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether standard output has failed.
pub fn failed() -> bool {
    failure().is_some()
}

/// Why standard output failed, if it did.
pub fn take_failure() -> Option<io::Error> {
    failure().take()
}

/// Prints text as it is: help, completions, pages, which are all our own.
pub fn raw(text: &str) {
    let mut out = io::stdout().lock();
    let mut failure = failure();
    if failure.is_none()
        && let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
    {
        *failure = Some(error);
    }
}

/// Prints a line on standard output.
pub fn line(text: &str) {
    raw(&(shown(text) + "\n"));
}

/// Prints a line on standard error. Where that cannot be written, there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", shown(text));
}

/// Prints one JSON document. The same characters are written out as `\u…`, which means the same to who reads JSON.
pub fn json(document: &impl Serialize) {
    let text = serde_json::to_string_pretty(document).expect("strings and numbers");
    raw(&(escaped(&text) + "\n"));
}

/// The word for a lock in JSON, as in errors.
pub fn role<S: Serializer>(role: &HolderRole, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(role.as_str())
}

/// The word for what its holder is doing.
pub fn state<S: Serializer>(state: &HolderState, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.as_str())
}

/// JSON text with what a terminal would obey written out. serde does so below U+0020; above, such characters can only
/// stand in a string.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_command(c) && c != '\n' {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_colours_leave() {
        let line = format!("{}red{} \x1b[31m\u{9b}1m\u{202e}", colour(31), colour(0));
        assert_eq!(shown(&line), "\x1b[31mred\x1b[0m \\x1b[31m\\u{9b}1m\\u{202e}");
        assert_eq!(columns(&format!("{}red{}!", colour(1), colour(0))), 4);
        // What looks like a mark of another run is text.
        assert!(!shown("\u{fdd0}00000000000000000031x").contains('\x1b'));
    }

    #[test]
    fn json_means_the_same() {
        let value = serde_json::json!({ "a\u{7f}\u{9b}": "x\x1b[2J\u{202e}\ny\u{2028}", "ok": "Grüße" });
        let text = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || !is_command(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn nothing_else_prints() {
        let mut directories = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut seen = 0;
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if !path.ends_with("output.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    for way in ["println!(", "print!(", "dbg!("] {
                        assert!(!text.contains(way), "{way} in {}", path.display());
                    }
                    seen += 1;
                }
            }
        }
        assert!(seen > 10);
    }
}
