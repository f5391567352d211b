//! Text → target and parameters.
//!
//! The grammar is SQLite's own for `file:`, with the relative and absolute forms of `sqlite:` that other languages'
//! libraries use. Whatever SQLite would accept silently and understand differently from its author is refused here.

use std::fmt;
use std::path::Path;

use crate::error::codes;
use crate::error::{Error, Result};

/// No path and no parameters need more; what is longer is a mistake, and is not copied into messages.
const LONGEST: usize = 1 << 16;

/// A URL or path taken apart; nothing is resolved against a directory yet.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'~' | b'-' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text as it may be shown: a user and password before a host are replaced. A password may have any character in
/// it, so a little too much is hidden rather than a part of it shown.
pub fn redact(input: &str) -> String {
    let start = match input.find("://") {
        Some(at) => at + 3,
        // user:password@tcp(host)/database
        None => match split_scheme(input) {
            Some((scheme, _)) if !is_ours(scheme) => 0,
            _ => return input.to_owned(),
        },
    };
    match secret_end(&input[start..]) {
        Some(at) => format!("{}***{}", &input[..start], &input[start + at..]),
        None => input.to_owned(),
    }
}

/// Where the user information at the start of `rest` ends: at its `@`.
fn secret_end(rest: &str) -> Option<usize> {
    let segment = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // With a colon it may be a password, which may go on over what looks like the end of the host.
    if segment.contains(':') { rest.rfind('@') } else { segment.rfind('@') }
}

fn is_ours(scheme: &str) -> bool {
    ["file", "sqlite", "sqlite3", ""].iter().any(|ours| scheme.eq_ignore_ascii_case(ours))
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
        // Not shown: it is no URL.
        return Err(Error::new(codes::PATH_TOO_LONG, format!("the database URL is {} bytes long", input.len())));
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
        other => Err(unsupported(other, input)),
    }
}

fn split_scheme(input: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = input.split_once(':')?;
    let valid = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    // One letter before a colon is a drive, not a scheme.
    (valid && scheme.len() != 1).then_some((scheme, rest))
}

fn check_text(input: &str) -> Result<()> {
    let shown = redact(input);
    if input.is_empty() {
        return Err(Error::new(codes::EMPTY_URL, "the database URL is empty"));
    }
    if let Some((offset, control)) = input.char_indices().find(|(_, c)| c.is_control()) {
        let hint = if control == '\r' && input[offset..].trim_end().is_empty() {
            "the file it was read from (.env?) has Windows line ends (CRLF): convert it"
        } else {
            "remove the character; in a path write it as %HH"
        };
        return Err(Error::new(
            codes::CONTROL_CHARACTER,
            format!("the database URL has the control character U+{:04X} at byte {offset}", control as u32),
        )
        .with_hint(hint)
        .with_offset(offset as i32));
    }
    if input.trim() != input {
        return Err(Error::new(
            codes::STRAY_WHITESPACE,
            format!("the database URL begins or ends with a blank: {shown:?}"),
        ));
    }
    for quote in ['"', '\'', '`'] {
        if input.len() > 1 && input.starts_with(quote) && input.ends_with(quote) {
            return Err(Error::new(codes::QUOTED_URL, format!("the database URL is enclosed in quotes: {shown}")));
        }
    }
    let after_scheme = split_scheme(input).map_or(input, |(_, rest)| rest.strip_prefix("//").unwrap_or(rest));
    let variable = unexpanded_variable(input);
    if variable.is_some() || input.starts_with("~/") || after_scheme.starts_with("~/") {
        let what = variable.unwrap_or("~/");
        return Err(Error::new(codes::UNEXPANDED, format!("{what} was not expanded in the database URL: {shown}"))
            .with_hint(if what == "~/" {
                "write the home directory out; a directory really named ~ is ./~/x"
            } else {
                "expand the variable before it reaches litekeel (dotenv files do not expand by themselves)"
            }));
    }
    Ok(())
}

/// The first `${NAME}` or `$NAME/` of the text.
fn unexpanded_variable(input: &str) -> Option<&str> {
    for (at, _) in input.match_indices('$') {
        let rest = &input[at + 1..];
        if let Some(inner) = rest.strip_prefix('{') {
            if let Some(end) = inner.find('}') {
                return Some(&input[at..at + end + 3]);
            }
        } else {
            let name = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            let starts = rest.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            if starts && rest[name..].starts_with('/') {
                return Some(&input[at..at + 1 + name]);
            }
        }
    }
    None
}

fn unsupported(scheme: &str, input: &str) -> Error {
    let hint = match scheme {
        "postgres" | "postgresql" | "mysql" | "mariadb" | "mongodb" | "mongodb+srv" | "redis" | "rediss" => {
            "this is the URL of another database server; litekeel opens SQLite files: file:data/app.db"
        }
        "http" | "https" | "ws" | "wss" | "libsql" => "litekeel opens local files only: file:data/app.db",
        "jdbc" => "drop the jdbc: prefix: sqlite:data/app.db",
        s if s.starts_with("sqlite+") => "drop the driver's name: sqlite:data/app.db",
        _ => "use file: or sqlite:; a file whose name has a colon is ./name:rest",
    };
    Error::new(codes::UNSUPPORTED_SCHEME, format!("{scheme}: is no scheme litekeel opens, in {}", redact(input)))
        .with_hint(hint)
}

