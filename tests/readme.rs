//! The README's C program compiles without a warning and does what it says.
#![cfg(target_os = "linux")]

mod object;

use std::path::Path;
use std::process::Command;

#[test]
fn the_c_program_of_the_readme_runs() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let code = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let dir = object::scratch("readme");
    std::fs::write(dir.join("app.c"), code).unwrap();
    let program = object::compile_file("app", &dir.join("app.c"), &dir);
    assert!(Command::new(program).current_dir(&dir).status().unwrap().success());
    assert!(dir.join("data/app.db").exists() && !dir.join("data/app.db-wal").exists());
    std::fs::remove_dir_all(dir).unwrap();
}
