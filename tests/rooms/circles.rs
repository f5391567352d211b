//! Whether files of a crate import each other in a circle. Included by the tests of the crates.
//!
//! An import counts for the file that defines the name: one that a parent passes on (`pub use`) is no import of the
//! parent's, and a `mod child;` is none at all. So a `mod.rs` may list its children and hand their names on, and
//! children may use what it defines; where it also uses what they define, that is a circle like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The names from the crate's root to a module, or to something in one.
type Names = Vec<String>;

struct Module {
    file: String,
    text: String,
    children: BTreeSet<String>,
    /// A name that this module passes on, and what it stands for.
    passed_on: BTreeMap<String, Names>,
    passes_all_on: Vec<Names>,
}

struct Crate {
    modules: BTreeMap<Names, Module>,
}

/// A file, and each file that it imports with the names that it takes.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code alone: no comments, and not the tests at a file's end, which may reach anywhere.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), |mut kept, line| {
        let _ = writeln!(kept, "{line}");
        kept
    })
}

/// `a::{b, c::{d as e, f}}` as its paths, each with the name that it gets; and how many bytes that was.
fn tree(text: &str, before: &[String], found: &mut Vec<(Names, String)>) -> usize {
    let mut at = text.len() - text.trim_start().len();
    if text[at..].starts_with('{') {
        at += 1;
        while at < text.len() {
            at += tree(&text[at..], before, found);
            let rest = &text[at..];
            at += rest.len() - rest.trim_start().len();
            match text[at..].chars().next() {
                Some(',') => at += 1,
                Some('}') => return at + 1,
                _ => return at,
            }
        }
        return at;
    }
    let length = text[at..].find(|c| !is_of_a_name(c)).unwrap_or(text.len() - at);
    let name = &text[at..at + length];
    at += length;
    if name.is_empty() {
        if text[at..].starts_with('*') {
            at += 1;
            found.push(([before, &["*".to_owned()]].concat(), "*".to_owned()));
        }
        return at;
    }
    let whole: Names = if name == "self" { before.to_vec() } else { [before, &[name.to_owned()]].concat() };
    if text[at..].starts_with("::") && !text[at..].starts_with("::<") {
        return at + 2 + tree(&text[at + 2..], &whole, found);
    }
    let mut given = whole.last().cloned().unwrap_or_default();
    if let Some(rest) = text[at..].strip_prefix(" as ") {
        given = rest.chars().take_while(|c| is_of_a_name(*c)).collect();
        at += 4 + given.len();
    }
    found.push((whole, given));
    at
}

/// Whether the text goes on with this word, and not with a longer one.
fn each_word<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !text[..*at].ends_with(|c: char| is_of_a_name(c) || c == ':')
            && !text[*at + word.len()..].starts_with(|c: char| is_of_a_name(c))
    })
}

