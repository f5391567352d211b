//! A file of the libSQL client imports only files below it.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

/// From the ground up.
const FLOORS: checker::Floors = &[
    &["base64", "connector", "keyword", "script"],
    &["savepoints", "token", "wire"],
    &["url"],
    &["transport"],
    &["streams"],
    &["answer"],
    &["connection"],
    &["greeting"],
];

#[test]
fn a_file_imports_only_files_below_it() {
    checker::assert_all_run_down(FLOORS, env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    circles::assert_none_in(env!("CARGO_MANIFEST_DIR"), &[]);
}
