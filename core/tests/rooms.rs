//! A room imports only rooms below it: the floors of DESIGN.md, kept.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

use std::path::Path;

/// From the ground up. A room is a file or a folder directly under `src`; `sqlite` is the name of SQLite's own interface.
const FLOORS: checker::Floors = &[
    &["sqlite", "raw", "report"],
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
    checker::assert_all_run_down(FLOORS, env!("CARGO_MANIFEST_DIR"));
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

#[test]
fn no_files_import_each_other_in_a_circle() {
    circles::assert_none_in(env!("CARGO_MANIFEST_DIR"), &[]);
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

/// The files of a room that make errors, from `(file, text)`: comments and the tests at a file's end do not count.
fn makers_of_errors(files: &[(String, String)]) -> Vec<&str> {
    let makes = |text: &str| {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        code.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| line.match_indices("Error::new(").any(|(at, _)| !line[..at].ends_with("io::")))
    };
    files.iter().filter(|(_, text)| makes(text)).map(|(file, _)| file.as_str()).collect()
}

#[test]
fn the_sentences_of_a_room_stand_in_one_file() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = 0;
    for room in FLOORS.iter().copied().flatten() {
        let mut files = Vec::new();
        texts(&source.join(room), &mut files);
        let makers = makers_of_errors(&files);
        assert!(makers.len() <= 1, "{room} makes errors in {makers:?}: give it an errors.rs");
        rooms += makers.len();
    }
    assert!(rooms > 10, "only {rooms} rooms are seen to make errors");
}

fn texts(directory: &Path, into: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, into);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            into.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn a_sentence_in_the_middle_of_the_work_is_seen() {
    let files = [
        ("errors.rs", "fn closed() -> Error { Error::new(1, \"closed\") }"),
        ("work.rs", "fn f() { return Err(Error::new(2, text)) }"),
        ("io.rs", "fn f() { io::Error::new(kind, why) }\n// Error::new(\n#[cfg(test)]\nmod tests { Error::new( }"),
    ]
    .map(|(file, text)| (file.to_owned(), text.to_owned()));
    assert_eq!(makers_of_errors(&files), ["errors.rs", "work.rs"]);
}

/// What of a `lib.rs` or `mod.rs` shows more than a list of names: a public module that is not one of `allowed`, a glob.
fn shown_unlisted(text: &str, allowed: &[&str]) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("pub ") && line.ends_with([';', '{']));
    let is_module = |line: &&str| {
        line.strip_prefix("pub mod ").is_some_and(|name| !allowed.contains(&name.trim_end_matches([';', '{', ' '])))
    };
    lines.filter(|line| is_module(line) || line.contains("::*")).map(str::to_owned).collect()
}

#[test]
fn what_others_see_is_listed_by_hand() {
    let lib = read("core/src/lib.rs");
    let nothing: [&str; 0] = [];
    assert_eq!(shown_unlisted(&lib, &[]), nothing);
    for (room, allowed) in FLOORS.iter().copied().flatten().flat_map(|room| match *room {
        // Each a table of constants and words, whose names read best with the module's.
        "error" => vec![("error", &["codes"][..])],
        "settings" => vec![("settings", &["words"][..])],
        other => vec![(other, &[][..])],
    }) {
        let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room).join("mod.rs");
        if let Ok(text) = std::fs::read_to_string(inside) {
            assert_eq!(shown_unlisted(&text, allowed), nothing, "{room}");
        }
    }
    // Of a room's own names each stands in the list once.
    let names = lib.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let mut names: Vec<&str> = names
        .flat_map(|tree| tree.rsplit_once("::{").map_or(tree, |(_, names)| names.trim_end_matches('}')).split(','))
        .map(|name| name.rsplit([' ', ':']).find(|part| !part.is_empty()).unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 100, "only {} names are seen", names.len());
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name stands twice in lib.rs");
}

