//! Two files of litekeel in one process: the second is refused, and names both.
#![cfg(target_os = "linux")]

mod object;

use std::process::Command;

#[test]
fn a_second_copy_is_refused_and_without_the_guard_an_update_is_lost() {
    let dir = object::scratch("copies");
    let program = object::compile("two_copies", &dir);
    let (link, copy) = (dir.join("link.so"), dir.join("elsewhere.so"));
    std::os::unix::fs::symlink(object::shared(), &link).unwrap();
    std::fs::copy(object::shared(), &copy).unwrap();
    // The note is no symbol: a stripped copy is known too.
    assert!(Command::new("strip").arg(&copy).status().unwrap().success());
    let output = Command::new(program).args([&link, &copy]).current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::remove_dir_all(dir).unwrap();
}
