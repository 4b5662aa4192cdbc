//! Takes secrets out of everything that a step gives, before it is kept, rendered or sent.

use std::borrow::Cow;

use crate::{
    redact::{redact_json, redact_page, redact_text},
    report::Data,
    steps::Outcome,
};

/// The same outcome without secrets.
pub(super) fn without_secrets(mut outcome: Outcome) -> Outcome {
    if let Some(redacted) = redact_json(outcome.data.text()) {
        outcome.data = Data::from_json(redacted);
    }
    for finding in &mut outcome.findings {
        redact(&mut finding.message);
        for evidence in &mut finding.evidence {
            redact(&mut evidence.from);
            redact(&mut evidence.text);
        }
        redact(&mut finding.remedy);
    }
    for skipped in &mut outcome.skipped {
        redact(&mut skipped.what);
        redact(&mut skipped.why);
    }
    outcome.commands.iter_mut().for_each(redact);
    redact(&mut outcome.summary);
    if let Some(printed) = &mut outcome.printed {
        replace(printed, redact_page);
    }
    outcome
}

fn redact(text: &mut String) {
    replace(text, redact_text);
}

fn replace(text: &mut String, redact: fn(&str) -> Cow<'_, str>) {
    if let Cow::Owned(redacted) = redact(text) {
        *text = redacted;
    }
}