impl Crate {
    fn read(source: &Path, files: &[(PathBuf, String)]) -> Self {
        let mut modules = BTreeMap::new();
        for (path, text) in files {
            let inside = path.strip_prefix(source).expect("it was found there").with_extension("");
            let mut names: Names = inside.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
                names.pop();
            }
            let text = code(text);
            let children = each_word(&text, "mod")
                .filter_map(|at| text[at + 4..].split_once(';').map(|(name, _)| name.to_owned()))
                .filter(|name| name.chars().all(is_of_a_name))
                .collect();
            let file = path.strip_prefix(source).expect("inside").display().to_string();
            modules
                .insert(names, Module { file, text, children, passed_on: BTreeMap::new(), passes_all_on: Vec::new() });
        }
        let mut read = Self { modules };
        let passed: Vec<_> = read.modules.keys().map(|names| (names.clone(), read.passed_on(names))).collect();
        for (names, passed) in passed {
            let module = read.modules.get_mut(&names).expect("it was just there");
            for (path, given) in passed {
                if given == "*" {
                    module.passes_all_on.push(path[..path.len() - 1].to_vec());
                } else {
                    module.passed_on.insert(given, path);
                }
            }
        }
        read
    }

    /// What a path that is written in this module begins at.
    fn beginning(&self, own: &Names, word: &str) -> Option<Names> {
        match word {
            "crate" => Some(Names::new()),
            "self" => Some(own.clone()),
            "super" => Some(own[..own.len().saturating_sub(1)].to_vec()),
            child => self.modules[own].children.contains(child).then(|| [own, &vec![child.to_owned()][..]].concat()),
        }
    }

    fn beginnings(&self, own: &Names) -> Vec<String> {
        let words = ["crate", "self", "super"].map(str::to_owned);
        words.into_iter().chain(self.modules[own].children.iter().cloned()).collect()
    }

    /// The paths written in a text that begin inside this crate.
    fn paths(&self, own: &Names, text: &str) -> Vec<(Names, String)> {
        let mut found = Vec::new();
        for word in self.beginnings(own) {
            for at in each_word(text, &word) {
                if let Some(rest) = text[at + word.len()..].strip_prefix("::") {
                    let mut start = self.beginning(own, &word).expect("one of the beginnings");
                    let mut rest = rest;
                    while let Some(further) = rest.strip_prefix("super::") {
                        start.pop();
                        rest = further;
                    }
                    tree(rest, &start, &mut found);
                }
            }
        }
        found
    }

    /// The `pub use` of a module.
    fn passed_on(&self, own: &Names) -> Vec<(Names, String)> {
        let mut found = Vec::new();
        for statement in uses(&self.modules[own].text) {
            if statement.starts_with("pub") {
                found.extend(self.paths(own, statement));
            }
        }
        found
    }

    /// What a path leads to beside a module, where both have the name: `use child::child` passes a function on.
    fn beside(&self, path: &[String]) -> Option<Names> {
        let (last, parent) = path.split_last()?;
        let (parent, _) = self.resolve(parent, 0)?;
        self.modules.get(&parent)?.passed_on.get(last).cloned()
    }

    /// The module that a path leads to, and whether it leads to something in there.
    fn resolve(&self, path: &[String], depth: usize) -> Option<(Names, bool)> {
        assert!(depth < 20, "{path:?} is passed on in a circle");
        let mut at = Names::new();
        for (index, name) in path.iter().enumerate() {
            let module = self.modules.get(&at)?;
            let rest = &path[index + 1..];
            if module.children.contains(name) {
                at.push(name.clone());
            } else if let Some(target) = module.passed_on.get(name) {
                return self.resolve(&[target, rest].concat(), depth + 1);
            } else {
                for all in &module.passes_all_on {
                    let target = self.modules.get(all).is_some_and(|from| {
                        from.children.contains(name) || from.passed_on.contains_key(name) || defines(&from.text, name)
                    });
                    if target {
                        return self.resolve(&[all, &path[index..]].concat(), depth + 1);
                    }
                }
                return Some((at, true));
            }
        }
        Some((at, false))
    }

    fn imports(&self) -> Imports {
        let mut all = Imports::new();
        for (own, module) in &self.modules {
            // Handing on what a child defines is no import; using it here as well is one.
            let mut text = module.text.clone();
            for statement in uses(&module.text).into_iter().filter(|statement| statement.starts_with("pub")) {
                text = text.replace(statement, "");
            }
            let is_from_a_child = |path: &Names| {
                path.starts_with(own) && path.get(own.len()).is_some_and(|name| module.children.contains(name))
            };
            let is_used = |given: &str| each_word(&text, given).next().is_some();
            let passed_on = self.passed_on(own);
            let used = passed_on.into_iter().filter(|(path, given)| !is_from_a_child(path) || is_used(given));
            let mut paths = Vec::new();
            for (path, given) in self.paths(own, &text).into_iter().chain(used) {
                match self.resolve(&path, 0) {
                    // A module was imported: what it gives is written after its name.
                    Some((_, false)) => {
                        let taken: BTreeSet<_> = each_word(&text, &given)
                            .filter_map(|at| text[at + given.len()..].strip_prefix("::"))
                            .map(|rest| rest.chars().take_while(|c| is_of_a_name(*c)).collect::<String>())
                            .filter(|name| !name.is_empty())
                            .collect();
                        paths.extend(self.beside(&path));
                        paths.extend(taken.into_iter().map(|name| [&path[..], &[name]].concat()));
                    }
                    _ => paths.push(path),
                }
            }
            let from = all.entry(module.file.clone()).or_default();
            for path in paths {
                if let Some((target, _)) = self.resolve(&path, 0)
                    && target != *own
                    && !target.is_empty()
                {
                    let name = path.last().cloned().unwrap_or_default();
                    from.entry(self.modules[&target].file.clone()).or_default().insert(name);
                }
            }
        }
        all
    }
}

