//! How SQLite was compiled. The flags reach it through the environment of the build (`LIBSQLITE3_FLAGS`), which a program
//! that depends on this crate sets for itself or not.
//!
//! Nothing that decides over right or wrong depends on them: what matters is set for the process or for each connection
//! (URIs, double-quoted strings, foreign keys, memory statistics, synchronous), and read back. What remains is speed and
//! which functions there are; the open report names what is missing.

use std::ffi::CString;

use crate::sqlite;

/// The options that differ from those of `libsqlite3-sys`, and whether they are to be there.
const WANTED: &[(&str, bool)] = &[
    ("ENABLE_API_ARMOR", false),
    ("LIKE_DOESNT_MATCH_BLOBS", true),
    ("ENABLE_FTS4", true),
    ("ENABLE_GEOPOLY", true),
    ("ENABLE_MATH_FUNCTIONS", true),
    ("ENABLE_PERCENTILE", true),
    ("ENABLE_SESSION", true),
    ("ENABLE_PREUPDATE_HOOK", true),
];

/// What this SQLite was compiled with and should not be (`-`), or without (`+`); empty when it is as litekeel builds it.
pub(crate) fn differences() -> String {
    let differs = |(name, wanted): &&(&str, bool)| {
        // SAFETY: a NUL-terminated name.
        let is =
            CString::new(*name).is_ok_and(|name| unsafe { sqlite::sqlite3_compileoption_used(name.as_ptr()) } != 0);
        is != *wanted
    };
    let names: Vec<_> =
        WANTED.iter().filter(differs).map(|(name, wanted)| format!("{}{name}", sign(*wanted))).collect();
    names.join(" ")
}

fn sign(wanted: bool) -> char {
    if wanted { '+' } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_has_every_flag_and_the_list_is_that_of_the_build() {
        assert_eq!(differences(), "");
        let config = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/config.toml")).unwrap();
        for (name, wanted) in WANTED {
            let flag = if *wanted { format!("-DSQLITE_{name}") } else { format!("-USQLITE_{name}") };
            assert!(config.contains(&flag), "{flag} is not in .cargo/config.toml");
        }
    }
}
