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
    &["explain", "waiting", "wal"],
    &["preflight", "lifecycle"],
    &["connection"],
    &["open", "query"],
    &["backup"],
];

/// Still to be cut.
const EXCEPTIONS: &[&str] = &["vfs/file_monitor.rs -> wal"];

#[test]
fn a_room_imports_only_rooms_below_it() {
    let mut found = checker::upward_in(FLOORS, env!("CARGO_MANIFEST_DIR"));
    found.retain(|import| !EXCEPTIONS.contains(&import.as_str()));
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
