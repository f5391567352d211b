//! A packed table as text, for people: what a debugging session or a log wants to show.

use std::ffi::CString;
use std::fmt::Write;

use litekeel_core::{Cell, Table};

/// How many rows are written; the others are counted.
const ROWS: usize = 1000;
/// How many characters of a value are written, so that one long value does not widen a column for all rows.
const CHARACTERS: usize = 240;
/// How many bytes of a blob are written.
const BYTES: usize = 32;

/// The table with its column names, one line a row; NULs and line breaks in values are escaped.
pub(crate) fn format(table: Table<'_>) -> CString {
    let columns = table.columns();
    let mut lines = vec![(0..columns).map(|column| shown(Cell::Text(table.name(column)))).collect::<Vec<_>>()];
    let rows = table.rows().min(ROWS);
    lines.extend((0..rows).map(|row| (0..columns).map(|column| shown(table.cell(row, column))).collect()));
    let widths: Vec<usize> =
        (0..columns).map(|column| lines.iter().map(|line| width(&line[column])).max().unwrap_or(0)).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1, rule);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let row = index.checked_sub(2);
        let mut text = String::new();
        for (column, value) in line.iter().enumerate() {
            let space = " ".repeat(widths[column] - width(value));
            let number = row.is_some_and(|row| matches!(table.cell(row, column), Cell::Int(_) | Cell::Float(_)));
            let (left, right) = if number { (space.as_str(), "") } else { ("", space.as_str()) };
            let gap = if column == 0 { "" } else { "  " };
            let _ = write!(text, "{gap}{left}{value}{right}");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    if table.rows() > rows {
        let _ = writeln!(out, "… and {} more rows", table.rows() - rows);
    }
    // Every NUL has been escaped.
    CString::new(out).unwrap_or_default()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Int(value) => value.to_string(),
        // As Rust writes it, so that 1.0 is told from 1.
        Cell::Float(value) => format!("{value:?}"),
        Cell::Text(bytes) => one_line(bytes),
        Cell::Blob(bytes) => {
            let digits: String = bytes.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
            if bytes.len() > BYTES { format!("x'{digits}…' ({} bytes)", bytes.len()) } else { format!("x'{digits}'") }
        }
    }
}

/// A text without what would break the line or end it for C.
fn one_line(bytes: &[u8]) -> String {
    // A character has four bytes at most: no more of a long text has to be looked at.
    let looked_at = &bytes[..bytes.len().min(4 * CHARACTERS + 4)];
    let text = String::from_utf8_lossy(looked_at);
    let mut out = String::new();
    for character in text.chars().take(CHARACTERS) {
        match character {
            control if control.is_control() => out.extend(control.escape_default()),
            other => out.push(other),
        }
    }
    if looked_at.len() < bytes.len() || text.chars().nth(CHARACTERS).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use litekeel_core::Encoder;

    use super::*;

    fn table(names: &[&str], cells: &[Cell<'_>]) -> String {
        let mut encoder = Encoder::new(names.iter().map(|name| name.as_bytes()));
        cells.iter().for_each(|cell| encoder.push(*cell));
        format(encoder.finish().table()).into_string().unwrap()
    }

    #[test]
    fn values_stand_below_their_names() {
        let cells = [
            Cell::Int(7),
            Cell::Text("Åsa\n\0".as_bytes()),
            Cell::Null,
            Cell::Float(1.0),
            Cell::Text(b""),
            Cell::Blob(&[1, 255]),
        ];
        let lines = [
            "n    who         b",
            "---  ----------  -------",
            "  7  Åsa\\n\\u{0}  NULL",
            "1.0              x'01ff'",
            "",
        ];
        assert_eq!(table(&["n", "who", "b"], &cells), lines.join("\n"));
    }

    #[test]
    fn what_is_long_is_cut_and_counted() {
        let long = "ä".repeat(5000);
        let text = table(&["t"], &[Cell::Text(long.as_bytes())]);
        assert!(text.ends_with(&format!("\n{}…\n", "ä".repeat(CHARACTERS))), "{text}");
        let text = table(&["b"], &[Cell::Blob(&[0; 33])]);
        assert!(text.contains("…' (33 bytes)"), "{text}");
        let cells = vec![Cell::Int(1); ROWS + 41];
        let text = table(&["n"], &cells);
        assert!(text.ends_with("… and 41 more rows\n") && text.lines().count() == ROWS + 3, "{text}");
    }

    #[test]
    fn tables_without_rows_or_columns_have_a_text() {
        assert_eq!(table(&["id", "who"], &[]), "id  who\n--  ---\n");
        assert_eq!(table(&[], &[]), "\n\n");
    }
}
