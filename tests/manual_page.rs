//! litekeel.h(3), the manual page of the C header, is written from the header, and reads well.
#![cfg(target_os = "linux")]

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A piece of the header: a comment and what it is about.
struct Item<'a> {
    comment: String,
    code: &'a str,
}

/// A text that troff sets as it is.
fn plain(text: &str) -> String {
    let mut out = text
        .replace('\\', "\\e")
        .replace('\'', "\\(aq")
        .replace('~', "\\(ti")
        .replace('^', "\\(ha")
        .replace('-', "\\-")
        .replace('…', "...");
    if out.starts_with('.') {
        out.insert_str(0, "\\&");
    }
    out
}

/// A text of the page: what is in backquotes in italics, functions in bold type.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(out, "\\fI{}\\fR", plain(part));
            continue;
        }
        for word in part.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let name = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let named = name.starts_with("keel_") || name.starts_with("sqlite3_") || name.starts_with("KEEL_");
            if named {
                let _ = write!(out, "\\fB{name}\\fR{}", plain(&word[name.len()..]));
            } else {
                out.push_str(&plain(word));
            }
        }
    }
    if out.starts_with('.') {
        out.insert_str(0, "\\&");
    }
    out
}

/// Begins a paragraph; a heading has begun one.
fn paragraph(out: &mut String) {
    if out.lines().last().is_some_and(|line| !line.starts_with(".S")) {
        out.push_str(".PP\n");
    }
}

/// Lines as they are: a program or a declaration.
fn example(out: &mut String, lines: &str) {
    paragraph(out);
    out.push_str(".nf\n.RS 4\n");
    for line in lines.lines() {
        let line = plain(line.trim_end());
        out.push_str(if line.is_empty() { "\\&" } else { &line });
        out.push('\n');
    }
    out.push_str(".RE\n.fi\n");
}

/// A comment's text without its stars, line by line.
fn uncommented(comment: &str) -> Vec<&str> {
    let inner = comment.trim().trim_start_matches("/**").trim_start_matches("/*").trim_end_matches("*/");
    inner.lines().map(|line| line.trim_start().strip_prefix('*').unwrap_or(line.trim_start())).collect()
}

/// A comment as paragraphs of one line each.
fn paragraphs(comment: &str) -> Vec<String> {
    let lines = uncommented(comment);
    lines
        .split(|line| line.trim().is_empty())
        .filter(|part| !part.is_empty())
        .map(|part| part.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "))
        .collect()
}

/// The sections of the comment at the top: a heading, and its lines.
fn overview(out: &mut String, comment: &str) {
    let lines: Vec<_> =
        uncommented(comment).iter().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect();
    let mut program = String::new();
    let mut text = Vec::new();
    let flush = |out: &mut String, text: &mut Vec<String>| {
        if !text.is_empty() {
            paragraph(out);
            let _ = writeln!(out, "{}", prose(&text.join(" ")));
            text.clear();
        }
    };
    let mut inside = false;
    for line in &lines[1..] {
        if !inside && (line.starts_with("  ") || (line.is_empty() && !program.is_empty())) {
            let _ = writeln!(program, "{}", line.strip_prefix("  ").unwrap_or(line));
            continue;
        }
        let heading = !line.is_empty() && !line.starts_with(' ');
        if heading && !inside {
            inside = true;
            if !program.is_empty() {
                paragraph(out);
                out.push_str("A program:\n");
                example(out, program.trim_end());
            }
            text.push(line.clone());
        } else if heading && text.is_empty() {
            let (title, more) = line.split_once(" (").unwrap_or((line, ""));
            let _ = writeln!(out, ".SS {}", prose(title));
            if !more.is_empty() {
                let _ = writeln!(out, "({}", prose(more));
            }
        } else if line.is_empty() {
            flush(out, &mut text);
        } else if line.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            flush(out, &mut text);
            example(out, line.trim());
        } else if line.ends_with('.') {
            text.push(line.trim().to_owned());
            flush(out, &mut text);
        } else {
            text.push(line.trim().to_owned());
        }
    }
    flush(out, &mut text);
}

/// The items of a part of the header: each comment with the declaration after it.
fn items(part: &str) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut rest = part;
    while let Some(begin) = rest.find("/*") {
        let end = begin + rest[begin..].find("*/").unwrap() + 2;
        let comment = &rest[begin..end];
        let after = &rest[end..];
        let code = &after[..after.find("/*").unwrap_or(after.len())];
        let code = code.find("\n#ifdef").or_else(|| code.find("\n#endif")).map_or(code, |at| &code[..at]);
        found.push(Item { comment: comment.to_owned(), code: code.trim_matches('\n') });
        rest = after;
    }
    found
}

/// `#define NAME VALUE`
fn definition(code: &str) -> Option<(&str, &str)> {
    code.trim().strip_prefix("#define ")?.split_once(' ')
}

