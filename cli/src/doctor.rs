//! `litekeel doctor`: everything that can be known about a database without changing it, each finding with a remedy.

mod content;
mod settings;

use std::time::Duration;

use clap::Args;
use litekeel_core::hazards::{self, Finding, Level};
use litekeel_core::{Error, Result, codes};
use serde::Serialize;

use crate::bounds::Bounds;
use crate::database::Database;
use crate::duration;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{self, say, tell};
use crate::terminal::{Terminal, Tone, command, cut, labelled, time};
use crate::wal::Wal;
use crate::who;

#[derive(Args)]
pub struct Doctor {
    /// The URL or path.
    url: Option<String>,
    /// Check every index and foreign key too; takes a multiple of the time.
    #[arg(long, conflicts_with = "no_content")]
    full: bool,
    /// Do not read the database's pages: quick on a large file.
    #[arg(long)]
    no_content: bool,
    /// Give reading the content up after this time: 30s, 5m [default: by the size of the file].
    #[arg(long, value_name = "TIME", value_parser = duration::interval)]
    check_timeout: Option<Duration>,
    /// A warning counts as a problem in the exit status.
    #[arg(long)]
    strict: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// From so many bytes on a pinned WAL is a warning: four times what an automatic checkpoint lets it grow to.
const MANY_PINNED: i64 = 16 << 20;

#[derive(Serialize)]
struct Diagnosis {
    url: String,
    path: String,
    /// The worst finding: `fine`, `note`, `warning` or `problem`.
    level: &'static str,
    findings: Vec<Line>,
    settings: Vec<settings::Line>,
    holders: Vec<who::Held>,
    users: Vec<who::Process>,
    wal: Option<Wal>,
}

#[derive(Serialize)]
struct Line {
    check: &'static str,
    level: &'static str,
    found: String,
    remedy: String,
}

/// How deep the content is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Header,
    Quick,
    Full,
}

impl Doctor {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        let (findings, settings) = self.examine(&database, err);
        if interrupt::asked() {
            tell!("{} nothing was decided", err.paint(Tone::Warning, "stopped:"));
            return Ok(Exit::Interrupted);
        }
        let presence = who::presence(&database).ok();
        let mut findings = findings;
        findings.extend(presence.iter().flat_map(|presence| presence.holders.iter().filter_map(stopped)));
        findings.extend(presence.as_ref().and_then(|presence| pins(presence.wal.as_ref()?)));
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Fine);
        if self.json {
            let (holders, users, wal) = presence.map_or_else(Default::default, |p| (p.holders, p.users, p.wal));
            let line = |f: Finding| Line { check: f.check, level: f.level.as_str(), found: f.found, remedy: f.remedy };
            let diagnosis = Diagnosis {
                url: database.resolved.shown_url.clone(),
                path: database.path.display().to_string(),
                level: worst.as_str(),
                findings: findings.into_iter().map(line).collect(),
                settings,
                holders,
                users,
                wal,
            };
            output::json(&diagnosis);
        } else {
            print(&database, &findings, presence.as_ref(), out);
        }
        let bad = worst == Level::Problem || self.strict && worst == Level::Warning;
        Ok(if bad { Exit::Problem } else { Exit::Fine })
    }

    fn examine(&self, database: &Database, err: Terminal) -> (Vec<Finding>, Vec<settings::Line>) {
        let resolved = &database.resolved;
        let mut findings = hazards::hazards(&database.path, &resolved.settings);
        findings.extend(resolved.warnings.iter().map(|text| Finding::new("url", Level::Warning, text, "")));
        findings.extend(settings::findings(&resolved.settings));
        let depth = match (self.no_content, self.full) {
            (true, _) => Depth::Header,
            (_, true) => Depth::Full,
            _ => Depth::Quick,
        };
        let mut lines = Vec::new();
        // A path that names no database has been explained already.
        if findings[0].check == "file" && findings[0].level == Level::Problem {
            return (findings, lines);
        }
        match content::examine(database, depth, &Bounds::of(&database.path, self.check_timeout), err) {
            Ok(content) => {
                findings.extend(content.findings);
                lines = content.settings;
            }
            // What an orphan WAL means has been said before.
            Err(error) if error.code() == codes::ORPHAN_WAL => {}
            Err(error) => findings.push(failed("open", &error)),
        }
        (findings, lines)
    }
}

/// Whoever is stopped never gives its lock back.
fn stopped(holder: &who::Held) -> Option<Finding> {
    let what = match (holder.state.as_str(), holder.role.as_str()) {
        ("stopped", "reader" | "shared") => "a read lock",
        ("stopped", _) => "the write lock",
        _ => return None,
    };
    let since = holder.since_ms.map_or(String::new(), |ms| format!(" for {}", time(Duration::from_millis(ms))));
    let (pid, command) = (holder.pid, cut(&command(&holder.command), 40));
    let text = format!("pid {pid} ({command}) holds {what} and is stopped by a signal{since}");
    Some(Finding::new("holders", Level::Problem, text, format!("resume it (kill -CONT {pid}) or end it")))
}

/// Frames that a reader keeps from being recycled are ordinary while they are few.
fn pins(wal: &Wal) -> Option<Finding> {
    let pin = wal.worst()?;
    let level = if pin.bytes > MANY_PINNED { Level::Warning } else { Level::Note };
    Some(Finding::new("pins", level, pin.sentence(), "end that reader's transaction, or the process if it hangs"))
}

/// A failure is a finding too.
fn failed(check: &'static str, error: &Error) -> Finding {
    Finding::new(check, Level::Problem, error.message(), error.hint())
}

fn print(database: &Database, findings: &[Finding], presence: Option<&who::Presence>, out: Terminal) {
    say!("{}", out.paint(Tone::Heading, database.path.display()));
    for finding in findings {
        let (mark, tone) = match finding.level {
            Level::Fine => ("✓", Tone::Good),
            Level::Note => ("·", Tone::Note),
            Level::Warning => ("!", Tone::Warning),
            Level::Problem => ("✗", Tone::Bad),
        };
        let label = format!("{} {:<12} ", out.paint(tone, mark), finding.check);
        labelled(&label, &finding.found, out).iter().for_each(|line| say!("{line}"));
        if !finding.remedy.is_empty() {
            let label = format!("  {:<12} {} ", "", out.paint(Tone::Faint, "→"));
            labelled(&label, &finding.remedy, out).iter().for_each(|line| say!("{line}"));
        }
    }
    if let Some(presence) = presence.filter(|presence| !presence.users.is_empty()) {
        say!();
        who::table(presence, out).iter().for_each(|line| say!("{line}"));
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    let (tone, summary) = match (problems, warnings) {
        (0, 0) => (Tone::Good, "nothing to worry about".to_owned()),
        (0, _) => (Tone::Warning, format!("{warnings} {}", plural(warnings, "warning"))),
        (_, 0) => (Tone::Bad, format!("{problems} {}", plural(problems, "problem"))),
        _ => (
            Tone::Bad,
            format!("{problems} {}, {warnings} {}", plural(problems, "problem"), plural(warnings, "warning")),
        ),
    };
    say!();
    say!("{}", out.paint(tone, summary));
}

fn plural(count: usize, noun: &str) -> String {
    format!("{noun}{}", if count == 1 { "" } else { "s" })
}
