//! The committed header and symbol list are those of the code, and the header is C99, C11 and C++17.
#![cfg(target_os = "linux")]

mod object;

use std::path::Path;
use std::process::Command;

#[test]
fn the_committed_header_is_the_generated_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/litekeel.h");
    let generated = std::fs::read_to_string(env!("KEEL_GENERATED_HEADER")).unwrap();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&committed, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(committed).unwrap();
    assert!(committed == generated, "include/litekeel.h is stale: make header");
    // Each function has a place among those of its task, and nothing in it is for readers of Rust.
    assert!(!committed.contains("/* Others\n"), "name the new function in GROUPS of ffi/header.rs");
    assert!(!committed.contains("# Safety") && !committed.contains("[`"), "Rust's documentation is in the C header");
}

#[test]
fn the_exported_symbols_are_the_committed_ones() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/litekeel.symbols");
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(object::shared()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut symbols: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    symbols.sort_unstable();
    let exported = symbols.join("\n") + "\n";
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&list, &exported).unwrap();
    }
    let mut committed: Vec<_> = std::fs::read_to_string(list).unwrap().lines().map(str::to_owned).collect();
    committed.sort_unstable();
    assert!(committed == symbols, "include/litekeel.symbols is stale: make header");
}

#[test]
fn the_header_compiles_twice_over_in_every_dialect() {
    let dir = object::scratch("dialects");
    let packed = "litekeel/packed.h";
    let strict =
        ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wcast-qual", "-Wundef"];
    let (in_c, in_cpp) =
        (["-Wstrict-prototypes", "-Wmissing-prototypes"], ["-Wold-style-cast", "-Wzero-as-null-pointer-constant"]);
    let hpp = "litekeel/litekeel.hpp";
    let compilers = [("cc", "c++"), ("clang", "clang++"), ("clang-14", "clang++-14")];
    let dialects = [
        ("-std=c99", "a.c", packed),
        ("-std=c11", "a.c", packed),
        ("-std=c17", "a.c", packed),
        ("-std=c2x", "a.c", packed),
        ("-std=c++11", "a.cc", packed),
        ("-std=c++17", "a.cc", hpp),
        ("-std=c++20", "a.cc", hpp),
        ("-std=c++2b", "a.cc", hpp),
    ];
    for ((c, cpp), (standard, name, header)) in
        compilers.iter().flat_map(|pair| dialects.map(|dialect| (*pair, dialect)))
    {
        let (compiler, more) = if name == "a.c" { (c, in_c) } else { (cpp, in_cpp) };
        // Beside the one that there must be.
        if compiler.starts_with("clang") && Command::new(compiler).arg("--version").output().is_err() {
            continue;
        }
        let text = format!(
            "#include <litekeel.h>\n#include <litekeel.h>\n#include <{header}>\n#include <{header}>\n\
             int main(void) {{ return keel_abi() == 0; }}\n"
        );
        std::fs::write(dir.join(name), text).unwrap();
        let output = Command::new(compiler)
            .args([standard, "-Werror", "-fsyntax-only"])
            .args(strict)
            .args(more)
            .arg("-I")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
            .arg(dir.join(name))
            .output()
            .unwrap();
        assert!(output.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_dir_all(dir).unwrap();
}
