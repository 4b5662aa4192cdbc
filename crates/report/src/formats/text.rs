//! Plain text for a terminal: what was found, where, why and what to do, in that order; then what was not seen, how to
//! check by hand, and what the command would print.

use std::fmt::Write as _;

use super::{
    Shown,
    words::{self, label, place},
};
use crate::Severity;

/// How the text looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// With the escape sequences of a terminal.
    pub colour: bool,
    /// Columns at which sentences are broken; none leaves them in one line.
    pub width: Option<usize>,
}

/// Pieces of evidence of a finding; JSON has them all.
const EVIDENCE: usize = 3;

pub(super) fn text(shown: &Shown, style: Style) -> String {
    let mut out = String::new();
    style.write(&mut out, "", shown.summary);
    for finding in shown.findings {
        let head = format!("{} [{}]", label(finding.severity), finding.code);
        let head = style.coloured(finding.severity, &head);
        let _ = writeln!(out, "\n{head} {}", place(&finding.subject));
        style.write(&mut out, "  ", &finding.message);
        for evidence in finding.evidence.iter().take(EVIDENCE) {
            style.write(&mut out, "  | ", &format!("{}: {}", evidence.from, evidence.text));
        }
        if !finding.remedy.is_empty() {
            style.write(&mut out, "  do: ", &finding.remedy);
        }
        if !finding.docs.is_empty() {
            let _ = writeln!(out, "  see: {}", finding.docs);
        }
    }
    if let Some(missing) = words::missing(shown, 0) {
        let _ = writeln!(out, "\n{missing}.");
    }
    if !shown.skipped.is_empty() {
        out.push_str("\nNot seen:\n");
        for skipped in shown.skipped {
            style.write(&mut out, "  ", &format!("{}: {}", skipped.what, skipped.why));
        }
    }
    if !shown.commands.is_empty() {
        out.push_str("\nCheck by hand:\n");
        for command in shown.commands {
            let _ = writeln!(out, "  {command}");
        }
    }
    if let Some(output) = shown.output.filter(|output| !output.trim().is_empty()) {
        out.push_str("\nOutput:\n\n");
        out.push_str(output.trim_start_matches('\n'));
        if !output.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

impl Style {
    fn coloured(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;36",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A paragraph behind `head`; its other lines are indented as far. Lines that a remedy has of its own, such as those of a
    /// manifest, stay as they are.
    fn write(self, out: &mut String, head: &str, text: &str) {
        let indent = " ".repeat(head.chars().count());
        let mut first = true;
        for line in text.trim_end().lines() {
            for part in self.broken(line, indent.len()) {
                let _ = writeln!(out, "{}{}", if first { head } else { &indent }, plain(&part));
                first = false;
            }
        }
    }

    /// A line in pieces that fit, broken between words. A word is never broken: it may be a command to paste.
    fn broken(self, line: &str, indent: usize) -> Vec<String> {
        let Some(width) = self.width.map(|width| width.saturating_sub(indent).max(20)) else {
            return vec![line.to_owned()];
        };
        if line.starts_with(' ') || line.chars().count() <= width {
            return vec![line.to_owned()];
        }
        let mut lines = Vec::new();
        let mut current = String::new();
        for word in line.split(' ') {
            if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
        lines
    }
}

/// What a log line or an object holds must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
