//! What a text looks like: a scheme, a host, a user and password, another library's connection string.

/// `scheme:rest`; nothing where what stands before the colon is no scheme.
pub(super) fn split_scheme(input: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = input.split_once(':')?;
    let valid = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    // One letter before a colon is a drive, not a scheme.
    (valid && scheme.len() != 1).then_some((scheme, rest))
}

/// The first `${NAME}` or `$NAME/` of the text.
pub(super) fn unexpanded_variable(input: &str) -> Option<&str> {
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
pub(super) fn is_connection_string(input: &str) -> bool {
    let key = input.split_once('=').map(|(key, _)| key.trim().to_ascii_lowercase());
    key.is_some_and(|key| CONNECTION_STRING.contains(&key.as_str())) || input.contains("://") || has_credentials(input)
}

/// What holds a secret in other libraries' connection strings; in the middle of a file's name nobody writes them.
const SECRETS: &[&str] = &["passwd", "pass", "secret", "token", "authtoken", "auth_token", "key", "hexkey"];

/// Whether a path is rather `user:password@host/name` (Go's MySQL driver among others), with or without the user, or
/// `a.db;Password=…`. Of a path that begins with `/` or `./` only the latter is asked.
pub(super) fn has_credentials(path: &str) -> bool {
    let authority = path.strip_prefix("//").unwrap_or(path);
    let colon = authority.split('/').next().and_then(|first| first.find(':'));
    let user = colon.is_some_and(|colon| authority[colon..].contains('@'))
        || authority.split_once('@').is_some_and(|(user, _)| is_token(user));
    let key = |piece: &str| piece.split_once('=').map(|(key, _)| key.trim().to_ascii_lowercase());
    let secret = |key: String| CONNECTION_STRING.contains(&key.as_str()) || SECRETS.contains(&key.as_str());
    user || path.split([';', '&']).skip(1).filter_map(key).any(secret)
}

/// Whether a text looks like what a machine has made up: long, letters and digits without an order.
pub(crate) fn is_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let turn = |pair: &&[u8]| {
        pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit()
            || pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()
    };
    bytes.len() >= 16 && !bytes.contains(&b'/') && bytes.windows(2).filter(turn).count() >= 4
}

/// The host at the start of an authority, without a port.
pub(super) fn host(authority: &str) -> &str {
    let end = authority.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    &authority[..end.unwrap_or(authority.len())]
}

/// Whether the authority may be a user and a password whose `@` was cut off: a host's colon is followed by a number.
pub(super) fn has_password(authority: &str) -> bool {
    let segment = authority.split('/').next().unwrap_or("");
    segment != ":memory:"
        && segment.split_once(':').is_some_and(|(_, port)| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()))
}
