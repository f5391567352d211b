//! URL, environment, profile and options → the target and every setting.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::errors;
use super::profiles::{PROFILES, Profile};
use super::table::{SettingId, TABLE};
use super::words;
use super::{Options, Origin, SettingValue, Settings, conflicts, dialects, environment};
use crate::error::Result;
use crate::platform::allowed_roots::Roots;
use crate::url::{self, Location};

/// What is opened when neither an argument nor the environment names a database.
pub const DEFAULT_URL: &str = "file:data/sqlite.db";

/// SQLite's own limit on Unix; its errno for a longer path misleads.
const MAX_PATH: usize = 504;

/// Where the URL came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlSource {
    /// The call's argument.
    Argument,
    /// The environment variable `DATABASE_URL`.
    Env,
    /// The built-in default.
    Default,
}

impl UrlSource {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            UrlSource::Argument => "argument",
            UrlSource::Env => "env",
            UrlSource::Default => "default",
        }
    }
}

/// What is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A database in memory.
    Memory,
    /// A file, by its absolute path.
    File(PathBuf),
}

/// Everything that open needs to know.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is to be opened.
    pub target: Target,
    /// Every setting.
    pub settings: Settings,
    /// Where the URL came from.
    pub url_source: UrlSource,
    /// The URL as it may be shown.
    pub shown_url: String,
    /// What was understood differently from how it may have been meant.
    pub warnings: Vec<String>,
    /// Written `sqlite:///x`, which is absolute.
    pub triple_slash: bool,
    /// What the connection opens lies under these directories.
    pub(crate) roots: Option<Arc<Roots>>,
    /// Follow no symbolic link.
    pub(crate) nofollow: bool,
}

/// The built-in settings with those of a profile, read once in the life of the process.
fn of_profile(index: usize) -> Result<Settings> {
    static READ: LazyLock<Vec<Result<Settings>>> = LazyLock::new(|| PROFILES.iter().map(read).collect());
    fn read(profile: &Profile) -> Result<Settings> {
        let mut settings =
            Settings { values: vec![(None, Origin::BuiltIn); TABLE.len()], overrides: vec![], skipped: vec![] };
        for row in TABLE.iter().filter(|row| !row.default.is_empty()) {
            settings.set(row.id, row.parse(row.default)?, Origin::BuiltIn);
        }
        for (id, value) in profile.values() {
            settings.set(id, id.setting().parse(value)?, Origin::Profile);
        }
        Ok(settings)
    }
    READ[index].clone()
}