/// Whether a module's text defines a name.
fn defines(text: &str, name: &str) -> bool {
    ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "union "].iter().any(|keyword| {
        text.match_indices(&format!("{keyword}{name}"))
            .any(|(at, found)| !text[at + found.len()..].starts_with(is_of_a_name))
    })
}

/// The `use` statements of a text, with what stands before the word.
fn uses(text: &str) -> Vec<&str> {
    each_word(text, "use")
        .filter_map(|at| {
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let before = text[line..at].trim();
            let statement = before.is_empty() || before.starts_with("pub");
            let start = line + text[line..at].len() - text[line..at].trim_start().len();
            statement.then(|| &text[start..at + text[at..].find(';').unwrap_or(text.len() - at)])
        })
        .collect()
}

/// The circles: in each, every file reaches every other.
fn circles(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = imports
        .keys()
        .map(|file| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
            while let Some(at) = next.pop() {
                next.extend(imports.get(at).into_iter().flat_map(BTreeMap::keys).filter(|file| seen.insert(*file)));
            }
            (file, seen)
        })
        .collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (file, reached) in &reach {
        if reached.contains(file) && !found.iter().any(|circle| circle.contains(*file)) {
            let back = |other: &&&String| reach.get(**other).is_some_and(|reached| reached.contains(file));
            found.push(reached.iter().filter(back).map(|other| (*other).clone()).collect());
        }
    }
    found
}

/// A circle: its files, and what ties them.
pub struct Circle {
    pub files: BTreeSet<String>,
    pub ties: Vec<String>,
}

/// Each circle in these files.
pub fn circles_of(source: &Path, files: &[(PathBuf, String)]) -> Vec<Circle> {
    let imports = Crate::read(source, files).imports();
    let ties = |files: &BTreeSet<String>| {
        let inside = files.iter().flat_map(|file| imports[file].iter().map(move |(other, names)| (file, other, names)));
        let inside = inside.filter(|(_, other, _)| files.contains(*other));
        inside
            .map(|(file, other, names)| {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                format!("{file} -> {other}: {}", names.join(", "))
            })
            .collect()
    };
    circles(&imports).into_iter().map(|files| Circle { ties: ties(&files), files }).collect()
}

/// Each circle in the crate whose directory this is.
fn circles_in(crate_directory: &str) -> Vec<Circle> {
    fn files(directory: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(directory).expect("a folder of the sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                files(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                into.push((path, text));
            }
        }
    }
    let source = Path::new(crate_directory).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    circles_of(&source, &all)
}

/// Fails where files of the crate import each other in a circle that is not among `natural`, and where one of those is none.
pub fn assert_none_in(crate_directory: &str, natural: &[&[&str]]) {
    let found = circles_in(crate_directory);
    let expected: BTreeSet<BTreeSet<String>> =
        natural.iter().map(|files| files.iter().map(|file| (*file).to_owned()).collect()).collect();
    let told: Vec<String> = found
        .iter()
        .filter(|circle| !expected.contains(&circle.files))
        .map(|circle| format!("{} files:\n  {}", circle.files.len(), circle.ties.join("\n  ")))
        .collect();
    assert!(told.is_empty(), "{} circles of files:\n{}", told.len(), told.join("\n"));
    assert_eq!(found.len(), expected.len(), "a circle is named that is none any more: {expected:?}");
}
