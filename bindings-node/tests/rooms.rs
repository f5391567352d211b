//! A room of the Node binding imports only rooms below it.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

/// From the ground up. Those on one floor do not know each other.
const FLOORS: checker::Floors = &[
    &["js", "threads"],
    &["buffer"],
    &["connection"],
    &["statement", "open", "extension", "session", "hooks", "monitoring", "dispatcher"],
    &["reader", "replica"],
    &["remote"],
];

#[test]
fn a_room_imports_only_rooms_below_it() {
    checker::assert_all_run_down(FLOORS, env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    circles::assert_none_in(env!("CARGO_MANIFEST_DIR"), &[]);
}
