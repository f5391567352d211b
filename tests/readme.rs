//! The README's C program compiles without a warning and does what it says; every link leads somewhere.
#![cfg(target_os = "linux")]

mod object;

use std::path::{Path, PathBuf};
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

/// The texts for readers: those at the root, the book, the examples.
fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "DESIGN.md", "CONTRIBUTING.md", "SECURITY.md", "THIRD-PARTY.md"]
            .iter()
            .map(|name| root.join(name))
            .chain(["examples/README.md", "examples/service/README.md"].iter().map(|name| root.join(name)))
            .collect();
    for directory in ["docs", "docs/benchmarks"] {
        let entries = std::fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    found
}

/// What a heading is called in a link: lower case, no punctuation, blanks as hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// The lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    let mut count = 0;
    for path in texts() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in prose(&text) {
            for rest in line.split("](").skip(1) {
                let target = rest.split([')', ' ']).next().unwrap();
                if target.contains("://") {
                    continue;
                }
                count += 1;
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                let fits = to.exists()
                    && (heading.is_empty()
                        || prose(&std::fs::read_to_string(&to).unwrap())
                            .any(|line| line.starts_with('#') && anchor(line) == heading));
                if !fits {
                    broken.push(format!("{}: {target}", path.display()));
                }
            }
        }
    }
    assert!(count > 80, "{count} links: the pages are not read");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A name in `.PHONY` without a rule is "nothing to be done", and make ends well.
#[test]
fn every_target_that_the_makefile_announces_does_something() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let announced: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix(".PHONY:")).flat_map(str::split_whitespace).collect();
    assert!(announced.len() > 10, "{announced:?}");
    for target in announced {
        let rule = lines.iter().position(|line| line.strip_prefix(target).is_some_and(|rest| rest.starts_with(':')));
        let rule = rule.unwrap_or_else(|| panic!("`make {target}` has no rule"));
        assert!(lines[rule + 1].starts_with('\t'), "`make {target}` does nothing");
    }
}

/// Turns that are not English, or that say less than they seem to. Each came up in a text for readers once.
const TURNS: &[&str] = &[
    "is no ",
    "are no ",
    "hears ",
    "disturbs nobody",
    "told apart",
    "stands where",
    "made again",
    "answers as ",
    "rubbish",
    "both doors",
    "stands twice",
    "lies on ",
    "lies there",
    "could not be had",
    "is not well",
    "is none to ",
    "can have neither",
    "where it lies",
    "inside of the",
    " mends",
    "mended ",
    "in vain",
    "as you like;",
    "stand in a queue",
];
/// What contains one of them and is English.
const ENGLISH: &[&str] = &["there is no ", "there are no ", "is no longer", "are no longer"];

#[test]
fn the_first_texts_that_a_reader_sees_are_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The help of the command is recorded in docs/cli.md.
    let headers = ["include/litekeel.h", "include/litekeel/packed.h", "include/litekeel/litekeel.hpp"];
    let books = ["CHANGELOG.md", "DESIGN.md", "CONTRIBUTING.md", "THIRD-PARTY.md"];
    let mut files: Vec<PathBuf> = headers.map(|name| root.join(name)).into();
    files.extend(texts().into_iter().filter(|path| !books.iter().any(|name| path.ends_with(name))));
    let mut found = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap().replace("\n", " ").to_lowercase();
        let text = ENGLISH.iter().fold(text, |text, fine| text.replace(fine, "… "));
        for turn in TURNS.iter().filter(|turn| text.contains(**turn)) {
            let at = text.find(turn).unwrap();
            let around: String = text[..at].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
            found.push(format!("{}: …{around}{turn}", path.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The texts between quotation marks in what is compiled, comments and tests left out: among them all messages and hints.
fn literals(code: &str) -> Vec<&str> {
    let code = code.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn messages_and_hints_are_plain_english() {
    assert_eq!(literals("// \"a\"\nf(\"b\", \"c\");\n#[cfg(test)]\ng(\"d\");"), ["b", "c"]);
    let mut files = Vec::new();
    for room in ["core", "ffi", "bindings-node", "cli", "remote"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room).join("src"), &mut files);
    }
    let (mut found, mut count) = (Vec::new(), 0);
    for path in &files {
        for text in literals(&std::fs::read_to_string(path).unwrap()) {
            count += 1;
            let plain = ENGLISH.iter().fold(text.to_lowercase(), |text, fine| text.replace(fine, ""));
            if let Some(turn) = TURNS.iter().find(|turn| plain.contains(**turn)) {
                found.push(format!("{}: {turn:?} in {text:?}", path.display()));
            }
        }
    }
    assert!(count > 1000, "{count} texts: the sources are not read");
    assert!(found.is_empty(), "{found:#?}");
}
