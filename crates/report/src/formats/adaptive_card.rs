//! A message for Teams with an Adaptive Card, as its Workflows take it ("Post to a channel when a webhook request is
//! received"). Texts are `TextRun`s, which know no markup, so that names and commands arrive as they are.

use serde_json::{Value, json};

use super::{
    Shown,
    words::{self, cut, is_url, label, place},
};
use crate::{Finding, Severity};

/// Teams takes some 28 KB; what it adds itself is unknown.
const WHOLE: usize = 20_000;
const FINDINGS: usize = 30;
const TEXT: usize = 600;
const SKIPPED: usize = 3;

pub(super) fn adaptive_card(shown: &Shown) -> String {
    let mut fit = shown.findings.len().min(FINDINGS);
    loop {
        let message = message(shown, fit).to_string();
        if message.len() <= WHOLE || fit == 0 {
            return message;
        }
        fit -= 1;
    }
}

fn message(shown: &Shown, fit: usize) -> Value {
    let headline = format!("{}: {}", shown.title, words::verdict(shown.verdict));
    let mut body = vec![
        paragraph(&[json!({ "type": "TextRun", "text": cut(&headline, 150), "weight": "Bolder", "size": "Large" })]),
        paragraph(&[run(&cut(shown.summary, TEXT))]),
    ];
    body.extend(shown.findings.iter().take(fit).map(finding));
    let mut notes = Vec::new();
    notes.extend(words::missing(shown, shown.findings.len() - fit));
    for part in shown.skipped.iter().take(SKIPPED) {
        notes.push(format!("Not seen: {}: {}", cut(&part.what, 100), cut(&part.why, 200)));
    }
    if shown.skipped.len() > SKIPPED {
        notes.push(format!("{} more parts were not seen", shown.skipped.len() - SKIPPED));
    }
    let mut actions = Vec::new();
    if is_url(shown.link) {
        actions.push(json!({ "type": "Action.OpenUrl", "title": "The whole answer", "url": shown.link }));
    } else {
        notes.push(format!("The whole answer: {}", shown.link));
    }
    body.extend(notes.iter().map(|note| paragraph(&[json!({ "type": "TextRun", "text": note, "isSubtle": true })])));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
        "actions": actions,
    });
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }],
    })
}

fn paragraph(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text })
}

fn finding(finding: &Finding) -> Value {
    let color = match finding.severity {
        Severity::Error => "Attention",
        Severity::Warning => "Warning",
        Severity::Info => "Accent",
    };
    let head = format!("{} {} ", label(finding.severity), finding.code);
    let head = json!({ "type": "TextRun", "text": head, "weight": "Bolder", "color": color });
    let mut items = vec![
        paragraph(&[head, run(&cut(&place(&finding.subject), 300))]),
        paragraph(&[run(&cut(&finding.message, TEXT))]),
    ];
    if !finding.remedy.is_empty() {
        let title = json!({ "type": "TextRun", "text": "Do: ", "weight": "Bolder" });
        items.push(paragraph(&[title, run(&cut(&finding.remedy, TEXT))]));
    }
    json!({ "type": "Container", "separator": true, "items": items })
}
