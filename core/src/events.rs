//! What happens to a connection while it works: told to whoever subscribed, on the thread that caused it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::platform::fork::ForkMutex;
use crate::platform::standard_error;
use crate::platform::threads::this_thread;

/// A value of an event's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventValue {
    /// A number; its unit is in the field's name (`waited_ms`, `bytes`).
    Int(i64),
    /// Text.
    Text(String),
}

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName { $($(#[$doc])* $variant,)* }

        impl EventName {
            /// Every event, in the order of docs/events.md.
            pub const ALL: &'static [EventName] = &[$(EventName::$variant,)*];

            /// As hosts subscribe to it.
            pub fn as_str(self) -> &'static str {
                match self { $(EventName::$variant => $name,)* }
            }
        }
    };
}

names! {
    /// A checkpoint through litekeel is done.
    Checkpointed "checkpointed",
    /// The background thread could not checkpoint the database.
    CheckpointFailed "checkpoint_failed",
    /// The log has outgrown `wal_max`.
    WalStalled "wal_stalled",
    /// Every connection of the process to the file refuses to write from now on.
    Unhealthy "unhealthy",
    /// What only a `-wal` without a name held was kept.
    WalSetAside "wal_set_aside",
    /// Something about an attached database.
    AttachedWarning "attached_warning",
    /// Litestream replicates the database.
    ReplicationDetected "replication_detected",
    /// Litestream does not checkpoint.
    WalAlarm "wal_alarm",
    /// Open found a log that the process before did not close.
    Recovered "recovered",
    /// Open restored a database that did not exist.
    Restored "restored",
    /// A call has waited for a lock.
    BusyWait "busy_wait",
    /// A signal given to `shutdown_on` has come.
    ShuttingDown "shutting_down",
    /// Everything is closed.
    ShutDown "shut_down",
    /// A connection was dropped without close.
    Leak "leak",
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happened. docs/events.md lists the names with their fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `checkpointed`, `wal_stalled`, `busy_wait`…
    pub name: EventName,
    /// Name and value, in a fixed order for each event.
    pub fields: Vec<(&'static str, EventValue)>,
}

impl Event {
    /// An event without fields.
    pub fn new(name: EventName) -> Event {
        Event { name, fields: Vec::new() }
    }

    /// Appends a number.
    #[must_use]
    pub fn int(mut self, field: &'static str, value: i64) -> Event {
        self.fields.push((field, EventValue::Int(value)));
        self
    }

    /// Appends a text.
    #[must_use]
    pub fn text(mut self, field: &'static str, value: impl Into<String>) -> Event {
        self.fields.push((field, EventValue::Text(value.into())));
        self
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&EventValue> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }
}

/// Receives events. Any thread; a panic in it is reported and goes no further.
///
/// An event is delivered when no lock of the connection is held, so a subscriber may use the connection. The exception
/// is a host that drives the raw handle: there the event comes from inside SQLite's call.
pub type Subscriber = Arc<dyn Fn(&Event) + Send + Sync>;

/// The subscribers of one connection, or of the process.
#[derive(Default)]
pub(crate) struct Subscribers {
    count: AtomicUsize,
    list: ForkMutex<Vec<(u64, Subscriber)>>,
    /// Events that came up while the connection was locked; its guard delivers them.
    waiting: ForkMutex<Vec<Event>>,
    has_waiting: AtomicUsize,
    /// Whether a thread holds the connection.
    guarded: AtomicBool,
}

/// The thread of which others want to know whether it is calling a subscriber: that may wait for anything. 0 is none.
pub(crate) static WATCHED: AtomicUsize = AtomicUsize::new(0);
/// Whether it is.
pub(crate) static TELLING: AtomicBool = AtomicBool::new(false);

static NEXT: AtomicU64 = AtomicU64::new(1);
static PROCESS: Subscribers = Subscribers {
    count: AtomicUsize::new(0),
    list: ForkMutex::new(Vec::new()),
    waiting: ForkMutex::new(Vec::new()),
    has_waiting: AtomicUsize::new(0),
    guarded: AtomicBool::new(false),
};

/// The process's list, which a forked child goes on using.
pub(crate) static PROCESS_LIST: &ForkMutex<Vec<(u64, Subscriber)>> = &PROCESS.list;

impl Subscribers {
    pub(crate) fn add(&self, subscriber: Subscriber) -> u64 {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut list = self.list.lock();
        list.push((id, subscriber));
        self.count.store(list.len(), Ordering::Release);
        id
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut list = self.list.lock();
        list.retain(|(other, _)| *other != id);
        self.count.store(list.len(), Ordering::Release);
    }

    fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) != 0
    }

    fn call(&self, event: &Event) {
        // Called outside the lock: a subscriber may subscribe and unsubscribe.
        let list = self.list.lock().clone();
        let watched = WATCHED.load(Ordering::Relaxed) == this_thread();
        for (_, subscriber) in list {
            if watched {
                TELLING.store(true, Ordering::Release);
            }
            if catch_unwind(AssertUnwindSafe(|| subscriber(event))).is_err() {
                standard_error::line(&format!("a subscriber panicked on the event {}", event.name));
            }
            if watched {
                TELLING.store(false, Ordering::Release);
            }
        }
    }

    /// Whether an event would be heard by anybody.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.any() || PROCESS.any()
    }

    /// Delivers now.
    pub(crate) fn deliver(&self, event: &Event) {
        if self.any() {
            self.call(event);
        }
        if PROCESS.any() {
            PROCESS.call(event);
        }
    }

    /// Keeps the event for [`flush`](Subscribers::flush).
    pub(crate) fn defer(&self, event: Event) {
        self.waiting.lock().push(event);
        self.has_waiting.store(1, Ordering::Release);
    }

    /// The connection has been locked, or is about to be given back.
    pub(crate) fn set_locked(&self, held: bool) {
        self.guarded.store(held, Ordering::Release);
    }

    /// Delivers from inside a call of SQLite's on the connection: when the call is over, if that can be known.
    pub(crate) fn emit_inside_call(&self, event: Event) {
        if self.guarded.load(Ordering::Acquire) {
            self.defer(event);
        } else {
            self.deliver(&event);
        }
    }

    /// Delivers what was kept.
    pub(crate) fn flush(&self) {
        if self.has_waiting.load(Ordering::Acquire) == 0 {
            return;
        }
        self.has_waiting.store(0, Ordering::Release);
        let events = std::mem::take(&mut *self.waiting.lock());
        events.iter().for_each(|event| self.deliver(event));
    }
}

