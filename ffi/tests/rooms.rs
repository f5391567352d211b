//! A file of the C ABI imports only files below it: exported calls do not know each other, and nothing below knows them.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

/// From the ground up. The exported calls stand on one floor.
const FLOORS: checker::Floors = &[
    &["arguments", "types", "rows_text"],
    &["objects", "subscriptions"],
    &["handles", "reports"],
    &["boundary"],
    &[
        "connection",
        "databases",
        "error",
        "maintenance",
        "monitoring",
        "options",
        "rows",
        "shutdown",
        "sqlite",
        "token_exchange",
        "version",
    ],
];

#[test]
fn a_file_imports_only_files_below_it() {
    checker::assert_all_run_down(FLOORS, env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    circles::assert_none_in(env!("CARGO_MANIFEST_DIR"), &[]);
}
