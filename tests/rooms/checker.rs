//! Whether each file of a crate imports only files that stand below it. Included by the tests of the crates.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up: the names of each floor. A room is a file or a folder directly under `src`.
pub type Floors = &'static [&'static [&'static str]];

fn floor(floors: Floors, room: &str) -> Option<usize> {
    floors.iter().position(|rooms| rooms.contains(&room))
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
pub fn upward(floors: Floors, source: &Path, sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let inside = path.strip_prefix(source).expect("it was found there");
        let room = inside.components().next().expect("a name").as_os_str().to_string_lossy().replace(".rs", "");
        if room == "lib" || room == "main" {
            continue;
        }
        let own = floor(floors, &room)
            .unwrap_or_else(|| panic!("{room} stands on no floor: add it to the floors, and to DESIGN.md"));
        for other in imports(text) {
            if other != room && floor(floors, &other).is_none_or(|other| other >= own) {
                found.push(format!("{} -> {other}", inside.display()));
            }
        }
    }
    found
}

/// Fails where an import runs up in the crate whose directory this is.
pub fn assert_all_run_down(floors: Floors, crate_directory: &str) {
    let source = Path::new(crate_directory).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let sources: Vec<_> =
        paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a source"))).collect();
    let found = upward(floors, &source, &sources);
    assert!(found.is_empty(), "{} imports run up:\n{}", found.len(), found.join("\n"));
}
