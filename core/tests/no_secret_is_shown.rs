//! Whoever moves from another database passes its URL once by mistake. What litekeel says about it goes to logs: no
//! password, token or fragment may stand in it, whatever it was mistaken for.

mod common;

use common::Dir;
use litekeel_core::{Connection, Options};
use litekeel_core::{Target, resolve};
use litekeel_core::{parse_url, redact_url};

/// What a secret looks like: long, with a digit in it. A `?`, `#` or `&` may stand in it too.
const CANARY: &str = "c4nary";

/// The inputs. `C` stands for the secret; each is a mistake that somebody has made.
const INPUTS: &[&str] = &[
    // Tokens and passwords in the query of another scheme.
    "libsql://h.turso.io?authToken=C",
    "libsql://h.turso.io/?authToken=C&tls=1",
    "libsql://h.turso.io?tls=1&authToken=C",
    "LIBSQL://h.turso.io?authToken=C",
    "libsql:h.turso.io?authToken=C",
    "https://h.turso.io?authToken=C",
    "wss://h.turso.io#C",
    "postgres://h/x?password=C",
    "postgresql://h/x?sslmode=require&password=C",
    "postgres://h/x?user=a&sslkey=C#C",
    "postgres://h/C",
    "mysql://h/x?password=C",
    "redis://h:6379/0?password=C",
    "mongodb+srv://h/x?authSource=C",
    "jdbc:sqlite:a.db?password=C",
    "jdbc:sqlserver://h:1433;user=a;password=C",
    "jdbc:postgresql://h/x?password=C",
    "http://h/x?C",
    "http://h/#C",
    "sqlcipher://a.db?key=C",
    "unknown:C",
    "unknown://h;password=C",
    // A user and a password before the host.
    "postgres://user:C@h/x",
    "postgres://user:C/1@h/x",
    "postgres://user:1?C@h/x",
    "postgres://user:1#C@h/x",
    "postgres://user:1@C@h/x",
    "postgres://C@h/x",
    "user:C@tcp(127.0.0.1:3306)/x",
    "file://user:C@h/x.db",
    "file://user:C/1@h/x.db",
    "file://user:1?C@h/x.db",
    "file://user:1#C@h/x.db",
    "file://user:C?x=1@h/x.db",
    "file://user:C#1@h/x.db",
    "file://user:C",
    "file://C1@h/x.db",
    "sqlite://user:C@h/x.db",
    "sqlite://user:C/1@h/x.db",
    "sqlite://user:1?mode=C@h/x.db",
    // Between quotes or blanks, with a variable that was not expanded, cut short.
    "\"libsql://h?authToken=C\"",
    "'postgres://user:C@h/x'",
    "`postgres://h/x?password=C`",
    "\"postgres://h/x?password=C",
    " libsql://h?authToken=C",
    "libsql://h?authToken=C ",
    "\tpostgres://user:C@h/x",
    "postgres://user:C@${HOST}/x",
    "postgres://user:$C/x@h/x",
    "postgres://user:a${C}b@h/x",
    "libsql://h?authToken=C\n",
    "my db://user:C@h/x",
    // Parameters of ours, of other libraries, and what was meant for one.
    "file:a.db?password=C",
    "file:a.db?authToken=C",
    "file:a.db?key=C&mode=ro",
    "file:a.db?hexkey=C",
    "file:a.db?password=C&password=C2",
    "file:a.db?password=1&password=C",
    "file:a.db?mode=ro&mode=C",
    "file:a.db?_pragma=key(C)",
    "file:a.db?_pragma=key=C",
    "file:a.db?_pragma=C",
    "file:a.db?_pragma=busy_timeout(C)",
    "file:a.db?_pragma=C(1)",
    "file:a.db?_timeout=C",
    "file:a.db?_vfs=C",
    "file:a.db?_auth_pass=C",
    "file:a.db?mode=C",
    "file:a.db?mode=ro;password=C",
    "file:a.db?busy_timeout=C",
    "file:a.db?busy_timeout=1C",
    "file:a.db?foreign_keys=C",
    "file:a.db?cache_size=C",
    "file:a.db?password=1&C",
    "file:a.db?C",
    "file:a.db?C=",
    "file:a.db?=C",
    "file:a.db?password=1#C",
    "file:a.db#C",
    "file:a.db?mode=ro#C",
    "file:a.db?password=C%ff",
    "file:a.db?password=C%00",
    "file:a.db?password=C\u{1}",
    "file:a.db?%70assword=C",
    "file:?password=C",
    "sqlite:?password=C",
    "sqlite:///a.db?password=C",
    ":memory:?password=C",
    ":memory:?C",
    // A bare path with a query, and what is neither a path nor a URL.
    "a.db?password=C",
    "a.db?C",
    "./a.db?mode=ro&authToken=C",
    "/a.db?password=C",
    "C:\\a.db?password=C",
    "\\\\h\\a.db?password=C",
    "host=h user=a password=C",
    "Data Source=a.db;Password=C",
    "Server=h;Pwd=C;Database=x",
    "password=C",
    // Go's MySQL driver, and others that write no scheme.
    "u:C@tcp(h:3306)/db",
    "u:C@h/db",
    "u:C/1@h/db",
    "//u:C@h/db",
    ":C@a.db",
    "file:u:C@h/db",
    "file::C@a.db",
    // ADO, ODBC, and what takes a & or ; for the ? of a URL.
    "a.db;Password=C",
    "/srv/a.db;Password=C",
    "./a.db;Version=3;Pwd=C",
    "file:a.db;password=C",
    "file:a.db&password=C",
    "sqlite:a.db&key=C",
];

