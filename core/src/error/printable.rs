//! Text that came from elsewhere (a path, another process's command line, a name inside a database) as it may be shown.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal, or who reads a log, would take the character for something else than text: control characters, and
/// those that turn the direction of writing or end a line.
pub fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with every character that [`is_command`] written out: `\x1b`, `\n`, `\u{202e}`. What is not one stays as it is.
pub fn printable(text: &str) -> Cow<'_, str> {
    // Most text is plain ASCII, and is looked at byte by byte.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || !text.chars().any(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_command(c) && c.is_ascii() => {
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c if is_command(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out_and_the_rest_stays() {
        assert_eq!(printable("a\x1b[2Jb\x07\n\r\t\x7f"), "a\\x1b[2Jb\\x07\\n\\r\\t\\x7f");
        assert_eq!(
            printable("\u{9b}31m \u{202e}txt.exe\u{2066} \u{2028}"),
            "\\u{9b}31m \\u{202e}txt.exe\\u{2066} \\u{2028}"
        );
        for plain in ["", "plain", "Grüße, 漢字 👩‍👩‍👧", "عربي עברית", "a\\x1b"] {
            assert!(matches!(printable(plain), Cow::Borrowed(same) if same == plain));
        }
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let shown = printable(c.encode_utf8(&mut [0; 4])).into_owned();
            assert!(!shown.chars().any(is_command), "{:x}", u32::from(c));
        }
    }
}
