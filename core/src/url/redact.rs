//! What of a URL may stand in a message, a report or a log.
//!
//! Whoever moves from another database passes its URL once by mistake, with a password or a token in it; the message
//! then goes to a log. So a value is shown only under a key that litekeel knows, and of another database's URL nothing
//! but its scheme and host. A password may have any character in it: a little too much is hidden rather than a part of
//! it shown.

use super::likeness::{has_credentials, has_password, host, is_connection_string, is_token, split_scheme};

/// What stands in place of what is hidden.
pub(crate) const HIDDEN: &str = "***";

/// What is longer is not a key or a scheme, but somebody's token.
const LONGEST_NAME: usize = 40;

/// The text as it may be shown: without a user and password, without the values of its parameters, without what follows
/// a `#`. Of a URL that is not `file:` or `sqlite:`, the scheme and the host remain.
pub fn redact(input: &str) -> String {
    redact_except(input, &|_| false)
}

/// As [`redact`], but the values of the parameters that `shows` knows are left.
pub(crate) fn redact_except(input: &str, shows: &dyn Fn(&str) -> bool) -> String {
    // A URL in quotes or between blanks is still one.
    let around = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`');
    let (start, end) = (input.len() - input.trim_start_matches(around).len(), input.trim_end_matches(around).len());
    if start >= end {
        return input.to_owned();
    }
    let (before, text, after) = (&input[..start], &input[start..end], &input[end..]);
    let shown = match split_scheme(text) {
        Some((scheme, rest)) if !is_ours(scheme) => foreign(scheme, rest),
        Some(("", rest)) if !rest.starts_with("memory:") && has_credentials(text) => HIDDEN.to_owned(),
        Some((scheme, rest)) => {
            let (head, hash) = rest.split_once('#').map_or((rest, ""), |(head, _)| (head, "#"));
            let hash = if hash.is_empty() { String::new() } else { format!("#{HIDDEN}") };
            let (path, query) = head.split_once('?').map_or((head, None), |(path, query)| (path, Some(query)));
            let path = match path.strip_prefix("//") {
                // A password with a `?` or `#` in it ends the text before its `@`.
                Some(authority) if !authority.contains('@') && has_password(authority) => format!("//{HIDDEN}"),
                Some(authority) if scheme.eq_ignore_ascii_case("file") && is_token(host(authority)) => {
                    format!("//{HIDDEN}{}", &authority[host(authority).len()..])
                }
                Some(authority) => format!("//{}", without_user(authority)),
                None if has_credentials(path) => HIDDEN.to_owned(),
                None => path.to_owned(),
            };
            format!("{scheme}:{path}{}{hash}", shown_query(query, shows))
        }
        None if is_connection_string(text) => HIDDEN.to_owned(),
        None => match text.split_once('?') {
            Some((path, query)) => format!("{path}{}", shown_query(Some(query), shows)),
            None => text.to_owned(),
        },
    };
    format!("{before}{shown}{after}")
}

/// `?key=***&key=value`
fn shown_query(query: Option<&str>, shows: &dyn Fn(&str) -> bool) -> String {
    let Some(query) = query else { return String::new() };
    let shown = |piece: &str| match piece.split_once('=') {
        Some((key, value)) if shows(key) => format!("{key}={value}"),
        Some((key, value)) if !value.is_empty() => format!("{}={HIDDEN}", name(key)),
        // Without a value it may be the rest of one that had an `&` in it.
        None if piece.is_empty() || shows(piece) => piece.to_owned(),
        _ => HIDDEN.to_owned(),
    };
    format!("?{}", query.split('&').map(shown).collect::<Vec<_>>().join("&"))
}

fn foreign(scheme: &str, rest: &str) -> String {
    let host = rest.strip_prefix("//").map(host);
    match host {
        Some(host) if !rest.contains('@') => {
            let rest = if rest.len() == 2 + host.len() { String::new() } else { format!("/{HIDDEN}") };
            format!("{}://{}{rest}", name(scheme), host_name(host))
        }
        _ => format!("{}:{HIDDEN}", name(scheme)),
    }
}

/// What follows a `//`, without a user and password before an `@`.
pub(super) fn without_user(authority: &str) -> String {
    let segment = authority.split('/').next().unwrap_or("");
    // With a colon it may be a password, which may go on over what looks like the end of the host.
    match if segment.contains(':') { authority.rfind('@') } else { segment.rfind('@') } {
        Some(at) => format!("{HIDDEN}{}", &authority[at..]),
        None => authority.to_owned(),
    }
}

/// A key or scheme as it may be shown. Whoever forgets the key writes the secret in its place: of what has a digit in it, which
/// few names have, only those are shown that are known.
pub(crate) fn name(text: &str) -> &str {
    const WITH_DIGITS: [&str; 12] = [
        "sqlite3",
        "sqlite+pysqlite",
        "postgresql+psycopg2",
        "postgresql+pg8000",
        "mysql2",
        "s3",
        "h2",
        "db2",
        "http2",
        "http3",
        "x509",
        "charset_utf8",
    ];
    let is_known = WITH_DIGITS.iter().any(|known| text.eq_ignore_ascii_case(known));
    let is_name = text.len() <= LONGEST_NAME
        && text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b'+'));
    if is_name || is_known { text } else { HIDDEN }
}

/// A host as it may be shown: one that looks like a token may be one.
fn host_name(text: &str) -> &str {
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if is_name && !text.split('.').any(is_token) { text } else { HIDDEN }
}

/// A value that one of our own settings does not take, as it may be shown: what looks like a number or like a word, and
/// is no longer than those are.
pub(crate) fn value(text: &str) -> &str {
    let unit = text.trim_start_matches(['+', '-']).trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.len() <= 24
        && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
        && text.bytes().any(|b| b.is_ascii_digit())
        && unit.len() <= 4
        && unit.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
    let word = text.len() <= 16 && text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_' | b'+'));
    if number || word { text } else { HIDDEN }
}

pub(super) fn is_ours(scheme: &str) -> bool {
    ["file", "sqlite", "sqlite3", ""].iter().any(|ours| scheme.eq_ignore_ascii_case(ours))
}
