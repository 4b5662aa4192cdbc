//! Writes JSON values as YAML the way kubectl and istioctl do (`sigs.k8s.io/yaml`): block style, two spaces, lists not
//! indented under their key, keys in natural order, quotes only where a reader would otherwise take the text for
//! something else, and long text folded after column 80.

mod quoting;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use serde_json::Value;

use quoting::{Style, escaped, style};

/// Text is folded at the first space after this column.
const WIDTH: usize = 80;

/// The value as a YAML document.
pub fn to_string(value: &Value) -> String {
    let mut writer = Writer { out: String::new(), column: 0 };
    writer.node(value, 0, false);
    writer.out.push('\n');
    writer.out
}

struct Writer {
    out: String,
    /// Characters on the present line.
    column: usize,
}

impl Writer {
    /// Writes a value at the place where the last line stands; `inline` says that the line already holds a `- `, so
    /// that a mapping begins on it.
    fn node(&mut self, value: &Value, indent: usize, inline: bool) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.sort_by(|a, b| natural(a, b));
                for (index, key) in keys.into_iter().enumerate() {
                    if index > 0 || (!inline && !self.out.is_empty()) {
                        self.line(indent);
                    }
                    self.text(key, indent, true);
                    self.put(":");
                    self.value_of_key(&map[key.as_str()], indent);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (index, item) in list.iter().enumerate() {
                    if index > 0 || (!inline && !self.out.is_empty()) {
                        self.line(indent);
                    }
                    self.put("- ");
                    match item {
                        Value::Object(map) if !map.is_empty() => self.node(item, indent + 2, true),
                        Value::Array(inner) if !inner.is_empty() => self.node(item, indent + 2, true),
                        scalar => self.scalar(scalar, indent),
                    }
                }
            }
            scalar => self.scalar(scalar, indent),
        }
    }

    fn value_of_key(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => self.node(value, indent + 2, false),
            // A list stands as far left as its key.
            Value::Array(list) if !list.is_empty() => self.node(value, indent, false),
            scalar => {
                self.put(" ");
                self.scalar(scalar, indent);
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(true) => self.put("true"),
            Value::Bool(false) => self.put("false"),
            Value::Number(number) => self.put(&number_text(number)),
            Value::String(text) => self.text(text, indent, false),
            Value::Array(_) => self.put("[]"),
            Value::Object(_) => self.put("{}"),
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_key: bool) {
        let folds = !is_key;
        let indent = indent + 2;
        match style(text, is_key) {
            Style::Plain => self.plain(text, indent, folds),
            Style::Single => self.single(text, indent, folds),
            Style::Double => self.double(text, indent, folds),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        let mut chars = text.chars().peekable();
        let mut after_space = false;
        while let Some(c) = chars.next() {
            let folded = c == ' ' && folds && !after_space && self.column > WIDTH && chars.peek() != Some(&' ');
            if folded {
                self.line(indent);
            } else {
                self.put_char(c);
            }
            after_space = c == ' ';
        }
    }

    fn single(&mut self, text: &str, indent: usize, folds: bool) {
        self.put("'");
        let mut chars = text.chars().enumerate().peekable();
        let mut after_space = false;
        while let Some((index, c)) = chars.next() {
            let inside = index > 0 && chars.peek().is_some();
            let before_text = chars.peek().is_some_and(|(_, next)| *next != ' ');
            if c == ' ' && folds && !after_space && self.column > WIDTH && inside && before_text {
                self.line(indent);
            } else if c == '\'' {
                self.put("''");
            } else {
                self.put_char(c);
            }
            after_space = c == ' ';
        }
        self.put("'");
    }

    fn double(&mut self, text: &str, indent: usize, folds: bool) {
        self.put("\"");
        let mut chars = text.chars().enumerate().peekable();
        let mut after_space = false;
        while let Some((index, c)) = chars.next() {
            if c == ' ' && folds && !after_space && self.column > WIDTH && index > 0 && chars.peek().is_some() {
                self.line(indent);
                // A space that begins a line would be lost.
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.put("\\");
                }
                after_space = true;
                continue;
            }
            match escaped(c) {
                Some(escape) => self.put(&escape),
                None => self.put_char(c),
            }
            after_space = c == ' ';
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        let trailing = text.chars().rev().take_while(|c| *c == '\n').count();
        match trailing {
            0 => self.put("-"),
            1 if text.len() > 1 => {}
            _ => self.put("+"),
        }
        let body = if trailing == 0 { text } else { &text[..text.len() - 1] };
        for line in body.split('\n') {
            if line.is_empty() {
                self.out.push('\n');
                self.column = 0;
            } else {
                self.line(indent);
                self.put(line);
            }
        }
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.column = indent;
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_char(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }
}

/// Go writes whole numbers as they are and others in the shortest form, with an exponent from 21 digits on.
fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let exponent = if float == 0.0 { 0.0 } else { float.abs().log10().floor() };
            if (-4.0..21.0).contains(&exponent) {
                format!("{float}")
            } else {
                let text = format!("{float:e}");
                match text.split_once('e') {
                    Some((mantissa, power)) => {
                        let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
                        format!("{mantissa}e{sign}{digits:0>2}")
                    }
                    None => text,
                }
            }
        }
        _ => number.to_string(),
    }
}

/// The order of keys: where two names first differ, letters come after all else, and digits count as numbers, so that
/// `port9` stands before `port10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => a[at].cmp(&b[at]),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            // Zeros amid a number belong to it: `105` and `15` differ in their length, not in their 0.
            let amid = a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
            let lead = u128::from((a[at] == '0' || b[at] == '0') && amid);
            let run = |text: &[char]| {
                let digits = text[at..].iter().take_while(|c| c.is_ascii_digit()).filter_map(|c| c.to_digit(10));
                let digits: Vec<u32> = digits.collect();
                let value = digits.iter().fold(lead, |n, d| n.saturating_mul(10).saturating_add(u128::from(*d)));
                (value, digits.len())
            };
            run(&a).cmp(&run(&b)).then_with(|| a[at].cmp(&b[at]))
        }
    }
}
