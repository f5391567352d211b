//! What a URL means, what is refused, and with which hint.

use litekeel_core::Options;
use litekeel_core::{Location, Url, parse_url};
use litekeel_core::{PROFILES, SettingId, Target, resolve, words};

fn path(url: &str) -> String {
    let mut options = Options::new();
    options.set("base_dir", "/base").unwrap();
    match resolve(Some(url), &options).unwrap_or_else(|error| panic!("{url}: {error:?}")).target {
        Target::File(path) => path.to_str().unwrap().to_owned(),
        Target::Memory => ":memory:".to_owned(),
    }
}

#[test]
fn forms_and_what_they_name() {
    for (url, wanted) in [
        ("file:a.db", "/base/a.db"),
        ("file:./a.db", "/base/a.db"),
        ("file:../a.db", "/base/../a.db"),
        ("file:data/a.db", "/base/data/a.db"),
        ("file:/abs/a.db", "/abs/a.db"),
        ("file:///abs/a.db", "/abs/a.db"),
        ("file://localhost/abs/a.db", "/abs/a.db"),
        ("FILE:a.db", "/base/a.db"),
        ("sqlite:a.db", "/base/a.db"),
        ("sqlite3:a.db", "/base/a.db"),
        ("SQLite:a.db", "/base/a.db"),
        ("sqlite://a.db", "/base/a.db"),
        ("sqlite://data/a.db", "/base/data/a.db"),
        ("sqlite:/abs/a.db", "/abs/a.db"),
        ("sqlite:///abs/a.db", "/abs/a.db"),
        ("sqlite:////abs/a.db", "/abs/a.db"),
        ("a.db", "/base/a.db"),
        ("data/a.db", "/base/data/a.db"),
        ("/abs/a.db", "/abs/a.db"),
        ("./~/a.db", "/base/~/a.db"),
        ("/~/a.db", "/~/a.db"),
        ("file:///~/a.db", "/~/a.db"),
        ("file:%7E/a.db", "/base/~/a.db"),
        ("dir/a:b.db", "/base/dir/a:b.db"),
        ("file:a%20b.db", "/base/a b.db"),
        ("file:a+b.db", "/base/a+b.db"),
        ("file:a%2Fb.db", "/base/a/b.db"),
        ("file:a%2fb.db", "/base/a/b.db"),
        ("file:a%zz.db", "/base/a%zz.db"),
        ("file:a%2.db", "/base/a%2.db"),
        ("file:a%", "/base/a%"),
        ("file:a%2520.db", "/base/a%20.db"),
        ("file:%C3%A4.db", "/base/ä.db"),
        ("file:a%3Fb.db", "/base/a?b.db"),
        ("file:a%23b.db", "/base/a#b.db"),
        ("file:a#b.db", "/base/a"),
        ("file:a.db?", "/base/a.db"),
        ("file:a.db?&&", "/base/a.db"),
        ("file:a.db?mode=rw&", "/base/a.db"),
        ("a%20b.db", "/base/a%20b.db"),
        ("./:memory:", "/base/:memory:"),
        (":memory:", ":memory:"),
        (":memory:?cache=shared", ":memory:"),
        ("file::memory:", ":memory:"),
        ("file::memory:?cache=shared", ":memory:"),
        ("sqlite::memory:", ":memory:"),
        ("sqlite://:memory:", ":memory:"),
        ("file:%3Amemory%3A", ":memory:"),
        ("file:x?mode=memory", ":memory:"),
        ("file:?mode=memory", ":memory:"),
        ("sqlite:?mode=memory", ":memory:"),
    ] {
        assert_eq!(path(url), wanted, "{url}");
    }
}

