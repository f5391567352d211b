//! A file of the command imports only files below it.

#[path = "../../tests/rooms/checker.rs"]
mod checker;
#[path = "../../tests/rooms/circles.rs"]
mod circles;

/// From the ground up. The commands do not know each other.
const FLOORS: checker::Floors = &[
    &[
        "command_line",
        "compare",
        "duration",
        "environment",
        "exit",
        "integrity",
        "interrupt",
        "litestream",
        "manual",
        "output",
    ],
    &["database", "terminal"],
    &["process_name", "processes", "progress", "server"],
    &["replica"],
    &["bounds", "wal"],
    &["who"],
    &[
        "backup",
        "checkpoint",
        "completions",
        "doctor",
        "explain",
        "replicated",
        "restore_missing",
        "url",
        "verify_replica",
        "watch",
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
