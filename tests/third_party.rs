//! THIRD-PARTY.md has what is inside of the objects that are shipped, and the licenses of it: `make header` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

type Crates = BTreeMap<(String, String), (String, BTreeSet<&'static str>)>;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is compiled into the library and the command on the published platforms: name and version to license.
fn crates() -> &'static Crates {
    static FOUND: OnceLock<Crates> = OnceLock::new();
    FOUND.get_or_init(ask_cargo)
}

fn ask_cargo() -> Crates {
    let mut found = Crates::new();
    for (package, object) in [("litekeel", "library"), ("litekeel-cli", "command")] {
        for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-musl", "aarch64-apple-darwin"] {
            // A macro of Rust's runs in the compiler and is in no object.
            let output = Command::new(env!("CARGO"))
                .args(["tree", "--locked", "--offline", "--edges", "normal,no-proc-macro", "--prefix", "none"])
                .args(["--format", "{p}|{l}", "--target", target, "--package", package])
                .current_dir(ROOT)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                let (name, license) = line.split_once('|').unwrap();
                let mut words = name.split(' ');
                let (name, version) = (words.next().unwrap(), words.next().unwrap().trim_start_matches('v'));
                if name.starts_with("litekeel") {
                    continue;
                }
                let license = license.trim_end_matches(" (*)").replace('/', " OR ");
                let entry = found.entry((name.to_owned(), version.to_owned())).or_insert((license, BTreeSet::new()));
                entry.1.insert(object);
            }
        }
    }
    found
}

/// Where cargo has unpacked a crate.
fn source(name: &str, version: &str) -> PathBuf {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = std::fs::read_dir(home.unwrap().join("registry/src")).unwrap();
    let directory =
        registries.map(|entry| entry.unwrap().path().join(format!("{name}-{version}"))).find(|path| path.is_dir());
    directory.unwrap_or_else(|| panic!("the source of {name} {version} is not there"))
}

/// The text of the license that is taken (MIT where there is a choice), without and with the lines that say whose it is.
fn license(directory: &Path) -> Option<(String, Vec<String>)> {
    let text = ["LICENSE-MIT", "license-mit", "LICENSE", "LICENSE.md", "COPYING"]
        .iter()
        .find_map(|name| std::fs::read_to_string(directory.join(name)).ok())?;
    let text = text.replace("\r\n", "\n");
    let (owners, rest): (Vec<&str>, Vec<&str>) =
        text.lines().map(str::trim).partition(|line| line.starts_with("Copyright"));
    let body: Vec<String> = rest
        .split(|line| line.is_empty())
        .map(|lines| lines.join(" "))
        .filter(|paragraph| {
            !matches!(
                paragraph.trim_matches(['#', ' ']),
                "" | "MIT License" | "The MIT License (MIT)" | "The MIT License"
            )
        })
        .collect();
    Some((body.join("\n\n"), owners.iter().map(|line| (*line).to_owned()).collect()))
}

fn page() -> String {
    let mut page = String::from(
        "# What is inside, and its licenses\n\n\
         litekeel itself is MIT or Apache-2.0, as you like. Its library and its command are one file each, with the code of others in\n\
         it. This page names all of it, for the packages of every platform; where a license is one of several, MIT is taken. It goes\n\
         along with every package. You need it when you pass on litekeel's objects, alone or linked into a program of yours: keep the\n\
         notices below with them. The headers and the JavaScript of the Node module have nothing of others in them.\n\n\
         - **SQLite** is in the public domain. It is compiled from `libsqlite3-sys`.\n\
         - **Rust's standard library** is MIT or Apache-2.0, by the Rust project.\n\
         - **musl** (MIT, Copyright © 2005-2020 Rich Felker, et al.) is in the command for musl.\n\
         - **The root certificates** that TLS to a libSQL server trusts are Mozilla's (CDLA-Permissive-2.0), from `webpki-roots`.\n\n\
         | crate | version | license | in the |\n|---|---|---|---|\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), (license_name, objects)) in crates() {
        let objects: Vec<&str> = objects.iter().rev().copied().collect();
        writeln!(page, "| {name} | {version} | {license_name} | {} |", objects.join(", ")).unwrap();
        let (text, owners) = license(&source(name, version)).unwrap_or_else(|| {
            (format!("The crate has no text of its license with it; it is declared as {license_name}."), Vec::new())
        });
        let owners = if owners.is_empty() { String::new() } else { format!(": {}", owners.join("; ")) };
        texts.entry(text).or_default().push(format!("- {name}{owners}"));
    }
    page.push_str("\n## The texts\n");
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (text, names) in texts {
        writeln!(page, "\n{}\n\n> {}", names.join("\n"), text.replace("\n\n", "\n>\n> ")).unwrap();
    }
    page
}

#[test]
fn the_page_names_everything_that_is_inside() {
    let page = page();
    let path = Path::new(ROOT).join("THIRD-PARTY.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        page == std::fs::read_to_string(&path).unwrap_or_default(),
        "THIRD-PARTY.md is not what cargo says: run `make header`"
    );
    for (name, _) in crates().keys() {
        assert!(page.contains(&format!("| {name} |")) && page.contains(&format!("\n- {name}")), "{name}");
    }
    assert!(page.contains("| rusqlite |") && !page.contains("| proc-macro2 |"));
}

/// Nothing that would ask more of a user than a notice.
#[test]
fn every_license_is_a_permissive_one() {
    for ((name, version), (license, _)) in crates() {
        let permissive = |one: &str| {
            matches!(one, "MIT" | "Apache-2.0" | "ISC" | "Unlicense" | "Zlib" | "BSD-3-Clause" | "CDLA-Permissive-2.0")
        };
        let fine = license.split(" OR ").any(|one| one.split(" AND ").all(permissive));
        assert!(fine, "{name} {version}: {license}");
    }
}
