//! The terminal: colours where one is, its width, and lines that are drawn again in place.

use std::fmt::Display;
use std::io::IsTerminal;

use crate::output;
use clap::ValueEnum;
use litekeel_core::printable;
pub use litekeel_core::size_text as bytes;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Heading,
    Faint,
    Good,
    Note,
    Warning,
    Bad,
}

/// One output stream.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    colour: bool,
    /// Whether a person is looking.
    pub live: bool,
}

impl Terminal {
    /// Standard output.
    pub fn out(colour: Colour) -> Terminal {
        Terminal::new(colour, std::io::stdout().is_terminal())
    }

    /// Standard error, for progress and failures.
    pub fn err(colour: Colour) -> Terminal {
        Terminal::new(colour, std::io::stderr().is_terminal())
    }

    fn new(colour: Colour, live: bool) -> Terminal {
        // https://no-color.org: present and not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = match colour {
            Colour::Auto => live && !refused && !dumb,
            Colour::Always => true,
            Colour::Never => false,
        };
        Terminal { colour, live: live && !dumb }
    }

    /// The columns of a line; no end where nobody looks, for a pipe gets all of it.
    pub fn width(&self) -> usize {
        if self.live { size().map_or(80, |size| size.0) } else { usize::MAX }
    }

    /// The rows of the screen.
    pub fn height(&self) -> usize {
        if self.live { size().map_or(24, |size| size.1) } else { usize::MAX }
    }

    /// Whether colours are wanted.
    pub fn has_colours(&self) -> bool {
        self.colour
    }

    /// The text in the colour of its tone.
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        let code = match tone {
            Tone::Heading => 1,
            Tone::Faint => 2,
            Tone::Good => 32,
            Tone::Note => 36,
            Tone::Warning => 33,
            Tone::Bad => 31,
        };
        if self.colour { format!("{}{text}{}", output::colour(code), output::colour(0)) } else { text.to_string() }
    }
}

fn size() -> Option<(usize, usize)> {
    [libc::STDOUT_FILENO, libc::STDERR_FILENO].into_iter().find_map(|stream| {
        // SAFETY: a struct of integers that the call fills.
        let size = unsafe {
            let mut size: libc::winsize = std::mem::zeroed();
            (libc::ioctl(stream, libc::TIOCGWINSZ, &mut size) == 0).then_some(size)
        }?;
        (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col.into(), size.ws_row.into()))
    })
}

/// The text on one line of so many columns, with an ellipsis where something is missing; as it will be shown, since what a
/// terminal would obey takes more room when it is written out.
pub fn cut(text: &str, columns: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= columns {
        return text.into_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// The text in lines of so many columns, broken between words; a word that is longer stands alone. As it will be shown.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in printable(text).split(' ') {
        let length = word.chars().count();
        // Too narrow for anything: the terminal breaks it as it likes.
        if used > 0 && used + 1 + length > columns.max(20) {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

/// A line that begins with a label and goes on below the text, not below the label.
pub fn labelled(label: &str, text: &str, terminal: Terminal) -> Vec<String> {
    let indent = output::columns(label);
    let pieces = wrap(text, terminal.width().saturating_sub(indent));
    let blank = " ".repeat(indent);
    pieces.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { label } else { &blank })).collect()
}

/// A command line for people: the program without its directory, and the arguments.
pub fn command(line: &str) -> String {
    let (program, arguments) = line.split_once(' ').map_or((line, ""), |(program, rest)| (program, rest));
    format!("{} {arguments}", program.rsplit('/').next().unwrap_or(program)).trim_end().to_owned()
}

/// Lines that are drawn again in place.
#[derive(Debug, Default)]
pub struct Canvas {
    drawn: usize,
}

impl Canvas {
    /// What replaces that which was drawn before. Every line must fit the width, or the count of lines is wrong.
    pub fn draw(&mut self, lines: &[String]) -> String {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in lines {
            text.push_str(&format!("\r{}\x1b[K\n", output::shown(line)));
        }
        // What a longer picture left below.
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        text
    }
}

/// A time for people: `850 ms`, `4.2 s`, `3 min 20 s`.
pub fn time(time: std::time::Duration) -> String {
    match time.as_millis() {
        0..1_000 => format!("{} ms", time.as_millis()),
        1_000..100_000 => format!("{:.1} s", time.as_secs_f64()),
        100_000..7_200_000 => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
        _ => format!("{} h {} min", time.as_secs() / 3600, time.as_secs() / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(
            ["999 B", "1.0 kB", "12.3 MB", "4.20 GB"],
            [999, 1_000, 12_345_678, 4_200_000_000].map(bytes).each_ref().map(String::as_str)
        );
        let ms = std::time::Duration::from_millis;
        assert_eq!(
            ["850 ms", "4.2 s", "3 min 20 s", "2 h 5 min"],
            [ms(850), ms(4200), ms(200_000), ms(7_500_000)].map(time).each_ref().map(String::as_str)
        );
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(command("/usr/bin/python3 /srv/cron.py"), "python3 /srv/cron.py");
        assert_eq!((command("node"), command("")), ("node".into(), "".into()));
        assert_eq!(cut("a\x1b[2J\nb", 12), "a\\x1b[2J\\nb");
    }

    #[test]
    fn lines_break_between_words_and_go_on_below_the_text() {
        assert_eq!(wrap("one two three", usize::MAX), ["one two three"]);
        assert_eq!(wrap("a word of 25 or more columns is broken", 25), ["a word of 25 or more", "columns is broken"]);
        let path = "/a/path/that/is/longer/than/the/line";
        assert_eq!(wrap(&format!("x {path} y"), 20), ["x", path, "y"]);
        assert_eq!(wrap("", 20), [""]);
        let narrow = Terminal { colour: true, live: false };
        let label = format!("{} ", narrow.paint(Tone::Bad, "✗"));
        assert_eq!(
            labelled(&label, "all on one line elsewhere", narrow),
            [format!("{label}all on one line elsewhere")]
        );
    }

    #[test]
    fn a_shorter_picture_leaves_nothing_of_the_longer_one() {
        let mut canvas = Canvas::default();
        let out = canvas.draw(&["a".into(), "b".into()]) + &canvas.draw(&["c".into()]);
        assert_eq!(out, "\ra\x1b[K\n\rb\x1b[K\n\x1b[J\x1b[2A\rc\x1b[K\n\x1b[J");
    }
}
