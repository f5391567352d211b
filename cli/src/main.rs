//! The command `litekeel`: what a database's URL means, who uses it, what is wrong with it, and the care it needs.
//!
//! Commands that only look change nothing, not even the `-wal` and `-shm` beside the database.

mod backup;
mod bounds;
mod checkpoint;
mod command_line;
mod compare;
mod completions;
mod database;
mod doctor;
mod duration;
mod environment;
mod exit;
mod explain;
mod integrity;
mod interrupt;
mod litestream;
mod manual;
mod output;
mod process_name;
mod processes;
mod progress;
mod replica;
mod replicated;
mod restore_missing;
mod server;
mod terminal;
mod url;
mod verify_replica;
mod wal;
mod watch;
mod who;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use litekeel_core::Result;

use exit::Exit;
use output::tell;
use terminal::{Colour, Terminal, Tone, labelled};

const AFTER: &str = "\
With no URL, DATABASE_URL is used; if it is unset, file:data/sqlite.db.
Exit status: 0 done, nothing wrong; 1 a problem was found, or a checkpoint could not finish;
2 the command line or the URL is wrong; 3 it could not be done; 130 ended by Ctrl-C.";

/// The SQLite connection for servers: look at a database and care for it.
#[derive(Parser)]
#[command(name = "litekeel", version = version(), after_help = AFTER)]
struct Command {
    /// Use colours: auto, always or never.
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        global = true,
        display_order = 900
    )]
    color: Colour,
    /// Take DATABASE_URL from this file (.env), unless the environment has one.
    #[arg(long, value_name = "FILE", global = true, display_order = 901)]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Examine a database: its settings, files, locks and content; each finding with a remedy.
    Doctor(doctor::Doctor),
    /// Show who has the database open, and who holds which lock.
    Who(who::Who),
    /// Move the WAL into the database.
    Checkpoint(checkpoint::Checkpoint),
    /// Copy a live database to a file, consistently, whatever is written meanwhile.
    Backup(backup::Backup),
    /// Bring the content of a copy back into a database.
    Restore(backup::Restore),
    /// Wait until everything that is committed is at Litestream's replica.
    Replicated(replicated::Replicated),
    /// Restore Litestream's replica into a temporary file, and compare it with the database, row by row.
    VerifyReplica(verify_replica::VerifyReplica),
    /// Restore a database that does not exist from Litestream's replica, once, whole or not at all.
    RestoreIfMissing(restore_missing::RestoreIfMissing),
    /// Show how a URL is understood: the file, and every setting with where it comes from.
    Url(url::Url),
    /// Watch the WAL's size, the checkpoints and the locks as they change.
    Watch(watch::Watch),
    /// Say what an error code means, and what to do about it.
    Explain(explain::Explain),
    /// Print completions for a shell.
    Completions(completions::Completions),
    /// Print the manual page, or write one for each command.
    Man(completions::Man),
}

fn version() -> &'static str {
    // One small allocation, once.
    let sqlite = rusqlite::version();
    Box::leak(format!("{} (SQLite {sqlite})", env!("CARGO_PKG_VERSION")).into_boxed_str())
}

fn run(command: &Command) -> Result<Exit> {
    if let Some(file) = &command.env_file {
        environment::read(file)?;
    }
    let out = Terminal::out(command.color);
    match &command.verb {
        Verb::Doctor(doctor) => doctor.run(out, Terminal::err(command.color)),
        Verb::Who(who) => who.run(out),
        Verb::Checkpoint(checkpoint) => checkpoint.run(out),
        Verb::Backup(backup) => backup.run(out, Terminal::err(command.color)),
        Verb::Restore(restore) => restore.run(out, Terminal::err(command.color)),
        Verb::Replicated(replicated) => replicated.run(out),
        Verb::RestoreIfMissing(restore) => restore.run(out),
        Verb::VerifyReplica(verify) => verify.run(out),
        Verb::Url(url) => url.run(out),
        Verb::Watch(watch) => watch.run(out),
        Verb::Explain(explain) => explain.run(out),
        Verb::Completions(completions) => Ok(completions.run(<Command as clap::CommandFactory>::command())),
        Verb::Man(man) => man.run(<Command as clap::CommandFactory>::command()),
    }
}

fn main() -> ExitCode {
    // SAFETY: before any thread: a reader that goes away (`litekeel doctor | head`) ends the command, as for any other.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return end(answer(command_line::without_secrets(error))),
    };
    interrupt::install();
    end(match run(&command) {
        Ok(exit) => exit,
        Err(error) => {
            let err = Terminal::err(command.color);
            let print = |label: String, text| labelled(&label, text, err).iter().for_each(|line| tell!("{line}"));
            print(format!("{} ", err.paint(Tone::Bad, "litekeel:")), error.message());
            if !error.hint().is_empty() {
                print(format!("  {} ", err.paint(Tone::Note, "what to do:")), error.hint());
            }
            exit::of(&error)
        }
    })
}

/// Help and version are our own text. What is wrong with the command line repeats it, and that may hold anything.
fn answer(error: clap::Error) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        text.to_string().trim_end().lines().for_each(output::note);
        return Exit::Usage;
    }
    let styled = Terminal::out(Colour::Auto).has_colours();
    output::raw(&if styled { text.ansi().to_string() } else { text.to_string() });
    Exit::Fine
}

/// What could not be printed was not said: that is a failure, whatever the answer was.
fn end(exit: Exit) -> ExitCode {
    match output::take_failure() {
        Some(error) => {
            tell!("litekeel: standard output cannot be written: {error}");
            Exit::Failed.into()
        }
        None => exit.into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Command::command().debug_assert();
    }
}
