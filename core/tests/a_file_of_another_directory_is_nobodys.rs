//! In a mount namespace of its own a process may have deleted a file of the same path in another directory: it is no user of the
//! database. One of the same directory is, whatever it calls it.
#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Dir, Killed, child, is_child, skip};
use litekeel_core::users_of_another_file;

const NAME: &str = "who_has_a_deleted_file_open";

#[test]
fn who_has_a_deleted_file_open() {
    if !is_child(NAME) {
        return;
    }
    let path = std::env::var("FILE").unwrap();
    let _file = std::fs::File::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    println!("\nholding");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(60));
}

/// A process that has a deleted file of this path open, after the script in a mount namespace of its own, if there is one.
fn holds(path: &Path, script: Option<&str>) -> Option<Killed> {
    let child = child(NAME, &[]);
    let mut command = match script {
        None => Command::new(child.get_program()),
        Some(script) => {
            let mut command = Command::new("unshare");
            // SAFETY: no arguments.
            if unsafe { libc::geteuid() } != 0 {
                command.arg("-Ur");
            }
            command.args(["-m", "sh", "-c", &format!("{script} && exec \"$@\""), "sh"]).arg(child.get_program());
            command
        }
    };
    command.args(child.get_args()).env("ROLE", NAME).env("FILE", path).stdout(Stdio::piped());
    let mut process = Killed(command.spawn().ok()?);
    let out = BufReader::new(process.0.stdout.take().unwrap());
    out.lines().map_while(Result::ok).any(|line| line == "holding").then_some(process)
}

#[test]
fn a_deleted_file_counts_where_it_was_in_this_directory() {
    let dir = Dir::new();
    let (path, other) = (dir.file("a.db"), dir.file("other"));
    std::fs::create_dir(&other).unwrap();
    let users = || users_of_another_file(&path).len();
    {
        let _same = holds(&path, None).unwrap();
        assert_eq!(users(), 1);
        std::fs::write(&path, b"").unwrap();
        assert_eq!(users(), 1, "also beside a new file");
    }
    std::fs::remove_file(&path).unwrap();
    let place = dir.path().display();
    let Some(same) = holds(&path, Some("true")) else { return skip("no mount namespace can be made here") };
    assert_eq!(users(), 1, "another namespace, with the same directory");
    drop(same);
    for script in [format!("mount -t tmpfs none {place}"), format!("mount --bind {} {place}", other.display())] {
        let Some(stranger) = holds(&path, Some(&script)) else { return skip("nothing can be mounted here") };
        assert_eq!(users(), 0, "{script}");
        drop(stranger);
    }
}
