//! A message for Slack in Block Kit (<https://docs.slack.dev/reference/block-kit>), for a webhook, a `response_url` or
//! `chat.postMessage`. The first three lines (what was looked at and its verdict, the summary, the worst finding) are the
//! message's own text, which notifications show. It never grows past what Slack takes.

use serde_json::{Value, json};

use super::{
    Shown,
    words::{self, cut, is_url, label, place},
};
use crate::Finding;

/// Of a header.
const HEADER: usize = 150;
/// Of a finding's section; Slack takes 3,000.
const SECTION: usize = 1200;
/// Blocks for findings; Slack takes 50 blocks in all.
const FINDINGS: usize = 40;
/// Of the whole message: beyond some 13,000 characters Slack answers `msg_blocks_too_long`, whatever its blocks.
const WHOLE: usize = 12_000;
/// Parts that were not seen, in words.
const SKIPPED: usize = 3;

pub(super) fn slack(shown: &Shown) -> String {
    let mut fit = shown.findings.len().min(FINDINGS);
    loop {
        let message = message(shown, fit).to_string();
        if message.chars().count() <= WHOLE || fit == 0 {
            return message;
        }
        fit -= 1;
    }
}

fn message(shown: &Shown, fit: usize) -> Value {
    let headline = format!("{}: {}", shown.title, words::verdict(shown.verdict));
    let mut lines = vec![escaped(&headline), escaped(&cut(shown.summary, 500))];
    lines.extend(
        shown
            .findings
            .first()
            .map(|worst| escaped(&cut(&format!("{} {}: {}", worst.code, place(&worst.subject), worst.message), 300))),
    );
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&headline, HEADER) } }),
        section(&escaped(&cut(shown.summary, SECTION))),
    ];
    blocks.extend(shown.findings.iter().take(fit).map(|one| section(&finding(one))));
    let mut notes = Vec::new();
    notes.extend(words::missing(shown, shown.findings.len() - fit));
    for part in shown.skipped.iter().take(SKIPPED) {
        notes.push(format!("Not seen: {}: {}", cut(&part.what, 100), cut(&part.why, 200)));
    }
    if shown.skipped.len() > SKIPPED {
        notes.push(format!("{} more parts were not seen", shown.skipped.len() - SKIPPED));
    }
    let mut notes = escaped(&notes.join("\n"));
    if !notes.is_empty() {
        notes.push('\n');
    }
    notes.push_str(&if is_url(shown.link) {
        format!("<{}|The whole answer>", shown.link.replace(['<', '>', '|'], ""))
    } else {
        format!("The whole answer: `{}`", escaped(shown.link))
    });
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": cut(&notes, 2000) }] }));
    json!({ "text": lines.join("\n"), "blocks": blocks })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

fn finding(finding: &Finding) -> String {
    let head = format!("*{}* `{}` {}", label(finding.severity), finding.code, escaped(&place(&finding.subject)));
    let mut text = format!("{head}\n{}", escaped(&cut(&finding.message, SECTION / 3)));
    if !finding.remedy.is_empty() {
        text = format!("{text}\n_Do:_ {}", escaped(&cut(&finding.remedy, SECTION / 3)));
    }
    if is_url(&finding.docs) && text.chars().count() + finding.docs.len() < SECTION {
        text = format!("{text}\n<{}|Read more>", finding.docs);
    }
    text
}

/// The three characters that Slack's markup takes for its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
