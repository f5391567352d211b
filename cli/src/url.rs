//! `litekeel url`: how a URL is understood.

use clap::Args;
use litekeel_core::{Options, Result};
use litekeel_core::{Origin, Resolved, SETTINGS, Setting, SettingKind, SettingUnit, Target, resolve};
use serde::Serialize;

use crate::exit::Exit;
use crate::output::{self, say};
use crate::server::Server;
use crate::terminal::{Terminal, Tone};

#[derive(Args)]
pub struct Url {
    /// The URL, a path or :memory:.
    url: Option<String>,
    /// Settings that nobody set, too.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Understood {
    url: String,
    /// `argument`, `env` or `default`.
    source: &'static str,
    /// `null` for a database in memory.
    path: Option<String>,
    exists: bool,
    settings: Vec<Line>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    /// `null` when it is left as SQLite or the file has it.
    value: Option<String>,
    /// `built-in`, `profile`, `environment`, `url` or `option`.
    source: &'static str,
    /// What it replaced, or why it does not apply.
    note: String,
}

fn lines(resolved: &Resolved) -> Vec<Line> {
    let settings = &resolved.settings;
    let line = |row: &Setting| {
        let replaced = settings.overrides.iter().find(|change| change.id == row.id);
        let skipped = settings.skipped.iter().find(|skipped| skipped.id == row.id);
        let note = match (replaced, skipped) {
            (_, Some(skipped)) => format!("{} does not apply: {}", skipped.value, skipped.why),
            (Some(change), _) => format!("instead of {} ({})", change.from, change.from_origin.as_str()),
            _ => String::new(),
        };
        let value = settings.get(row.id).map(ToString::to_string);
        Line { name: row.key, value, source: settings.origin(row.id).as_str(), note }
    };
    SETTINGS.iter().map(line).collect()
}

/// What the setting counts, behind its value.
fn unit(name: &str) -> &'static str {
    match SETTINGS.iter().find(|row| row.key == name).map(|row| row.kind) {
        Some(SettingKind::Int { unit: SettingUnit::Millis, .. }) => " ms",
        Some(SettingKind::Int { unit: SettingUnit::Bytes, .. }) => " bytes",
        Some(SettingKind::Int { unit: SettingUnit::Pages, .. }) => " pages",
        _ => "",
    }
}

impl Url {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        if let Some(server) = Server::of(self.url.as_deref())? {
            server.explain(self.json, out);
            return Ok(Exit::Fine);
        }
        let resolved = resolve(self.url.as_deref(), &Options::new())?;
        let path = match &resolved.target {
            Target::File(path) => Some(path.clone()),
            Target::Memory => None,
        };
        let understood = Understood {
            url: resolved.shown_url.clone(),
            source: resolved.url_source.as_str(),
            exists: path.as_ref().is_some_and(|path| path.exists()),
            path: path.map(|path| path.display().to_string()),
            settings: lines(&resolved),
            warnings: resolved.warnings.clone(),
        };
        if self.json {
            output::json(&understood);
        } else {
            self.print(&understood, out);
        }
        Ok(Exit::Fine)
    }

    fn print(&self, understood: &Understood, out: Terminal) {
        let label = |text: &str| out.paint(Tone::Faint, format!("{text:9}"));
        say!("{} {} {}", label("url"), understood.url, out.paint(Tone::Faint, format!("({})", understood.source)));
        match &understood.path {
            Some(path) if understood.exists => say!("{} {path}", label("file")),
            Some(path) => say!("{} {path} {}", label("file"), out.paint(Tone::Warning, "(does not exist)")),
            None => say!("{} in memory", label("file")),
        }
        for warning in &understood.warnings {
            say!("{} {}", label("warning"), out.paint(Tone::Warning, warning));
        }
        say!();
        say!("{}", out.paint(Tone::Heading, format!("{:<20} {:<18} {}", "setting", "value", "from")));
        for line in &understood.settings {
            if line.value.is_none() && line.note.is_empty() && !self.all {
                continue;
            }
            let value = line.value.as_ref().map_or("-".to_owned(), |value| format!("{value}{}", unit(line.name)));
            let asked = line.source == Origin::Url.as_str() || line.source == Origin::Option.as_str();
            let tone = if asked { Tone::Note } else { Tone::Faint };
            let source = if line.value.is_none() { "" } else { line.source };
            let note = if line.note.is_empty() { String::new() } else { format!(" {}", line.note) };
            say!("{:<20} {value:<18} {}", line.name, out.paint(tone, format!("{source}{note}").trim()));
        }
    }
}
