//! Text → target and parameters.
//!
//! The grammar is SQLite's own for `file:`, with the relative and absolute forms of `sqlite:` that other languages'
//! libraries use. Whatever SQLite would accept silently and understand differently from its author is refused here.

mod redact;

use std::fmt;
use std::path::Path;

use crate::error::codes;
use crate::error::{Error, Result};

pub use redact::redact;
pub(crate) use redact::{HIDDEN, name as shown_name, redact_except, value as shown_value};

/// No path and no parameters need more; what is longer is a mistake, and is not copied into messages.
const LONGEST: usize = 1 << 16;

/// A URL or path taken apart; nothing is resolved against a directory yet.
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
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'~' | b'-' => out.push(byte as char),
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
        // A password may have a `$` in it too.
        let variable = variable.map(|name| if shown.contains(name) { name } else { "a variable" });
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
        "http" | "https" | "libsql" => {
            "here litekeel opens local files only: file:data/app.db; for libSQL servers see docs/remote.md"
        }
        "ws" | "wss" => "litekeel opens local files only: file:data/app.db",
        "jdbc" => "drop the jdbc: prefix: sqlite:data/app.db",
        s if s.starts_with("sqlite+") => "drop the driver's name: sqlite:data/app.db",
        _ => "use file: or sqlite:; a file whose name has a colon is ./name:rest",
    };
    let text = match redact(input) {
        shown if shown.contains("://") => format!("litekeel cannot open {}: URLs: {shown}", shown_name(scheme)),
        _ => format!("litekeel cannot open {}: URLs", shown_name(scheme)),
    };
    Error::new(codes::UNSUPPORTED_SCHEME, text).with_hint(hint)
}

/// Connection strings of other libraries begin with one of these and a `=`.
const CONNECTION_STRING: &[&str] = &[
    "data source",
    "datasource",
    "filename",
    "uri",
    "driver",
    "server",
    "host",
    "hostaddr",
    "addr",
    "address",
    "user",
    "user id",
    "uid",
    "username",
    "password",
    "pwd",
    "database",
    "dbname",
    "initial catalog",
];

/// Whether a text without a scheme is something else than a path: `host=… password=…`, or a URL with a blank in front of
/// its `://`. SQLite would make a file of that name, with the password in it.
fn is_connection_string(input: &str) -> bool {
    let key = input.split_once('=').map(|(key, _)| key.trim().to_ascii_lowercase());
    key.is_some_and(|key| CONNECTION_STRING.contains(&key.as_str())) || input.contains("://") || has_credentials(input)
}

/// What holds a secret in other libraries' connection strings; in the middle of a file's name nobody writes them.
const SECRETS: &[&str] = &["passwd", "pass", "secret", "token", "authtoken", "auth_token", "key", "hexkey"];

/// Whether a path is rather `user:password@host/name` (Go's MySQL driver among others), with or without the user, or
/// `a.db;Password=…`. Of a path that begins with `/` or `./` only the latter is asked.
fn has_credentials(path: &str) -> bool {
    let authority = path.strip_prefix("//").unwrap_or(path);
    let colon = authority.split('/').next().and_then(|first| first.find(':'));
    let user = colon.is_some_and(|colon| authority[colon..].contains('@'));
    let key = |piece: &str| piece.split_once('=').map(|(key, _)| key.trim().to_ascii_lowercase());
    let secret = |key: String| CONNECTION_STRING.contains(&key.as_str()) || SECRETS.contains(&key.as_str());
    user || path.split([';', '&']).skip(1).filter_map(key).any(secret)
}

fn other_library() -> Error {
    let text = "the database URL is a connection string of another library, not a path";
    Error::new(codes::UNSUPPORTED_SCHEME, text).with_hint(
        "name the file: file:data/app.db; a file whose name looks like that is ./name, and in a URL %3A, %3B, %26 and %40 are \
         its : ; & and @",
    )
}

fn bare_path(input: &str, base: &Path) -> Result<Url> {
    refuse_windows(input)?;
    let connection_string = is_connection_string(input);
    let query = input.find('?');
    if (connection_string || query.is_some()) && std::fs::symlink_metadata(base.join(input)).is_err() {
        if connection_string {
            return Err(other_library());
        }
        let shown = redact(input);
        return Err(Error::new(
            codes::QUERY_IN_PATH,
            format!("{shown} has a ? but is a bare path, and no such file exists"),
        )
        .with_hint(format!("write file: in front of it: file:{shown}"))
        .with_offset(query.map_or(-1, |at| at as i32)));
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
        None if has_credentials(path) => return Err(other_library()),
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
    // What has a colon or an @ in it may be a user and a password, in whatever order.
    let path = if after.contains('@') || redact::has_password(after) { None } else { Some(after) };
    let host = path.map_or("", redact::host);
    let text = match path {
        Some(path) if !host.is_empty() => format!("file://{path} has {host:?} in the place of a host name"),
        _ => "the database URL has something else than a host name between // and the next /".to_owned(),
    };
    let (relative, absolute) = match path {
        Some(path) => (format!("file:{path}"), format!("file:///{path}")),
        None => ("file:data/app.db".to_owned(), "file:///data/app.db".to_owned()),
    };
    Error::new(codes::INVALID_AUTHORITY, format!("{text}; SQLite opens local files only"))
        .with_hint(format!("for a relative file write {relative}, for an absolute one {absolute}"))
}

fn refuse_windows(path: &str) -> Result<()> {
    let bytes = path.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
    if !cfg!(windows) && (drive || path.starts_with("\\\\")) {
        return Err(Error::new(
            codes::WINDOWS_PATH,
            format!("{} is a Windows path, and this system is not Windows", redact(path)),
        ));
    }
    Ok(())
}

fn parse_query(input: &str, query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (key, value) = (decode(input, key, "parameter")?, decode(input, value, "parameter")?);
        if key.is_empty() {
            return Err(Error::new(codes::INVALID_VALUE, "the database URL has a value without a name")
                .with_hint("write name=value")
                .with_offset(offset_of(input, piece)));
        }
        if value.is_empty() {
            // Its name is not shown: it may be the rest of a value that had an `&` in it.
            return Err(Error::new(codes::INVALID_VALUE, "the database URL has a setting without a value")
                .with_hint("write name=value, or remove it; an & inside a value is written %26")
                .with_offset(offset_of(input, piece)));
        }
        if pairs.iter().any(|(other, _)| *other == key) {
            let text = format!("{} stands twice in the database URL", shown_name(&key));
            return Err(Error::new(codes::DUPLICATE_PARAM, text).with_offset(offset_of(input, piece)));
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
            format!("the {what} of the database URL is not UTF-8 once decoded, from byte {at} on"),
        )
        .with_offset(at)
    })
}
