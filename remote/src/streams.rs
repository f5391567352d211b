//! Streams: what the server keeps for a transaction or a cursor, and how it is told that one is over.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use litekeel_core::{Error, Result, codes};
use serde_json::Value;

use crate::transport::Transport;

/// The last request of a stream.
pub(crate) const CLOSE: &str = r#"{"type":"close"}"#;

/// How long anybody waits for a stream to be over at the server, which forgets one by itself after ten seconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many wait at most to be told of: more come only where the server does not answer.
const MOST_ENDING: usize = 64;

/// A stream of the server's: what names it in the next request, and where that goes.
#[derive(Clone)]
pub(crate) struct Stream {
    pub baton: String,
    pub base: Option<String>,
}

/// The way to the server, and the streams that are over and that it has not been told of.
pub(crate) struct Streams {
    pub transport: Transport,
    /// A forked child has copies of the sockets: what it sends on them would mix with what the parent sends.
    process: u32,
    ending: Mutex<Ending>,
}

#[derive(Default)]
struct Ending {
    streams: VecDeque<Stream>,
    /// A thread is telling the server.
    told: bool,
}

impl Streams {
    pub(crate) fn new(transport: Transport) -> Streams {
        Streams { transport, process: std::process::id(), ending: Mutex::default() }
    }

    /// `KEEL_FORKED` in a child of the process that opened the connection.
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::new(codes::FORKED, "this connection was opened by the process that forked this one"))
    }

    /// The baton and the place that an answer names; none where the token would go there in the clear.
    pub(crate) fn of(&self, answer: &Value) -> Option<Stream> {
        let baton = answer["baton"].as_str()?.to_owned();
        let base = answer["base_url"].as_str().map(str::to_owned);
        if base.as_ref().is_some_and(|base| !self.transport.may_go_to(base)) {
            return None;
        }
        Some(Stream { baton, base })
    }

    /// Tells the server that a stream is over, and waits a little for it to have heard.
    pub(crate) fn end(&self, stream: Stream) {
        if self.check_process().is_err() {
            return;
        }
        let baton = serde_json::to_string(&stream.baton).unwrap_or_default();
        let body = format!(r#"{{"baton":{baton},"requests":[{CLOSE}]}}"#);
        let _ = self.transport.pipeline(stream.base.as_deref(), &body, Instant::now() + PATIENCE);
    }

    /// As [`end`](Streams::end), from a thread: nobody waits.
    pub(crate) fn end_later(self: &Arc<Self>, stream: Option<Stream>) {
        let Some(stream) = stream else { return };
        // Before the lock: another thread of the parent may have held that at the fork.
        if self.check_process().is_err() {
            return;
        }
        let mut ending = self.ending();
        if ending.streams.len() < MOST_ENDING {
            ending.streams.push_back(stream);
        }
        if !ending.told {
            let streams = self.clone();
            let thread = std::thread::Builder::new().name("litekeel-remote".into());
            // Without a thread it ends when another one does, or the server forgets it.
            ending.told = thread.spawn(move || streams.tell()).is_ok();
        }
    }

    fn tell(&self) {
        loop {
            let mut ending = self.ending();
            let Some(stream) = ending.streams.pop_front() else {
                ending.told = false;
                return;
            };
            drop(ending);
            let began = Instant::now();
            self.end(stream);
            if began.elapsed() >= PATIENCE {
                // It does not answer, and forgets the others by itself.
                self.ending().streams.clear();
            }
        }
    }

    fn ending(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Endpoint;

    /// The token goes with each request.
    #[test]
    fn a_transaction_does_not_move_from_tls_to_a_place_without() {
        let at = |url| Streams::new(Transport::new(Endpoint::parse(url, None).unwrap()));
        let named = |base: &str| serde_json::json!({"baton": "b", "base_url": base});
        for (url, base, goes) in [
            ("libsql://db.example.org", "http://db.example.org", false),
            ("https://db.example.org", "HTTP://db.example.org", false),
            ("https://db.example.org", "//other.example.org", false),
            ("https://db.example.org", "https://other.example.org", true),
            ("http://db.example.org", "http://other.example.org", true),
            ("http://db.example.org", "https://other.example.org", true),
        ] {
            assert_eq!(at(url).of(&named(base)).is_some(), goes, "{url} to {base}");
        }
        let stays = serde_json::json!({"baton": "b", "base_url": null});
        assert!(at("libsql://db.example.org").of(&stays).is_some());
    }
}
