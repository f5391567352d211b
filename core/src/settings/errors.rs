//! How what is wrong with the settings is said.

use super::table::SettingId;
use super::{SettingValue, Settings};
use crate::error::Error;
use crate::error::codes;

/// Two settings exclude each other.
pub(super) fn conflict(settings: &Settings, a: SettingId, b: SettingId, why: &str) -> Error {
    let show =
        |id: SettingId| format!("{}={}", id.key(), settings.get(id).map(SettingValue::to_string).unwrap_or_default());
    Error::new(codes::CONFLICT, format!("{} and {} exclude each other: {why}", show(a), show(b))).with_hint(format!(
        "remove {} or {}",
        a.key(),
        b.key()
    ))
}
