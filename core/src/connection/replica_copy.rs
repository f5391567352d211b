//! Where a copy is that follows a replica, and waiting until it has a position.

use std::path::Path;
use std::time::{Duration, Instant};

use super::errors;
use crate::connection::Connection;
use crate::error::{Error, FailedStep, Result};
use crate::lifecycle::shutdown_state;
use crate::platform::litestream::copy_position;
use crate::replication::barrier::Token;
use crate::settings::{SettingId, words};
use crate::waiting::deadline;

/// How often it is looked whether the copy has got further.
const LOOK: Duration = Duration::from_millis(10);
/// `Instant` can add so much everywhere.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Connection {
    /// The position that the copy has, of a connection with `role=follower`: every read that begins after this call sees all
    /// that was committed at the primary up to it, and perhaps more.
    ///
    /// # Errors
    /// `KEEL_CONFLICT` for another connection; `KEEL_BEHIND` when there is no note of it any more; `KEEL_CLOSED`.
    pub fn position(&self) -> Result<Token> {
        let path = self.copy()?;
        copy_position(path).map(Token::new).ok_or_else(|| errors::without_note(path))
    }

    /// Waits until the copy has everything that was committed at the primary up to `position`, which the primary's
    /// [`replicated`](Connection::replicated) gave: the reads that begin after this call see it. `None` waits for
    /// `replication_timeout`. It blocks; other threads can use the connection meanwhile.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use litekeel_core::{Connection, Options, Token};
    ///
    /// # fn main() -> litekeel_core::Result<()> {
    /// # let from_the_primary = "000000000000001a";
    /// let copy = Connection::open(Some("file:/srv/copy.db?role=follower"), &Options::new())?;
    /// copy.wait_for(from_the_primary.parse()?, Some(Duration::from_secs(5)))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `KEEL_BEHIND`, whose [`step`](Error::step) says why: `timeout`, or `cancelled` (the connection was closed meanwhile, the
    /// process is shutting down, the time of the call is up); else as [`position`](Connection::position).
    pub fn wait_for(&self, position: Token, timeout: Option<Duration>) -> Result<Token> {
        self.copy()?;
        let most = self.settings().and_then(|settings| settings.int(SettingId::ReplicationTimeout)).unwrap_or(10_000);
        let timeout = timeout.unwrap_or(Duration::from_millis(most.max(0) as u64)).min(LONGEST);
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(has) = self.has_reached(position)? {
                return Ok(has);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match () {
                () if shutdown_state::has_begun() => {
                    return Err(self.cancelled(position, "the process is shutting down"));
                }
                () if deadline::gives_up() => {
                    return Err(self.cancelled(position, "the time of the call is up, or its thread is ending"));
                }
                () if left.is_zero() => return Err(self.behind(position, timeout)),
                () => std::thread::sleep(left.min(LOOK)),
            }
        }
    }

    /// One look of [`wait_for`](Connection::wait_for), for who waits in another way: the position that the copy has, if it is
    /// that one or a later one.
    ///
    /// # Errors
    /// As [`position`](Connection::position).
    pub fn has_reached(&self, position: Token) -> Result<Option<Token>> {
        let has = self.position()?;
        Ok((has >= position).then_some(has))
    }

    /// The error of [`wait_for`](Connection::wait_for), for who has waited so long in another way.
    pub fn behind(&self, position: Token, waited: Duration) -> Error {
        self.not_reached(
            FailedStep::Timeout,
            position,
            &format!("it has not got further within {} ms", waited.as_millis()),
        )
    }

    fn cancelled(&self, position: Token, why: &str) -> Error {
        self.not_reached(FailedStep::Cancelled, position, why)
    }

    fn not_reached(&self, step: FailedStep, position: Token, why: &str) -> Error {
        let path = self.path().unwrap_or(Path::new(""));
        errors::not_reached(path, step, copy_position(path).map(Token::new), position, why)
    }

    fn copy(&self) -> Result<&Path> {
        if self.is_closed() {
            return Err(errors::closed_copy());
        }
        let follows = self.settings().is_some_and(|settings| settings.role() == Some(words::Role::Follower));
        self.path().filter(|_| follows).ok_or_else(errors::not_a_follower)
    }
}
