//! What the README and docs/cli.md show is what the command says, but for sizes, times and numbers.
//!
//! `UPDATE_DOCS=1` records anew.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Dir, Holder, hold_if_child};

/// A database that is in use: a server that does nothing now, and a reader that pins the WAL.
struct Scene {
    dir: Dir,
    server: Holder,
    cron: Holder,
}

impl Scene {
    fn new(test: &str) -> Scene {
        let dir = Dir::new();
        std::fs::create_dir(dir.file("data")).unwrap();
        let url = format!("file:{}/data/app.db", dir.path().display());
        let commits = "INSERT INTO visit VALUES(hex(randomblob(2000)));".repeat(100);
        let server = Holder::start(test, &url, &format!("CREATE TABLE visit(who TEXT); {commits}"));
        let cron = Holder::start(test, &url, "BEGIN; SELECT count(*) FROM visit");
        let more = Holder::start(test, &url, &commits);
        drop(more);
        Scene { dir, server, cron }
    }

    /// The command as a shell runs it, in the scene's directory, which is called /srv/app.
    fn run(&self, line: &str) -> String {
        let bin = Path::new(env!("CARGO_BIN_EXE_litekeel")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", line])
            .current_dir(self.dir.path())
            .env("PATH", path)
            .env_remove("DATABASE_URL")
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let text = text.replace(&self.dir.path().display().to_string(), "/srv/app");
        text.lines().map(|line| self.named(line) + "\n").collect()
    }

    /// The processes of the scene have the names of what they play.
    fn named(&self, line: &str) -> String {
        let Some(at) = line.find("recorded_output-") else { return line.to_owned() };
        let end = line[at..].find(')').map_or(line.len(), |end| at + end);
        let is = |holder: &Holder| line[..at].split_whitespace().any(|word| word == holder.0.id().to_string());
        let name = if is(&self.cron) {
            "python3 cron.py"
        } else if is(&self.server) {
            "node server.js"
        } else {
            panic!("a process that is none of the scene's: {line}");
        };
        format!("{}{name}{}", &line[..at], &line[end..])
    }
}

/// A line without what differs from run to run and from machine to machine.
fn essence(line: &str) -> String {
    let mut line = line.to_owned();
    // The file system and its space are the machine's.
    for check in ["file_system", "space"] {
        if let Some(at) = line.find(check).filter(|at| *at < 5) {
            line.truncate(at + check.len());
            return line[at..].to_owned();
        }
    }
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let number = word.trim_end_matches([',', ';', ')']).parse::<f64>().is_ok();
        let mut kept: String = word.chars().filter(|c| !c.is_ascii_digit() && *c != '.').collect();
        if number {
            kept = "#".to_owned();
        }
        let unit = matches!(kept.trim_end_matches([',', ';', ')']), "B" | "kB" | "MB" | "GB" | "ms" | "s");
        if unit && words.last().is_some_and(|last| last == "#") {
            kept = "UNIT".to_owned();
        }
        words.push(kept);
    }
    // Who runs the test.
    let text = words.join(" ");
    match text.find("owned by") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The lines that must be there: a remedy belongs to the line above it, the last words count what is above.
fn essences(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut skip = false;
    for line in text.lines() {
        let remedy = line.trim_start().starts_with('→');
        if !remedy {
            skip = line.contains(" file_system ") || line.contains(" space ");
        }
        let counts = line == "nothing to worry about" || line.ends_with("warning") || line.ends_with("warnings");
        if counts || remedy && skip {
            continue;
        }
        lines.push(essence(line));
    }
    lines
}

/// Runs every `$` line of the `console` blocks that calls the command; the text with its output recorded anew.
fn replay(text: &str, scene: &Scene) -> (String, usize) {
    let (mut recorded, mut count) = (String::new(), 0);
    let mut inside = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        recorded.push_str(line);
        recorded.push('\n');
        inside = if inside { line != "```" } else { line == "```console" };
        let Some(command) = line.strip_prefix("$ ").filter(|command| inside && command.starts_with("litekeel")) else {
            continue;
        };
        let mut shown = String::new();
        while let Some(next) = lines.next_if(|next| *next != "```" && !next.starts_with("$ ")) {
            shown.push_str(next);
            shown.push('\n');
        }
        let said = scene.run(command);
        count += 1;
        let same = essences(&shown) == essences(&said);
        let update = std::env::var_os("UPDATE_DOCS").is_some();
        if !same && !update {
            panic!(
                "{command}\n--- shown\n{shown}\n--- said\n{said}\n--- compared\n{:#?}\n{:#?}",
                essences(&shown),
                essences(&said)
            );
        }
        recorded.push_str(if same { &shown } else { &said });
    }
    (recorded, count)
}

fn check(test: &str, name: &str, least: usize) {
    hold_if_child();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let (recorded, count) = replay(&text, &Scene::new(test));
    assert!(count >= least, "{name} shows {count} commands");
    if recorded != text {
        std::fs::write(path, recorded).unwrap();
    }
}

#[test]
fn only_numbers_may_differ() {
    let shown = "done a → b: 1.5 MB in 12 ms, quick_check: ok";
    assert_eq!(essence(shown), essence("done a → b: 900 kB in 3.1 s, quick_check: ok"));
    for other in ["done a → c: 1.5 MB in 12 ms, quick_check: ok", "done a → b: 1.5 MB in 12 ms", "done a → b: much"]
    {
        assert_ne!(essence(shown), essence(other));
    }
    assert_ne!(essences("✓ pages 1\n  → vacuum"), essences("✓ pages 1"));
    assert_eq!(essences("✓ space        1 GB free\n  → nothing"), essences("! space        1 kB free"));
}

#[test]
fn in_the_readme() {
    check("in_the_readme", "README.md", 2);
}

#[test]
fn in_the_page_about_the_command() {
    check("in_the_page_about_the_command", "docs/cli.md", 9);
}