/// With the secret in its place; a Windows drive is no secret.
fn inputs() -> impl Iterator<Item = String> {
    INPUTS.iter().map(|input| {
        let (drive, rest) = input.strip_prefix("C:").map_or(("", *input), |rest| ("C:", rest));
        format!("{drive}{}", rest.replace('C', CANARY))
    })
}

/// Everything that is said about the input, wherever it is passed.
fn said(input: &str, dir: &Dir) -> Vec<String> {
    let mut said = vec![redact_url(input)];
    let mut options = Options::new();
    options.set("base_dir", dir.path().to_str().unwrap()).unwrap();
    let told = |error: litekeel_core::Error| {
        format!("{error} {error:?} {} {} {:?}", error.message(), error.hint(), error.path())
    };
    match resolve(Some(input), &options) {
        Ok(resolved) => said.push(format!("{} {:?} {resolved:?}", resolved.shown_url, resolved.warnings)),
        Err(error) => said.push(told(error)),
    }
    match Connection::open(Some(input), &options) {
        Ok(db) => {
            said.push(format!("{:?}", db.report()));
            said.push(format!("{:?}", db.close().unwrap()));
        }
        Err(error) => said.push(told(error)),
    }
    let db = Connection::open(Some(":memory:"), &Options::new()).unwrap();
    // What is taken for a relative path is not written into the working directory.
    if !matches!(resolve(Some(input), &Options::new()), Ok(found) if found.target != Target::Memory)
        && let Err(error) = db.backup(input, 0, |_, _| false)
    {
        said.push(told(error));
    }
    db.close().unwrap();
    match parse_url(input) {
        Ok(url) => said.push(format!("{url:?}")),
        Err(error) => said.push(told(error)),
    }
    // The same as options of the call.
    if let Some((_, query)) = input.split_once('?') {
        for (key, value) in
            query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(_, value)| !value.is_empty())
        {
            if let Err(error) = Options::new().set(key, value) {
                said.push(told(error));
            }
        }
    }
    said
}

#[test]
fn none_of_the_mistakes_is_repeated_with_its_secret() {
    let dir = Dir::new();
    let leak = |input: String| {
        let text = said(&input, &dir).into_iter().find(|text| text.contains(CANARY))?;
        Some(format!("{input:?}: {text}"))
    };
    let shown: Vec<String> = inputs().filter_map(leak).collect();
    assert!(INPUTS.len() >= 63 && inputs().all(|input| input.contains(CANARY)));
    assert!(shown.is_empty(), "{} of {} inputs:\n{}", shown.len(), INPUTS.len(), shown.join("\n"));
}

/// Where else a token is put by mistake. In the place of a key, a scheme, a host or a user it is known by its look alone.
const TOKENS: &[&str] = &[
    "C://h/x",
    "C://h?a=b",
    "C:x",
    "C:",
    "file:C@h/a.db",
    "file:C@h",
    "sqlite:C@h/a.db",
    "C@h/a.db",
    "//C@h/a.db",
    "file://C/a.db",
    "file://C",
    "libsql://C",
    "libsql://C.turso.io/x",
    "file:a.db?C=1",
    "file:a.db?C=1&C=2",
    "file:a.db?mode=ro&C=1",
    "sqlite:a.db?C=on#C",
    "postgres://h/x?C=1",
    "libsql://h?C=1",
    "a.db?C=1",
    "file:a.db?_C=1",
    "file:a.db?vfs=C",
    "file:a.db?_vfs=C",
    "file:a.db?_pragma=C(C)",
];

/// As services make them: letters and digits without an order.
fn token(random: &mut impl FnMut(usize) -> usize) -> String {
    const BASE64: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const HEX: &[u8] = b"0123456789abcdef";
    let letters = if random(2) == 0 { BASE64 } else { HEX };
    let mut text = String::new();
    // By chance one has hardly a digit in it: a word, as far as anybody can see.
    while text.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count() < 4 {
        text = (0..20 + random(20)).map(|_| char::from(letters[random(letters.len())])).collect();
    }
    text
}

