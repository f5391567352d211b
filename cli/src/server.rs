//! `litekeel url` and `litekeel doctor` for the database of a libSQL server. The token is in no output.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use litekeel_core::Result;
use litekeel_core::{Hazard, HazardLevel};
use litekeel_remote::{Endpoint, Remote};
use serde::Serialize;

use crate::output::{self, say};
use crate::terminal::{Terminal, Tone};

/// A URL that names a server.
pub struct Server {
    endpoint: Endpoint,
    /// `argument` or `env`.
    source: &'static str,
    /// Where the token comes from.
    token: &'static str,
}

#[derive(Serialize)]
struct Understood {
    url: String,
    source: &'static str,
    server: String,
    tls: bool,
    /// `url`, `LIBSQL_AUTH_TOKEN` or `none`.
    token: &'static str,
    mode: &'static str,
    connect_timeout_ms: u128,
    statement_timeout_ms: u128,
}

/// So far may clocks be apart before it is worth a word: tokens end by the server's.
const CLOCKS: i64 = 30;
/// A token that ends so soon is worth a word.
const SOON: i64 = 24 * 3600;
/// A statement that takes longer keeps a synchronous program waiting noticeably.
const SLOW: Duration = Duration::from_millis(50);

impl Server {
    /// The server that the URL, or else DATABASE_URL, names; none for a file.
    pub fn of(url: Option<&str>) -> Result<Option<Server>> {
        let environment = std::env::var("DATABASE_URL").ok();
        let (url, source) = match (url, environment.as_deref()) {
            (Some(url), _) => (url, "argument"),
            (None, Some(url)) => (url, "env"),
            (None, None) => return Ok(None),
        };
        if !Remote::is_named_by(url) {
            return Ok(None);
        }
        let own = Endpoint::parse(url, None)?;
        let (in_url, endpoint) = (own.token.is_some(), Endpoint::parse(url, std::env::var("LIBSQL_AUTH_TOKEN").ok())?);
        let token = match (in_url, &endpoint.token) {
            (true, _) => "url",
            (false, Some(_)) => "LIBSQL_AUTH_TOKEN",
            (false, None) => "none",
        };
        Ok(Some(Server { endpoint, source, token }))
    }

    /// Without the token.
    pub fn shown(&self) -> String {
        self.endpoint.base.clone()
    }

    fn has_tls(&self) -> bool {
        self.endpoint.base.starts_with("https:")
    }

    /// Prints how it is understood.
    pub fn explain(&self, json: bool, out: Terminal) {
        let understood = Understood {
            url: self.shown(),
            source: self.source,
            server: self.endpoint.host.clone(),
            tls: self.has_tls(),
            token: self.token,
            mode: if self.endpoint.read_only { "ro" } else { "rw" },
            connect_timeout_ms: self.endpoint.connect_timeout.as_millis(),
            statement_timeout_ms: self.endpoint.statement_timeout.as_millis(),
        };
        if json {
            output::json(&understood);
            return;
        }
        let label = |text: &str| out.paint(Tone::Faint, format!("{text:18}"));
        say!("{} {} {}", label("url"), understood.url, out.paint(Tone::Faint, format!("({})", understood.source)));
        say!("{} {}, a libSQL server", label("server"), understood.server);
        say!("{} {}", label("tls"), if understood.tls { "yes" } else { "no" });
        say!(
            "{} {}",
            label("token"),
            match understood.token {
                "url" => "authToken of the URL",
                "none" => "none",
                other => other,
            }
        );
        say!("{} {}", label("mode"), understood.mode);
        say!("{} {} ms", label("connect_timeout"), understood.connect_timeout_ms);
        say!("{} {} ms", label("statement_timeout"), understood.statement_timeout_ms);
    }

    /// What can be told of it without reading or writing anything of the database.
    pub fn findings(&self) -> Vec<Hazard> {
        let mut found = vec![self.tls()];
        let remote = Remote::at(self.endpoint.clone());
        match remote.greet() {
            Ok(greeting) => {
                let version = greeting.version.as_deref().unwrap_or("a version that it does not tell");
                found.push(Hazard::new("server", HazardLevel::Fine, format!("it answers: {version}"), ""));
                found.extend(greeting.clock.map(clock));
            }
            Err(error) => {
                found.push(Hazard::new("server", HazardLevel::Problem, error.message(), error.hint()));
                return found;
            }
        }
        let asked: Result<Vec<Duration>> = (0..5)
            .map(|_| {
                let began = Instant::now();
                remote.query("SELECT 1", None).map(|_| began.elapsed())
            })
            .collect();
        match asked {
            Ok(mut times) => {
                found.push(self.token(true));
                times.sort();
                found.push(latency(times[times.len() / 2]));
            }
            Err(error) => {
                found.push(self.token(false));
                found.push(Hazard::new("statement", HazardLevel::Problem, error.message(), error.hint()));
            }
        }
        found
    }

    fn tls(&self) -> Hazard {
        if self.has_tls() {
            return Hazard::new("tls", HazardLevel::Fine, "what is sent is encrypted", "");
        }
        if self.endpoint.is_loopback() {
            return Hazard::new("tls", HazardLevel::Note, "none, to this machine itself", "");
        }
        let text = "none: the token and the data are sent in the clear";
        Hazard::new("tls", HazardLevel::Warning, text, "write libsql:// without tls=0, or https://")
    }

    /// What the token says of itself, and whether the server has taken it.
    fn token(&self, taken: bool) -> Hazard {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let left = self.endpoint.token.as_ref().and_then(|token| token.expires()).map(|end| end - now);
        let from = if self.token == "url" { "authToken" } else { self.token };
        match (self.token, left) {
            (_, Some(left)) if left <= 0 => {
                let text = format!("the one of {from} has ended {} ago", span(-left));
                let level = if taken { HazardLevel::Warning } else { HazardLevel::Problem };
                Hazard::new("token", level, text, "get a new one")
            }
            (_, Some(left)) if left < SOON => {
                let text = format!("the one of {from} ends in {}", span(left));
                Hazard::new("token", HazardLevel::Warning, text, "get a new one in time")
            }
            ("none", _) if taken => Hazard::new("token", HazardLevel::Note, "none, and none is needed", ""),
            ("none", _) => {
                Hazard::new("token", HazardLevel::Note, "none was given", "set authToken= or LIBSQL_AUTH_TOKEN")
            }
            (_, Some(left)) => {
                Hazard::new("token", HazardLevel::Fine, format!("the one of {from} ends in {}", span(left)), "")
            }
            _ if taken => Hazard::new("token", HazardLevel::Fine, format!("the one of {from} is taken"), ""),
            _ => Hazard::new("token", HazardLevel::Note, format!("the one of {from} was sent"), ""),
        }
    }
}

fn clock(ahead: i64) -> Hazard {
    if ahead.abs() < CLOCKS {
        return Hazard::new("clock", HazardLevel::Fine, "the server's agrees with this machine's", "");
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!("the server's is {} {way} this machine's", span(ahead.abs()));
    Hazard::new("clock", HazardLevel::Warning, text, "set both by NTP: tokens end by the server's")
}

fn latency(time: Duration) -> Hazard {
    let text = format!("a statement takes {:.1} ms", time.as_secs_f64() * 1000.0);
    if time < SLOW {
        return Hazard::new("latency", HazardLevel::Fine, text, "");
    }
    Hazard::new("latency", HazardLevel::Warning, text, "send statements together, or use the asynchronous calls")
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
