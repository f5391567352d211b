//! A connection as JavaScript holds it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use litekeel_core::Announced;
use litekeel_core::{CloseReport, Connection, Error, Guard, KeptKeys, Result, TeardownLock};
use napi::sys;
use rusqlite::ffi as sqlite;

use crate::connection::open_tokens;
use crate::js::external::{self, Held};

/// What the connections of one JavaScript thread share.
pub(crate) type Environment = crate::buffer::environment::Environment<Token>;

/// How long the end of the process waits for another owner's call.
const PATIENCE_AT_EXIT: Duration = Duration::from_millis(250);

/// What has to end before its connection closes.
pub(crate) trait Attachment: Any {
    /// Ends it; a second call does nothing.
    fn release(&self);
}

/// A connection of one JavaScript thread.
pub(crate) struct Token {
    db: Cell<*mut sqlite::sqlite3>,
    /// The core's side of a tuned connection, which alone may close it.
    tuned: Option<Arc<Connection>>,
    /// Where its statements are.
    environment: Rc<Environment>,
    /// How many calls of SQLite's are running: inside the first one JavaScript may call again.
    running: Cell<u32>,
    /// Statements that were given up while calls were running.
    to_finalize: RefCell<Vec<(usize, i32)>>,
    /// Whether SQLite may call JavaScript in the middle of a statement: functions, virtual tables, extensions.
    pub(crate) may_call_js: Cell<bool>,
    attachments: RefCell<Vec<Rc<dyn Attachment>>>,
    /// What the open transaction has asked for in vain.
    pub(crate) kept_keys: KeptKeys,
    /// Of a connection that the core did not open: its name among those that are open.
    announced: RefCell<Option<Announced>>,
}

impl Held for Token {
    type Pointer = Rc<Token>;
    const TAG: sys::napi_type_tag = external::tag(0x636f_6e6e_6563_7401);
}

impl Token {
    /// One for an open connection, see [`connection_token`](super::token_value::connection_token).
    pub(super) fn new(
        environment: &Rc<Environment>,
        db: *mut sqlite::sqlite3,
        tuned: Option<Arc<Connection>>,
        announced: Option<Announced>,
    ) -> Rc<Token> {
        // Another owner in this very thread may have functions, hooks and virtual tables on it.
        let may_call_js = tuned.as_ref().is_some_and(|connection| connection.is_shared());
        Rc::new(Token {
            db: Cell::new(db),
            tuned,
            environment: environment.clone(),
            running: Cell::new(0),
            to_finalize: RefCell::default(),
            may_call_js: Cell::new(may_call_js),
            attachments: RefCell::default(),
            kept_keys: KeptKeys::default(),
            announced: RefCell::new(announced),
        })
    }

    /// What it is known by among the open ones.
    pub(super) fn address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// The open connection, or null.
    pub(crate) fn db(&self) -> *mut sqlite::sqlite3 {
        self.db.get()
    }

    /// Whether a call on this connection is running, which must not lose what it uses.
    pub(crate) fn is_running(&self) -> bool {
        self.running.get() > 0
    }

    /// Runs one native call: the connection is this thread's until it ends. A call from within another one is part of it.
    #[inline]
    pub(crate) fn with_guard<R>(&self, body: impl FnOnce(Option<&Guard<'_>>) -> R) -> Result<R, Error> {
        let guard = match &self.tuned {
            Some(connection) if self.running.get() == 0 => Some(connection.lock()?),
            _ => None,
        };
        let running = self.enter();
        let out = body(guard.as_ref());
        drop(running);
        // On a shared connection no transaction stays open behind a call, and whoever began one is told.
        guard.map_or(Ok(()), Guard::settle)?;
        Ok(out)
    }

    /// Ends `attachment` before the connection closes.
    pub(crate) fn attach(&self, attachment: Rc<dyn Attachment>) {
        self.attachments.borrow_mut().push(attachment);
    }

    /// As `attach`, in the place of an earlier one of the same type.
    pub(crate) fn attach_instead(&self, attachment: Rc<dyn Attachment>) {
        let mut list = self.attachments.borrow_mut();
        list.retain(|other| (**other).type_id() != (*attachment).type_id());
        list.push(attachment);
    }

    /// Ends the attachments of one type.
    pub(crate) fn end_attachments<T: Attachment>(&self) {
        let ended: Vec<_> = {
            let mut list = self.attachments.borrow_mut();
            let (of_type, rest) = list.drain(..).partition(|one| (**one).type_id() == std::any::TypeId::of::<T>());
            *list = rest;
            of_type
        };
        ended.iter().for_each(|one| one.release());
    }

    /// Forgets an attachment that has ended.
    pub(crate) fn detach_from<T: Attachment>(&self, attachment: &Rc<T>) {
        // A connection that is closing has taken the list.
        if let Ok(mut list) = self.attachments.try_borrow_mut() {
            list.retain(|other| !ptr::addr_eq(Rc::as_ptr(other), Rc::as_ptr(attachment)));
        }
    }

    /// The core's side, if the connection has one.
    pub(crate) fn core(&self) -> Option<Arc<Connection>> {
        self.tuned.clone()
    }

    /// Whether a shutdown has closed the connection, with all that hung on it. Asked while the connection is held.
    pub(crate) fn is_gone(&self) -> bool {
        self.tuned.as_ref().is_some_and(|connection| connection.has_ended_objects())
    }

    /// Marks the connection as in a call that may run JavaScript.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.running.set(self.running.get() + 1);
        Running(self)
    }

