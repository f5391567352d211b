//! Text → target and parameters.

mod errors;
mod likeness;
mod redact;

use std::fmt;
use std::path::Path;

use crate::error::Result;
use likeness::{has_credentials, is_connection_string, split_scheme, unexpanded_variable};

pub(crate) use likeness::is_token;
pub use redact::redact;
pub(crate) use redact::{HIDDEN, name as shown_name, redact_except, value as shown_value};

/// No path and no parameters need more; what is longer is a mistake, and is not copied into messages.
const LONGEST: usize = 1 << 16;

/// A URL or path taken apart; nothing is resolved against a directory yet.
///
/// The grammar is SQLite's own for `file:`, with the relative and absolute forms of `sqlite:` that other languages'
/// libraries use. Whatever SQLite would accept silently and understand differently from its author is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// What is to be opened.
    pub location: Location,
    /// The query's keys and values, decoded, in their order.
    pub pairs: Vec<(String, String)>,
    /// What was understood differently from how it may have been meant.
    pub warnings: Vec<String>,
    /// Written `sqlite:///x`: people who do so often mean a relative file.
    pub triple_slash: bool,
}

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A private database in memory.
    Memory,
    /// A file, relative or absolute.
    Path(String),
}

impl fmt::Debug for Url {
    /// Without the values of the parameters: nobody knows yet whose they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.pairs.iter().map(|(key, _)| shown_name(key)).collect();
        f.debug_struct("Url").field("location", &self.location).field("keys", &keys).finish_non_exhaustive()
    }
}

impl fmt::Display for Url {
    /// The canonical form: `parse(url.to_string())` gives the same location and pairs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Memory => f.write_str("file::memory:")?,
            Location::Path(path) => {
                f.write_str("file:")?;
                // Two slashes at the front would read as an authority, `:memory:` as the database in memory.
                if path.starts_with("//") {
                    f.write_str("//")?;
                }
                // A leading `~/` would read as a home directory that was not expanded.
                f.write_str(&encode(path).replace('~', "%7E"))?;
            }
        }
        for (index, (key, value)) in self.pairs.iter().enumerate() {
            write!(f, "{}{}={}", if index == 0 { '?' } else { '&' }, encode(key), encode(value))?;
        }
        Ok(())
    }
}

/// Percent-encodes everything outside `[A-Za-z0-9/._~-]`.
pub fn encode(text: &str) -> String {
    encode_bytes(text.as_bytes())
}

/// As [`encode`], for what need not be UTF-8: a path.
pub(crate) fn encode_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'~' | b'-' => out.push(*byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Takes a URL, a path or `:memory:` apart.
///
/// # Errors
/// One of the configuration codes, with the offending part named and a repair in the hint.
pub fn parse(input: &str) -> Result<Url> {
    parse_in(input, Path::new(""))
}

/// As [`parse`], with the directory in which a bare path with a `?` is looked for.
///
/// # Errors
/// As [`parse`].
pub fn parse_in(input: &str, base: &Path) -> Result<Url> {
    if input.len() > LONGEST {
        return Err(errors::too_long(input));
    }
    check_text(input)?;
    if input == ":memory:" {
        return Ok(Url { location: Location::Memory, pairs: vec![], warnings: vec![], triple_slash: false });
    }
    let Some((scheme, rest)) = split_scheme(input) else { return bare_path(input, base) };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => with_scheme(input, rest, true),
        "sqlite" | "sqlite3" => with_scheme(input, rest, false),
        // `:memory:?cache=shared`: the empty scheme of the special name.
        "" => match rest.strip_prefix("memory:") {
            Some(query) if query.starts_with(['?', '#']) => with_scheme(input, input, false),
            _ => bare_path(input, base),
        },
        other => Err(errors::unsupported(other, input)),
    }
}

fn check_text(input: &str) -> Result<()> {
    if input.is_empty() {
        return Err(errors::empty());
    }
    if let Some((offset, control)) = input.char_indices().find(|(_, c)| c.is_control()) {
        return Err(errors::control_character(input, offset, control));
    }
    if input.trim() != input {
        return Err(errors::stray_whitespace(input));
    }
    if let Some(inner) = input.strip_prefix(['"', '\'', '`']) {
        if input.len() > 1 && input.chars().next() == input.chars().last() {
            return Err(errors::quoted(input));
        }
        // The other one was lost on the way: a file of that name would be created, with all that a URL may carry in it.
        if split_scheme(inner).is_some() || is_connection_string(inner) {
            return Err(errors::quote_in_front(input));
        }
    }
    let after_scheme = split_scheme(input).map_or(input, |(_, rest)| rest.strip_prefix("//").unwrap_or(rest));
    let variable = unexpanded_variable(input);
    if variable.is_some() || input.starts_with("~/") || after_scheme.starts_with("~/") {
        return Err(errors::unexpanded(input, variable));
    }
    Ok(())
}

fn bare_path(input: &str, base: &Path) -> Result<Url> {
    refuse_windows(input)?;
    let connection_string = is_connection_string(input);
    let query = input.find('?');
    if (connection_string || query.is_some()) && std::fs::symlink_metadata(base.join(input)).is_err() {
        if connection_string {
            return Err(errors::other_library());
        }
        return Err(errors::query_in_path(input, query));
    }
    let location = Location::Path(input.to_owned());
    Ok(Url { location, pairs: vec![], warnings: vec![], triple_slash: false })
}

