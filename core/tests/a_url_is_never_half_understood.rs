//! The grammar's edges: where an error points, what it never shows, every parameter's values, every conflict.

use litekeel_core::{Begin, Connection, Error, Options};
use litekeel_core::{SETTINGS, SettingId, SettingKind, Target, resolve};
use litekeel_core::{parse_url, redact_url};

fn options() -> Options {
    let mut options = Options::new();
    options.set("base_dir", "/base").unwrap();
    options
}

fn refusal(url: &str) -> Error {
    resolve(Some(url), &options()).err().unwrap_or_else(|| panic!("{url:?} was taken"))
}

fn path(url: &str) -> String {
    match resolve(Some(url), &options()).unwrap_or_else(|error| panic!("{url}: {error:?}")).target {
        Target::File(path) => path.to_str().unwrap().to_owned(),
        Target::Memory => ":memory:".to_owned(),
    }
}

#[test]
fn more_forms() {
    for (url, wanted) in [
        ("SQLITE3:a.db", "/base/a.db"),
        ("sqlite3://a.db", "/base/a.db"),
        ("sqlite3:///abs/a.db", "/abs/a.db"),
        ("sqlite3:////abs/a.db", "/abs/a.db"),
        ("file:////abs/a.db", "/abs/a.db"),
        ("file://localhost/a%20b.db", "/a b.db"),
        ("file::memory:?foreign_keys=1", ":memory:"),
        ("sqlite::memory:?cache=shared", ":memory:"),
        ("sqlite://:memory:?cache=shared", ":memory:"),
        ("sqlite3::memory:", ":memory:"),
        ("file:%3Amemory%3A?cache=shared", ":memory:"),
        (":memory:#x", ":memory:"),
        ("sqlite:x.db?mode=memory", ":memory:"),
        ("file:./:memory:", "/base/:memory:"),
        ("file:a$b.db", "/base/a$b.db"),
        ("file:$HOME", "/base/$HOME"),
        ("a$HOME.db", "/base/a$HOME.db"),
        ("file:a~.db", "/base/a~.db"),
        ("~a.db", "/base/~a.db"),
        ("'a.db", "/base/'a.db"),
        ("file:a b.db", "/base/a b.db"),
        ("file:%2Fabs/a.db", "/abs/a.db"),
        ("file:a.db?foreign_keys=1;", "refused"),
        ("file:a.db?%6Dode=r%6F", "/base/a.db"),
        ("file:a.db#?mode=nonsense", "/base/a.db"),
        ("file:a%3Fmode=ro.db", "/base/a?mode=ro.db"),
        ("./C:/a.db", "/base/C:/a.db"),
        ("dir\\a.db", "/base/dir\\a.db"),
    ] {
        if wanted == "refused" {
            assert_eq!(refusal(url).name(), "KEEL_INVALID_VALUE", "{url}: `;` is no separator");
        } else {
            assert_eq!(path(url), wanted, "{url}");
        }
    }
    let fits = format!("file:/{}", "d".repeat(503));
    assert_eq!(path(&fits).len(), 504);
    assert_eq!(refusal(&format!("{fits}d")).name(), "KEEL_PATH_TOO_LONG");
    assert!(parse_url("file:data/h#ash.db").unwrap().warnings[0].contains("%23"));
    assert_eq!(parse_url("file:a?vfs=a=b+c").unwrap().pairs, [("vfs".to_owned(), "a=b+c".to_owned())]);
}

#[cfg(not(windows))]
#[test]
fn windows_paths_are_told_apart_here() {
    for url in [
        "C:\\a.db",
        "c:/a.db",
        "file:C:\\a.db",
        "file:/C:/a.db",
        "file:///c:/a.db",
        "file:C%3A/a.db",
        "sqlite:C:/a.db",
        "sqlite:///C:/a.db",
        "sqlite:////C:/a.db",
        "\\\\server\\share\\a.db",
        "file:\\\\server\\share\\a.db",
        "file:%5C%5Cserver%5Cshare%5Ca.db",
        "\\\\?\\C:\\a.db",
    ] {
        assert_eq!(refusal(url).name(), "KEEL_WINDOWS_PATH", "{url}");
    }
}

#[test]
fn an_offset_counts_in_what_was_written() {
    for (url, name, offset) in [
        ("file:%41%41%ff.db", "KEEL_INVALID_UTF8", 11),
        ("file:///a%20b/%C3%A4%e4.db", "KEEL_INVALID_UTF8", 20),
        ("file:a?vfs=%41%ff", "KEEL_INVALID_UTF8", 14),
        (":memory:?vfs=%ff", "KEEL_INVALID_UTF8", 13),
        ("file:a%00b", "KEEL_NUL_IN_URL", 6),
        ("file:a?vfs=x%00", "KEEL_NUL_IN_URL", 12),
        ("file:\u{e4}\u{7}", "KEEL_CONTROL_CHARACTER", 7),
        ("data/a.db?mode=ro", "KEEL_QUERY_IN_PATH", 9),
    ] {
        let error = refusal(url);
        assert_eq!((error.name(), error.offset()), (name, Some(offset)), "{url}: {error}");
    }
}

