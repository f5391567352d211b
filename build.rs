//! The shared object: its header, its name, and SQLite's own symbols.

use std::env;
use std::path::PathBuf;

#[path = "ffi/header.rs"]
mod header;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $value:literal, $class:ident, $hint:literal;)*) => {
        /// Every code of litekeel's own.
        const CODES: &[header::Code] = &[$((stringify!($name), $value, &[$($doc),*], $hint),)*];
    };
}
include!("core/src/error/codes_table.rs");

fn main() {
    header();
    name_and_binding();
    sqlite_symbols();
}

/// Writes the header beside the build's output; a test compares it with the committed one. Writing into the source
/// tree from here would make `cargo package` fail.
fn header() {
    println!("cargo::rerun-if-changed=ffi");
    println!("cargo::rerun-if-changed=core/src/error/codes_table.rs");
    let mut config = cbindgen::Config::from_file("ffi/cbindgen.toml").expect("ffi/cbindgen.toml is readable");
    let mut after = config.after_includes.take().unwrap_or_default();
    after.push('\n');
    after.push_str(&header::codes(CODES));
    config.after_includes = Some(after);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("litekeel.h");
    let mut generated = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_crate("ffi")
        .generate()
        .expect("the C header is generated")
        .write(&mut generated);
    let generated = String::from_utf8(generated).expect("the header is UTF-8");
    std::fs::write(&out, header::arranged(&generated)).expect("the build's directory is writable");
    println!("cargo::rustc-env=KEEL_GENERATED_HEADER={}", out.display());
}

/// The soname; never unloaded (threads and exit handlers live in it); what is used inside it is its own, whichever SQLite a
/// program links or preloads beside it: its functions, and `sqlite3_version`, which is data. Two variables stay open to the
/// program, which sets them by their names. Here and in no dependency: cargo would hand these on to whoever links us.
fn name_and_binding() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let open = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("open-symbols.list");
        std::fs::write(&open, "{ sqlite3_temp_directory; sqlite3_data_directory; };\n")
            .expect("the build's directory is writable");
        // The list binds all that is not in it. `-Bsymbolic` would do so too, but sets a flag by which the loader looks in
        // here first, whoever asks for a name and for those two as well.
        let open = format!("-Wl,--dynamic-list={}", open.display());
        for argument in ["-Wl,-soname,liblitekeel.so.0", "-Wl,-z,nodelete", "-Wl,-Bsymbolic-functions", &open] {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    } else if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        // What is used inside is its own there by itself: a symbol is asked for together with the library that has it.
        let list = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("sqlite-symbols.list");
        println!("cargo::rerun-if-changed=include/litekeel.symbols");
        let names = std::fs::read_to_string("include/litekeel.symbols").expect("the list of symbols is there");
        let names: String =
            names.lines().filter(|name| name.starts_with("sqlite3")).map(|name| format!("_{name}\n")).collect();
        std::fs::write(&list, names).expect("the build's directory is writable");
        let list = list.display().to_string();
        // packaging/build-all calls the linker itself, without a compiler in front of it.
        let alone = env::var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("/rust-lld"));
        for [option, value] in [["-install_name", "@rpath/liblitekeel.dylib"], ["-exported_symbols_list", &list]] {
            if alone {
                println!("cargo::rustc-link-arg-cdylib={option}\ncargo::rustc-link-arg-cdylib={value}");
            } else {
                println!("cargo::rustc-link-arg-cdylib=-Wl,{option},{value}");
            }
        }
    }
}

/// Exports SQLite's functions, so that a C program can use plain SQLite on the one copy that is in here.
fn sqlite_symbols() {
    // For macOS rustc puts an underscore before names of the archive that have one: no linker finds them. There the list
    // that name_and_binding hands on does it, which takes them out of the archive, too.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        return;
    }
    println!("cargo::rerun-if-env-changed=SQLITE3_LIB_DIR");
    // The crate says where the copy lies that it built; scripts/with-sqlite where the one lies that it is to link.
    if let Some(directory) = env::var_os("DEP_SQLITE3_LIB_DIR").or_else(|| env::var_os("SQLITE3_LIB_DIR")) {
        println!("cargo::rustc-link-search=native={}", PathBuf::from(directory).display());
        println!("cargo::rustc-link-lib=static:+export-symbols=sqlite3");
    }
}
