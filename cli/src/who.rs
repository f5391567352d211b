//! `litekeel who`: the processes that have a database open, and the locks they hold.

use clap::Args;
use litekeel_core::holders;
use litekeel_core::users;
use litekeel_core::{Error, Result, codes};
use litekeel_core::{HolderRole, HolderState};
use serde::Serialize;

use crate::database::Database;
use crate::exit::Exit;
use crate::output::{self, say};
use crate::processes::{Held, Process};
use crate::replica::{self, State};
use crate::terminal::{self, Terminal, Tone, cut, time};
use crate::wal::{self, Wal};

#[derive(Args)]
pub struct Who {
    /// The URL or path.
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Who has a database open, as data.
#[derive(Serialize)]
pub struct Presence {
    pub path: String,
    pub holders: Vec<Held>,
    pub users: Vec<Process>,
    /// `null` while no process has it open in WAL mode.
    pub wal: Option<Wal>,
    /// `null` where no Litestream answers for it.
    pub replica: Option<State>,
}

impl Presence {
    /// Who keeps other writers waiting.
    pub fn writer(&self) -> Option<&Held> {
        self.holders.iter().find(|holder| holder.role.writes())
    }
}

/// Looks, without leaving a trace.
pub fn presence(database: &Database) -> Result<Presence> {
    let path = &database.path;
    database.must_exist()?;
    let unknown =
        || Error::new(codes::IO, "this system does not tell who holds a lock (no /proc/locks)").with_path(path);
    // Who is outside this PID namespace is seen through SQLite's own descriptors only, and who pins through its -shm.
    let open = database.glance_if_used();
    let holders = holders(path, None).ok_or_else(unknown)?.into_iter().map(Held::from).collect();
    let wal = open.as_ref().and_then(wal::look);
    let users: Vec<_> = users(path).ok_or_else(unknown)?.into_iter().map(Process::from).collect();
    let replica = replica::look(database, &users);
    Ok(Presence { path: path.display().to_string(), holders, users, wal, replica })
}

/// The lines of a table: holders first, then who has it open and holds nothing.
pub fn table(presence: &Presence, out: Terminal) -> Vec<String> {
    let idle = presence.users.iter().filter(|user| presence.holders.iter().all(|holder| holder.pid != user.pid));
    let row = |pid: u32, role: Option<HolderRole>, state: HolderState, since: &str, command: &str| {
        let pid = if pid == 0 { "?".to_owned() } else { pid.to_string() };
        let (name, doing) = (role.map_or("idle", HolderRole::as_str), state.as_str());
        let fixed = format!("{pid:>8}  {name:<12} {doing:<9} {since:<10} ");
        let command = cut(&terminal::command(command), out.width().saturating_sub(fixed.chars().count()).max(10));
        let tone = match (state, role) {
            (HolderState::Stopped | HolderState::Zombie, _) => Tone::Bad,
            (_, None) => Tone::Faint,
            (_, Some(role)) if role.reads() => Tone::Note,
            _ => Tone::Warning,
        };
        format!("{}{command}", out.paint(tone, fixed))
    };
    let mut lines =
        vec![out.paint(Tone::Heading, format!("{:>8}  {:<12} {:<9} {:<10} command", "pid", "role", "state", "since"))];
    lines.extend(presence.holders.iter().map(|holder| {
        // The kernel does not say since when another process has a lock.
        let since = holder.since_ms.map_or("?".to_owned(), |ms| time(std::time::Duration::from_millis(ms)));
        row(holder.pid, Some(holder.role), holder.state, &since, &holder.command)
    }));
    lines.extend(idle.map(|user| row(user.pid, None, user.state, "", &user.command)));
    lines
}

/// The same, and the reader that pins the WAL.
pub fn table_with_pin(presence: &Presence, out: Terminal) -> Vec<String> {
    let mut lines = table(presence, out);
    if let Some(pin) = presence.wal.as_ref().and_then(Wal::worst) {
        lines.push(out.paint(Tone::Warning, cut(&pin.sentence(), out.width())));
    }
    if let Some(replica) = &presence.replica {
        let tone = if replica.is_well() { Tone::Good } else { Tone::Warning };
        lines.push(out.paint(tone, cut(&replica.sentence(), out.width())));
    }
    lines
}

impl Who {
    pub fn run(&self, out: Terminal) -> Result<Exit> {
        let database = Database::of(self.url.as_deref())?;
        let presence = presence(&database)?;
        if self.json {
            output::json(&presence);
            return Ok(Exit::Fine);
        }
        say!("{}", presence.path);
        if presence.holders.is_empty() && presence.users.is_empty() {
            say!("no other process has it open, as far as this one may see");
            return Ok(Exit::Fine);
        }
        for line in table_with_pin(&presence, out) {
            say!("{line}");
        }
        Ok(Exit::Fine)
    }
}
