//! One request and its answer, each with a deadline; and whether a failure means that nothing was done.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use litekeel_core::{Error, Result, codes};
use serde_json::Value;
use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body, BodyReader, RequestBuilder};

use crate::connector::{Addresses, Together, sending};
use crate::url::Endpoint;
use crate::wire::not_an_answer;

/// Why a request has no answer.
pub(crate) struct Failure {
    pub error: Error,
    /// Nothing of it reached the server, or the server refused it before it ran anything.
    pub nothing_done: bool,
    /// Sending a read once more may help, and does not overstep its deadline.
    pub retryable: bool,
}

/// How far a request came.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    /// No byte of it: nobody can have done it.
    Nothing,
    Something,
}

impl Sent {
    fn of(sent: bool) -> Sent {
        if sent { Sent::Something } else { Sent::Nothing }
    }
}

pub(crate) struct Transport {
    agent: Agent,
    pub(crate) endpoint: Endpoint,
    /// Milliseconds for a request, where that is less than the endpoint's; 0 for no such limit.
    limit: AtomicU64,
}

/// The longest answer that is read: four results of the server's limit of 10 MB, as JSON.
const LONGEST_ANSWER: u64 = 256 << 20;
/// The longest line of an answer that is read by lines: a row.
const LONGEST_LINE: usize = 64 << 20;

/// So much of what a server says instead of an answer is looked at.
const MOST_SAID: usize = 64 << 10;

/// An answer that is read while it comes, line by line.
pub(crate) struct Lines {
    body: BufReader<Patient>,
    line: Vec<u8>,
}

/// An answer's body, until a deadline that may be set anew: the client's own limits are for the whole of it, or for each
/// read, and a server that sends a byte now and then would never reach one of those.
struct Patient {
    body: BodyReader<'static>,
    deadline: Instant,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.deadline {
            return Err(ureq::Error::Timeout(ureq::Timeout::PerRead).into_io());
        }
        self.body.read(buffer)
    }
}

