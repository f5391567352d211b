//! Defaults that whoever runs a program can change without changing it: an environment variable each, above the profile and
//! below the URL. For what changes how litekeel works and not what a program sees.

use super::errors;
use super::table::SettingId;
use super::words::ReadLock;
use super::{Options, SettingValue};
use crate::error::{Error, Result};

const VARIABLES: &[(&str, SettingId)] = &[("LITEKEEL_READ_LOCK", SettingId::ReadLock)];

/// What the environment sets.
pub(super) fn values(options: &Options) -> Result<Vec<(SettingId, SettingValue)>> {
    let mut values = Vec::new();
    for (name, id) in VARIABLES.iter().filter(|_| !options.ignore_env) {
        let Some(text) = std::env::var_os(name).filter(|text| !text.is_empty()) else { continue };
        let refused = |error: &Error| errors::invalid_in_environment(name, error);
        values.push((*id, id.setting().parse(&text.to_string_lossy()).map_err(|error| refused(&error))?));
    }
    Ok(values)
}

/// Whether read locks are kept where nobody says so: on a connection that is opened without settings.
///
/// # Errors
/// `KEEL_INVALID_VALUE` where the environment's `LITEKEEL_READ_LOCK` is not a value of the setting.
pub fn keeps_read_locks_by_default() -> Result<bool> {
    let kept = ReadLock::Kept.as_str();
    let of_environment = values(&Options::default())?.into_iter().find(|(id, _)| *id == SettingId::ReadLock);
    Ok(of_environment
        .map_or(SettingId::ReadLock.setting().default == kept, |(_, value)| value == SettingValue::Word(kept)))
}
