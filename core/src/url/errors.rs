//! How what is wrong with a URL is said. A text is shown as [`redact`] leaves it.

use super::likeness::{has_password, host, is_token};
use super::redact::{name as shown_name, redact};
use crate::error::Error;
use crate::error::codes;

/// Not shown: it is no URL.
pub(super) fn too_long(input: &str) -> Error {
    Error::new(codes::PATH_TOO_LONG, format!("the database URL is {} bytes long", input.len()))
}

pub(super) fn empty() -> Error {
    Error::new(codes::EMPTY_URL, "the database URL is empty")
}

/// `offset`: the byte at which the control character stands.
pub(super) fn control_character(input: &str, offset: usize, control: char) -> Error {
    let hint = if control == '\r' && input[offset..].trim_end().is_empty() {
        "the file it was read from (.env?) has Windows line ends (CRLF): convert it"
    } else {
        "remove the character; in a path write it as %HH"
    };
    Error::new(
        codes::CONTROL_CHARACTER,
        format!("the database URL has the control character U+{:04X} at byte {offset}", control as u32),
    )
    .with_hint(hint)
    .with_offset(offset as i32)
}

pub(super) fn stray_whitespace(input: &str) -> Error {
    Error::new(codes::STRAY_WHITESPACE, format!("the database URL begins or ends with a blank: {:?}", redact(input)))
}

pub(super) fn quoted(input: &str) -> Error {
    Error::new(codes::QUOTED_URL, format!("the database URL is enclosed in quotes: {}", redact(input)))
}

pub(super) fn quote_in_front(input: &str) -> Error {
    Error::new(codes::QUOTED_URL, format!("the database URL begins with a quote: {}", redact(input)))
}

/// A variable, or where there is none the `~/`.
pub(super) fn unexpanded(input: &str, variable: Option<&str>) -> Error {
    let shown = redact(input);
    // A password may have a `$` in it too.
    let variable = variable.map(|name| if shown.contains(name) { name } else { "a variable" });
    let what = variable.unwrap_or("~/");
    Error::new(codes::UNEXPANDED, format!("{what} was not expanded in the database URL: {shown}")).with_hint(
        if what == "~/" {
            "write the home directory out; a directory really named ~ is ./~/x"
        } else {
            "expand the variable before it reaches litekeel (dotenv files do not expand by themselves)"
        },
    )
}

pub(super) fn unsupported(scheme: &str, input: &str) -> Error {
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

pub(super) fn other_library() -> Error {
    let text = "the database URL is a connection string of another library, not a path";
    Error::new(codes::UNSUPPORTED_SCHEME, text).with_hint(
        "name the file: file:data/app.db; a file whose name looks like that is ./name, and in a URL %3A, %3B, %26 and %40 are \
         its : ; & and @",
    )
}

/// `query`: the byte at which the `?` stands.
pub(super) fn query_in_path(input: &str, query: Option<usize>) -> Error {
    let shown = redact(input);
    Error::new(codes::QUERY_IN_PATH, format!("{shown} has a ? but is a bare path, and no such file exists"))
        .with_hint(format!("write file: in front of it: file:{shown}"))
        .with_offset(query.map_or(-1, |at| at as i32))
}

pub(super) fn empty_path(input: &str) -> Error {
    Error::new(codes::EMPTY_PATH, format!("{} names no file", redact(input)))
}

pub(super) fn invalid_authority(after: &str) -> Error {
    // What has a colon or an @ in it may be a user and a password, in whatever order.
    let secret = after.contains('@') || has_password(after) || is_token(host(after));
    let path = if secret { None } else { Some(after) };
    let host = path.map_or("", host);
    let text = match path {
        Some(path) if !host.is_empty() => format!("file://{path} has {host:?} in the place of a host name"),
        _ => "the database URL has something other than a host name between // and the next /".to_owned(),
    };
    let (relative, absolute) = match path {
        Some(path) => (format!("file:{path}"), format!("file:///{path}")),
        None => ("file:data/app.db".to_owned(), "file:///data/app.db".to_owned()),
    };
    Error::new(codes::INVALID_AUTHORITY, format!("{text}; SQLite opens local files only"))
        .with_hint(format!("for a relative file write {relative}, for an absolute one {absolute}"))
}

pub(super) fn windows_path(path: &str) -> Error {
    let text = format!("{} is a Windows path, and this system is not Windows", redact(path));
    Error::new(codes::WINDOWS_PATH, text)
}

pub(super) fn value_without_name() -> Error {
    Error::new(codes::INVALID_VALUE, "the database URL has a value without a name").with_hint("write name=value")
}

/// Its name is not shown: it may be the rest of a value that had an `&` in it.
pub(super) fn name_without_value() -> Error {
    Error::new(codes::INVALID_VALUE, "the database URL has a setting without a value")
        .with_hint("write name=value, or remove it; an & inside a value is written %26")
}

pub(super) fn duplicate(key: &str) -> Error {
    Error::new(codes::DUPLICATE_PARAM, format!("{} is given twice in the database URL", shown_name(key)))
}

/// `what`: `path` or `parameter`.
pub(super) fn nul(what: &str) -> Error {
    Error::new(codes::NUL_IN_URL, format!("%00 in the {what} of the database URL"))
}

/// `at`: the first byte that is not, in what the user wrote.
pub(super) fn not_utf8(what: &str, at: i32) -> Error {
    Error::new(
        codes::INVALID_UTF8,
        format!("the {what} of the database URL is not UTF-8 once decoded, from byte {at} on"),
    )
    .with_offset(at)
}