/// The manual page of a header.
fn page(header: &str) -> String {
    let (top, rest) = header.split_at(header.find("*/").unwrap() + 2);
    let (constants, functions) = rest.split_at(rest.find("extern \"C\" {").unwrap());
    let functions = &functions[..functions.rfind("}  // extern").unwrap()];
    let mut out = format!(
        ".\\\" Written from litekeel.h by `make header`.\n.TH LITEKEEL.H 3 \"\" \"litekeel {}\" \"Library Functions Manual\"\n.ad l\n.nh\n",
        env!("CARGO_PKG_VERSION")
    );
    out.push_str(".SH NAME\nlitekeel.h \\- SQLite with settings for a server: the C interface\n.SH SYNOPSIS\n");
    example(&mut out, "#include <litekeel.h>\n\ncc app.c $(pkg-config --cflags --libs litekeel)");
    out.push_str(".SH DESCRIPTION\n");
    overview(&mut out, top);
    let (mut codes, mut others, mut types) = (String::new(), String::new(), String::new());
    for item in items(constants) {
        let text = paragraphs(&item.comment).iter().map(|text| prose(text)).collect::<Vec<_>>().join("\n.IP\n");
        match definition(item.code) {
            Some((name, value)) if name.starts_with("KEEL_E_") => {
                let _ =
                    writeln!(codes, ".TP\n.B {name} {}\n{text}", value.trim_matches(['(', ')']).replace('-', "\\-"));
            }
            Some((name, value)) => {
                let _ = writeln!(others, ".TP\n.B {name} {}\n{text}", value.replace('-', "\\-"));
            }
            None if item.code.starts_with("typedef") => {
                example(&mut types, item.code);
                let _ = writeln!(types, ".PP\n{text}");
            }
            None => {}
        }
    }
    out.push_str(".SH FUNCTIONS\n");
    for item in items(functions) {
        if item.code.is_empty() {
            let title = paragraphs(&item.comment)[0].trim_end_matches(['=', ' ']).to_owned();
            let _ = writeln!(out, ".SS {}", prose(&title));
        } else if item.code.contains('(') {
            example(&mut out, item.code);
            for text in paragraphs(&item.comment) {
                let _ = writeln!(out, ".PP\n{}", prose(&text));
            }
        }
    }
    let _ = write!(
        out,
        ".SH TYPES\n{types}.SH CONSTANTS\n{others}.SH ERRORS\nThe codes of litekeel, which are negative. \\fBlitekeel explain\\fR says more of each.\n{codes}"
    );
    out.push_str(
        ".SH FILES\n.TP\n.I litekeel/packed.h\nParameters and rows in C.\n.TP\n.I litekeel/litekeel.hpp\nC++17, with scopes and exceptions.\n\
         .TP\n.I litekeel/sqlite3.h\nSQLite\\(aqs own functions, on the same copy.\n.TP\n.I share/litekeel/events.md\nThe events and their fields.\n\
         .SH SEE ALSO\n.BR litekeel (1)\n",
    );
    out
}

fn header() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/litekeel.h")).unwrap()
}

#[test]
fn the_committed_page_is_the_generated_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/litekeel.h.3");
    let generated = page(&header());
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&committed, &generated).unwrap();
    }
    assert!(std::fs::read_to_string(committed).unwrap() == generated, "include/litekeel.h.3 is stale: make header");
}

/// Formats the page; what the formatter complains of, and the text.
fn formatted(page: &str) -> Option<(String, String)> {
    let file = tempfile::Builder::new().suffix(".3").tempfile().unwrap();
    std::fs::write(file.path(), page).unwrap();
    // No page is cut into lines of a narrow terminal: what belongs together stays together.
    let output =
        Command::new("groff").args(["-ww", "-man", "-Tascii", "-P-cbou", "-rLL=500n"]).arg(file.path()).output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "groff is missing: scripts/requirements.sh test");
        eprintln!("SKIPPED: groff is missing");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((String::from_utf8_lossy(&output.stderr).into_owned(), text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

#[test]
fn everything_in_the_header_is_on_the_page_as_it_is() {
    let header = header();
    let Some((complaints, text)) = formatted(&page(&header)) else { return };
    assert_eq!(complaints, "");
    let mut functions = 0;
    for item in items(&header[header.find("*/").unwrap() + 2..]) {
        for wanted in paragraphs(&item.comment).into_iter().filter(|text| !text.ends_with("==")) {
            // The formatter writes these in ASCII its own way.
            let wanted = wanted.replace('`', "").replace('…', "...").split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(&wanted) || item.code.is_empty(), "not on the page: {wanted}");
        }
        let code = item.code.split_whitespace().collect::<Vec<_>>().join(" ");
        if code.contains("keel_") && code.contains('(') {
            functions += 1;
            assert!(text.contains(&code), "not on the page: {code}");
        }
    }
    assert!(functions > 50, "only {functions} functions were found");
    assert!(text.contains("int main(void) { keel_db *db;"), "the program at the top of the header is not on the page");
}

#[test]
fn a_page_that_cannot_be_formatted_is_seen() {
    let Some((complaints, _)) = formatted(".TH A 3\n.SH NAME\na \\- b\n.TP\n\\fZx\\*[nothing]\n") else { return };
    assert!(!complaints.is_empty());
}
