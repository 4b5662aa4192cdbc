//! The table with coloured cells that some of istioctl's commands print.

/// A cell, with the escape sequence that colours it.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    colour: Option<&'static str>,
}

impl Cell {
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), colour: None }
    }

    pub fn green(text: &str) -> Self {
        Self { text: text.to_owned(), colour: Some("\u{1b}[32m") }
    }

    pub fn red(text: &str) -> Self {
        Self { text: text.to_owned(), colour: Some("\u{1b}[31m") }
    }

    fn shown(&self) -> String {
        self.colour.map_or_else(|| self.text.clone(), |colour| format!("{colour}{}\u{1b}[0m", self.text))
    }
}

/// Lines of cells, the last one of each not padded. istioctl takes the bytes of the coloured cell for a column's width,
/// but fills up by the characters of the plain one, so that columns with colour are wider than they look.
pub fn text(rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.shown().len()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(&cell.shown());
            if column + 1 < row.len() {
                let fill = widths[column].saturating_sub(cell.text.chars().count()) + 2;
                text.extend(std::iter::repeat_n(' ', fill));
            }
        }
        text.push('\n');
    }
    text
}
