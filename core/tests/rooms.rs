//! A room imports only rooms below it: the floors of DESIGN.md, kept.

#[path = "../../tests/rooms/checker.rs"]
mod checker;

use std::path::Path;

/// From the ground up. A room is a file or a folder directly under `src`.
const FLOORS: checker::Floors = &[
    &["sqlite", "report"],
    &["error"],
    &["platform", "url", "packed"],
    &["settings", "events"],
    &["vfs"],
    &["registry"],
    &["locks"],
    &["explain", "waiting", "wal", "replication"],
    &["preflight", "lifecycle"],
    &["connection"],
    &["open", "query"],
    &["backup"],
];

#[test]
fn a_room_imports_only_rooms_below_it() {
    let found = checker::upward_in(FLOORS, env!("CARGO_MANIFEST_DIR"));
    assert!(found.is_empty(), "{} imports run up:\n{}", found.len(), found.join("\n"));
}

#[test]
fn an_import_that_runs_up_is_seen() {
    let source = Path::new("/src");
    let see = |file: &str, text: &str| checker::upward(FLOORS, source, &[(source.join(file), text.to_owned())]);
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

/// The text of a file, from the root of the repository.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_map_has_every_room_on_its_floor() {
    let map = read("DESIGN.md");
    for (index, rooms) in FLOORS.iter().enumerate() {
        for room in *rooms {
            let row = format!("| {} | `{room}` |", index + 1);
            assert!(map.contains(&row), "DESIGN.md has no row that begins with {row}");
        }
    }
}

#[test]
fn the_roads_pass_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for page in ["DESIGN.md", "CONTRIBUTING.md"] {
        let text = read(page);
        let is_end = |c: char| c.is_whitespace() || matches!(c, '`' | '(' | ')' | ',' | ';');
        for word in text.split(is_end).map(|word| word.trim_end_matches(['.', ':'])) {
            let in_a_crate = ["core/src/", "ffi/src/", "bindings-node/src/", "bindings-node/lib/"];
            if in_a_crate.iter().any(|start| word.starts_with(start)) {
                assert!(root.join(word).exists(), "{page} names {word}, which does not exist");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} files are named: the test does not see them");
}

#[test]
fn the_road_of_a_url_passes_no_file_twice() {
    let map = read("DESIGN.md");
    let road = map.split("## The road of a URL").nth(1).and_then(|rest| rest.split("```").nth(1)).expect("the road");
    let mut files: Vec<&str> = road.split_whitespace().filter(|word| word.ends_with(".rs")).collect();
    let all = files.len();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), all, "a file stands twice in the road of a URL");
}
