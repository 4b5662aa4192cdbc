//! A table for spreadsheets ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)): a row for each finding, then one for each
//! part that could not be read, whose severity is `unknown`.

use super::Shown;
use crate::Severity;

const HEADER: [&str; 12] = [
    "severity",
    "code",
    "kind",
    "namespace",
    "name",
    "container",
    "path",
    "file",
    "message",
    "remedy",
    "docs",
    "fingerprint",
];

pub(super) fn csv(shown: &Shown) -> String {
    let mut out = String::new();
    row(&mut out, HEADER);
    for finding in shown.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let subject = &finding.subject;
        let optional = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let (namespace, container) = (optional(&subject.namespace), optional(&subject.container));
        let (path, file) = (optional(&subject.path), optional(&subject.file));
        row(
            &mut out,
            [
                severity,
                &finding.code,
                &subject.kind,
                &namespace,
                &subject.name,
                &container,
                &path,
                &file,
                &finding.message,
                &finding.remedy,
                &finding.docs,
                &finding.fingerprint,
            ],
        );
    }
    for skipped in shown.skipped {
        row(&mut out, ["unknown", "", "", "", &skipped.what, "", "", "", &skipped.why, "", "", ""]);
    }
    out
}

fn row(out: &mut String, cells: [&str; HEADER.len()]) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&quoted(cell));
    }
    out.push_str("\r\n");
}

/// A cell that begins like a formula would be carried out by a spreadsheet
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r', '\'']) || cell.starts_with(' ') || cell.ends_with(' ') {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }
}
