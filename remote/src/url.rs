//! A server's URL → where it is, who asks, and for how long.

use std::borrow::Cow;
use std::time::Duration;

use litekeel_core::{Error, Result, codes};
use litekeel_core::{SETTINGS, milliseconds};

use crate::token::Token;

/// Where a server is, and for how long it is waited for.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://host:port`, without a path.
    pub base: String,
    /// The host, without its port.
    pub host: String,
    /// Written as `libsql:`, which means TLS unless `tls=0` stands in it.
    pub tls_by_default: bool,
    /// The token of `authToken=` or `LIBSQL_AUTH_TOKEN`.
    pub token: Option<Token>,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For a whole request and its answer.
    pub statement_timeout: Duration,
    /// `mode=ro`: nothing is written by way of it.
    pub read_only: bool,
}

fn invalid(text: impl Into<String>, hint: &str) -> Error {
    Error::new(codes::INVALID_VALUE, text).with_hint(hint)
}

fn duration(key: &str, value: &str) -> Result<Duration> {
    match milliseconds(value) {
        Some(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        _ => Err(invalid(
            format!("{key} of the database URL is not a time between 1 ms and a day"),
            "write 500, 500ms or 2s",
        )),
    }
}

fn decode(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// What follows the server's name.
struct Parameters {
    tls: Option<bool>,
    token: Option<String>,
    connect_timeout: Duration,
    statement_timeout: Duration,
    read_only: bool,
}

impl Parameters {
    fn set(&mut self, key: &str, value: String) -> Result<()> {
        match (key, value.as_str()) {
            ("tls", "0" | "1") => self.tls = Some(value == "1"),
            ("tls", _) => {
                return Err(invalid("tls of the database URL is neither 0 nor 1", "write tls=0 or tls=1"));
            }
            ("authToken", "") => {
                return Err(invalid("authToken of the database URL is empty", "write authToken=TOKEN"));
            }
            ("authToken", _) => self.token = Some(value),
            ("connect_timeout", _) => self.connect_timeout = duration("connect_timeout", &value)?,
            ("statement_timeout", _) => self.statement_timeout = duration("statement_timeout", &value)?,
            ("mode", "ro" | "rw" | "rwc") => self.read_only = value == "ro",
            ("mode", _) => {
                return Err(invalid(
                    "mode of the database URL is none of ro, rw and rwc",
                    "write mode=ro to read only",
                ));
            }
            _ if SETTINGS.iter().any(|row| row.key == key) => {
                return Err(Error::new(codes::CONFLICT, format!("{key} is not applicable to a remote database"))
                    .with_hint("remove it: the server has its own settings"));
            }
            _ => {
                return Err(Error::new(codes::UNKNOWN_PARAM, "the database URL has a parameter that is unknown here")
                    .with_hint("tls, authToken, connect_timeout, statement_timeout and mode are known"));
            }
        }
        Ok(())
    }
}

impl Endpoint {
    /// Takes `libsql://host[:port]?tls=0|1&connect_timeout=2s&statement_timeout=30s&authToken=…` apart; `http:` and `https:`
    /// likewise. `env_token` is what the environment's `LIBSQL_AUTH_TOKEN` has; the URL's comes first.
    ///
    /// # Errors
    /// The configuration codes. No value of the URL is in their texts: it may be the token.
    pub fn parse(url: &str, env_token: Option<String>) -> Result<Endpoint> {
        Endpoint::with(url, env_token, &[])
    }

    /// As [`parse`](Endpoint::parse), with options that come before what the URL says: pairs of a parameter's name, or
    /// `auth_token`, and its value.
    ///
    /// # Errors
    /// As there.
    pub fn with(url: &str, env_token: Option<String>, options: &[(String, String)]) -> Result<Endpoint> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "libsql" | "http" | "https") || url.len() > 1 << 16 {
            return Err(Error::new(codes::UNSUPPORTED_SCHEME, "this is not the URL of a libSQL server")
                .with_hint("write libsql://host, https://host or http://host:port"));
        }
        if url.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return Err(Error::new(
                codes::CONTROL_CHARACTER,
                "the database URL has a blank or control character in it",
            ));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.strip_suffix('/').unwrap_or(place);
        if authority.contains('@') {
            return Err(Error::new(
                codes::INVALID_AUTHORITY,
                "the database URL has a user or password before its host",
            )
            .with_hint("pass the token as authToken= or in LIBSQL_AUTH_TOKEN"));
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, after)) => (&authority[..host.len() + 2], after.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(named) || query.contains('#') || authority.contains('#') {
            return Err(Error::new(
                codes::INVALID_AUTHORITY,
                "the database URL does not name a server and nothing else",
            )
            .with_hint("write libsql://host[:port]; a database is named by its host"));
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err(Error::new(codes::INVALID_AUTHORITY, "the port in the database URL is not valid")
                .with_hint("a port is a number from 1 to 65535"));
        }
        let mut parameters = Parameters {
            tls: None,
            token: env_token.filter(|token| !token.is_empty()),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            read_only: false,
        };
        let mut seen: Vec<String> = Vec::new();
        for piece in query.split('&').filter(|piece| !piece.is_empty()) {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (Some(key), Some(value)) = (decode(key), decode(value)) else {
                return Err(Error::new(
                    codes::INVALID_UTF8,
                    "a parameter of the database URL is not UTF-8 once decoded",
                ));
            };
            parameters.set(&key, value)?;
            if seen.contains(&key) {
                return Err(Error::new(codes::DUPLICATE_PARAM, format!("{key} is given twice in the database URL")));
            }
            seen.push(key);
        }
        for (key, value) in options {
            parameters.set(if key == "auth_token" { "authToken" } else { key }, value.clone())?;
        }
        let Parameters { tls, token, connect_timeout, statement_timeout, read_only } = parameters;
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(invalid(
                "the token has a character that no token has",
                "is there a blank or a line end in it?",
            ));
        }
        if tls.is_some_and(|tls| (scheme == "http" && tls) || (scheme == "https" && !tls)) {
            return Err(Error::new(
                codes::CONFLICT,
                format!("{scheme}: and tls= of the database URL exclude each other"),
            ));
        }
        let secure = scheme == "https" || (scheme == "libsql" && tls.unwrap_or(true));
        Ok(Endpoint {
            base: format!("{}://{authority}", if secure { "https" } else { "http" }),
            host: host.trim_matches(['[', ']']).to_owned(),
            tls_by_default: scheme == "libsql" && tls.is_none(),
            token: token.map(Token::new),
            connect_timeout,
            statement_timeout,
            read_only,
        })
    }

    /// Whether the host is this machine itself.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "ca.na-ry_0123456789";

    #[test]
    fn a_url_is_understood() {
        let url = format!("libsql://db.example.org?authToken={CANARY}&connect_timeout=2s&statement_timeout=500");
        let endpoint = Endpoint::parse(&url, Some("other".into())).unwrap();
        assert_eq!(endpoint.base, "https://db.example.org");
        assert_eq!((endpoint.connect_timeout.as_millis(), endpoint.statement_timeout.as_millis()), (2000, 500));
        assert_eq!(endpoint.token.as_ref().unwrap().secret(), CANARY);
        assert!(!format!("{endpoint:?}").contains(CANARY));
        let local = Endpoint::parse("libsql://[::1]:8080/?tls=0", None).unwrap();
        assert_eq!(
            (local.base.as_str(), local.is_loopback(), local.tls_by_default),
            ("http://[::1]:8080", true, false)
        );
        assert!(!Endpoint::parse("http://127.example.org", None).unwrap().is_loopback());
    }

    #[test]
    fn what_is_refused_shows_no_value() {
        for (url, code) in [
            (format!("ftp://host?authToken={CANARY}"), codes::UNSUPPORTED_SCHEME),
            (format!("libsql://{CANARY}@host"), codes::INVALID_AUTHORITY),
            (format!("libsql://host/{CANARY}"), codes::INVALID_AUTHORITY),
            (format!("libsql://host:{CANARY}"), codes::INVALID_AUTHORITY),
            (format!("libsql://host?{CANARY}=1"), codes::UNKNOWN_PARAM),
            (format!("libsql://host?tls={CANARY}"), codes::INVALID_VALUE),
            (format!("libsql://host?connect_timeout={CANARY}"), codes::INVALID_VALUE),
            (format!("libsql://host?statement_timeout=0&authToken={CANARY}"), codes::INVALID_VALUE),
            // As the settings of a file.
            (format!("libsql://host?statement_timeout=1m&authToken={CANARY}"), codes::INVALID_VALUE),
            (format!("libsql://host?connect_timeout=1min&authToken={CANARY}"), codes::INVALID_VALUE),
            (format!("libsql://host?connect_timeout=-1s&authToken={CANARY}"), codes::INVALID_VALUE),
            (format!("libsql://host?authToken={CANARY}%0A"), codes::INVALID_VALUE),
            (format!("libsql://host?authToken={CANARY}&authToken={CANARY}"), codes::DUPLICATE_PARAM),
            (format!("http://host?tls=1&authToken={CANARY}"), codes::CONFLICT),
            (format!("libsql://host?busy_timeout=2s&authToken={CANARY}"), codes::CONFLICT),
        ] {
            let error = Endpoint::parse(&url, None).unwrap_err();
            assert_eq!(error.code(), code, "{error:?}");
            assert!(!format!("{error:?} {error}").contains(CANARY), "{error:?}");
        }
    }
}
