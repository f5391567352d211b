//! `litekeel completions` and `litekeel man`: what a shell and a manual want to know of the command.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use litekeel_core::{Error, Result, codes};

use crate::exit::Exit;
use crate::manual;
use crate::output;

#[derive(Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Write a page for each command into this directory, instead of the main one to standard output.
    directory: Option<PathBuf>,
}

impl Completions {
    pub fn run(&self, mut command: Command) -> Exit {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "litekeel", &mut text);
        output::raw(&String::from_utf8_lossy(&text));
        Exit::Fine
    }
}

impl Man {
    pub fn run(&self, command: Command) -> Result<Exit> {
        let Some(directory) = &self.directory else {
            output::raw(&manual::main(command));
            return Ok(Exit::Fine);
        };
        manual::write_all(command, directory).map_err(|error| {
            Error::new(codes::IO, format!("{} cannot be written: {error}", directory.display())).with_path(directory)
        })?;
        Ok(Exit::Fine)
    }
}
