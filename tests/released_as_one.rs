//! What is released together has one version wherever it is written down, and the hosted workflow calls only what is there.

use std::fs;
use std::path::{Path, PathBuf};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Which releases a dependency line takes.
fn series() -> String {
    VERSION.rsplit_once('.').unwrap().0.to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What follows `before` in the text, as far as it is a number with points: once for each place.
fn numbers_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    })
}

/// The places in the text, each beginning with one of `before`, where another number stands than `wanted`.
fn other_numbers(text: &str, before: &[&str], wanted: &str) -> Vec<String> {
    let found = before.iter().flat_map(|before| numbers_after(text, before).map(move |number| (before, number)));
    found
        .filter(|(_, number)| !number.is_empty() && *number != wanted)
        .map(|(before, number)| format!("{before}{number}"))
        .collect()
}

#[test]
fn a_number_is_found_where_it_is_wrong() {
    let text = "npm install ./a/litekeel-0.0.9.tgz ./litekeel-linux-x64-gnu-0.1.0.tgz litekeel-core = \"0.1\".";
    assert_eq!(other_numbers(text, &["litekeel-", "linux-x64-gnu-"], "0.1.0"), ["litekeel-0.0.9"]);
    assert_eq!(other_numbers(text, &["litekeel-core = \""], "0.2"), ["litekeel-core = \"0.1"]);
}

/// The texts and manifests that name versions.
fn texts() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "bindings-node/package.json", "Cargo.toml"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    for directory in ["docs", "examples", "examples/service"] {
        let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| {
            path.is_file() && path.extension().is_some_and(|extension| extension == "md" || extension == "json")
        }));
    }
    found
}

#[test]
fn everything_has_the_version_of_the_workspace() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in texts() {
        let text = fs::read_to_string(&path).unwrap();
        let full = [
            "litekeel-",
            "-gnu-",
            "-musl-",
            "gnu\": \"",
            "musl\": \"",
            "**Status.** ",
            "path = \"core\", version = \"",
        ];
        let full = [
            &full[..],
            &[
                "path = \"ffi\", version = \"",
                "path = \"bindings-node\", version = \"",
                "path = \"remote\", version = \"",
            ],
        ]
        .concat();
        let ranges = ["litekeel-core = \"", "find_package(litekeel "];
        let rust = ["Rust "];
        for (before, wanted) in [(&full[..], VERSION), (&ranges, &series()), (&rust, env!("CARGO_PKG_RUST_VERSION"))] {
            seen += before
                .iter()
                .flat_map(|before| numbers_after(&text, before))
                .filter(|number| !number.is_empty())
                .count();
            wrong.extend(
                other_numbers(&text, before, wanted).into_iter().map(|found| format!("{}: {found}", path.display())),
            );
        }
    }
    assert_eq!(wrong, [""; 0], "this release is {VERSION}, and needs Rust {}", env!("CARGO_PKG_RUST_VERSION"));
    assert!(seen > 15, "the places are written otherwise now: only {seen} were found");
    // Where it stands once.
    let first = |file: &str, before: &str| {
        let text = read(file);
        numbers_after(&text, before).next().map(str::to_owned)
    };
    for (file, before) in [
        ("CHANGELOG.md", "\n## "),
        ("debian/changelog", "litekeel ("),
        ("bindings-node/package.json", "\"version\": \""),
        ("Cargo.toml", "\nversion = \""),
    ] {
        assert_eq!(first(file, before).as_deref(), Some(VERSION), "{file}");
    }
    assert_eq!(first("debian/control", "And Rust ").as_deref(), Some(env!("CARGO_PKG_RUST_VERSION")));
}

#[test]
fn the_hosted_workflow_calls_only_what_is_there() {
    let workflow = read(".github/workflows/ci.yml");
    let platforms = read("bindings-node/lib/platforms.js");
    let mut called = 0;
    for line in workflow.lines().map(str::trim) {
        for (_, name) in line.match_indices("platform: ").map(|(at, before)| (at, &line[at + before.len()..])) {
            let name = name.split([',', ' ', '}']).next().unwrap();
            assert!(platforms.contains(&format!("'{name}'")), "bindings-node/lib/platforms.js has no {name}");
            called += 1;
        }
        let Some(command) = line.strip_prefix("- run: ") else { continue };
        let directory = if command.starts_with("cd bindings-node/test ") { "bindings-node/test" } else { "" };
        for word in command.split([' ', ';', '"']).filter(|word| !word.contains(['$', '*'])) {
            let is_file = word.ends_with(".js") || word.contains('/') && !word.contains([':', '=']);
            // What a step before has made.
            if is_file && !word.starts_with('/') && !word.starts_with("target/") && word != "bindings-node/test" {
                assert!(root().join(directory).join(word).is_file(), "{command}: there is no {word}");
                called += 1;
            }
        }
    }
    assert!(called > 9, "the workflow is written otherwise now: only {called} were found");
}
