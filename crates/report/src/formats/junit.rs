//! Findings as a JUnit report, for CI systems: each finding that is bad enough is a failed test, other findings are passed
//! tests with an output, and what could not be seen is a skipped test. Jenkins and GitLab tell tests apart by class and name.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Shown, words::place};
use crate::{Finding, Severity};

/// The report as JUnit XML.
pub(super) fn junit(shown: &Shown) -> String {
    let failures = shown.findings.iter().filter(|finding| finding.severity >= shown.fail_on).count();
    let tests = (shown.findings.len() + shown.skipped.len()).max(1);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{}\"", shown.skipped.len());
    let _ = writeln!(
        out,
        "<testsuites name=\"meshtriage\" {counts}>\n<testsuite name=\"{}\" {counts} timestamp=\"{}\">",
        escaped(shown.title),
        escaped(shown.at)
    );
    let mut names = BTreeMap::new();
    for finding in shown.findings {
        case(&mut out, finding, &unique(&mut names, name(finding)), shown.fail_on);
    }
    for skipped in shown.skipped {
        let _ = writeln!(
            out,
            "<testcase classname=\"skipped\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
            escaped(&unique(&mut names, skipped.what.clone())),
            escaped(&skipped.why)
        );
    }
    if shown.findings.is_empty() && shown.skipped.is_empty() {
        let _ = writeln!(out, "<testcase classname=\"all\" name=\"{}\"/>", escaped(shown.summary));
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn name(finding: &Finding) -> String {
    let place = place(&finding.subject);
    match &finding.subject.path {
        Some(path) => format!("{} {place} {path}", finding.code),
        None => format!("{} {place}", finding.code),
    }
}

/// The second test of a name is `… (2)`.
fn unique(names: &mut BTreeMap<String, usize>, name: String) -> String {
    let count = names.entry(name.clone()).or_insert(0);
    *count += 1;
    if *count == 1 { name } else { format!("{name} ({count})") }
}

fn case(out: &mut String, finding: &Finding, name: &str, fail_on: Severity) {
    let _ = write!(out, "<testcase classname=\"{}\" name=\"{}\"", escaped(&finding.code), escaped(name));
    let mut text = finding.message.clone();
    if !finding.remedy.is_empty() {
        text = format!("{text}\n{}", finding.remedy);
    }
    if let Some(file) = &finding.subject.file {
        let _ = write!(out, " file=\"{}\"", escaped(file.rsplit_once(':').map_or(file, |(path, _)| path)));
        text = format!("{file}: {text}");
    }
    out.push('>');
    let kind = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let _ = if finding.severity >= fail_on {
        let message = escaped(&finding.message);
        write!(out, "<failure type=\"{kind}\" message=\"{message}\">{}</failure>", escaped(&text))
    } else {
        write!(out, "<system-out>{kind}: {}</system-out>", escaped(&text))
    };
    out.push_str("</testcase>\n");
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
