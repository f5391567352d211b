//! `litekeel doctor`: everything that can be known about a database without changing it, each finding with a remedy.

mod content;
mod finding;
mod locks;
mod replica;
mod settings;

use std::time::{Duration, Instant};

use clap::Args;
use litekeel_core::{Hazard, HazardLevel, hazards_knowing};
use litekeel_core::{Result, codes};
use litekeel_core::{User, unlinked_wals, users_of_another_file};
use serde::Serialize;

use crate::bounds::Bounds;
use crate::database::Database;
use crate::duration;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{self, say, tell};
use crate::process_name::process_name;
use crate::processes::{Held, Process};
use crate::server::Server;
use crate::terminal::{Terminal, Tone, bytes, labelled};
use crate::wal::Wal;
use crate::who::{self, Presence};
use finding::{Depth, failed};

#[derive(Args)]
pub struct Doctor {
    /// The URL or path.
    url: Option<String>,
    /// Check every index and foreign key too, which takes several times as long.
    #[arg(long, conflicts_with = "no_content")]
    full: bool,
    /// Do not read the database's pages: quick on a large file.
    #[arg(long)]
    no_content: bool,
    /// Stop reading the content after this time: 30s, 5m [default: by the size of the file].
    #[arg(long, value_name = "TIME", value_parser = duration::interval)]
    check_timeout: Option<Duration>,
    /// A warning counts as a problem in the exit status.
    #[arg(long)]
    strict: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Diagnosis {
    url: String,
    path: String,
    /// The worst finding: `fine`, `note`, `warning` or `problem`.
    level: &'static str,
    findings: Vec<Line>,
    settings: Vec<settings::Line>,
    holders: Vec<Held>,
    users: Vec<Process>,
    wal: Option<Wal>,
}

/// Of a server.
#[derive(Serialize)]
struct Judged {
    url: String,
    level: &'static str,
    findings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    check: &'static str,
    level: &'static str,
    found: String,
    remedy: String,
}

impl Doctor {
    pub fn run(&self, out: Terminal, err: Terminal) -> Result<Exit> {
        if let Some(server) = Server::of(self.url.as_deref())? {
            return Ok(self.judge(&server, out));
        }
        let database = Database::of(self.url.as_deref())?;
        let (began, first) = (Instant::now(), who::presence(&database).ok());
        let (mut findings, settings) = self.examine(&database, first.as_ref(), err);
        if interrupt::asked() {
            tell!("{} nothing was decided", err.paint(Tone::Warning, "stopped:"));
            return Ok(Exit::Interrupted);
        }
        let presence = who::presence(&database).ok();
        findings.extend(presence.iter().flat_map(|presence| presence.holders.iter().filter_map(locks::stopped)));
        // A stopped writer has been told of.
        if !findings.iter().any(|finding| finding.check == "holders") {
            findings.extend(first.as_ref().and_then(|first| locks::held_throughout(&database, began, first)));
        }
        // Not of a path that is no database.
        if !(findings[0].check == "file" && findings[0].level == HazardLevel::Problem) {
            findings.extend(replica::finding(&database, presence.as_ref()));
        }
        if let Some(pins) = presence.as_ref().and_then(|presence| locks::pins(presence.wal.as_ref()?)) {
            // A checkpoint cannot pass the reader. Litestream's own read is in nobody's way.
            let worst = presence.as_ref().and_then(|presence| presence.wal.as_ref()?.worst());
            let ends = worst.is_some_and(|pin| !pin.is_litestream());
            for finding in findings.iter_mut().filter(|f| ends && f.check == "wal" && f.level == HazardLevel::Warning) {
                finding.remedy = "end the reader that pins it (below): no checkpoint can pass it".to_owned();
            }
            findings.push(pins);
        }
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(HazardLevel::Fine);
        if self.json {
            let (holders, users, wal) = presence.map_or_else(Default::default, |p| (p.holders, p.users, p.wal));
            let line = |f: Hazard| Line { check: f.check, level: f.level.as_str(), found: f.found, remedy: f.remedy };
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
        Ok(self.status(worst))
    }

    /// What a server's database is asked: nothing of its content.
    fn judge(&self, server: &Server, out: Terminal) -> Exit {
        let findings = server.findings();
        let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(HazardLevel::Fine);
        if self.json {
            let line = |f: Hazard| Line { check: f.check, level: f.level.as_str(), found: f.found, remedy: f.remedy };
            let findings = findings.into_iter().map(line).collect();
            output::json(&Judged { url: server.shown(), level: worst.as_str(), findings });
        } else {
            print_findings(&server.shown(), &findings, out);
            summary(&findings, out);
        }
        self.status(worst)
    }

    fn status(&self, worst: HazardLevel) -> Exit {
        let bad = worst == HazardLevel::Problem || self.strict && worst == HazardLevel::Warning;
        if bad { Exit::Problem } else { Exit::Fine }
    }

    fn examine(
        &self,
        database: &Database,
        presence: Option<&Presence>,
        err: Terminal,
    ) -> (Vec<Hazard>, Vec<settings::Line>) {
        let resolved = &database.resolved;
        let in_use = presence.map(|presence| !presence.users.is_empty() || !presence.holders.is_empty());
        let mut findings = hazards_knowing(&database.path, &resolved.settings, in_use);
        findings.extend(resolved.warnings.iter().map(|text| Hazard::new("url", HazardLevel::Warning, text, "")));
        findings.extend(settings::findings(&resolved.settings));
        let depth = match (self.no_content, self.full) {
            (true, _) => Depth::Header,
            (_, true) => Depth::Full,
            _ => Depth::Quick,
        };
        let mut lines = Vec::new();
        // A path that names no database has been explained already.
        if findings[0].check == "file" && findings[0].level == HazardLevel::Problem {
            findings.extend(users_of_the_replaced(database));
            return (findings, lines);
        }
        let mut wal = None;
        match content::examine(database, depth, &Bounds::of(&database.path, self.check_timeout), err) {
            Ok(content) => {
                findings.extend(content.findings);
                findings.extend(unread(depth));
                lines = content.settings;
                wal = Some(content.is_wal);
            }
            // What an orphan WAL means has been said before.
            Err(error) if error.code() == codes::ORPHAN_WAL => {}
            Err(error) => findings.push(failed("open", &error)),
        }
        findings.extend(unlinked_wals_in_use(database));
        findings.extend(users_of_the_replaced(database));
        findings.extend(refused(database, wal, &findings));
        (findings, lines)
    }
}

/// What the application will be told when it opens this URL, unless that has been said.
fn refused(database: &Database, wal: Option<bool>, findings: &[Hazard]) -> Option<Hazard> {
    let error = litekeel_core::rehearse(&database.resolved, wal).err()?;
    let said = findings.iter().any(|finding| {
        finding.level == HazardLevel::Problem
            && matches!(finding.check, "open" | "file" | "wal" | "journal" | "links" | "file_system")
    });
    (!said).then(|| {
        let text = format!("opening this URL fails ({}): {}", error.name(), error.message());
        Hazard::new("open", HazardLevel::Problem, text, error.hint())
    })
}

/// Who commits to where nobody else sees it.
fn unlinked_wals_in_use(database: &Database) -> impl Iterator<Item = Hazard> {
    let hazard = |(user, size): (User, u64)| {
        let text = format!(
            "{} has it open with a -wal that was deleted: what it commits there ({} so far) is seen by nobody else",
            process_name(user.pid, &user.command),
            bytes(size)
        );
        let remedy = "let it copy its own state (litekeel's backup with unsafe=1), then start it anew; never delete a -wal in use";
        Hazard::new("wal", HazardLevel::Problem, text, remedy)
    };
    unlinked_wals(&database.path).into_iter().map(hazard)
}

fn users_of_the_replaced(database: &Database) -> impl Iterator<Item = Hazard> {
    let hazard = |user: User| {
        let text = format!(
            "{} still has the file open that had this name before it was deleted, renamed or replaced: what that process writes \
             is found here by nobody",
            process_name(user.pid, &user.command)
        );
        let remedy = "start it anew; if something of its own is missing here, let it save that first (litekeel's backup with \
                      unsafe=1). Replace a database with litekeel restore --overwrite, or while nobody has it open";
        Hazard::new("users", HazardLevel::Problem, text, remedy)
    };
    users_of_another_file(&database.path).into_iter().map(hazard)
}

/// What nobody has looked at is not fine.
fn unread(depth: Depth) -> Option<Hazard> {
    let (check, text) = match depth {
        Depth::Header => ("content", "not checked (--no-content)"),
        Depth::Quick => ("foreign_keys", "not checked (--full)"),
        Depth::Full => return None,
    };
    Some(Hazard::new(check, HazardLevel::Note, text, ""))
}

fn print(database: &Database, findings: &[Hazard], presence: Option<&who::Presence>, out: Terminal) {
    print_findings(&database.path.display().to_string(), findings, out);
    if let Some(presence) = presence.filter(|presence| !presence.users.is_empty()) {
        say!();
        who::table(presence, out).iter().for_each(|line| say!("{line}"));
    }
    summary(findings, out);
}

fn print_findings(heading: &str, findings: &[Hazard], out: Terminal) {
    say!("{}", out.paint(Tone::Heading, heading));
    for finding in findings {
        let (mark, tone) = match finding.level {
            HazardLevel::Fine => ("✓", Tone::Good),
            HazardLevel::Note => ("·", Tone::Note),
            HazardLevel::Warning => ("!", Tone::Warning),
            HazardLevel::Problem => ("✗", Tone::Bad),
        };
        let label = format!("{} {:<12} ", out.paint(tone, mark), finding.check);
        labelled(&label, &finding.found, out).iter().for_each(|line| say!("{line}"));
        if !finding.remedy.is_empty() {
            let label = format!("  {:<12} {} ", "", out.paint(Tone::Faint, "→"));
            labelled(&label, &finding.remedy, out).iter().for_each(|line| say!("{line}"));
        }
    }
}

fn summary(findings: &[Hazard], out: Terminal) {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(HazardLevel::Problem), count(HazardLevel::Warning));
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