#[test]
fn refusals_and_their_hints() {
    let long = format!("file:/{}", "d/".repeat(260));
    for (url, code, hint) in [
        ("", "EMPTY_URL", "file:"),
        ("file:a\u{7}", "CONTROL_CHARACTER", "remove"),
        ("file:a.db\r", "CONTROL_CHARACTER", "CRLF"),
        ("file:a\u{7f}", "CONTROL_CHARACTER", "%HH"),
        ("file:a\0b", "CONTROL_CHARACTER", ""),
        (" file:a.db", "STRAY_WHITESPACE", ""),
        ("file:a.db ", "STRAY_WHITESPACE", ""),
        ("\"file:a.db\"", "QUOTED_URL", "quotes"),
        ("'file:a.db'", "QUOTED_URL", "quotes"),
        ("${HOME}/a.db", "UNEXPANDED", "dotenv"),
        ("file:${DB}", "UNEXPANDED", "dotenv"),
        ("file:$HOME/a.db", "UNEXPANDED", "dotenv"),
        ("~/a.db", "UNEXPANDED", "./~/"),
        ("file:~/a.db", "UNEXPANDED", "./~/"),
        ("sqlite://~/a.db", "UNEXPANDED", "./~/"),
        ("file:a.db\r\n", "CONTROL_CHARACTER", "CRLF"),
        ("file:a?checkpoint=auto+idle&wal_autocheckpoint=0", "CONFLICT", "wal_autocheckpoint"),
        ("postgres://u:secret@h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("postgresql://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("mysql://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("mariadb://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("mongodb://h/d", "UNSUPPORTED_SCHEME", "another database"),
        ("redis://h", "UNSUPPORTED_SCHEME", "another database"),
        ("http://h/a.db", "UNSUPPORTED_SCHEME", "local files"),
        ("https://h/a.db", "UNSUPPORTED_SCHEME", "local files"),
        ("ws://h", "UNSUPPORTED_SCHEME", "local files"),
        ("wss://h", "UNSUPPORTED_SCHEME", "local files"),
        ("jdbc:sqlite:a.db", "UNSUPPORTED_SCHEME", "jdbc"),
        ("sqlite+aiosqlite:///a.db", "UNSUPPORTED_SCHEME", "driver"),
        ("foo:a.db", "UNSUPPORTED_SCHEME", "./name"),
        ("file://data/x.db", "INVALID_AUTHORITY", "file:data/x.db"),
        ("file://LOCALHOST/x.db", "INVALID_AUTHORITY", "file:///"),
        ("file://local%68ost/x.db", "INVALID_AUTHORITY", ""),
        ("file://user:secret@host/x.db", "INVALID_AUTHORITY", "file:data/app.db"),
        ("sqlite://user:secret@host/x.db", "INVALID_AUTHORITY", ""),
        ("file:", "EMPTY_PATH", "name a file"),
        ("file://", "EMPTY_PATH", "name a file"),
        ("sqlite:", "EMPTY_PATH", ""),
        ("sqlite://", "EMPTY_PATH", ""),
        ("file:?mode=ro", "EMPTY_PATH", ""),
        ("file:a%00b", "NUL_IN_URL", ""),
        ("file:a?vfs=a%00b", "NUL_IN_URL", ""),
        ("file:%ff.db", "INVALID_UTF8", ""),
        ("C:\\data\\a.db", "WINDOWS_PATH", ""),
        ("C:/data/a.db", "WINDOWS_PATH", ""),
        ("file:C:/a.db", "WINDOWS_PATH", ""),
        ("file:///C:/a.db", "WINDOWS_PATH", ""),
        ("\\\\server\\share\\a.db", "WINDOWS_PATH", ""),
        ("data/a.db?mode=ro", "QUERY_IN_PATH", "file:data/a.db?mode=***"),
        (&long, "PATH_TOO_LONG", "shorten"),
        ("file:dir/", "NOT_A_FILE", "name the file"),
        ("file:a?busy_timeot=1", "UNKNOWN_PARAM", "busy_timeout"),
        ("file:a?busytimeout=1", "UNKNOWN_PARAM", "busy_timeout"),
        ("file:a?Mode=ro", "UNKNOWN_PARAM", "mode"),
        ("file:a?_pragma=foreign_keys(1)", "UNKNOWN_PARAM", "foreign_keys=1"),
        ("file:a?_journal_mode=wal", "UNKNOWN_PARAM", "journal_mode=wal"),
        ("file:a?_busy_timeout=1", "UNKNOWN_PARAM", "busy_timeout=1"),
        ("file:a?_timeout=1", "UNKNOWN_PARAM", "busy_timeout=1"),
        ("file:a?_fk=1", "UNKNOWN_PARAM", "foreign_keys=1"),
        ("file:a?_sync=1", "UNKNOWN_PARAM", "synchronous=1"),
        ("file:a?_txlock=immediate", "UNKNOWN_PARAM", "txlock=immediate"),
        ("file:a?connection_limit=1", "UNKNOWN_PARAM", "Prisma"),
        ("file:a?sslmode=require", "UNKNOWN_PARAM", "Prisma"),
        ("file:a?check_same_thread=0", "UNKNOWN_PARAM", "SQLAlchemy"),
        ("file:a?uri=true", "UNKNOWN_PARAM", "SQLAlchemy"),
        ("file:a?readonly=1", "UNKNOWN_PARAM", "mode=ro"),
        ("file:a?writable_schema=1", "UNKNOWN_PARAM", "settings are"),
        ("file:a?mode=ro&mode=rw", "DUPLICATE_PARAM", ""),
        ("file:a?=1", "INVALID_VALUE", "name=value"),
        ("file:a?mode", "INVALID_VALUE", "name=value"),
        ("file:a?mode=", "INVALID_VALUE", "name=value"),
        ("file:a?mode=rx", "INVALID_VALUE", "ro rw rwc"),
        ("file:a?foreign_keys=enabled", "INVALID_VALUE", "true"),
        ("file:a?foreign_keys=TRUE", "INVALID_VALUE", ""),
        ("file:a?synchronous=bogus", "INVALID_VALUE", "normal"),
        ("file:a?synchronous=4", "INVALID_VALUE", ""),
        ("file:a?cache_size=0", "INVALID_VALUE", "other than 0"),
        ("file:a?cache_size=99999999999", "INVALID_VALUE", ""),
        ("file:a?cache_size=4GiBs", "INVALID_VALUE", ""),
        ("file:a?busy_timeout=99999999999", "INVALID_VALUE", "2147483647"),
        ("file:a?busy_timeout=-1", "INVALID_VALUE", ""),
        ("file:a?busy_timeout=+5", "INVALID_VALUE", ""),
        ("file:a?busy_timeout=5.5", "INVALID_VALUE", ""),
        ("file:a?busy_timeout=0x10", "INVALID_VALUE", ""),
        ("file:a?wal_autocheckpoint=4e3", "INVALID_VALUE", "pages"),
        ("file:a?page_size=1000", "INVALID_VALUE", ""),
        ("file:a?page_size=131072", "INVALID_VALUE", ""),
        ("file:a?mmap_size=-1", "INVALID_VALUE", ""),
        ("file:a?journal_size_limit=-2", "INVALID_VALUE", ""),
        ("file:a?profile=fast", "INVALID_VALUE", "production"),
        ("file:a?txlock=none", "INVALID_VALUE", "immediate"),
        ("file:a?wal_max=16MiB&checkpoint=external", "CONFLICT", "checkpoint"),
        ("file:a?wal_max=16MiB&journal_mode=delete", "CONFLICT", "journal_mode"),
        ("file:a?wal_max=16MiB&mode=ro", "CONFLICT", "wal_max"),
        ("file:a?wal_max=16MiB&locking_mode=exclusive", "CONFLICT", "locking_mode"),
        (":memory:?wal_max=16MiB", "CONFLICT", "wal_max"),
        ("file:a?wal_max_action=error", "CONFLICT", "wal_max=64MiB"),
        ("file:a?checkpoint=idle&wal_autocheckpoint=1000", "CONFLICT", "wal_autocheckpoint"),
        ("file:a?replication=litestream&wal_autocheckpoint=1000", "CONFLICT", "wal_autocheckpoint"),
        ("file:a?checkpoint=background&wal_autocheckpoint=0", "CONFLICT", "wal_autocheckpoint"),
        ("file:a?foreign_sqlite=perhaps", "INVALID_VALUE", "refuse"),
        ("file:a?mode=ro&journal_mode=wal", "CONFLICT", "mode"),
        ("file:a?mode=ro&page_size=4096", "CONFLICT", "page_size"),
        ("file:a?mode=ro&mkdir=1", "CONFLICT", "mkdir"),
        ("file:a?immutable=1&wal_autocheckpoint=9", "CONFLICT", "immutable"),
        ("file:a?immutable=1&wal_max=1MiB", "CONFLICT", "immutable"),
        (":memory:?journal_mode=wal", "CONFLICT", "journal_mode"),
        (":memory:?mmap_size=1MiB", "CONFLICT", "mmap_size"),
        ("file:a?cache=shared", "CONFLICT", "cache"),
        ("file:a?defensive=1&journal_mode=off&unsafe=1", "CONFLICT", "defensive"),
        ("file:a?wal_autocheckpoint=0&checkpoint=auto", "CONFLICT", "checkpoint"),
        ("file:a?nolock=1&journal_mode=wal&unsafe=1", "CONFLICT", "nolock"),
        ("file:a?journal_mode=memory", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?nolock=1", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?psow=1", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?vfs=unix-none", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?vfs=unix-dotfile&mode=ro", "NEEDS_UNSAFE", "unsafe=1"),
        ("file:a?vfs=memdb", "NEEDS_UNSAFE", "unsafe=1"),
    ] {
        let mut options = Options::new();
        options.set("base_dir", "/base").unwrap();
        let error = resolve(Some(url), &options).err().unwrap_or_else(|| panic!("{url:?} was taken"));
        assert_eq!(error.name(), format!("KEEL_{code}"), "{url:?}: {error}");
        assert!(error.hint().contains(hint), "{url:?}: {error}");
        assert!(!error.to_string().contains("secret"), "{url:?}: {error}");
    }
}

#[test]
fn values_are_read_as_the_table_says() {
    let get = |query: &str, id| {
        resolve(Some(&format!("file:a?{query}")), &Options::new()).unwrap().settings.get(id).unwrap().to_string()
    };
    assert_eq!(get("busy_timeout=10s", SettingId::BusyTimeout), "10000");
    assert_eq!(get("busy_timeout=10ms", SettingId::BusyTimeout), "10");
    assert_eq!(get("cache_size=64MiB", SettingId::CacheSize), "-65536");
    assert_eq!(get("cache_size=-64000", SettingId::CacheSize), "-64000");
    assert_eq!(get("synchronous=2", SettingId::Synchronous), "full");
    assert_eq!(get("secure_delete=yes", SettingId::SecureDelete), "on");
    for profile in PROFILES {
        for (id, text) in profile.values() {
            let wanted = id.setting().parse(text).unwrap().to_string();
            assert_eq!(get(&format!("profile={}", profile.name), id), wanted, "{} {}", profile.name, id.key());
        }
    }
}

#[test]
fn stronger_wins_and_access_is_only_tightened() {
    let mut options = Options::new();
    options.set("busy_timeout", "3s").unwrap();
    let resolved = resolve(Some("file:a?busy_timeout=1s&profile=durable"), &options).unwrap();
    assert_eq!(resolved.settings.int(SettingId::BusyTimeout), Some(3000));
    assert_eq!(resolved.settings.overrides.len(), 2);
    options.set("mode", "ro").unwrap();
    assert_eq!(resolve(Some("file:a"), &options).unwrap().settings.mode(), Some(words::Mode::Ro));
    options.set("mode", "rwc").unwrap();
    assert!(resolve(Some("file:a?mode=ro"), &options).is_err());
    for (url, key, value) in [("file:a?immutable=1", "immutable", "0"), ("file:a", "mode", "memory")] {
        let mut options = Options::new();
        options.set(key, value).unwrap();
        assert_eq!(resolve(Some(url), &options).unwrap_err().name(), "KEEL_CONFLICT", "{url} {key}={value}");
    }
}

/// A small generator: the same numbers for the same seed.
struct Random(u64);
impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn print_and_parse_again_is_stable_and_nothing_panics() {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut random = Random(seed);
    let pieces = [
        "file:",
        "sqlite:",
        "//",
        "/",
        "a",
        "%20",
        "%",
        "?",
        "&",
        "=",
        "#",
        ":",
        ".",
        "mode",
        "ro",
        ":memory:",
        "ä",
        "~",
        "$",
        "{X}",
        "+",
        ";",
        "localhost",
        "..",
        "\\",
        " ",
        "\u{1}",
        "@",
        "vfs",
    ];
    let mut parsed = 0;
    for _ in 0..200_000 {
        let text: String = (0..random.below(9)).map(|_| pieces[random.below(pieces.len())]).collect();
        let Ok(url) = parse_url(&text) else { continue };
        parsed += 1;
        let printed = url.to_string();
        let again = match parse_url(&printed) {
            Ok(again) => again,
            // A bare `/C:/x` is a path of this system; as a URL it reads as a Windows drive.
            Err(error) if error.name() == "KEEL_WINDOWS_PATH" => continue,
            Err(error) => panic!("{text:?} {printed:?}: {error:?}"),
        };
        if url.location != Location::Memory {
            let same = |url: &Url| match &url.location {
                Location::Path(path) => path.trim_start_matches("./").to_owned(),
                Location::Memory => String::new(),
            };
            assert_eq!((same(&again), &again.pairs), (same(&url), &url.pairs), "{text:?} {printed:?}");
        }
        assert_eq!(again.to_string(), printed, "{text:?}");
    }
    assert!(parsed > 10_000, "{parsed}");
}

/// Where SQLite understands a URI at all, the file it opens is the file we name.
#[test]
fn sqlite_itself_understands_the_same_path() {
    let own = tempfile::tempdir().unwrap();
    let dir = own.path().canonicalize().unwrap();
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    let dir = dir.to_str().unwrap();
    for name in
        ["a.db", "a%20b.db", "a+b.db", "sub%2Fb.db", "a%zz.db", "a%2520.db", "%C3%A4.db", "a%3Fb.db", "a.db#x", "a.db?"]
    {
        for url in
            [format!("file:{dir}/{name}"), format!("file://{dir}/{name}"), format!("file://localhost{dir}/{name}")]
        {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE
                | rusqlite::OpenFlags::SQLITE_OPEN_CREATE
                | rusqlite::OpenFlags::SQLITE_OPEN_URI;
            let theirs = rusqlite::Connection::open_with_flags(&url, flags).unwrap();
            assert_eq!(theirs.path().unwrap(), path(&url), "{url}");
        }
    }
}

#[test]
fn who_checkpoints_follows_from_what_was_asked_for() {
    for (url, checkpoint, pages) in [
        ("file:a", "auto+idle", 1000),
        ("file:a?wal_autocheckpoint=0", "manual", 0),
        ("file:a?checkpoint=manual", "manual", 0),
        ("file:a?checkpoint=idle", "idle", 0),
        ("file:a?profile=write-heavy", "background", 10000),
        ("file:a?profile=litestream", "external", 0),
        ("file:a?profile=litestream&replication=none&wal_autocheckpoint=500", "auto", 500),
        ("file:a?profile=durable&wal_max=16MiB", "auto", 1000),
    ] {
        let settings = resolve(Some(url), &Options::new()).unwrap().settings;
        assert_eq!(
            (settings.checkpoint().map_or("", words::Checkpoint::as_str), settings.int(SettingId::WalAutocheckpoint)),
            (checkpoint, Some(pages)),
            "{url}"
        );
    }
}
