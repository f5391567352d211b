//! `litekeel explain`: what a code means, and what to do about it.

use std::ffi::CStr;

use clap::Args;
use litekeel_core::sqlite_name;
use litekeel_core::{Error, Result, codes, sqlite};
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{self, say};
use crate::terminal::{Terminal, Tone, labelled};

#[derive(Args)]
pub struct Explain {
    /// A name or number: KEEL_ORPHAN_WAL, orphan_wal, -35, SQLITE_BUSY, busy, 517.
    #[arg(allow_hyphen_values = true)]
    code: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A code, explained.
#[derive(Serialize)]
struct Explanation {
    name: String,
    code: i32,
    /// The primary code that an extended one of SQLite's belongs to.
    of: Option<String>,
    meaning: String,
    /// What it has in common with others of its kind, for litekeel's own.
    class: Option<&'static str>,
    what_to_do: String,
}

/// What SQLite's own sentence leaves out, for the codes that people meet.
const SQLITE: &[(&str, &str, &str)] = &[
    (
        "SQLITE_BUSY",
        "Somebody else has a lock that is needed, and kept it longer than busy_timeout.",
        "the message names who; litekeel who shows all, litekeel watch how long. Keep transactions that write short",
    ),
    (
        "SQLITE_BUSY_SNAPSHOT",
        "A transaction that began by reading wants to write, but somebody has written since: what it has read is old.",
        "begin transactions that write with BEGIN IMMEDIATE; roll this one back and try again",
    ),
    (
        "SQLITE_BUSY_RECOVERY",
        "Another process is recovering the WAL after a crash.",
        "try again; if it stays so, litekeel who names the process",
    ),
    (
        "SQLITE_LOCKED",
        "A lock inside one process: another statement of this connection, or of one that shares its cache, is in the way.",
        "finish or reset that statement first; do not use cache=shared",
    ),
    (
        "SQLITE_CANTOPEN",
        "The file cannot be opened: one code for a missing directory, a missing file, missing rights, a directory.",
        "litekeel doctor PATH says which of them it is",
    ),
    (
        "SQLITE_READONLY",
        "A write to what may only be read: the connection (mode=ro, query_only), the file, or its directory.",
        "litekeel doctor PATH; give this user write permission on the file, its directory, the -wal and the -shm",
    ),
    (
        "SQLITE_READONLY_DIRECTORY",
        "A WAL database needs to create its -shm or -journal in a directory that may not be written.",
        "make the directory writable, or open with immutable=1 if nobody writes the file",
    ),
    (
        "SQLITE_READONLY_DBMOVED",
        "The file was renamed, replaced or deleted while it was open.",
        "close and reopen; replace a database only while nobody has it open (litekeel restore can, in a transaction)",
    ),
    (
        "SQLITE_CORRUPT",
        "Pages of the database contradict each other.",
        "keep a copy of the file and its -wal, then restore a backup, or rebuild it with sqlite3's .recover",
    ),
    (
        "SQLITE_NOTADB",
        "The file is not a SQLite 3 database, or it is encrypted.",
        "litekeel doctor PATH says what its first bytes look like",
    ),
    (
        "SQLITE_FULL",
        "No room is left: on the disk, for a temporary file, or under max_page_count.",
        "free some space; nothing of the transaction remains",
    ),
    (
        "SQLITE_IOERR",
        "The operating system failed to read or write: the extended code and errno say at what.",
        "look at the system's log (dmesg) and the disk",
    ),
    (
        "SQLITE_CONSTRAINT",
        "The statement would have broken a rule of the schema; the extended code says which kind.",
        "correct the row, or use INSERT … ON CONFLICT",
    ),
    (
        "SQLITE_CONSTRAINT_FOREIGNKEY",
        "A row refers to one that does not exist, or one that others refer to was to go.",
        "insert the referenced row first; PRAGMA foreign_key_check lists what is wrong already",
    ),
    (
        "SQLITE_CONSTRAINT_UNIQUE",
        "Another row has the same value in a UNIQUE column.",
        "use INSERT … ON CONFLICT DO UPDATE, or correct the value",
    ),
    (
        "SQLITE_MISUSE",
        "SQLite was called in a way it forbids: a closed connection, a finalized statement, two threads at once.",
        "look at who uses the handle, and when it was closed",
    ),
    (
        "SQLITE_INTERRUPT",
        "The statement was ended: by interrupt(), by its timeout, or by Ctrl-C.",
        "if it should have ended, nothing: its transaction was rolled back",
    ),
    (
        "SQLITE_TOOBIG",
        "A text or BLOB is longer than SQLite's limit (by default 1 000 000 000 bytes), or SQL is.",
        "store large data in pieces, or in files",
    ),
    (
        "SQLITE_NOMEM",
        "SQLite could not get memory.",
        "look at the process's limit (ulimit, cgroup) and at cache_size, mmap_size and temp_store",
    ),
    (
        "SQLITE_PROTOCOL",
        "The race for the WAL's locks was lost too often.",
        "try again; if it stays so, litekeel who shows the process that hangs",
    ),
    (
        "SQLITE_SCHEMA",
        "The schema changed and the statement could not be compiled anew.",
        "prepare the statement again",
    ),
    (
        "SQLITE_AUTH",
        "An authorizer forbids it: for litekeel, ATTACH of a file that attach= does not allow.",
        "see attach in docs/settings.md",
    ),
    (
        "SQLITE_ERROR",
        "The SQL is wrong: a syntax error, a missing table or column. The message says what.",
        "correct the statement",
    ),
];

/// Every code of SQLite's that has a name.
fn sqlite_codes() -> impl Iterator<Item = (i32, &'static str)> {
    let extended = (0..64).flat_map(|extension| (0..=101).map(move |primary| primary | (extension << 8)));
    extended.filter_map(|code| Some((code, sqlite_name(code)?)))
}

fn of_sqlite(code: i32, name: &str) -> Explanation {
    // SAFETY: a static text for every number.
    let said = unsafe { CStr::from_ptr(sqlite::sqlite3_errstr(code)) }.to_string_lossy();
    let primary = sqlite_name(code & 0xff).filter(|primary| *primary != name);
    let row = |wanted: &str| SQLITE.iter().find(|(name, ..)| *name == wanted);
    let row = row(name).or_else(|| row(primary?));
    let meaning = match row {
        Some((_, meaning, _)) => format!("\u{201c}{said}\u{201d}: {meaning}"),
        None => format!("\u{201c}{said}\u{201d}"),
    };
    let what_to_do =
        row.map_or_else(|| "see https://sqlite.org/rescode.html".to_owned(), |(.., hint)| (*hint).to_owned());
    Explanation { name: name.to_owned(), code, of: primary.map(str::to_owned), meaning, class: None, what_to_do }
}

fn of_litekeel(row: &codes::Code) -> Explanation {
    Explanation {
        name: row.name.to_owned(),
        code: row.value,
        of: None,
        meaning: row.meaning.replace('`', ""),
        class: Some(row.class.meaning()),
        what_to_do: if row.hint.is_empty() { "the error's own hint says it" } else { row.hint }.to_owned(),
    }
}

/// By number, by name, or by a name without its prefix; litekeel's own come first.
fn find(text: &str) -> Option<Explanation> {
    if let Ok(number) = text.parse::<i32>() {
        return match codes::lookup(number) {
            Some(row) => Some(of_litekeel(row)),
            None => sqlite_name(number).map(|name| of_sqlite(number, name)),
        };
    }
    let wanted = text.to_ascii_uppercase();
    let is = |name: &str, prefix: &str| name == wanted || name.strip_prefix(prefix) == Some(&wanted);
    if let Some(row) = codes::TABLE.iter().find(|row| is(row.name, "KEEL_")) {
        return Some(of_litekeel(row));
    }
    sqlite_codes().find(|(_, name)| is(name, "SQLITE_")).map(|(code, name)| of_sqlite(code, name))
}

/// Names with the text in them.
fn similar(text: &str) -> Vec<&'static str> {
    let wanted = text.to_ascii_uppercase();
    let wanted = wanted.strip_prefix("KEEL_").or(wanted.strip_prefix("SQLITE_")).unwrap_or(&wanted);
    let names = codes::TABLE.iter().map(|row| row.name).chain(sqlite_codes().map(|(_, name)| name));
    names.filter(|name| !wanted.is_empty() && name.contains(wanted)).take(8).collect()
}

