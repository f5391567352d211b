//! `share=1`: the process's one connection to a file.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::errors;
use crate::connection::Connection;
use crate::error::Result;
use crate::platform::file_id::FileId;
use crate::registry;
use crate::settings::replicated::enforce;
use crate::settings::{Origin, Resolved, SettingId, SettingValue, Settings, words};

/// The process's shared connection to `file`, if there is one.
pub(super) fn find_shared(file: FileId) -> Option<Arc<Connection>> {
    // Upgraded outside the registry's lock: the last owner's drop takes it.
    registry::connections().iter().filter_map(Weak::upgrade).find_map(|connection| {
        let any: Arc<dyn Any + Send + Sync> = connection;
        any.downcast::<Connection>().ok().filter(|connection| connection.share_key() == Some(file))
    })
}

/// Refuses a second owner that asks for other settings.
pub(super) fn same_settings(existing: &Connection, resolved: &Resolved) -> Result<()> {
    let Some(has) = existing.settings() else { return Ok(()) };
    let mut wanted = resolved.settings.clone();
    // What was found of the existing connection's file holds for this one.
    if has.replication() == Some(words::Replication::Litestream)
        && wanted.replication() == Some(words::Replication::Auto)
    {
        wanted.set(SettingId::Replication, SettingValue::Word("litestream"), Origin::Replication);
        enforce(&mut wanted)?;
    }
    let mut different: Vec<String> = crate::settings::TABLE
        .iter()
        // A profile is only a name for the values that are compared one by one.
        .filter(|row| row.id != SettingId::Profile && has.get(row.id) != wanted.get(row.id))
        .map(|row| {
            let show = |s: &Settings| s.get(row.id).map_or_else(|| "unset".to_owned(), ToString::to_string);
            format!("{} is {}, not {}", row.key, show(has), show(&wanted))
        })
        .collect();
    if existing.roots() != resolved.roots.as_ref() {
        different.push("its allowed_roots are others".to_owned());
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(errors::shared_with_other_settings(existing.path(), &existing.identity.opened_at, &different))
}
