//! Waiting for the replica beside the event loop: one thread for each connection that waits, however many calls there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use litekeel_core::{Connection, Error, ReplicaWait, Token, codes, sqlite};
use napi::sys;

use crate::connection::call::{Call, native_exports};
use crate::dispatcher::{Dispatcher, EndsWithEnvironment, dispatcher_of};
use crate::js::object::{self, Object};
use crate::js::value;

native_exports! {
    c"replicated" => replicated,
    c"cancelReplicated" => cancel,
    c"copyPosition" => position,
    c"copyReached" => reached,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One call that waits.
struct Waiter {
    id: f64,
    wait: ReplicaWait,
    cancelled: Arc<AtomicBool>,
    dispatcher: Arc<Dispatcher>,
}

impl Waiter {
    fn is_over(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || Instant::now() >= self.wait.deadline()
    }

    fn finish(self, answer: Result<Token, Error>) {
        let id = self.id;
        self.dispatcher.send(Box::new(move |env| {
            let (kind, content) = match &answer {
                Ok(token) => (&b"done"[..], value::string(env, token.to_string().as_bytes())),
                Err(error) => (&b"failed"[..], object::failure(env, error)),
            };
            [value::string(env, kind), value::number(env, id), content]
        }));
    }
}

/// Those who wait in one environment.
#[derive(Default)]
pub(crate) struct Waiters {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    /// Those who have come since their connection's thread last asked; an entry is there as long as the thread is.
    arrived: Mutex<HashMap<usize, Vec<Waiter>>>,
    /// What ends the wait of each call that has no answer yet.
    cancels: Mutex<Vec<(f64, Arc<AtomicBool>)>>,
}

impl EndsWithEnvironment for Waiters {
    fn end(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut *locked(&self.threads)) {
            // It has caught its panics.
            let _ = thread.join();
        }
    }
}

impl Waiters {
    fn submit(&self, connection: &Arc<Connection>, waiter: Waiter) {
        let key = Arc::as_ptr(connection) as usize;
        locked(&self.shared.cancels).push((waiter.id, waiter.cancelled.clone()));
        let mut arrived = locked(&self.shared.arrived);
        if let Some(others) = arrived.get_mut(&key) {
            others.push(waiter);
            return;
        }
        arrived.insert(key, vec![waiter]);
        drop(arrived);
        // Weakly: a connection that nobody has any more closes meanwhile.
        let (shared, connection) = (self.shared.clone(), Arc::downgrade(connection));
        let work = move || shared.work(key, &connection);
        let thread = std::thread::Builder::new().name("litekeel-replica".into()).spawn(work);
        let mut threads = locked(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        let Err(_) = thread.map(|thread| threads.push(thread)) else { return };
        for waiter in locked(&self.shared.arrived).remove(&key).unwrap_or_default() {
            let text = "no thread could be started to wait for the replica";
            self.shared.finish(waiter, Err(Error::new(sqlite::SQLITE_NOMEM, text)));
        }
    }
}

impl Shared {
    /// One question after another, each for all who have come before it: what they wait for is committed by then.
    fn work(&self, key: usize, connection: &Weak<Connection>) {
        let closed = || connection.upgrade().is_none_or(|connection| connection.is_closed());
        let ended = || self.ended.load(Ordering::Relaxed);
        let mut waiting: Vec<Waiter> = Vec::new();
        while !ended() {
            {
                let mut arrived = locked(&self.arrived);
                waiting.append(arrived.get_mut(&key).unwrap_or(&mut Vec::new()));
                if waiting.is_empty() {
                    arrived.remove(&key);
                    return;
                }
            }
            // Until the first of them gives up; the others then ask again.
            let Some(first) = waiting.iter().min_by_key(|waiter| waiter.wait.deadline()) else { continue };
            // One who has come since may give up before the first of these.
            let cancelled =
                || waiting.iter().chain(locked(&self.arrived).get(&key).into_iter().flatten()).any(Waiter::is_over);
            let ask = std::panic::AssertUnwindSafe(|| first.wait.run(&|| ended() || closed() || cancelled()));
            let answer = std::panic::catch_unwind(ask).unwrap_or_else(|_| {
                Err(Error::new(codes::PANIC, "internal error (panic) while waiting for the replica"))
            });
            let step = answer.as_ref().err().and_then(Error::step);
            let in_vain = matches!(step, Some("timeout" | "cancelled"));
            if in_vain {
                waiting.append(locked(&self.arrived).get_mut(&key).unwrap_or(&mut Vec::new()));
            }
            let of_some = in_vain && waiting.iter().any(Waiter::is_over);
            let (over, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiter| !of_some || waiter.is_over());
            waiting = rest;
            for waiter in over {
                // The time in the error is its own.
                let own = if of_some { waiter.wait.run(&|| true) } else { answer.clone() };
                self.finish(waiter, own);
            }
        }
        locked(&self.arrived).remove(&key);
    }

