//! A room imports only rooms below it: the floors of DESIGN.md, kept.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

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
    &["backup", "databases"],
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

/// Files that import each other all the same.
const NATURAL: &[&[&str]] = &[&[
    "vfs/attached.rs",
    "vfs/content.rs",
    "vfs/file_checks.rs",
    "vfs/file_monitor.rs",
    "vfs/file_state.rs",
    "vfs/replicated.rs",
    "vfs/set_aside.rs",
    "vfs/wal_guard.rs",
    "vfs/wal_keeper.rs",
]];

#[test]
fn no_files_import_each_other_in_a_circle() {
    circles::assert_none_in(env!("CARGO_MANIFEST_DIR"), NATURAL);
}

#[test]
fn a_circle_of_files_is_seen() {
    let source = Path::new("/src");
    let ties = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(file, text)| (source.join(file), (*text).to_owned())).collect();
        circles::circles_of(source, &files).into_iter().flat_map(|circle| circle.ties).collect::<Vec<_>>()
    };
    let lib = ("lib.rs", "mod a;\nmod b;\npub use a::one::One;\n");
    let room = ("a/mod.rs", "mod one;\nmod two;\npub(crate) use one::One;\npub use two::{Two as Other, two};\n");
    let nothing: [&str; 0] = [];

    let two = ("a/two.rs", "use super::one::One;\npub struct Two(One);\npub fn two() {}\n");
    assert_eq!(ties(&[lib, room, ("a/one.rs", "pub struct One;\n"), two, ("b.rs", "")]), nothing);
    // By a path in the code, by a name that the parent passes on, renamed, by a module's name; not by a comment or a test.
    for text in [
        "fn f() { super::two::two() }",
        "use super::two;\nfn f() { two() }",
        "use super::{Other, two as second};",
        "use crate::a::two as second;\nfn f() { second::two() }",
    ] {
        let found = ties(&[lib, room, ("a/one.rs", text), two, ("b.rs", "")]);
        assert_eq!(found.len(), 2, "{text}: {found:?}");
        assert_eq!(found[1], "a/two.rs -> a/one.rs: One", "{text}");
    }
    let apart = "//! As [`super::two`]\nstruct One;\n#[cfg(test)]\nmod tests { use super::super::two; }";
    assert_eq!(ties(&[lib, room, ("a/one.rs", apart), two, ("b.rs", "")]), nothing);
    // What a mod.rs uses itself is an import; a mod that it lists is none.
    let user = ("a/mod.rs", "mod one;\nmod two;\nuse one::One;\npub struct Three(One);\n");
    assert_eq!(
        ties(&[lib, user, ("a/one.rs", "use super::Three;\npub struct One;"), two, ("b.rs", "")]),
        ["a/mod.rs -> a/one.rs: One", "a/one.rs -> a/mod.rs: Three"]
    );
    // Over another room, and by a name at the crate's root.
    assert_eq!(
        ties(&[
            lib,
            room,
            ("a/one.rs", "use crate::b::B;\npub struct One;"),
            two,
            ("b.rs", "use crate::One;\nstruct B;")
        ]),
        ["a/one.rs -> b.rs: B", "b.rs -> a/one.rs: One"]
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