#[test]
fn a_question_mark_is_looked_for_where_the_path_begins() {
    let own = tempfile::tempdir().unwrap();
    let dir = own.path();
    std::fs::write(dir.join("what?.db"), "").unwrap();
    let mut there = Options::new();
    there.set("base_dir", dir.to_str().unwrap()).unwrap();
    assert_eq!(resolve(Some("what?.db"), &there).unwrap().target, Target::File(dir.join("what?.db")));
    assert_eq!(refusal("what?.db").name(), "KEEL_QUERY_IN_PATH");
}

#[test]
fn no_part_of_a_password_is_shown() {
    for url in [
        "postgres://user:sec/ret@host/db",
        "postgres://user:sec?ret@host/db",
        "postgres://user:sec#ret@host/db",
        "postgres://user:sec@ret@host/db",
        "postgres://:secret@host/db",
        "mysql://user:secret@host/db?x=1",
        "user:secret@tcp(127.0.0.1:3306)/db",
        "file://user:sec/ret@host/x.db",
        "file://user:secret@localhost/x.db",
        "sqlite://user:sec/ret@host/x.db",
        "file://secret@host/x.db",
        " postgres://user:sec/ret@host/db",
        "'postgres://user:sec/ret@host/db'",
        "postgres://user:sec/ret@${HOST}/db",
    ] {
        let error = refusal(url);
        let shown = format!("{error:?} {}", redact_url(url));
        for part in ["sec", "ret@", "/ret", "?ret", "#ret"] {
            assert!(!shown.contains(part), "{url}: {shown}");
        }
    }
    for shown in ["file:///data/@x.db", "sqlite://data/a@b.db", "file:a@b.db", "postgres://host", "a@b:c.db"] {
        assert_eq!(redact_url(shown), shown);
    }
}