/// Resolves the source of the URL, its grammar, its parameters and their precedence:
/// built-in < profile < environment < URL < options of the call. Touches no file but to look for a bare path with a `?`.
///
/// ```
/// use litekeel_core::{Options, Origin, SettingId, Target, resolve};
///
/// let resolved = resolve(Some("file:/srv/app.db?profile=durable&busy_timeout=2s"), &Options::new())?;
/// assert_eq!(resolved.target, Target::File("/srv/app.db".into()));
/// assert_eq!(resolved.settings.int(SettingId::BusyTimeout), Some(2000));
/// assert_eq!(resolved.settings.origin(SettingId::Synchronous), Origin::Profile);
/// # Ok::<(), litekeel_core::Error>(())
/// ```
///
/// # Errors
/// The configuration codes of [`crate::error::codes`].
pub fn resolve(argument: Option<&str>, options: &Options) -> Result<Resolved> {
    let mut warnings = Vec::new();
    let (text, url_source) = source(argument, options, &mut warnings)?;
    let parsed = url::parse_in(&text, options.base_dir.as_deref().unwrap_or(Path::new("")))?;
    warnings.extend(parsed.warnings.iter().cloned());

    let mut from_url = Vec::new();
    for (key, value) in &parsed.pairs {
        let id = SettingId::from_key(key).ok_or_else(|| dialects::unknown(key, value))?;
        from_url.push((id, id.setting().parse(value)?));
    }
    let named = |values: &[(SettingId, SettingValue)]| {
        values.iter().find(|(id, _)| *id == SettingId::Profile).map(|(_, v)| v.to_string())
    };
    let name = named(&options.values).or_else(|| named(&from_url));
    let profile = PROFILES.iter().position(|p| Some(p.name) == name.as_deref()).unwrap_or(0);
    let mut settings = of_profile(profile)?;
    let profile = &PROFILES[profile];
    for (id, value) in environment::values(options)? {
        settings.set(id, value, Origin::Environment);
    }
    for (id, value) in from_url {
        settings.set(id, value, Origin::Url);
    }
    let (mode, immutable) = (settings.mode(), settings.bool(SettingId::Immutable));
    for (id, value) in &options.values {
        settings.set(*id, value.clone(), Origin::Option);
    }
    only_tighten(mode, settings.mode())?;
    if immutable && !settings.bool(SettingId::Immutable) {
        return Err(errors::immutable_loosened());
    }
    if mode != Some(words::Mode::Memory)
        && settings.mode() == Some(words::Mode::Memory)
        && matches!(parsed.location, Location::Path(_))
    {
        return Err(errors::memory_for_a_file());
    }
    if settings.bool(SettingId::Immutable) {
        settings.set(SettingId::Mode, SettingValue::Word("ro"), settings.origin(SettingId::Immutable));
    }
    // The warning is about synchronous=off, which the URL or the call may have replaced.
    if !profile.warning.is_empty() && settings.synchronous() == Some(words::Synchronous::Off) {
        warnings.push(format!("profile={}: {}", profile.name, profile.warning));
    }

    // A `?` in a bare path belongs to the name of a file that exists.
    let is_path = matches!(&parsed.location, Location::Path(path) if *path == text);
    let memory = parsed.location == Location::Memory || settings.mode() == Some(words::Mode::Memory);
    let target = match parsed.location {
        Location::Path(path) if !memory => Target::File(absolute(&path, options)?),
        _ => Target::Memory,
    };
    let roots = (!options.allowed_roots.is_empty()).then(|| Arc::new(Roots::of(&options.allowed_roots)));
    if let (Some(roots), Target::File(path)) = (&roots, &target) {
        roots.check(path)?;
    }
    if memory {
        settings.set(SettingId::Mode, SettingValue::Word("memory"), settings.origin(SettingId::Mode));
    }
    conflicts::settle(&mut settings, memory)?;
    Ok(Resolved {
        target,
        settings,
        url_source,
        shown_url: if is_path {
            text.into_owned()
        } else {
            url::redact_except(&text, &|key| SettingId::from_key(key).is_some())
        },
        warnings,
        triple_slash: parsed.triple_slash,
        roots,
        nofollow: options.nofollow,
    })
}

fn source<'a>(
    argument: Option<&'a str>,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<(Cow<'a, str>, UrlSource)> {
    if let Some(text) = argument {
        if text.is_empty() {
            return Err(errors::empty_argument());
        }
        return Ok((text.into(), UrlSource::Argument));
    }
    match std::env::var("DATABASE_URL") {
        _ if options.ignore_env => {}
        Ok(text) if !text.trim().is_empty() => return Ok((text.into(), UrlSource::Env)),
        Ok(_) => warnings.push(format!("DATABASE_URL is set but blank; {DEFAULT_URL} is used")),
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(errors::environment_not_utf8());
        }
        Err(std::env::VarError::NotPresent) => {}
    }
    Ok((DEFAULT_URL.into(), UrlSource::Default))
}

/// An option may take rights away from what the URL grants, never add some.
fn only_tighten(url: Option<words::Mode>, call: Option<words::Mode>) -> Result<()> {
    let rights = |mode| match mode {
        words::Mode::Ro => Some(0),
        words::Mode::Rw => Some(1),
        words::Mode::Rwc => Some(2),
        words::Mode::Memory => None,
    };
    let (Some(url), Some(call)) = (url, call) else { return Ok(()) };
    match (rights(url), rights(call)) {
        (Some(granted), Some(asked)) if asked > granted => Err(errors::mode_loosened(url, call)),
        _ => Ok(()),
    }
}

fn absolute(path: &str, options: &Options) -> Result<PathBuf> {
    let base = match &options.base_dir {
        Some(base) => std::path::absolute(base),
        None => std::env::current_dir(),
    };
    let base = base.map_err(|error| errors::no_working_directory(&error))?;
    // `.` goes, `..` stays: what it means depends on symbolic links.
    let joined = base.join(path);
    let clean: PathBuf = joined.components().filter(|part| *part != Component::CurDir).collect();
    if clean.as_os_str().len() > MAX_PATH {
        return Err(errors::path_too_long(&clean, MAX_PATH));
    }
    if path.ends_with('/') {
        return Err(errors::names_a_directory(&clean));
    }
    Ok(clean)
}