/// What somebody has written for a code: a URL or a password is not repeated.
fn shown(code: &str) -> &str {
    let digits = code.trim_start_matches('-');
    let is_number = digits.len() <= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if is_number || is_name { code } else { "what you wrote" }
}

impl Explain {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let Some(found) = find(self.code.trim()) else {
            let hint = match similar(self.code.trim()).as_slice() {
                [] => "write a name (KEEL_ORPHAN_WAL, SQLITE_BUSY) or the number of the error".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            return Err(Error::new(
                codes::ARGUMENT,
                format!("{} is not a code of litekeel or SQLite", shown(&self.code)),
            )
            .with_hint(hint));
        };
        if self.json {
            output::json(&found);
            return Ok(Exit::Fine);
        }
        let of = found.of.as_ref().map_or(String::new(), |primary| format!(", a kind of {primary}"));
        say!("{} ({}{of})", out.paint(Tone::Heading, &found.name), found.code);
        for text in [Some(found.meaning.as_str()), found.class].into_iter().flatten() {
            labelled("  ", text, out).iter().for_each(|line| say!("{line}"));
        }
        let label = format!("  {} ", out.paint(Tone::Note, "what to do:"));
        labelled(&label, &found.what_to_do, out).iter().for_each(|line| say!("{line}"));
        Ok(Exit::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_names_and_number() {
        for row in codes::TABLE {
            let short = row.name.strip_prefix("KEEL_").unwrap().to_lowercase();
            for text in [row.name.to_owned(), short, row.value.to_string()] {
                let found = find(&text).unwrap();
                assert_eq!(found.code, row.value, "{text}");
                assert!(!found.meaning.is_empty() && !found.what_to_do.is_empty());
            }
        }
        let mut count = 0;
        for (code, name) in sqlite_codes() {
            assert_eq!(find(name).unwrap().code, code);
            assert_eq!(find(&code.to_string()).unwrap().name, name);
            count += 1;
        }
        assert!(count > 90, "{count}");
        for (name, ..) in SQLITE {
            assert!(sqlite_codes().any(|(_, known)| known == *name), "{name}");
        }
        assert_eq!(find("517").unwrap().of.as_deref(), Some("SQLITE_BUSY"));
        assert!(find("nonsense").is_none() && find("99999").is_none() && find("").is_none());
        assert!(similar("orphan").contains(&"KEEL_ORPHAN_WAL"));
    }
}
