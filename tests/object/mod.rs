//! Where the library under test lies, and a directory to work in.
#![allow(dead_code)] // Each test program uses its part.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shared library built for this very test run: beside the test in `deps`, never the one of an earlier build.
pub fn shared() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().join("liblitekeel.so")
}

/// An empty directory under a name that was never used before.
pub fn scratch(name: &str) -> PathBuf {
    tempfile::Builder::new().prefix(&format!("litekeel-{name}-")).tempdir().unwrap().keep()
}

/// Compiles `tests/c/<name>.c` against the library under test.
pub fn compile(name: &str, dir: &Path) -> PathBuf {
    compile_file(name, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(format!("{name}.c")), dir)
}

/// Compiles any C file against the library under test.
pub fn compile_file(name: &str, source: &Path, dir: &Path) -> PathBuf {
    compile_with(&[], name, source, dir)
}

/// As [`compile_file`], with more flags.
pub fn compile_with(flags: &[&str], name: &str, source: &Path, dir: &Path) -> PathBuf {
    compile_by("cc", &[&["-std=c11"], flags].concat(), name, source, dir)
}

/// As [`compile_file`], by this compiler, in the dialect that the flags name.
pub fn compile_by(compiler: &str, flags: &[&str], name: &str, source: &Path, dir: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = dir.join(name);
    let library = shared();
    // The program asks for the soname.
    let soname = dir.join("liblitekeel.so.0");
    if !soname.exists() {
        std::os::unix::fs::symlink(&library, &soname).unwrap();
    }
    let output = Command::new(compiler)
        .args(["-g", "-Wall", "-Wextra", "-Werror"])
        .args(flags)
        .arg("-I")
        .arg(root.join("include"))
        .arg("-o")
        .arg(&program)
        .arg(source)
        .arg(&library)
        .arg("-pthread")
        .arg(format!("-Wl,-rpath,{}", dir.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}
