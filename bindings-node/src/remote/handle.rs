//! A libSQL server's database, as JavaScript holds it, and what asks it on threads of ours.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use litekeel_remote::Remote;
use napi::sys;

use super::work::{Outcome, Work};
use crate::connection::call::Call;
use crate::dispatcher::{Dispatcher, EndsWithEnvironment};
use crate::js::external::{self, External, Held};
use crate::js::value;
use crate::threads::{Job, Stop, Threads};

/// A database, until it is closed, and the threads that ask it. A request waits for the network alone, so there are more
/// of them than of cores.
pub(super) struct Handle {
    remote: Mutex<Option<Arc<Remote>>>,
    threads: Threads<Asked>,
    /// The end of the environment ends its threads.
    ends: AtomicBool,
}

impl Handle {
    pub(super) fn locked(&self) -> MutexGuard<'_, Option<Arc<Remote>>> {
        self.remote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread do it; the outcome comes by dispatcher, with this number.
    pub(super) fn ask(self: &Arc<Self>, dispatcher: Arc<Dispatcher>, id: f64, work: Work) {
        if !self.ends.swap(true, Ordering::AcqRel) {
            dispatcher.keep::<Asking>().add(self);
        }
        self.threads.submit(Asked { handle: self.clone(), dispatcher, id, work });
    }
}

/// Whoever forgot to close it, the thread of JavaScript waits for no server.
impl Drop for Handle {
    fn drop(&mut self) {
        // Where a call still runs, its thread ends it.
        if let Some(remote) = self.locked().take().and_then(Arc::into_inner) {
            remote.abandon();
        }
    }
}

impl Held for Handle {
    type Pointer = Arc<Handle>;
    const TAG: sys::napi_type_tag = external::tag(0x7265_6d6f_7465_0001);
}

/// The databases of an environment that have threads.
#[derive(Default)]
struct Asking(Mutex<Vec<Weak<Handle>>>);

impl Asking {
    fn add(&self, handle: &Arc<Handle>) {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|handle| handle.strong_count() > 0);
        handles.push(Arc::downgrade(handle));
    }
}

impl EndsWithEnvironment for Asking {
    fn end(&self) {
        let handles = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        handles.iter().filter_map(Weak::upgrade).for_each(|handle| handle.threads.end());
    }
}

/// One call for a thread.
struct Asked {
    handle: Arc<Handle>,
    dispatcher: Arc<Dispatcher>,
    id: f64,
    work: Work,
}

impl Asked {
    fn answer(self, outcome: Outcome) {
        let id = self.id;
        self.dispatcher.send(Box::new(move |env| {
            let (kind, content) = outcome.to_js(env);
            [value::string(env, kind), value::number(env, id), content]
        }));
    }
}

impl Job for Asked {
    fn stop(&self) -> Stop {
        let handle = Arc::downgrade(&self.handle);
        Box::new(move || {
            let remote = handle.upgrade().and_then(|handle| handle.locked().clone());
            if let Some(remote) = remote {
                remote.shutdown();
            }
        })
    }

    fn run(self) {
        let remote = self.handle.locked().clone();
        let outcome = remote.map_or(Outcome::Closed, |remote| self.work.run(&remote));
        self.answer(outcome);
    }

    fn refuse(self) {
        self.answer(Outcome::no_thread());
    }
}

/// The object of a database; so many threads ask at a time.
pub(super) fn external(env: sys::napi_env, remote: Remote, threads: usize) -> Option<sys::napi_value> {
    let remote = Mutex::new(Some(Arc::new(remote)));
    let threads = Threads::new(threads, "litekeel-remote");
    External::<Handle>::make(env, Arc::new(Handle { remote, threads, ends: AtomicBool::new(false) }))
}

pub(super) fn handle(call: &Call, at: usize) -> Option<Arc<Handle>> {
    External::<Handle>::of(call.env, call.args[at])
}

/// The open database in an argument; throws a TypeError otherwise.
pub(super) fn opened(call: &Call, at: usize) -> Option<Arc<Remote>> {
    let remote = handle(call, at).and_then(|handle| handle.locked().clone());
    if remote.is_none() {
        value::throw_type(call.env, "The database connection is not open");
    }
    remote
}
