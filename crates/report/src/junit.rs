//! Findings as a JUnit report, for CI systems: each finding of a warning or an error is a failed test, what could not be
//! seen is a skipped one.

use std::fmt::Write as _;

use super::{
    Severity,
    words::{Shown, place},
};

/// The report as JUnit XML.
pub fn junit(shown: &Shown) -> String {
    let failures = shown.findings.iter().filter(|finding| finding.severity >= Severity::Warning).count();
    let tests = (shown.findings.len() + shown.skipped.len()).max(1);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{}\">",
        escaped(shown.title),
        shown.skipped.len()
    );
    for finding in shown.findings {
        let name = format!("{} {}", finding.code, place(&finding.subject));
        let _ = write!(out, "<testcase classname=\"{}\" name=\"{}\">", escaped(&finding.code), escaped(&name));
        let mut text = finding.message.clone();
        if !finding.remedy.is_empty() {
            text = format!("{text}\n{}", finding.remedy);
        }
        if let Some(file) = &finding.subject.file {
            text = format!("{file}: {text}");
        }
        let _ = if finding.severity >= Severity::Warning {
            let kind = if finding.severity == Severity::Error { "error" } else { "warning" };
            let message = escaped(&finding.message);
            write!(out, "<failure type=\"{kind}\" message=\"{message}\">{}</failure>", escaped(&text))
        } else {
            write!(out, "<system-out>{}</system-out>", escaped(&text))
        };
        out.push_str("</testcase>\n");
    }
    for skipped in shown.skipped {
        let _ = writeln!(
            out,
            "<testcase classname=\"skipped\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
            escaped(&skipped.what),
            escaped(&skipped.why)
        );
    }
    if shown.findings.is_empty() && shown.skipped.is_empty() {
        let _ = writeln!(out, "<testcase classname=\"all\" name=\"{}\"/>", escaped(shown.summary));
    }
    out.push_str("</testsuite></testsuites>\n");
    out
}

/// XML knows no other control characters than tab and line ends.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
