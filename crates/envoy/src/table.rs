//! Text tables as istioctl lays them out: cells are padded to the longest of their column, but the last of a line is not.

/// A table that grows line by line. Lines have the same number of cells.
pub struct Table {
    padding: usize,
    lines: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(padding: usize) -> Self {
        Self { padding, lines: Vec::new() }
    }

    pub fn with_header(padding: usize, header: &[&str]) -> Self {
        let mut table = Self::new(padding);
        table.push(header.iter().map(|cell| (*cell).to_owned()).collect());
        table
    }

    pub fn push(&mut self, cells: Vec<String>) {
        self.lines.push(cells);
    }

    pub fn text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for line in &self.lines {
            for (column, cell) in line.iter().enumerate() {
                let width = cell.chars().count() + self.padding;
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        let mut text = String::new();
        for line in &self.lines {
            for (column, cell) in line.iter().enumerate() {
                text.push_str(cell);
                if column + 1 < line.len() {
                    text.extend(std::iter::repeat_n(' ', widths[column] - cell.chars().count()));
                }
            }
            text.push('\n');
        }
        text
    }
}
