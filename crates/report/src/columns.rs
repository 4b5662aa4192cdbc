//! Columns of text, as kubectl prints a table.

use serde_json::Value;

/// kubectl's narrowest column, with the space behind it.
const LEAST_WIDTH: usize = 6;
const PADDING: usize = 3;

/// kubectl cuts a cell at its first line break, and shows escape characters instead of sending them to the terminal.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let shown = match text.find(['\n', '\r', '\u{c}']) {
                Some(at) => format!("{}...", &text[..at]),
                None => text.clone(),
            };
            shown.replace('\u{1b}', "^[").replace('\t', " ")
        }
        other => other.to_string(),
    }
}

/// The last column is as long as its text; the others are padded.
pub fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widest = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
        (widest.unwrap_or(0) + PADDING).max(LEAST_WIDTH)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if column + 1 < line.len() {
                out.extend(std::iter::repeat_n(' ', widths[column] - cell.chars().count()));
            }
        }
        out.push('\n');
    }
    out
}
