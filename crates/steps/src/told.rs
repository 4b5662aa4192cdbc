//! The text of a step that no command prints: what is wrong, the worst first, then its tables, then what was not seen.

use report::{Counts, Finding, Skipped, words};

use super::counted;

/// The parts of an answer besides findings and tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) summary: &'a str,
    pub(super) skipped: &'a [Skipped],
    pub(super) commands: &'a [String],
}

/// Sorts the findings as the answer has them, and writes them.
pub(crate) fn text(told: Told<'_>, findings: &mut [Finding], tables: &str) -> String {
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
    });
    let counts = Counts::of(findings);
    let mut found = Vec::new();
    for (count, noun) in [(counts.error, "error"), (counts.warning, "warning"), (counts.info, "note")] {
        if count > 0 {
            found.push(counted(usize::try_from(count).unwrap_or(usize::MAX), noun));
        }
    }
    let found = if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") };
    let shown = words::Shown {
        title: "",
        summary: &format!("{found}; {}", told.summary),
        findings,
        skipped: told.skipped,
        commands: told.commands,
    };
    words::text_around(&shown, tables)
}
