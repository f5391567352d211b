//! One call on a server: taken from JavaScript's values, run on any thread, and given back as such values.

use std::ptr;

use litekeel_core::{Encoder, Packed};
use litekeel_core::{Error, Result, codes, sqlite};
use litekeel_remote::{Description, Remote, Statement};
use napi::sys;

use crate::connection::call::Call;
use crate::js::object;
use crate::js::value;
use crate::reader::answer::{self, Integers, Refusal};
use crate::reader::params::{Params, Value, items};

/// What is to be done. The numbers are `lib/remote/native-work.js`'s.
pub(super) enum Work {
    /// 0, and 1 by asking the server anew.
    Describe { sql: String, anew: bool },
    /// 2: one statement with its parameters.
    Query { sql: String, params: Params, safe: bool },
    /// 3: a script.
    Exec { sql: String },
    /// 4: statements with their parameters, all of them or none; 5 with foreign keys that are not enforced.
    Batch { statements: Vec<(String, Params)>, safe: bool, migrates: bool },
    /// 6: whether these are a statement's parameters.
    Fits { sql: String, params: Params },
}

/// What came of it.
pub(super) enum Outcome {
    Described(Description),
    /// Of a statement, and whether integers become BigInt.
    Row(Packed, bool),
    /// Of each statement of a batch.
    Rows(Vec<Packed>, bool),
    Done,
    Failed(Error),
    Refused(Refusal),
    Closed,
}

/// Runs what may panic; a panic is an error.
pub(super) fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Error::new(codes::PANIC, "internal error (panic) in the libSQL client")))
}

fn text(env: sys::napi_env, given: sys::napi_value) -> Option<String> {
    Some(String::from_utf8_lossy(&value::utf8(env, given)?).into_owned())
}

/// One row of parameters, as the client takes it; `None` for a statement without any.
pub(super) fn packed(values: &[&Value], names: Option<&[&[u8]]>) -> Option<Packed> {
    if values.is_empty() {
        return None;
    }
    let mut row = match names {
        Some(names) => Encoder::new(names.iter().copied()).named(),
        None => Encoder::new(values.iter().map(|_| &b""[..])),
    };
    values.iter().for_each(|value| row.push(value.cell()));
    Some(row.finish())
}

