//! Arranges the C header for the people who read it: cbindgen writes the functions in the order of the Rust modules and
//! with Rust's `# Safety` sections; here they are put in groups by task.

/// A group of functions: its heading, and their names in the order in which they are explained.
type Group = (&'static str, &'static [&'static str]);

/// Every exported function is in one of these. One that is in none lands under [`OTHERS`], and a test says so.
const GROUPS: &[Group] = &[
    (
        "Open and close",
        &[
            "keel_open",
            "keel_open_with",
            "keel_options_new",
            "keel_options_set",
            "keel_options_name",
            "keel_options_help",
            "keel_options_free",
            "keel_report",
            "keel_sibling",
            "keel_retain",
            "keel_close",
            "keel_release",
        ],
    ),
    (
        "One file for each tenant",
        &[
            "keel_databases_open",
            "keel_databases_use",
            "keel_databases_evict",
            "keel_databases_open_count",
            "keel_databases_close",
        ],
    ),
    ("Run SQL", &["keel_exec", "keel_exec_atomic", "keel_query", "keel_begin", "keel_commit", "keel_rollback"]),
    (
        "Read rows (litekeel/packed.h has a cursor for them)",
        &["keel_rows_data", "keel_rows_next", "keel_rows_text", "keel_rows_free"],
    ),
    ("Limit and stop what runs", &["keel_set_timeout", "keel_interrupt"]),
    (
        "Errors",
        &[
            "keel_error_code",
            "keel_error_name",
            "keel_code_name",
            "keel_error_message",
            "keel_error_hint",
            "keel_error_path",
            "keel_error_step",
            "keel_error_kind",
            "keel_error_waited",
            "keel_error_holders",
            "keel_error_offset",
            "keel_error_os",
            "keel_error_free",
        ],
    ),
    ("Plain SQLite, on the same copy", &["keel_sqlite3", "keel_explain", "keel_sqlite3_api"]),
    ("Monitor", &["keel_holders", "keel_diagnose", "keel_on_event", "keel_set_log"]),
    (
        "Checkpoint, back up, replicate",
        &["keel_checkpoint", "keel_backup", "keel_replicated", "keel_position", "keel_wait_for"],
    ),
    ("The end of the process", &["keel_shutdown_on", "keel_open_handles", "keel_assert_no_leaks"]),
    ("Version", &["keel_abi", "keel_version"]),
];

/// The heading of functions that no group names.
const OTHERS: &str = "Others";

/// One code of litekeel's own: name, number, its documentation, and the hint of errors that have none of their own.
pub type Code = (&'static str, i32, &'static [&'static str], &'static str);

/// The `#define` of each code, below what it means.
pub fn codes(codes: &[Code]) -> String {
    let mut out = String::new();
    for (name, value, docs, hint) in codes {
        let meaning = docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        let remedy = if hint.is_empty() { String::new() } else { format!(" What to do: {hint}.") };
        out.push_str(&format!("{}#define KEEL_E_{name} ({value})\n", comment(&format!("{meaning}{remedy}"))));
    }
    out
}

/// A comment of one paragraph, wrapped.
fn comment(text: &str) -> String {
    const WIDTH: usize = 116;
    if text.chars().count() + 6 <= WIDTH {
        return format!("/* {text} */\n");
    }
    let mut lines = vec![String::from("/*")];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is a first line");
        if last.chars().count() + 1 + word.chars().count() > WIDTH - 3 {
            lines.push(format!(" * {word}"));
        } else {
            last.push(' ');
            last.push_str(word);
        }
    }
    lines.join("\n") + " */\n"
}

/// The header as cbindgen wrote it, its functions in groups and without what only Rust readers need.
pub fn arranged(generated: &str) -> String {
    const BEGIN: &str = "extern \"C\" {\n#endif // __cplusplus\n";
    const END: &str = "\n#ifdef __cplusplus\n}  // extern \"C\"";
    let generated = without_safety(generated);
    let begin = generated.find(BEGIN).expect("cbindgen opens extern \"C\"") + BEGIN.len();
    let end = generated.find(END).expect("cbindgen closes extern \"C\"");
    let functions: Vec<(&str, &str)> = generated[begin..end]
        .split("\n/**")
        .filter(|item| !item.trim().is_empty())
        .map(|item| (function_name(item), item))
        .collect();
    let mut out = generated[..begin].to_owned();
    let mut write = |heading: &str, members: &[&str]| {
        if !members.is_empty() {
            out.push_str(&format!("\n/* {heading}\n * {} */\n", "=".repeat(heading.chars().count())));
        }
        members.iter().for_each(|item| out.push_str(&format!("\n/**{}\n", item.trim_end())));
    };
    let find = |name: &str| functions.iter().find(|(found, _)| *found == name).map(|(_, item)| *item);
    for (heading, names) in GROUPS {
        write(heading, &names.iter().filter_map(|name| find(name)).collect::<Vec<_>>());
    }
    let grouped = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    write(OTHERS, &functions.iter().filter(|(name, _)| !grouped(name)).map(|(_, item)| *item).collect::<Vec<_>>());
    out + &generated[end..]
}

/// The name that a declaration declares.
fn function_name(item: &str) -> &str {
    let declaration = item.split("*/").nth(1).unwrap_or(item);
    let before = declaration.split('(').next().unwrap_or_default();
    before.rsplit([' ', '*', '\n']).next().unwrap_or_default()
}

/// The comments without their `# Safety` sections, which say for Rust what C takes for granted.
fn without_safety(text: &str) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        if line == " * # Safety" {
            skipping = true;
            // The empty line before it goes too.
            out.truncate(out.trim_end_matches(" *\n").len());
        }
        if line == " */" {
            skipping = false;
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