    /// Finalises a statement when the running call ends.
    pub(crate) fn finalize_later(&self, number: usize, generation: i32) {
        self.to_finalize.borrow_mut().push((number, generation));
    }

    /// Finalises what is left and closes; what the core says of it if the connection is tuned. A second call does
    /// nothing.
    pub(crate) fn close(&self) -> Option<Result<CloseReport>> {
        let db = self.release_all()?;
        if let Some(connection) = &self.tuned {
            return Some(connection.close());
        }
        // SAFETY: open until here; its statements are gone, and `lib/` has ended its backups.
        unsafe { sqlite::sqlite3_close(db) };
        None
    }

    /// Closes what JavaScript forgot. The core warns of its own connections when they are dropped open, or at exit.
    pub(crate) fn abandon(&self) {
        let Some(connection) = &self.tuned else {
            self.close();
            return;
        };
        if self.release_all().is_some() && !crate::js::exiting::exiting() {
            connection.abandon();
        }
    }

    /// As `abandon`, at the end of an environment whose runtime does not collect what is left. Nothing of it runs any more.
    pub(crate) fn abandon_with_environment(&self) {
        let Some(connection) = &self.tuned else {
            self.close();
            return;
        };
        if self.release_all().is_some() {
            connection.abandon_undropped();
        }
    }

    /// Finalises what is left and gives the handle up, if that has not happened yet.
    fn release_all(&self) -> Option<*mut sqlite::sqlite3> {
        let db = self.db.replace(ptr::null_mut());
        if db.is_null() {
            return None;
        }
        open_tokens::forget(self.address());
        drop(self.announced.take());
        // Another owner may be running a statement on the same handle.
        let hold = match self.tuned.as_ref().map(|connection| self.teardown_lock(connection)) {
            // Only at the very end of the process, and in a forked child.
            Some(None) => {
                self.environment.forget_all(self);
                return Some(db);
            }
            hold => hold.flatten(),
        };
        if self.is_gone() {
            // What they stand for is freed already.
            std::mem::forget(self.attachments.take());
            self.environment.forget_all(self);
        } else {
            for attachment in self.attachments.take() {
                attachment.release();
            }
            self.environment.finalize_all(self);
        }
        drop(hold);
        Some(db)
    }

    fn teardown_lock<'a>(&self, connection: &'a Connection) -> Option<TeardownLock<'a>> {
        // The end of the process does not wait for somebody else's statement; what hangs on the handle is left then.
        connection.lock_for_teardown(crate::js::exiting::exiting().then_some(PATIENCE_AT_EXIT))
    }

    /// Runs `body`, which ends something on the handle, while no other owner uses the connection; whatever state it is
    /// in, unless it belongs to the process that forked this one.
    pub(crate) fn with_teardown_lock(&self, body: impl FnOnce()) {
        match &self.tuned {
            None => body(),
            Some(connection) => {
                if let Some(_hold) = self.teardown_lock(connection)
                    && !self.is_gone()
                {
                    body();
                }
            }
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Counts a running call for as long as it lives, however it ends.
pub(crate) struct Running<'a>(&'a Token);

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        let token = self.0;
        token.running.set(token.running.get() - 1);
        if token.running.get() == 0 && !token.to_finalize.borrow().is_empty() {
            for (number, generation) in token.to_finalize.take() {
                token.environment.finalize(number, generation);
            }
        }
    }
}
