//! `.env` files: the application's framework reads them, a shell does not.

use std::path::{Path, PathBuf};

use litekeel_core::{Error, Result, codes};

const NAME: &str = "DATABASE_URL";

/// Takes DATABASE_URL from the file, unless the environment has one: that comes first, as everywhere.
///
/// # Errors
/// When the file cannot be read, or does not set it.
pub fn read(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(codes::ARGUMENT, format!("--env-file: {} cannot be read: {error}", file.display())).with_path(file)
    })?;
    if std::env::var_os(NAME).is_some() {
        return Ok(());
    }
    let value = value(&text).ok_or_else(|| {
        Error::new(codes::ARGUMENT, format!("--env-file: {} sets no {NAME}", file.display()))
            .with_hint(format!("write {NAME}=file:data/app.db in it, or name another file"))
            .with_path(file)
    })?;
    // SAFETY: before any thread is started.
    unsafe { std::env::set_var(NAME, value) };
    Ok(())
}

/// The `.env` here, when it sets a DATABASE_URL that nobody has read.
pub fn unread() -> Option<PathBuf> {
    let file = PathBuf::from(".env");
    let blank = std::env::var_os(NAME).is_none_or(|value| value.is_empty());
    (blank && value(&std::fs::read_to_string(&file).ok()?).is_some()).then_some(file)
}

/// The last value that the text gives it: `NAME=value`, `export NAME='value'`, with comments as dotenv has them.
fn value(text: &str) -> Option<String> {
    text.lines().filter_map(line).next_back()
}

fn line(line: &str) -> Option<String> {
    let line = line.trim();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let text = line.strip_prefix(NAME)?.trim_start().strip_prefix('=')?.trim();
    for quote in ['"', '\'', '`'] {
        if let Some((inside, _)) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return Some(inside.to_owned());
        }
    }
    let plain = text.split_once(" #").map_or(text, |(value, _)| value.trim_end());
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn values_are_read_as_dotenv_writes_them() {
        for (text, expected) in [
            ("DATABASE_URL=file:a.db", "file:a.db"),
            ("# x\nOTHER=1\nexport DATABASE_URL = \"file:a b.db\" # why\n", "file:a b.db"),
            ("DATABASE_URL='file:a.db?mode=ro#x'", "file:a.db?mode=ro#x"),
            ("DATABASE_URL=file:a.db # comment\r\n", "file:a.db"),
            ("DATABASE_URL=file:a.db?x=1#2", "file:a.db?x=1#2"),
            ("DATABASE_URL=one\nDATABASE_URL=two", "two"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text:?}");
        }
        for text in ["", "DATABASE_URL=", "#DATABASE_URL=x", "MY_DATABASE_URL=x", "DATABASE_URLS=x", "DATABASE_URL"] {
            assert_eq!(value(text), None, "{text:?}");
        }
    }
}