fn bare_path(input: &str, base: &Path) -> Result<Url> {
    refuse_windows(input)?;
    if let Some(at) = input.find('?')
        && std::fs::symlink_metadata(base.join(input)).is_err()
    {
        return Err(Error::new(
            codes::QUERY_IN_PATH,
            format!("{input} has a ? but is a bare path, and no such file exists"),
        )
        .with_hint(format!("did you mean file:{}?{}", &input[..at], &input[at + 1..]))
        .with_offset(at as i32));
    }
    let location = Location::Path(input.to_owned());
    Ok(Url { location, pairs: vec![], warnings: vec![], triple_slash: false })
}

fn with_scheme(input: &str, rest: &str, is_file: bool) -> Result<Url> {
    let mut warnings = Vec::new();
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(a, b)| (a, Some(b)));
    if let Some(fragment) = fragment {
        warnings.push(format!("#{fragment} is ignored, as SQLite does; a # in a file name is written %23"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let pairs = parse_query(input, query)?;
    let mut triple_slash = false;
    let path = match path.strip_prefix("//") {
        Some(after) if is_file => {
            let (authority, path) = after.find('/').map_or((after, ""), |at| after.split_at(at));
            if !authority.is_empty() && authority != "localhost" {
                return Err(invalid_authority(after));
            }
            path
        }
        Some(after) => {
            let first = after.split('/').next().unwrap_or("");
            if first.contains('@') || (first.contains(':') && first != ":memory:" && after.contains('@')) {
                return Err(invalid_authority(after));
            }
            triple_slash = after.starts_with('/');
            // sqlite:////abs is the absolute path written with the empty authority spelled out.
            if after.starts_with("//") { &after[1..] } else { after }
        }
        None => path,
    };
    let path = decode(input, path, "path")?;
    refuse_windows(path.trim_start_matches('/'))?;
    let in_memory = path == ":memory:" || pairs.iter().any(|(key, value)| key == "mode" && value == "memory");
    if path.is_empty() && !in_memory {
        return Err(Error::new(codes::EMPTY_PATH, format!("{} names no file", redact(input))));
    }
    let location = if in_memory { Location::Memory } else { Location::Path(path) };
    Ok(Url { location, pairs, warnings, triple_slash })
}

fn invalid_authority(after: &str) -> Error {
    let shown = secret_end(after).map_or(after, |at| &after[at + 1..]);
    let host = shown.split('/').next().unwrap_or(shown);
    Error::new(
        codes::INVALID_AUTHORITY,
        format!("{host} stands where a URL names a host; SQLite opens local files, so only localhost may stand there"),
    )
    .with_hint(format!("for a relative file write file:{shown}, for an absolute one file:///{shown}"))
}

fn refuse_windows(path: &str) -> Result<()> {
    let bytes = path.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
    if !cfg!(windows) && (drive || path.starts_with("\\\\")) {
        return Err(Error::new(codes::WINDOWS_PATH, format!("{path} is a Windows path, and this is no Windows")));
    }
    Ok(())
}

fn parse_query(input: &str, query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (key, value) = (decode(input, key, "parameter")?, decode(input, value, "parameter")?);
        if key.is_empty() {
            return Err(Error::new(codes::INVALID_VALUE, format!("a parameter without a name in the URL: ?{piece}"))
                .with_hint("write name=value"));
        }
        if value.is_empty() {
            return Err(Error::new(codes::INVALID_VALUE, format!("the parameter {key} has no value"))
                .with_hint(format!("write {key}=value, or remove it")));
        }
        if let Some((_, first)) = pairs.iter().find(|(other, _)| *other == key) {
            return Err(Error::new(codes::DUPLICATE_PARAM, format!("{key} is given twice: {first} and {value}")));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Decodes `%HH` in `text`, a part of `input`, once; a malformed `%` and `+` stay as they are.
fn decode(input: &str, text: &str, what: &str) -> Result<String> {
    // Errors count in what the user wrote.
    let offset = |at: usize| (text.as_ptr() as usize - input.as_ptr() as usize + at) as i32;
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
                    return Err(Error::new(codes::NUL_IN_URL, format!("%00 in the {what} of the database URL"))
                        .with_offset(offset(at)));
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
    String::from_utf8(out).map_err(|error| {
        let at = offset(places[error.utf8_error().valid_up_to()]);
        Error::new(
            codes::INVALID_UTF8,
            format!("the {what} of the database URL is not UTF-8 once decoded, from byte {at} on: {text}"),
        )
        .with_offset(at)
    })
}