#[test]
fn a_public_module_is_seen() {
    assert_eq!(shown_unlisted("mod a;\npub(crate) mod b;\npub mod c;\npub mod d {\n", &["c"]), ["pub mod d {"]);
    assert_eq!(shown_unlisted("pub use a::{B, C};\npub use d::*;\n", &[]), ["pub use d::*;"]);
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

/// The three roads of the map, each as its lines.
fn roads(map: &str) -> Vec<Vec<&str>> {
    let roads: Vec<Vec<&str>> = map
        .split("\n## The road of ")
        .skip(1)
        .map(|road| road.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a road"))
        .map(|road| road.lines().collect())
        .collect();
    assert_eq!(roads.len(), 3);
    roads
}

/// The files of a line of a road, from the root of the repository: the first one is named whole.
fn stops(line: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in line.split_whitespace().filter(|word| word.ends_with(".rs") || word.ends_with(".js")) {
        let beside = found.last().and_then(|before| before.rsplit_once('/')).filter(|_| !word.contains('/'));
        found.push(beside.map_or(word.to_owned(), |(folder, _)| format!("{folder}/{word}")));
    }
    found
}

/// By which name the sources speak of a file: its own, or that of its folder.
fn spoken(file: &str) -> &str {
    let inside = file.strip_suffix("/mod.rs").unwrap_or(file);
    let name = inside.rsplit('/').next().unwrap_or(inside);
    name.split('.').next().unwrap_or(name)
}

/// Each tie of the road, of a file to one that it leads to: a `└` stands below the line that it goes out from, `─` before what
/// the file on its left leads to.
fn ties(road: &[&str]) -> Vec<(String, String)> {
    let mut open: Vec<(usize, Option<String>)> = Vec::new();
    let mut found = Vec::new();
    for line in road {
        // A line without a sign goes on with the one above it.
        let depth = line.find('└').or_else(|| (!line.starts_with(' ')).then_some(0));
        if let Some(depth) = depth {
            open.retain(|(above, _)| *above < depth);
        } else {
            open.pop();
        }
        let from = open.iter().rev().find_map(|(_, file)| file.clone());
        let stops = stops(line);
        found.extend(from.into_iter().zip(stops.first().cloned()));
        found.extend(stops.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        open.push((depth.unwrap_or(usize::MAX), stops.first().cloned()));
    }
    found
}

#[test]
fn each_file_of_a_road_speaks_of_the_one_that_it_leads_to() {
    let map = read("DESIGN.md");
    let (mut seen, mut silent) = (0, Vec::new());
    for road in roads(&map) {
        for (from, to) in ties(&road) {
            // Over the border between two languages another name is called.
            if from.ends_with(".js") != to.ends_with(".js") {
                continue;
            }
            let text = read(&from);
            let name = spoken(&to);
            let speaks = text.match_indices(name).any(|(at, _)| {
                let is_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
                !text[..at].ends_with(is_of_a_name) && !text[at + name.len()..].starts_with(is_of_a_name)
            });
            if !speaks {
                silent.push(format!("{from} does not speak of {name}, where a road leads to {to}"));
            }
            seen += 1;
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    assert!(seen > 20, "only {seen} ties are seen");
}

#[test]
fn the_road_of_a_url_has_the_steps_of_opening_in_their_order() {
    let sequence = read("core/src/open/sequence.rs");
    let body = sequence.split("fn open_new(").nth(1).and_then(|rest| rest.split("\n}\n").next()).expect("the steps");
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let calls = body.split("equence").skip(1).filter_map(|rest| rest.strip_prefix('.').or(rest.strip_prefix("::")));
    let steps: Vec<String> = calls.map(name).collect();
    assert!(steps.len() > 8, "{steps:?}");
    let map = read("DESIGN.md");
    let told: Vec<String> = roads(&map)[0]
        .iter()
        .filter_map(|line| line.strip_prefix("    └ "))
        .map(name)
        .filter(|step| !step.is_empty())
        .collect();
    assert_eq!(told, steps, "DESIGN.md, then what open_new does");
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
