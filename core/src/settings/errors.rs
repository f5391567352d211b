//! How what is wrong with the settings is said.

use super::table::Id;
use super::{Settings, Value};
use crate::error::Error;
use crate::error::codes;

/// Two settings exclude each other.
pub(super) fn conflict(settings: &Settings, a: Id, b: Id, why: &str) -> Error {
    let show = |id: Id| format!("{}={}", id.key(), settings.get(id).map(Value::to_string).unwrap_or_default());
    Error::new(codes::CONFLICT, format!("{} and {} exclude each other: {why}", show(a), show(b))).with_hint(format!(
        "remove {} or {}",
        a.key(),
        b.key()
    ))
}
