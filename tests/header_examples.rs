//! The examples at the top of the C and C++ headers compile without a warning, run, and lose no memory.
#![cfg(target_os = "linux")]

mod object;

use std::path::Path;
use std::process::Command;

const SANITIZED: [&str; 4] =
    ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wconversion", "-Wpedantic"];

/// The indented lines of the comment at the top of a header, which begin with `prefix`.
fn example(header: &str, prefix: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include").join(header)).unwrap();
    let indented = format!("{prefix}   ");
    // It begins with the second line, after the sentence that says what the header is, and ends with the next sentence.
    let lines = text.lines().skip(2).take_while(|line| line.trim_end() == prefix || line.starts_with(&indented));
    lines.map(|line| line.trim_start_matches(prefix).to_owned() + "\n").collect()
}

/// Compiles and runs a program; what it prints.
fn prints(compiler: &str, standard: &str, file: &str, code: &str) -> String {
    let dir = object::scratch("header-example");
    std::fs::create_dir(dir.join("data")).unwrap();
    std::fs::write(dir.join(file), code).unwrap();
    let program = object::compile_by(compiler, &[&[standard][..], &SANITIZED].concat(), "app", &dir.join(file), &dir);
    let output = Command::new(program).current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::remove_dir_all(dir).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_program_of_litekeel_h() {
    let code = example("litekeel.h", " *");
    assert!(code.contains("int main(void)"), "{code}");
    assert_eq!(prints("cc", "-std=c99", "app.c", &code), "answer\n------\n    42\n");
}

#[test]
fn the_lines_of_packed_h() {
    let code = example("litekeel/packed.h", " *");
    assert!(code.contains("keel_pack(&p"), "{code}");
    let program = format!(
        "#include <litekeel/packed.h>\n#include <stdio.h>\nint main(void) {{\n    keel_db *db;\n    keel_error *err = NULL;\n\
         if (keel_open(\"file:data/app.db\", KEEL_NUL, &db, &err) || keel_exec(db, \"CREATE TABLE visit(id INTEGER, who TEXT)\", KEEL_NUL, NULL)) return 1;\n\
         {code}\n    return code != KEEL_DONE || keel_close(db, NULL);\n}}\n"
    );
    assert_eq!(prints("cc", "-std=c99", "app.c", &program), "42 Ada\n");
}

#[test]
fn the_lines_of_litekeel_hpp() {
    let code = example("litekeel/litekeel.hpp", "//");
    assert!(code.contains("keel::transaction tx(db)"), "{code}");
    let shown = code.replace(
        "auto [id, who] = row.as<int64_t, std::string>();",
        "auto [id, who] = row.as<int64_t, std::string>(); std::cout << id << ' ' << who << '\\n';",
    );
    assert_ne!(shown, code);
    let program = format!("#include <litekeel/litekeel.hpp>\n#include <iostream>\nint main() {{\n{shown}}}\n");
    assert_eq!(prints("c++", "-std=c++17", "app.cc", &program), "1 Ada\n");
}
