//! A room imports only rooms below it: the floors of DESIGN.md, kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A room is a file or a folder directly under `src`.
const FLOORS: &[&[&str]] = &[
    &["sqlite", "report"],
    &["error"],
    &["platform", "url", "packed"],
    &["settings", "events"],
    &["vfs"],
    &["registry"],
    &["locks"],
    &["explain", "waiting", "wal"],
    &["preflight", "lifecycle"],
    &["connection"],
    &["open", "query"],
    &["backup"],
];

/// Still to be cut.
const EXCEPTIONS: &[&str] = &["vfs/file_monitor.rs -> connection", "vfs/file_monitor.rs -> wal"];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a text imports: each `crate::NAME`, and each NAME that a `crate::{…}` begins with.
fn imports(text: &str) -> BTreeSet<String> {
    let text: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    // Tests may reach anywhere; they stand at the end of a file.
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for part in text.split("crate::").skip(1) {
        let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = part.strip_prefix('{') else {
            found.insert(name(part));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => {
                    found.insert(name(item.trim()));
                    item.clear();
                    continue;
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            item.push(c);
        }
        found.insert(name(item.trim()));
    }
    found
}

fn files(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a folder of the sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Each import of a room that does not stand on a lower floor, as `file -> room`.
fn upward(source: &Path, sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let inside = path.strip_prefix(source).expect("it was found there");
        let room = inside.components().next().expect("a name").as_os_str().to_string_lossy().replace(".rs", "");
        if room == "lib" {
            continue;
        }
        let own =
            floor(&room).unwrap_or_else(|| panic!("{room} stands on no floor: add it to FLOORS and to DESIGN.md"));
        for other in imports(text) {
            if other != room && floor(&other).is_none_or(|other| other >= own) {
                found.push(format!("{} -> {other}", inside.display()));
            }
        }
    }
    found
}

#[test]
fn a_room_imports_only_rooms_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let sources: Vec<_> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a source"))).collect();
    let mut found = upward(&source, &sources);
    found.retain(|import| !EXCEPTIONS.contains(&import.as_str()));
    assert!(found.is_empty(), "{} imports run up:\n{}", found.len(), found.join("\n"));
}

#[test]
fn an_import_that_runs_up_is_seen() {
    let source = Path::new("/src");
    let see = |file: &str, text: &str| upward(source, &[(source.join(file), text.to_owned())]);
    assert_eq!(see("error/mod.rs", "use crate::{sqlite, open::{self, x}};"), ["error/mod.rs -> open"]);
    assert_eq!(see("vfs/shim.rs", "fn f() { crate::wal::go() }"), ["vfs/shim.rs -> wal"]);
    assert_eq!(see("url.rs", "use crate::packed;"), ["url.rs -> packed"], "beside it is not below it");
    assert_eq!(see("error/mod.rs", "use crate::nowhere;"), ["error/mod.rs -> nowhere"]);
    let nothing: [&str; 0] = [];
    assert_eq!(
        see("wal/readers.rs", "//! [`x`](crate::open)\nuse crate::locks;\n#[cfg(test)]\nuse crate::open;"),
        nothing
    );
}
