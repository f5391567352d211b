//! Every setting's value, and where it came from.

use super::errors;
use super::table::SettingId;
use super::value::SettingValue;
use super::words;
use crate::error::Error;

/// Where a setting's value came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The built-in default.
    BuiltIn,
    /// The profile.
    Profile,
    /// The environment.
    Environment,
    /// Litestream replicates the database, which leaves no choice.
    Replication,
    /// The URL's query.
    Url,
    /// An option of the call.
    Option,
}

impl Origin {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::BuiltIn => "built-in",
            Origin::Profile => "profile",
            Origin::Environment => "environment",
            Origin::Replication => "replication",
            Origin::Url => "url",
            Origin::Option => "option",
        }
    }
}

/// A value that replaced a weaker one.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Which setting.
    pub id: SettingId,
    /// The value that lost.
    pub from: SettingValue,
    /// Where that one came from.
    pub from_origin: Origin,
}

/// A profile's value that cannot apply to this target.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// Which setting.
    pub id: SettingId,
    /// The profile's value.
    pub value: SettingValue,
    /// Why it does not apply.
    pub why: &'static str,
}

/// Every setting, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) values: Vec<(Option<SettingValue>, Origin)>,
    /// What replaced a weaker value.
    pub overrides: Vec<Override>,
    /// What of the profile does not apply.
    pub skipped: Vec<Skipped>,
}

impl Settings {
    /// The value, or `None` for a setting that is left as SQLite or the file has it.
    pub fn get(&self, id: SettingId) -> Option<&SettingValue> {
        self.values[id as usize].0.as_ref()
    }

    /// Where the value came from.
    pub fn origin(&self, id: SettingId) -> Origin {
        self.values[id as usize].1
    }

    /// Asked for by the URL or the call, not only by a default or a profile.
    pub fn is_explicit(&self, id: SettingId) -> bool {
        self.origin(id) >= Origin::Url
    }

    /// An integer setting; bytes, milliseconds or pages as the table says.
    pub fn int(&self, id: SettingId) -> Option<i64> {
        match self.get(id) {
            Some(SettingValue::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A boolean setting; unset is false.
    pub fn bool(&self, id: SettingId) -> bool {
        matches!(self.get(id), Some(SettingValue::Bool(true)))
    }

    /// A setting with free text.
    pub fn text(&self, id: SettingId) -> Option<&str> {
        match self.get(id) {
            Some(SettingValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn set(&mut self, id: SettingId, value: SettingValue, origin: Origin) {
        let slot = &mut self.values[id as usize];
        if let Some(old) = slot.0.take()
            && slot.1 > Origin::BuiltIn
            && old != value
        {
            self.overrides.push(Override { id, from: old, from_origin: slot.1 });
        }
        *slot = (Some(value), origin);
    }

    /// The error for two settings that exclude each other.
    pub(super) fn conflict(&self, a: SettingId, b: SettingId, why: &str) -> Error {
        let show =
            |id: SettingId| format!("{}={}", id.key(), self.get(id).map(ToString::to_string).unwrap_or_default());
        errors::conflict(a, &show(a), b, &show(b), why)
    }

    pub(crate) fn skip(&mut self, id: SettingId, why: &'static str) {
        if let (Some(value), _) = std::mem::replace(&mut self.values[id as usize], (None, Origin::BuiltIn)) {
            self.skipped.push(Skipped { id, value, why });
        }
    }
}

/// What a setting's word means, by the setting's name.
macro_rules! typed {
    ($($accessor:ident: $word:ident of $id:ident,)*) => {
        impl Settings {
            $(
                #[doc = concat!("The setting `", stringify!($accessor), "`; `None`: left as SQLite or the file has it.")]
                pub fn $accessor(&self) -> Option<words::$word> {
                    match self.get(SettingId::$id) {
                        Some(SettingValue::Word(word)) => words::$word::from_word(word),
                        _ => None,
                    }
                }
            )*
        }
    };
}

typed! {
    mode: Mode of Mode,
    profile: ProfileName of Profile,
    busy: BusyWaiting of Busy,
    journal_mode: JournalMode of JournalMode,
    synchronous: Synchronous of Synchronous,
    temp_store: TempStore of TempStore,
    auto_vacuum: AutoVacuum of AutoVacuum,
    locking_mode: LockingMode of LockingMode,
    read_lock: ReadLock of ReadLock,
    secure_delete: SecureDelete of SecureDelete,
    txlock: Txlock of Txlock,
    cache: Cache of Cache,
    attach: Attach of Attach,
    checkpoint: Checkpoint of Checkpoint,
    wal_max_action: WalMaxAction of WalMaxAction,
    close_checkpoint: CloseCheckpoint of CloseCheckpoint,
    optimize: Optimize of Optimize,
    on_orphan_wal: OnOrphanWal of OnOrphanWal,
    replication: Replication of Replication,
    durability: Durability of Durability,
    restore: Restore of Restore,
    role: Role of Role,
    foreign_sqlite: ForeignSqlite of ForeignSqlite,
    network_fs: NetworkFs of NetworkFs,
}
