//! The reference page, written from the table.

use std::fmt::Write;

use super::options::CALL_ONLY;
use super::profiles::PROFILES;
use super::table::{Setting, SettingId, SettingKind, TABLE};

/// `docs/settings.md`.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Settings\n\nEach is a parameter of the URL (`file:data/app.db?busy_timeout=10s`) and an option of the call, which wins.\n\
         The defaults are those of the profile `production`; where there is none, SQLite or the file decides. A boolean is one of \
         `1 0 true false on off yes no`. In Node the options are in camel case (`busyTimeout`). The environment's `LITEKEEL_READ_LOCK` \
         is above the profile and below the URL, and holds for `new Database` too. Generated from the library's own table.\n\n\
         | setting | takes | default | what it does |\n|---|---|---|---|\n",
    );
    for row in TABLE {
        let later = match row.not_yet {
            [] => String::new(),
            ["*"] => " *Refused by this version.*".to_owned(),
            values => format!(" *Refused by this version: {}.*", values.join(", ")),
        };
        // The profile that holds when none is named wins over the table.
        let default = PROFILES[0].values().find(|(id, _)| *id == row.id).map_or(row.default, |(_, value)| value);
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{}` | {} | {default} | {}.{later} |", row.key, takes(row), row.help);
    }
    page.push_str("\n## Options of the call only\n\n| option | what it does |\n|---|---|\n");
    for (key, help) in CALL_ONLY {
        let _ = writeln!(page, "| `{key}` | {help} |");
    }
    page.push_str("\n## Profiles\n\n| setting |");
    for profile in PROFILES {
        let _ = write!(page, " {} |", profile.name);
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(PROFILES.len()));
    for (index, (id, _)) in PROFILES[0].values().enumerate() {
        let _ = write!(page, "\n| `{}` |", SettingId::key(id));
        for profile in PROFILES {
            let _ = write!(page, " {} |", profile.values().nth(index).map_or("", |(_, value)| value));
        }
    }
    page.push_str(
        "\n\nUnder `write-heavy` a power loss can lose or damage data: `synchronous=off` does not wait for the disk. \
         `?profile=write-heavy&synchronous=normal` has its other values and only loses the newest commits. A connection that is \
         left open at exit is closed with a warning, and under `test` a failure; \
         not in Go, whose programs end without C's exit handlers: there, close (`defer`). Sizes are per connection.\n",
    );
    page
}

/// What a setting takes, for a reader of the page; what is explained once is named.
fn takes(row: &Setting) -> String {
    match row.kind {
        SettingKind::Bool => "boolean".to_owned(),
        SettingKind::CacheSize => {
            "pages (`2000`), KiB if negative (`-64000`), or bytes with a unit (`64MiB`)".to_owned()
        }
        _ => row.allowed(),
    }
}