    fn finish(&self, waiter: Waiter, answer: Result<Token, Error>) {
        locked(&self.cancels).retain(|(id, _)| *id != waiter.id);
        waiter.finish(answer);
    }
}

/// `(token, dispatcher, id, timeoutMs, beside)` → an error when there is nothing to wait for. A negative timeout is the
/// setting's; `beside`: for what another connection has committed, whatever this one does. The answer comes by dispatcher.
unsafe fn replicated(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    let dispatcher = dispatcher_of(call, 1)?;
    let (mut id, mut timeout) = (0.0, -1.0);
    // SAFETY: anything but a number leaves the local as it is.
    unsafe {
        sys::napi_get_value_double(call.env, call.args[2], &mut id);
        sys::napi_get_value_double(call.env, call.args[3], &mut timeout);
    }
    let timeout = (timeout >= 0.0).then(|| Duration::from_secs_f64(timeout / 1000.0));
    let wait = if call.flag(4) { connection.wait_from_here(timeout) } else { connection.replica_wait(timeout) };
    let wait = match wait {
        Ok(wait) => wait,
        Err(error) => return Some(object::failure(call.env, &error)),
    };
    let waiter = Waiter { id, wait, cancelled: Arc::default(), dispatcher: dispatcher.clone() };
    dispatcher.keep::<Waiters>().submit(&connection, waiter);
    None
}

/// `(dispatcher, id)`: the wait ends within moments.
unsafe fn cancel(call: &Call) -> Option<sys::napi_value> {
    let dispatcher = dispatcher_of(call, 0)?;
    let mut wanted = 0.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[1], &mut wanted) };
    for (_, cancelled) in locked(&dispatcher.keep::<Waiters>().shared.cancels).iter().filter(|(id, _)| *id == wanted) {
        cancelled.store(true, Ordering::Relaxed);
    }
    None
}

/// `(token)` → `{ position }` of a copy that follows a replica, or an error.
unsafe fn position(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    Some(match connection.position() {
        Ok(has) => Object::new(call.env).text(c"position", &has.to_string()).finish(),
        Err(error) => object::failure(call.env, &error),
    })
}

/// `(token, position, waitedMs)` → `{ position }` when the copy has that one or a later one, an empty one when it does not; once the time
/// is over (`waitedMs` is not negative) the error that it does not.
unsafe fn reached(call: &Call) -> Option<sys::napi_value> {
    let connection = call.core()?;
    let text = call.text(1)?.to_string_lossy().into_owned();
    let mut waited = -1.0;
    // SAFETY: anything but a number leaves the local as it is.
    unsafe { sys::napi_get_value_double(call.env, call.args[2], &mut waited) };
    let look = || {
        let wanted: Token = text.parse()?;
        match connection.has_reached(wanted)? {
            None if waited >= 0.0 => Err(connection.behind(wanted, Duration::from_secs_f64(waited / 1000.0))),
            has => Ok(has),
        }
    };
    Some(match look() {
        Ok(Some(has)) => Object::new(call.env).text(c"position", &has.to_string()).finish(),
        // Its own property, whatever all objects inherit.
        Ok(None) => Object::new(call.env).text(c"position", "").finish(),
        Err(error) => object::failure(call.env, &error),
    })
}