#[test]
fn no_token_is_shown_wherever_it_stands() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("SEED").map_or(now, |text| text.parse().unwrap());
    println!("SEED={seed}");
    let mut state = seed | 1;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % bound
    };
    let dir = Dir::new();
    for input in INPUTS.iter().chain(TOKENS) {
        let (drive, rest) = input.strip_prefix("C:\\").map_or(("", *input), |rest| ("C:\\", rest));
        let token = token(&mut random);
        let input = format!("{drive}{}", rest.replace('C', &token));
        // Half of it is too much as well.
        let half = &token[..10];
        let shown = said(&input, &dir).into_iter().find(|text| text.contains(half));
        assert_eq!(shown, None, "{input:?}");
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            names.into_iter().all(|name| !name.to_string_lossy().contains(half)),
            "a file is named after {input:?}"
        );
    }
}

/// What helps is still said: the file, the scheme, the host, the key, a value of ours.
#[test]
fn what_is_no_secret_is_shown() {
    for (input, part) in [
        ("libsql://h.turso.io?authToken=x", "libsql://h.turso.io"),
        ("postgres://user:pw@h/x", "postgres:"),
        ("file:a.db?busy_timout=5s", "busy_timout"),
        ("file:a.db?profile=prod", "profile=prod"),
        ("file:a.db?busy_timeout=99999999999", "busy_timeout=99999999999"),
        ("file:a.db?_timeout=5000", "write busy_timeout=5000"),
        ("file:a.db?_pragma=busy_timeout(5000)", "write busy_timeout=5000"),
        ("data/a.db?mode=ro", "file:data/a.db?mode=***"),
        ("file:a.db?password=x&password=y", "password"),
        ("file://data/x.db", "\"data\" in the place of a host name"),
        ("file://db1/x.db", "\"db1\" in the place of a host name"),
        ("libsql://db-17.eu1.turso.io", "db-17.eu1.turso.io"),
        ("postgresql+psycopg2://h/x", "postgresql+psycopg2"),
        ("file:a.db?synchronuos=full", "synchronuos"),
        ("$HOME/a.db", "$HOME"),
    ] {
        let error = resolve(Some(input), &Options::new()).err().unwrap_or_else(|| panic!("{input} was taken"));
        assert!(error.to_string().contains(part), "{part:?} is missing in: {error}");
    }
    let understood = |input| resolve(Some(input), &Options::new()).unwrap().shown_url;
    for input in ["file:a.db?mode=ro&busy_timeout=5s", "data/a.db", "sqlite:///abs/a.db?vfs=unix", ":memory:"] {
        assert_eq!(understood(input), input);
    }
    assert_eq!(understood("file://localhost/x.db?mode=ro#x"), "file://localhost/x.db?mode=ro#***");
}

/// A path may have every character in it that is in those mistakes; a file of that name is made.
#[test]
fn an_honest_path_is_not_taken_for_a_mistake() {
    for path in [
        "a@b.db",
        "x;y.db",
        "x&y.db",
        "x;y=1.db",
        "me@example.com/a.db",
        "backup-2026-11-27-web1@example.com/a.db",
        "3f2a9c4d1e8b7a605f4e3d2c1b0a9f8e.db",
        "tenants/3f2a9c4d1e8b7a605f4e3d2c1b0a9f8e/a.db",
        "d/a:b@c.db",
        "./a:b@c.db",
        "/srv/u@h/x.db",
        "/srv/a:b@c.db",
        "a:b.db",
    ] {
        assert_eq!(redact_url(path), path);
        let scheme = path.starts_with("a:");
        for input in [path.to_owned(), format!("file:{path}")].into_iter().skip(usize::from(scheme)) {
            let parsed = parse_url(&input).unwrap_or_else(|error| panic!("{input}: {error}"));
            assert_eq!(parsed.location, litekeel_core::Location::Path(path.to_owned()), "{input}");
            assert_eq!(redact_url(&input), input);
            assert_eq!(parse_url(&parsed.to_string()).unwrap().location, parsed.location);
        }
    }
    // Written out, any name can be had.
    let named = parse_url("file:u%3Aw%40h%3Bpassword=x").unwrap();
    assert_eq!(named.location, litekeel_core::Location::Path("u:w@h;password=x".to_owned()));
}

/// Where a number belongs, a word is not repeated.
#[test]
fn a_word_in_the_place_of_a_number_is_hidden() {
    for key in ["busy_timeout", "cache_size", "mmap_size"] {
        let error = resolve(Some(&format!("file:a.db?{key}=hunter")), &Options::new()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
        assert!(error.message().contains(key));
    }
}

/// A file that is there is a path, whatever its name looks like.
#[test]
fn a_file_with_a_strange_name_is_still_opened() {
    let dir = Dir::new();
    let mut options = Options::new();
    options.set("base_dir", dir.path().to_str().unwrap()).unwrap();
    for name in ["what?.db", "host=a.db", "a b.db", "user=x;y.db", "h#ash.db"] {
        std::fs::write(dir.file(name), "").unwrap();
        let db = Connection::open(Some(name), &options).unwrap();
        assert_eq!((db.path(), db.report().url.as_str()), (Some(dir.file(name).as_path()), name));
        db.close().unwrap();
    }
    // Named as a path, it needs not be there.
    Connection::open(Some("./host=new.db"), &options).unwrap().close().unwrap();
}