/// The values as the server takes them for a statement that it has described: all by name, or all by place.
pub(super) fn ordered(
    remote: &Remote,
    sql: &str,
    params: &Params,
) -> Result<std::result::Result<Option<Packed>, Refusal>> {
    let description = remote.describe(sql)?;
    let parameters = || description.parameters.iter().map(|name| name.as_deref().map(str::as_bytes));
    // Without the prefix character.
    let values = match params.ordered(parameters().map(|name| name.map(|name| &name[1.min(name.len())..]))) {
        Ok(values) => values,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // The server takes ?5 by its place.
    let names: Vec<_> = parameters().flatten().filter(|name| !name.starts_with(b"?")).collect();
    if names.is_empty() {
        return Ok(Ok(packed(&values, None)));
    }
    if names.len() < values.len() {
        let text = "the server takes named parameters or others, not both in one statement";
        return Err(Error::new(codes::REMOTE_UNSUPPORTED, text).with_hint("name all of them, or none"));
    }
    Ok(Ok(packed(&values, Some(&names))))
}

impl Work {
    /// `(…, number, sql, values, names, safe integers)`, from the argument `at` on; for a batch the middle three are lists of
    /// such.
    pub(super) fn from_js(call: &Call, at: usize) -> Option<Work> {
        let (env, args) = (call.env, &call.args[at..]);
        let safe = call.flag(at + 4);
        Some(match call.int(at) {
            number @ 0..=1 => Work::Describe { sql: text(env, args[1])?, anew: number == 1 },
            2 => Work::Query { sql: text(env, args[1])?, params: Params::from_js(env, args[2], args[3])?, safe },
            3 => Work::Exec { sql: text(env, args[1])? },
            number @ 4..=5 => {
                let (texts, values, names) = (items(env, args[1]), items(env, args[2]), items(env, args[3]));
                let mut statements = Vec::new();
                for ((sql, values), names) in texts.into_iter().zip(values).zip(names) {
                    statements.push((text(env, sql)?, Params::from_js(env, values, names)?));
                }
                Work::Batch { statements, safe, migrates: number == 5 }
            }
            6 => Work::Fits { sql: text(env, args[1])?, params: Params::from_js(env, args[2], args[3])? },
            _ => return None,
        })
    }

    pub(super) fn run(&self, remote: &Remote) -> Outcome {
        caught(|| self.outcome(remote)).unwrap_or_else(Outcome::Failed)
    }

    fn outcome(&self, remote: &Remote) -> Result<Outcome> {
        Ok(match self {
            Work::Describe { sql, anew: true } => Outcome::Described((*remote.describe_anew(sql)?).clone()),
            Work::Describe { sql, anew: false } => Outcome::Described((*remote.describe(sql)?).clone()),
            Work::Query { sql, params, safe } => match ordered(remote, sql, params)? {
                Ok(row) => Outcome::Row(remote.query(sql, row.as_ref().map(|row| row.table()))?, *safe),
                Err(refusal) => Outcome::Refused(refusal),
            },
            Work::Fits { sql, params } => match ordered(remote, sql, params)? {
                Ok(_) => Outcome::Done,
                Err(refusal) => Outcome::Refused(refusal),
            },
            Work::Exec { sql } => {
                remote.exec(sql)?;
                Outcome::Done
            }
            Work::Batch { statements, safe, migrates } => {
                let mut rows = Vec::with_capacity(statements.len());
                for (_, params) in statements {
                    match as_given(params) {
                        Ok(row) => rows.push(row),
                        Err(refusal) => return Ok(Outcome::Refused(refusal)),
                    }
                }
                let statements: Vec<_> = (statements.iter().zip(&rows))
                    .map(|((sql, _), row)| Statement { sql, parameters: row.as_ref().map(|row| row.table()) })
                    .collect();
                let results = if *migrates { remote.migrate(&statements) } else { remote.batch(&statements) };
                Outcome::Rows(results?, *safe)
            }
        })
    }
}

/// As they were given: without a description there is no order among names and places.
fn as_given(params: &Params) -> std::result::Result<Option<Packed>, Refusal> {
    let positional: Vec<_> = params.positional.iter().collect();
    match &params.named {
        None => Ok(packed(&positional, None)),
        Some(named) if positional.is_empty() => {
            let (names, values): (Vec<&[u8]>, Vec<&Value>) =
                named.iter().map(|(name, value)| (name.as_slice(), value)).unzip();
            Ok(packed(&values, Some(&names)))
        }
        Some(_) => Err(Refusal::of_type("A statement of a batch takes either named parameters or others")),
    }
}

impl Outcome {
    pub(super) fn no_thread() -> Outcome {
        Outcome::Failed(Error::new(sqlite::SQLITE_NOMEM, "no thread could be started for the call"))
    }

    /// The dispatcher's kind of message, and its content: `[[changes, rowid], [names, row, …]]` of a statement, a list of such
    /// of a batch, `[[readonly], parameters, [[name, type], …]]` of a description.
    pub(super) fn to_js(&self, env: sys::napi_env) -> (&'static [u8], sys::napi_value) {
        match self {
            Outcome::Described(description) => (b"rows", described(env, description)),
            Outcome::Row(packed, safe) => (b"rows", result(env, packed, *safe)),
            Outcome::Rows(results, safe) => {
                let list: Vec<_> = results.iter().map(|packed| result(env, packed, *safe)).collect();
                (b"rows", object::list(env, &list))
            }
            Outcome::Done => (b"rows", value::undefined(env)),
            Outcome::Failed(error) => (b"failed", object::failure(env, error)),
            Outcome::Refused(refusal) => refusal.to_js(env),
            Outcome::Closed => (b"type", value::string(env, b"The database connection is not open")),
        }
    }
}

fn result(env: sys::napi_env, packed: &Packed, safe: bool) -> sys::napi_value {
    let mut rowid = ptr::null_mut();
    // SAFETY: writes a handle of the open scope.
    unsafe { sys::napi_create_bigint_int64(env, packed.table().last_rowid(), &mut rowid) };
    let effect = object::list(env, &[value::number(env, packed.table().changes() as f64), rowid]);
    object::list(env, &[effect, answer::rows(env, packed, Integers::safe(safe))])
}

fn described(env: sys::napi_env, description: &Description) -> sys::napi_value {
    let maybe = |text: Option<&str>| match text {
        Some(text) => value::string(env, text.as_bytes()),
        None => object::null(env),
    };
    let parameters: Vec<_> = description.parameters.iter().map(|name| maybe(name.as_deref())).collect();
    let columns: Vec<_> = (description.columns.iter())
        .map(|(name, kind)| object::list(env, &[maybe(Some(name)), maybe(kind.as_deref())]))
        .collect();
    let readonly = object::list(env, &[value::number(env, f64::from(u8::from(description.readonly)))]);
    object::list(env, &[readonly, object::list(env, &parameters), object::list(env, &columns)])
}
