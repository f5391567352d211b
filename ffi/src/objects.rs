//! What a token can stand for.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};

use litekeel_core::Packed;
use litekeel_core::{Connection, Databases, Error, Options, PooledConnection, Stream};

use crate::rows_text;

/// What a token can stand for.
#[derive(Clone)]
pub(crate) enum Object {
    Db(Arc<Connection>),
    /// Borrowed: the lender ends it.
    Loan(Arc<Connection>),
    /// A database of a libSQL server.
    #[cfg(feature = "remote")]
    Remote(Arc<litekeel_remote::Remote>),
    Databases(Arc<Databases>),
    /// A connection of these in use: ending it gives it back.
    Pooled(Arc<PooledConnection>),
    Options(Arc<Mutex<Options>>),
    Rows(Arc<Rows>),
    Error(Arc<ErrorTexts>),
}

/// An error as C reads it.
pub(crate) struct ErrorTexts {
    pub(crate) error: Error,
    pub(crate) message: CString,
    pub(crate) hint: CString,
    pub(crate) path: CString,
    pub(crate) step: CString,
    pub(crate) kind: CString,
}

impl Object {
    pub(crate) fn error(error: &Error) -> Object {
        // A NUL cannot be shown in C; none of our texts has one but what it quotes.
        let text = |text: &str| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        // A path is any bytes; it has no NUL.
        let path = error.path().map(|path| path.as_os_str().as_encoded_bytes().to_vec()).unwrap_or_default();
        Object::Error(Arc::new(ErrorTexts {
            message: text(error.message()),
            hint: text(error.hint()),
            path: CString::new(path).unwrap_or_default(),
            step: text(error.step().unwrap_or_default()),
            kind: text(error.busy().map_or("", |busy| busy.kind.as_str())),
            error: error.clone(),
        }))
    }
}

/// What a token for rows stands for.
pub(crate) enum Rows {
    /// The table, and its text once somebody has asked for it.
    Whole(Packed, OnceLock<CString>),
    Batches(Mutex<Batch>),
}

pub(crate) struct Batch {
    pub(crate) packed: Packed,
    /// Of this batch, once somebody has asked for it.
    pub(crate) text: Option<CString>,
    pub(crate) stream: Stream,
}

impl Rows {
    pub(crate) fn whole(packed: Packed) -> Object {
        Object::Rows(Arc::new(Rows::Whole(packed, OnceLock::new())))
    }

    pub(crate) fn stream(packed: Packed, stream: Stream) -> Object {
        Object::Rows(Arc::new(Rows::Batches(Mutex::new(Batch { packed, text: None, stream }))))
    }

    pub(crate) fn data(&self) -> (*const c_void, usize) {
        let address = |packed: &Packed| (packed.bytes().as_ptr().cast(), packed.bytes().len());
        match self {
            Rows::Whole(packed, _) => address(packed),
            // While keel_rows_next fills them there are none to be read.
            Rows::Batches(batch) => alone(batch).map_or((std::ptr::null(), 0), |batch| address(&batch.packed)),
        }
    }

    /// The text's address and length; it lives as long as these rows, or this batch of them.
    pub(crate) fn text(&self) -> Option<(*const c_char, usize)> {
        let address = |text: &CString| (text.as_ptr(), text.as_bytes().len());
        match self {
            Rows::Whole(packed, text) => Some(address(text.get_or_init(|| rows_text::format(packed.table())))),
            Rows::Batches(batch) => alone(batch).map(|mut batch| {
                let Batch { packed, text, .. } = &mut *batch;
                address(text.get_or_insert_with(|| rows_text::format(packed.table())))
            }),
        }
    }
}

/// The batch, unless a call is filling it: one of another thread's, or one that this is a callback of.
pub(crate) fn alone(batch: &Mutex<Batch>) -> Option<MutexGuard<'_, Batch>> {
    match batch.try_lock() {
        Ok(batch) => Some(batch),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
