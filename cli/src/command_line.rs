//! What is wrong with the command line, without repeating what may be a secret: the URL of another database, or a password that
//! went to the wrong place.

use clap::Error;
use clap::error::{ContextKind, ContextValue};

/// The error with nothing in it of what was written but words and the names of options.
pub fn without_secrets(mut error: Error) -> Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        // Of a wrong value the argument is one of ours: `--pages <PAGES>`.
        let is_ours = kind == ContextKind::InvalidArg && error.get(ContextKind::InvalidValue).is_some();
        if !is_ours
            && let Some(ContextValue::String(text)) = error.get(kind)
            && let Some(text) = hidden(text)
        {
            error.insert(kind, ContextValue::String(text));
            // It says how to pass that very text.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

/// What is shown instead of it, where it may be a secret.
fn hidden(text: &str) -> Option<String> {
    let is_word = |text: &str| text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    // With a unit of at most two letters.
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = (1..=12).contains(&digits.len())
        && text.len() - digits.len() <= 2
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    match text.split_once('=') {
        None if is_word(text) || is_number => None,
        Some((option, _)) if text.starts_with("--") && is_word(option) => Some(format!("{option}=***")),
        _ => Some("***".to_owned()),
    }
}