impl Lines {
    /// The next line with its end, which an answer that breaks off does not have; nothing after the last one.
    pub(crate) fn next(&mut self, deadline: Instant) -> io::Result<&[u8]> {
        self.body.get_mut().deadline = deadline;
        self.line.clear();
        // One more than it may have.
        (&mut self.body).take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        if self.line.len() > LONGEST_LINE {
            let text = format!("a row of the answer is longer than {} MiB", LONGEST_LINE >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(&self.line)
    }
}

impl Transport {
    pub(crate) fn new(endpoint: Endpoint) -> Transport {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(endpoint.connect_timeout))
            .timeout_resolve(Some(endpoint.connect_timeout))
            // The environment's proxy would see what a URL with tls=0 sends.
            .proxy(None)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default().chain(Together), Addresses::default());
        Transport { agent, endpoint, limit: AtomicU64::new(0) }
    }

    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit.store(limit.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Ends every request, and refuses later ones. A connection that is being made is not interrupted.
    pub(crate) fn shutdown(&self) {
        self.agent.clone().shutdown();
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout()
    }

    /// How long a call may take.
    fn timeout(&self) -> Duration {
        match self.limit.load(Ordering::Relaxed) {
            0 => self.endpoint.statement_timeout,
            limit => self.endpoint.statement_timeout.min(Duration::from_millis(limit)),
        }
    }

    /// Whether the server may send us on to this base: not from TLS to none.
    pub(crate) fn may_go_to(&self, base: &str) -> bool {
        base.starts_with("https://") || (base.starts_with("http://") && self.endpoint.base.starts_with("http://"))
    }

    /// What is left until a deadline.
    fn left(&self, deadline: Instant) -> Result<Duration, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.unreached(&ureq::Error::Timeout(ureq::Timeout::Global), Sent::Nothing));
        }
        Ok(left)
    }

    /// Sends `body` to `/v3/pipeline` of the base, the server's own unless it has named another.
    pub(crate) fn pipeline(&self, base: Option<&str>, body: &str, deadline: Instant) -> Result<Value, Failure> {
        self.pipeline_up_to(LONGEST_ANSWER, base, body, deadline)
    }

    /// As [`pipeline`](Transport::pipeline), for an answer of so many bytes at most.
    pub(crate) fn pipeline_up_to(
        &self,
        longest: u64,
        base: Option<&str>,
        body: &str,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let left = Some(self.left(deadline)?);
        let request = self.request(base, "/v3/pipeline").config().timeout_global(left).build();
        let mut answer = self.send(request, body, deadline)?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(longest).read_to_string();
        let text = text.map_err(|error| self.unreached(&error, Sent::Something))?;
        if status == 200 {
            return serde_json::from_str(&text).map_err(|error| Failure {
                error: not_an_answer(&error.to_string()),
                nothing_done: false,
                retryable: false,
            });
        }
        Err(self.refused(status, &text))
    }

    fn request(&self, base: Option<&str>, path: &str) -> RequestBuilder<WithBody> {
        let base = base.unwrap_or(&self.endpoint.base).trim_end_matches('/');
        let request = self.agent.post(format!("{base}{path}")).header("content-type", "application/json");
        match &self.endpoint.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.secret())),
            None => request,
        }
    }

    fn send(
        &self,
        request: RequestBuilder<WithBody>,
        body: &str,
        deadline: Instant,
    ) -> Result<Response<Body>, Failure> {
        let (answer, sent) = sending(deadline, || request.send(body));
        answer.map_err(|error| self.unreached(&error, Sent::of(sent)))
    }

    /// As a read is sent: once more where that may help and time is left.
    pub(crate) fn again<T>(
        &self,
        deadline: Instant,
        send: impl Fn(Instant) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match send(deadline) {
            Err(failure) if failure.retryable && Instant::now() < deadline => send(deadline),
            answer => answer,
        }
    }

    /// Sends `body` to `/v3/cursor`, and returns the lines of the answer while they come. The deadline is for the first of
    /// them.
    pub(crate) fn lines(&self, body: &str, deadline: Instant) -> Result<Lines, Failure> {
        let left = Some(self.left(deadline)?.min(self.endpoint.connect_timeout));
        let request = self
            .request(None, "/v3/cursor")
            .config()
            .timeout_resolve(left)
            .timeout_connect(left)
            // No read waits longer for a byte; `Patient` looks at the clock between them.
            .timeout_per_read(Some(self.timeout()))
            .build();
        let answer = self.send(request, body, deadline)?;
        let status = answer.status().as_u16();
        let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut body = Patient { body, deadline };
        if status != 200 {
            let mut said = Vec::new();
            let read = (&mut body).take(LONGEST_ANSWER).read_to_end(&mut said);
            read.map_err(|error| self.unreached(&ureq::Error::from(error), Sent::Something))?;
            return Err(self.refused(status, &String::from_utf8_lossy(&said)));
        }
        Ok(Lines { body: BufReader::with_capacity(64 << 10, body), line: Vec::new() })
    }

    /// What `/version` says, and the date of the answer. Hosted servers may have no such page: what they answer has a date.
    pub(crate) fn version(&self) -> Result<(Option<String>, Option<String>), Failure> {
        let page = format!("{}/version", self.endpoint.base);
        let request = self.agent.get(page).config().timeout_global(Some(self.timeout())).build();
        let (answer, sent) = sending(self.deadline(), || request.call());
        let mut answer = answer.map_err(|error| self.unreached(&error, Sent::of(sent)))?;
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let is_well = answer.status().as_u16() == 200;
        let text = answer.body_mut().with_config().limit(4096).read_to_string().ok();
        Ok((text.filter(|text| is_well && text.starts_with("sqld")), date))
    }

    /// For an answer that ended before its end.
    pub(crate) fn broken(&self, error: std::io::Error) -> Error {
        self.unreached(&ureq::Error::from(error), Sent::Something).error
    }

    fn unreached(&self, error: &ureq::Error, sent: Sent) -> Failure {
        let endpoint = &self.endpoint;
        let unsent = sent == Sent::Nothing;
        let refused = matches!(error, ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
        let unconnected = matches!(
            error,
            ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
        );
        let within = |time: Duration| format!("within {} ms", time.as_millis());
        let why = match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                format!("it could not be reached {}", within(endpoint.connect_timeout.min(self.timeout())))
            }
            ureq::Error::Timeout(_) if unsent => format!("it could not be reached {}", within(self.timeout())),
            ureq::Error::Timeout(_) => format!("it did not answer {}", within(self.timeout())),
            other => self.hide(&other.to_string()),
        };
        let hint = if endpoint.is_loopback() && endpoint.tls_by_default && !refused {
            "libsql: means TLS; a server on this machine often has none: add ?tls=0"
        } else if refused || unconnected || (unsent && matches!(error, ureq::Error::Timeout(_))) {
            "is the server running, and are host and port right? Nothing was sent"
        } else if unsent && endpoint.base.starts_with("https:") {
            "is the host's name the one of its certificate, and does the server speak TLS? Nothing was sent"
        } else if unsent {
            "see what the server and the network do. Nothing was sent"
        } else {
            "see what the server and the network do; statement_timeout= sets how long is waited"
        };
        Failure {
            error: Error::new(codes::REMOTE, format!("{}: {why}", endpoint.base)).with_hint(hint),
            nothing_done: unsent,
            retryable: !matches!(error, ureq::Error::Timeout(_)),
        }
    }

    /// The three forms: plain text, `{"message", "code"}`, `{"error"}`.
    fn refused(&self, status: u16, text: &str) -> Failure {
        let json: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let said = json["message"].as_str().or(json["error"].as_str());
        let said: String = said.unwrap_or(text).trim().chars().take(MOST_SAID).collect();
        let said: String = self.hide(&said).chars().take(500).collect();
        let has_token = self.endpoint.token.is_some();
        let expired = json["code"].as_str() == Some("STREAM_EXPIRED") || (status == 400 && said.contains("baton"));
        let (code, hint) = match status {
            _ if expired => (codes::TRANSACTION_EXPIRED, ""),
            401 if said.contains("expired") => (codes::REMOTE, "the token has expired: get a new one"),
            401 if has_token => {
                (codes::REMOTE, "the token is not one of this server's: check authToken= and LIBSQL_AUTH_TOKEN")
            }
            401 => (codes::REMOTE, "the server wants a token: set authToken= or LIBSQL_AUTH_TOKEN"),
            403 => (codes::REMOTE, "the token does not allow this: it may be for reading only"),
            404 if has_token => (codes::REMOTE, "there is no such database here, or the token is for another one"),
            404 => (codes::REMOTE, "there is no such database here: the host's name names it"),
            429 => (
                codes::REMOTE,
                "nothing was done: too many connections are open at the server, or too much is asked of it; try again later, \
                 close cursors, or raise its limit (sqld: --max-concurrent-connections, 128 by default)",
            ),
            _ => (codes::REMOTE, "see the server's log"),
        };
        let mut error = Error::new(code, format!("{}: HTTP {status}: {said}", self.endpoint.base));
        if !hint.is_empty() {
            error = error.with_hint(hint);
        }
        // A 5xx may come after statements that were committed; so may a 400 that names a later request of a pipeline, but
        // ours have one statement or batch, and what is refused as a text is refused before it.
        Failure {
            error,
            nothing_done: matches!(status, 400 | 401 | 403 | 404 | 413 | 429),
            retryable: matches!(status, 502..=504),
        }
    }

    fn hide(&self, text: &str) -> String {
        self.endpoint.token.as_ref().map_or_else(|| text.to_owned(), |token| token.hide(text))
    }

    /// A server's text as it may be shown.
    pub(crate) fn shown(&self, error: Error) -> Error {
        let text = self.hide(error.message());
        if text == error.message() { error } else { Error::new(error.code(), text).with_hint(error.hint()) }
    }
}
