//! The events of one connection: subscribing, and telling when its lock allows.

use crate::connection::Connection;
use crate::events::{Event, Subscriber, with_database};

impl Connection {
    /// Subscribes to this connection's events and to those of its file (a checkpoint in the background). Returns the
    /// number for [`off_event`](crate::Connection::off_event).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # let db = litekeel_core::Connection::open(Some(":memory:"), &litekeel_core::Options::new())?;
    /// let number = db.on_event(Arc::new(|event| eprintln!("{}: {:?}", event.name, event.get("database"))));
    /// db.off_event(number);
    /// # Ok::<(), litekeel_core::Error>(())
    /// ```
    pub fn on_event(&self, subscriber: Subscriber) -> u64 {
        self.subscribers.add(subscriber)
    }

    /// Ends a subscription. A delivery that is under way on another thread is not waited for.
    pub fn off_event(&self, id: u64) {
        self.subscribers.remove(id);
    }

    /// Tells the subscribers: at once, or, when this thread holds the connection, as soon as it gives it back. Costs two
    /// loads when nobody listens.
    pub(crate) fn emit(&self, event: Event) {
        if !self.subscribers.has_subscribers() {
            return;
        }
        let event = with_database(event, self.path());
        if self.is_used_by_this_thread() {
            self.subscribers.defer(event);
        } else {
            self.subscribers.deliver(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::Options;
    use crate::events::{EventName, EventValue};

    fn memory() -> Arc<Connection> {
        Connection::open(Some(":memory:"), &Options::new()).unwrap()
    }

    #[test]
    fn a_subscriber_hears_an_event_after_the_lock_is_given_back() {
        let connection = memory();
        let (heard, inner) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&connection));
        let sink = heard.clone();
        let id = connection.on_event(Arc::new(move |event| {
            // It may use the connection: nothing of it is locked.
            inner.upgrade().unwrap().exec("SELECT 1").unwrap();
            sink.lock().unwrap().push(event.clone());
        }));
        let guard = connection.lock().unwrap();
        connection.emit(Event::new(EventName::Checkpointed).int("frames", 3).text("mode", "passive"));
        assert!(heard.lock().unwrap().is_empty());
        drop(guard);
        let first = heard.lock().unwrap()[0].clone();
        assert_eq!(first.get("database"), Some(&EventValue::Text(":memory:".into())));
        assert_eq!(first.get("frames"), Some(&EventValue::Int(3)));
        connection.emit(Event::new(EventName::BusyWait));
        assert_eq!(heard.lock().unwrap().len(), 2);
        connection.off_event(id);
        connection.emit(Event::new(EventName::BusyWait));
        assert_eq!(heard.lock().unwrap().len(), 2);
        connection.close().unwrap();
    }

    #[test]
    fn a_panicking_subscriber_takes_nothing_down() {
        let connection = memory();
        let heard = Arc::new(AtomicUsize::new(0));
        let sink = heard.clone();
        connection.on_event(Arc::new(|_| panic!("on purpose")));
        connection.on_event(Arc::new(move |_| {
            sink.fetch_add(1, Ordering::Relaxed);
        }));
        connection.emit(Event::new(EventName::Checkpointed));
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        connection.exec("SELECT 1").unwrap();
        connection.close().unwrap();
    }
}