/// Subscribes to the events of every connection of the process, those of opening (`recovered`) too. Returns the number
/// for [`unsubscribe`].
pub fn subscribe(subscriber: Subscriber) -> u64 {
    PROCESS.add(subscriber)
}

/// Ends a subscription of the process. A delivery that is under way on another thread is not waited for.
pub fn unsubscribe(id: u64) {
    PROCESS.remove(id);
}

/// Tells the subscribers of the process what is about all of it.
pub(crate) fn tell(event: &Event) {
    if PROCESS.any() {
        PROCESS.call(event);
    }
}

/// Tells the subscribers of several connections to one file, and those of the process once.
pub(crate) fn tell_users(all: &[Arc<Subscribers>], event: Event, path: &Path) {
    let event = with_database(event, Some(path));
    all.iter().filter(|subscribers| subscribers.any()).for_each(|subscribers| subscribers.call(&event));
    if PROCESS.any() {
        PROCESS.call(&event);
    }
}

/// Puts the database first: subscribers of the process hear about all of them.
pub(crate) fn with_database(mut event: Event, path: Option<&Path>) -> Event {
    let place = path.map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string());
    event.fields.insert(0, ("database", EventValue::Text(place)));
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_types_have_every_event() {
        let read = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let names: Vec<_> = EventName::ALL.iter().map(|name| name.as_str()).collect();
        let page = read("docs/events.md");
        let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")).collect();
        assert_eq!(rows.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names, "docs/events.md");
        // A connection in JavaScript hears of these; the others are the process's.
        let script = read("bindings-node/lib/additions/events.js");
        let list = script.split("NAMES = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
        let types = read("bindings-node/lib/index.d.ts");
        let heard: Vec<_> = list.split(',').map(|name| name.trim().trim_matches('\'')).collect();
        assert!(heard.len() > 5, "{heard:?}");
        for name in heard {
            assert!(names.contains(&name), "events.js has {name}");
            assert!(types.contains(&format!("\t{name}: {{")), "index.d.ts lacks {name}");
        }
    }
}
