//! Writes an answer as its caller wants it: in a format, and as much of it as was asked for.

use serde::Serialize;

use super::{
    Answer, Answered, RunSummary,
    written::{self, TooLong},
};
use crate::report::{
    Counts, Data, Finding, Format, Severity, Shown, Skipped, View,
    formats::{self, Style},
};

/// What a caller wants of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub format: Format,
    pub view: View,
    /// A finding of this severity, or a worse one, fails a test in CI.
    pub fail_on: Severity,
}

impl From<Format> for Wanted {
    fn from(format: Format) -> Self {
        Self { format, view: View::default(), fail_on: Severity::Error }
    }
}

/// The envelope without the step's data.
#[derive(Serialize)]
struct Summary<'a> {
    run: &'a RunSummary,
    summary: &'a str,
    counts: Counts,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    not_shown: Option<u64>,
    skipped: &'a [Skipped],
    commands: &'a [String],
}

/// Writes an answer. `base` is the service's own URL, where it knows it, for links from elsewhere.
pub fn render(
    answered: &Answered,
    title: &str,
    base: Option<&str>,
    wanted: impl Into<Wanted>,
) -> Result<String, TooLong> {
    let wanted = wanted.into();
    shown(answered, title, base, &wanted, |shown, answer| {
        if wanted.view.summary {
            let summary = Summary {
                run: &answer.run,
                summary: &answer.summary,
                counts: answer.counts,
                findings: &answer.findings,
                not_shown: (answer.not_shown > 0).then_some(answer.not_shown),
                skipped: &answer.skipped,
                commands: &answer.commands,
            };
            written::write(wanted.format, shown, &summary, 0)
        } else {
            written::write(wanted.format, shown, answer, answer.data.text().len())
        }
    })
}

/// Writes the text of an answer for a terminal.
pub fn render_text(answered: &Answered, title: &str, wanted: &Wanted, style: Style) -> String {
    shown(answered, title, None, wanted, |shown, _| formats::write_text(shown, style))
}

fn shown<T>(
    answered: &Answered,
    title: &str,
    base: Option<&str>,
    wanted: &Wanted,
    write: impl FnOnce(&Shown, &Answer<Data>) -> T,
) -> T {
    let cut;
    let mut answer = &answered.answer;
    if wanted.view != View::default() {
        let mut copy = answer.clone();
        copy.not_shown = wanted.view.cut(&mut copy.findings);
        cut = copy;
        answer = &cut;
    }
    let link = &answer.run.links.itself;
    let link = base.map_or_else(|| link.clone(), |base| format!("{}{link}", base.trim_end_matches('/')));
    let shown = Shown {
        step: &answer.run.step,
        title,
        summary: &answer.summary,
        verdict: answer.run.verdict,
        counts: answer.counts,
        findings: &answer.findings,
        not_shown: answer.not_shown,
        skipped: &answer.skipped,
        commands: &answer.commands,
        output: answered.printed.as_deref().filter(|_| !wanted.view.summary || wanted.format == Format::Raw),
        at: &answer.run.started_at.to_string(),
        link: &link,
        fail_on: wanted.fail_on,
    };
    write(&shown, answer)
}
