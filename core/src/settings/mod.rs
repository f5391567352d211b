//! The settings of a connection: one table of names, types, ranges, defaults and help.
//!
//! Parsing, application, verification, the report and the reference page in `docs/settings.md` all read
//! [`TABLE`]; a setting is added there and nowhere else.

pub(crate) mod access;
mod conflicts;
mod dialects;
mod effective;
mod environment;
mod errors;
mod options;
mod profiles;
mod reference;
pub(crate) mod replicated;
mod resolve;
mod table;
mod value;
pub mod words;

pub(crate) use access::Access;
pub use effective::{Origin, Override, Settings, Skipped};
pub use environment::keeps_read_locks_by_default;
pub use options::Options;
pub use profiles::{PROFILES, Profile};
pub use reference::reference_page;
pub use resolve::{Resolved, Target, UrlSource, resolve};
pub use table::{Setting, SettingId, SettingKind, SettingStep, SettingUnit, TABLE};
pub use value::{SettingValue, milliseconds};
