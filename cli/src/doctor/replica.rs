//! Whether Litestream copies what is committed, and how far it is.

use std::time::{Duration, Instant};

use litekeel_core::codes;
use litekeel_core::words;
use litekeel_core::{Hazard, HazardLevel};
use litekeel_core::{LitestreamTask, litestream_copy_is_whole, litestream_copy_position, litestream_task};
use litekeel_core::{openers, replica_status, wait_for_replica};

use crate::database::Database;
use crate::interrupt;
use crate::replica::{self as litestream, Sign};
use crate::terminal::time;
use crate::who::Presence;

/// Litestream looks once a second, and its replica may be across a network.
const PATIENCE: Duration = Duration::from_secs(5);

/// Of a copy that Litestream keeps: whether it is whole, and whether anybody keeps it now.
fn copy(database: &Database) -> Option<Hazard> {
    let position = litestream_copy_position(&database.path)?;
    let follows = openers(&database.path)
        .into_iter()
        .find(|user| litestream_task(&user.command) == Some(LitestreamTask::Follows));
    // What is being written is whole again within moments.
    let is_whole = || litestream_copy_is_whole(&database.path) != Some(false);
    let whole = is_whole() || (0..20).any(|_| interrupt::sleep(Duration::from_millis(50)) && is_whole());
    let at = format!("the copy is at position {position:016x}");
    Some(match (follows, whole) {
        (Some(user), true) => {
            Hazard::new("replica", HazardLevel::Fine, format!("{at}, and Litestream follows (pid {})", user.pid), "")
        }
        (Some(user), false) => Hazard::new(
            "replica",
            HazardLevel::Warning,
            format!(
                "{at} or further: Litestream (pid {}) has not noted what it has written since, or the clock was set back",
                user.pid
            ),
            "see its log; the next commit at the primary settles it",
        ),
        (None, true) => Hazard::new(
            "replica",
            HazardLevel::Warning,
            format!("{at}, and no Litestream follows, as far as this user may see: it stays as it is"),
            "start litestream restore -f again; if it says that it cannot resume, remove the copy and its -txid first",
        ),
        (None, false) => Hazard::new(
            "replica",
            HazardLevel::Problem,
            "Litestream was ended in the middle of what it writes into this copy: it has half of a change",
            "start litestream restore -f again, which finishes it; if it says that it cannot resume, remove the copy and its -txid \
             first",
        ),
    })
}

/// `None` for a database that shows no sign of Litestream.
pub fn finding(database: &Database, presence: Option<&Presence>) -> Option<Hazard> {
    if database.resolved.settings.role() == Some(words::Role::Follower) {
        return copy(database);
    }
    let sign = litestream::sign(database, presence.map_or(&[], |presence| &presence.users))?;
    let socket = litestream::socket(database);
    let finding = |level, text: String, remedy: &str| Some(Hazard::new("replica", level, text, remedy));
    let began = Instant::now();
    let error = match wait_for_replica(&database.path, &socket, PATIENCE, &|| {
        interrupt::asked().then_some("interrupted")
    }) {
        Ok(token) => {
            let who = replica_status(&database.path, &socket, PATIENCE).ok().flatten();
            let who = who.map_or("Litestream".to_owned(), |it| format!("Litestream {} (pid {})", it.version, it.pid));
            let text = format!(
                "everything that is committed is at the replica (position {token}); {who} confirmed it in {}",
                time(began.elapsed())
            );
            return finding(HazardLevel::Fine, text, "");
        }
        Err(error) => error,
    };
    debug_assert_eq!(error.code(), codes::NOT_REPLICATED);
    let why =
        error.message().strip_prefix("committed here, but not confirmed at the replica: ").unwrap_or(error.message());
    // Nobody to ask: is it there at all?
    if matches!(error.step(), Some("daemon_gone" | "protocol" | "not_this_database")) {
        return match sign {
            Sign::Process(pid) => finding(
                HazardLevel::Note,
                format!("Litestream has it open (pid {pid}); how far its replica is cannot be asked: {why}"),
                "let it listen (socket: {enabled: true, path: …}), and name the socket with replication_socket",
            ),
            Sign::Unseen => finding(
                HazardLevel::Note,
                format!(
                    "somebody outside this PID namespace has it open, perhaps Litestream; how far its replica is cannot be asked: {why}"
                ),
                "share its socket with this container, and name it with replication_socket",
            ),
            Sign::Directory | Sign::Settings => finding(
                HazardLevel::Warning,
                format!(
                    "no Litestream replicates this database now, as far as this user may see: what is committed stays on this disk alone ({why})"
                ),
                "start Litestream; if it is not used any more, remove its directory beside the database, and replication=litestream from the URL",
            ),
        };
    }
    let level = if error.step() == Some("timeout") { HazardLevel::Warning } else { HazardLevel::Problem };
    finding(level, format!("what is committed is not all at the replica: {why}"), error.hint())
}
