//! The manual: a page for the command, and one for each of its commands.

use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

/// What holds for every command, and stands on every page.
const COMMON: &str = r".SH ENVIRONMENT
.TP
.B DATABASE_URL
The database where no URL is given; if it is unset too, it is file:data/sqlite.db.
.SH EXIT STATUS
.TP
.B 0
done, nothing wrong
.TP
.B 1
a problem was found, or a checkpoint could not finish
.TP
.B 2
the command line or the URL is wrong
.TP
.B 3
it could not be done
.TP
.B 130
ended by Ctrl\-C
";

/// The main page.
pub fn main(command: Command) -> String {
    let mut text = Vec::new();
    let mut command = command;
    command.build();
    // Into memory nothing fails.
    let _ = write_page(&command, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes every page into a directory.
pub fn write_all(command: Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // Of `help` there is nothing to say.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    for one in std::iter::once(&command).chain(command.get_subcommands()) {
        let mut file = std::fs::File::create(directory.join(format!("{}.1", name(one))))?;
        write_page(one, &mut file)?;
        file.flush()?;
    }
    Ok(())
}

fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn write_page(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let name = name(command);
    // Without a date the next word would stand for it.
    let source = concat!("litekeel ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).title(name.to_uppercase()).date(" ").source(source).manual("litekeel manual");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let has_commands = command.get_subcommands().any(|one| one.get_name() != "help");
    if has_commands {
        page.render_subcommands_section(out)?;
    }
    out.write_all(COMMON.as_bytes())?;
    out.write_all(b".SH SEE ALSO\n")?;
    if !has_commands {
        out.write_all(b".BR litekeel (1),\n")?;
    }
    out.write_all(b".BR litekeel.h (3)\n")
}