fn with_scheme(input: &str, rest: &str, is_file: bool) -> Result<Url> {
    let mut warnings = Vec::new();
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(a, b)| (a, Some(b)));
    if fragment.is_some() {
        warnings.push("what follows the # is ignored, as SQLite does; a # in a file name is written %23".to_owned());
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let pairs = parse_query(input, query)?;
    let mut triple_slash = false;
    let path = match path.strip_prefix("//") {
        Some(after) if is_file => {
            let (authority, path) = after.find('/').map_or((after, ""), |at| after.split_at(at));
            if !authority.is_empty() && authority != "localhost" {
                return Err(errors::invalid_authority(after));
            }
            path
        }
        Some(after) => {
            let first = after.split('/').next().unwrap_or("");
            if first.contains('@') || (first.contains(':') && first != ":memory:" && after.contains('@')) {
                return Err(errors::invalid_authority(after));
            }
            triple_slash = after.starts_with('/');
            // sqlite:////abs is the absolute path written with the empty authority spelled out.
            if after.starts_with("//") { &after[1..] } else { after }
        }
        None if has_credentials(path) => return Err(errors::other_library()),
        None => path,
    };
    let path = decode(input, path, "path")?;
    refuse_windows(path.trim_start_matches('/'))?;
    let in_memory = path == ":memory:" || pairs.iter().any(|(key, value)| key == "mode" && value == "memory");
    if path.is_empty() && !in_memory {
        return Err(errors::empty_path(input));
    }
    let location = if in_memory { Location::Memory } else { Location::Path(path) };
    Ok(Url { location, pairs, warnings, triple_slash })
}

fn refuse_windows(path: &str) -> Result<()> {
    let bytes = path.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
    if !cfg!(windows) && (drive || path.starts_with("\\\\")) {
        return Err(errors::windows_path(path));
    }
    Ok(())
}

fn parse_query(input: &str, query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (key, value) = (decode(input, key, "parameter")?, decode(input, value, "parameter")?);
        if key.is_empty() {
            return Err(errors::value_without_name().with_offset(offset_of(input, piece)));
        }
        if value.is_empty() {
            return Err(errors::name_without_value().with_offset(offset_of(input, piece)));
        }
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(errors::duplicate(&key).with_offset(offset_of(input, piece)));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Where a part of `input` begins in it: errors count in what the user wrote.
fn offset_of(input: &str, part: &str) -> i32 {
    (part.as_ptr() as usize - input.as_ptr() as usize) as i32
}

/// Decodes `%HH` in `text`, a part of `input`, once; a malformed `%` and `+` stay as they are.
fn decode(input: &str, text: &str, what: &str) -> Result<String> {
    let offset = |at: usize| offset_of(input, text) + at as i32;
    let bytes = text.as_bytes();
    let (mut out, mut places) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while at < bytes.len() {
        places.push(at);
        let pair = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], pair.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))) {
            (b'%', Some(hex)) => {
                // Two hexadecimal digits always fit.
                let byte = u8::from_str_radix(hex, 16).unwrap_or(0);
                if byte == 0 {
                    return Err(errors::nul(what).with_offset(offset(at)));
                }
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|error| errors::not_utf8(what, offset(places[error.utf8_error().valid_up_to()])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::codes;

    fn location(text: &str) -> Location {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).location
    }

    fn refused(text: &str) -> (i32, Option<i32>) {
        let error = parse(text).expect_err(text);
        (error.code(), error.offset())
    }

    #[test]
    fn the_forms_of_a_path_lead_to_the_same_file() {
        for text in
            ["data/app.db", "file:data/app.db", "sqlite:data/app.db", "sqlite://data/app.db", "SQLITE:data/app.db"]
        {
            assert_eq!(location(text), Location::Path("data/app.db".into()), "{text}");
        }
        for text in ["/srv/app.db", "file:/srv/app.db", "file:///srv/app.db", "file://localhost/srv/app.db"] {
            assert_eq!(location(text), Location::Path("/srv/app.db".into()), "{text}");
        }
        for text in [":memory:", "file::memory:", "sqlite::memory:", "file:x?mode=memory", ":memory:?cache=shared"] {
            assert_eq!(location(text), Location::Memory, "{text}");
        }
    }

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(location("file:a%2520b"), Location::Path("a%20b".into()));
        assert_eq!(
            location("file:100%+x"),
            Location::Path("100%+x".into()),
            "a malformed one stays, and so does a plus"
        );
        assert_eq!(refused("file:a%00b"), (codes::NUL_IN_URL, Some(6)));
        assert_eq!(refused("file:ab%FFc").0, codes::INVALID_UTF8);
        assert_eq!(parse("file:x?a=%26%3D").expect("a value").pairs, [("a".to_owned(), "&=".to_owned())]);
    }

    #[test]
    fn an_error_points_at_what_was_written() {
        assert_eq!(refused("file:x?a=1&b=2&a=3"), (codes::DUPLICATE_PARAM, Some(15)));
        assert_eq!(refused("file:x?a=1&=2"), (codes::INVALID_VALUE, Some(11)));
        assert_eq!(refused("file:x?a=1&b="), (codes::INVALID_VALUE, Some(11)));
        assert_eq!(refused("file:a\tb"), (codes::CONTROL_CHARACTER, Some(6)));
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for text in ["file:a b?x=1", "file:////srv/a?b=%26", "file:./~/x", "file:%3Amemory%3Ax", "file::memory:?a=b"] {
            let url = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let again = parse(&url.to_string()).unwrap_or_else(|error| panic!("{text} -> {url}: {error}"));
            assert_eq!((again.location, again.pairs), (url.location.clone(), url.pairs.clone()), "{text} -> {url}");
        }
    }
}