#[test]
fn refusals_of_every_kind() {
    for (url, code, hint) in [
        ("`file:a.db`", "QUOTED_URL", "quotes"),
        ("'file:a.db", "QUOTED_URL", "quotes"),
        ("\"sqlite:///a.db#x", "QUOTED_URL", "quotes"),
        ("`libsql://h", "QUOTED_URL", "quotes"),
        ("':memory:#x", "QUOTED_URL", "quotes"),
        ("'Data Source=a.db;Version=3", "QUOTED_URL", "quotes"),
        ("\u{a0}file:a.db", "STRAY_WHITESPACE", ""),
        ("file:a\nb.db", "CONTROL_CHARACTER", "remove"),
        ("file:a\u{85}b.db", "CONTROL_CHARACTER", "remove"),
        ("file:${HOME}/a.db?mode=ro", "UNEXPANDED", "dotenv"),
        ("sqlite:~/a.db", "UNEXPANDED", "./~/"),
        ("file:a?modeof=${X}", "UNEXPANDED", "dotenv"),
        ("rediss://h", "UNSUPPORTED_SCHEME", "another database"),
        ("mongodb+srv://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("libsql://h", "UNSUPPORTED_SCHEME", "local files"),
        ("POSTGRES://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("sqlite+pysqlite:///a.db", "UNSUPPORTED_SCHEME", "driver"),
        ("file://Localhost/a.db", "INVALID_AUTHORITY", "file:Localhost/a.db"),
        ("file://x.db", "INVALID_AUTHORITY", "file:x.db"),
        ("file://localhost:80/a.db", "INVALID_AUTHORITY", ""),
        ("file://localhost", "EMPTY_PATH", ""),
        ("sqlite3:", "EMPTY_PATH", ""),
        ("sqlite:?mode=rw", "EMPTY_PATH", ""),
        ("file:a?=", "INVALID_VALUE", "name=value"),
        ("file:a?mode=ro&MODE=rw", "UNKNOWN_PARAM", "mode"),
        ("file:a?mode=ro&%6Dode=ro", "DUPLICATE_PARAM", "one"),
        ("file:a?_foreign_keys=1", "UNKNOWN_PARAM", "write foreign_keys=1"),
        ("file:a?_cache_size=5", "UNKNOWN_PARAM", "write cache_size=5"),
        ("file:a?_query_only=1", "UNKNOWN_PARAM", "write query_only=1"),
        ("file:a?_pragma=busy_timeout(5000)", "UNKNOWN_PARAM", "write busy_timeout=5000"),
        ("file:a?pool_timeout=1", "UNKNOWN_PARAM", "Prisma"),
        ("file:a?socket_timeout=1", "UNKNOWN_PARAM", "Prisma"),
        ("file:a?schema=public", "UNKNOWN_PARAM", "Prisma"),
        ("file:a?readOnly=true", "UNKNOWN_PARAM", "mode=ro"),
        ("file:a?sycnhronous=full", "UNKNOWN_PARAM", "synchronous"),
        ("file:a?key=secret", "UNKNOWN_PARAM", "not encrypted"),
        ("file:a?load_extension=x", "UNKNOWN_PARAM", "settings are"),
        ("file:a?cache_size=-2147483649", "INVALID_VALUE", "pages"),
        ("file:a?cache_size=-1KiB", "INVALID_VALUE", ""),
        ("file:a?mmap_size=2147418113", "INVALID_VALUE", "2147418112"),
        ("file:a?wal_autocheckpoint=-1", "INVALID_VALUE", "pages"),
        ("file:a?journal_size_limit=9007199254740993", "INVALID_VALUE", ""),
        ("file:a?page_size=256", "INVALID_VALUE", "512"),
        ("file:a?application_id=4294967296", "INVALID_VALUE", "4294967295"),
        ("file:a?busy_timeout=5 s", "INVALID_VALUE", ""),
        ("file:a?busy_timeout=5m", "INVALID_VALUE", ""),
        ("file:a?vfs=no_such_vfs_but_text", "taken", ""),
        ("file:a?mode=ro&auto_vacuum=full", "CONFLICT", "auto_vacuum"),
        ("file:a?mode=ro&application_id=1", "CONFLICT", "application_id"),
        ("file:a?immutable=1&journal_mode=wal", "CONFLICT", "immutable"),
        ("file:a?mode=memory&checkpoint=manual", "CONFLICT", "checkpoint"),
        ("file:a?mode=memory&immutable=1", "CONFLICT", "immutable"),
        ("file:a?cache=shared&mode=rw", "CONFLICT", "cache"),
        ("file:a?journal_mode=off", "CONFLICT", "defensive"),
        ("file:a?journal_mode=off&defensive=0", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?modeof=/x", "NEEDS_UNSAFE", "unsafe=1"),
    ] {
        if code == "taken" {
            assert_eq!(path(url), "/base/a", "an unknown VFS is found out at open");
            continue;
        }
        let error = refusal(url);
        assert_eq!(error.name(), format!("KEEL_{code}"), "{url:?}: {error}");
        assert!(error.hint().contains(hint), "{url:?}: {error}");
    }
}

/// What the table says a setting takes is taken, its neighbours are refused, and SQLite never sees a user's text.
#[test]
fn every_setting_takes_what_its_table_says_and_nothing_else() {
    let taken = |id: SettingId, text: &str| id.setting().parse(text).is_ok();
    for row in SETTINGS.iter().filter(|row| row.not_yet.is_empty()) {
        assert!(!taken(row.id, ""), "{}", row.key);
        match row.kind {
            SettingKind::Bool => {
                for text in ["1", "0", "true", "false", "on", "off", "yes", "no"] {
                    assert!(taken(row.id, text), "{}={text}", row.key);
                }
                for text in ["TRUE", "On", "2", "enabled", "y", "t", " 1", "1 "] {
                    assert!(!taken(row.id, text), "{}={text}", row.key);
                }
            }
            SettingKind::Int { min, max, .. } => {
                let power = row.id == SettingId::PageSize;
                for (value, fits) in [(min, true), (max, true), (min - 1, false), (max + 1, false)] {
                    assert_eq!(taken(row.id, &value.to_string()), fits, "{}={value}", row.key);
                }
                for text in ["", "x", "1.0", "1e3", "0x10", "+1", "--1", "1_000", "٣", "512k", "512 KiB"] {
                    assert!(!taken(row.id, text), "{}={text}", row.key);
                }
                assert!(!power || !taken(row.id, "1000"), "{}", row.key);
            }
            SettingKind::Word(words) => {
                for word in words {
                    assert!(taken(row.id, word), "{}={word}", row.key);
                    assert!(!taken(row.id, &word.to_uppercase()), "{}={word}", row.key);
                    assert!(!taken(row.id, &format!("{word}x")), "{}={word}", row.key);
                }
            }
            SettingKind::CacheSize | SettingKind::Text => {}
        }
    }
}

#[test]
fn txlock_decides_what_a_transaction_begins_with() {
    let own = tempfile::tempdir().unwrap();
    let dir = own.path();
    let open = |query: &str| {
        let url = format!("file:{}/a.db?{query}", dir.display());
        Connection::open(Some(&url), &Options::new()).unwrap()
    };
    for (query, told, wanted) in [
        ("busy_timeout=1s", Begin::Default, "BEGIN IMMEDIATE"),
        ("busy_timeout=1s", Begin::Deferred, "BEGIN DEFERRED"),
        ("txlock=exclusive", Begin::Default, "BEGIN EXCLUSIVE"),
        ("txlock=immediate", Begin::Deferred, "BEGIN IMMEDIATE"),
        ("txlock=deferred", Begin::Default, "BEGIN DEFERRED"),
        ("txlock=deferred", Begin::Immediate, "BEGIN IMMEDIATE"),
        ("query_only=1", Begin::Default, "BEGIN DEFERRED"),
        ("mode=ro&txlock=immediate", Begin::Default, "BEGIN DEFERRED"),
    ] {
        let db = open(query);
        assert_eq!(db.begin_statement(told), wanted, "{query}");
        db.close().unwrap();
    }
}
