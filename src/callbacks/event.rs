//! What is told: events in the words of [CloudEvents 1.0](https://github.com/cloudevents/spec).

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::target::MessageForm;
use crate::history::{Change, RunHeader};

/// Findings of one message; Slack shows fewer.
const MOST_FINDINGS: usize = 50;
const MOST_IN_SLACK: usize = 10;
/// A text of Slack may have 3,000 characters.
const LONGEST_SLACK: usize = 2900;

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A run has ended.
    RunEnded,
    /// Findings that were not there before, or have come back.
    FindingsNew,
    FindingsResolved,
    /// What asks for the same gave another verdict the time before.
    VerdictChanged,
}

impl EventKind {
    pub const ALL: [Self; 4] = [Self::RunEnded, Self::FindingsNew, Self::FindingsResolved, Self::VerdictChanged];

    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::RunEnded => "io.meshtriage.run.ended",
            Self::FindingsNew => "io.meshtriage.findings.new",
            Self::FindingsResolved => "io.meshtriage.findings.resolved",
            Self::VerdictChanged => "io.meshtriage.verdict.changed",
        }
    }
}

/// The event as one document. Its id is that of the message, so that a receiver can tell when it comes twice.
pub fn document(
    kind: EventKind,
    id: Uuid,
    cluster: &str,
    run: &RunHeader,
    at: Timestamp,
    findings: &[Change],
) -> Value {
    let mut data = json!({
        "run": {
            "id": run.id, "step": run.step, "state": run.state, "verdict": run.verdict, "completeness": run.completeness,
            "counts": run.counts, "summary": run.summary, "labels": run.labels, "links": { "self": format!("/v1/runs/{}", run.id) },
        },
    });
    if kind != EventKind::RunEnded && kind != EventKind::VerdictChanged {
        data["findings"] = findings.iter().take(MOST_FINDINGS).map(|finding| json!(finding)).collect();
        data["total"] = findings.len().into();
    }
    json!({
        "specversion": "1.0", "id": id, "type": kind.name(), "source": format!("/meshtriage/{cluster}"),
        "subject": format!("runs/{}", run.id), "time": at, "datacontenttype": "application/json", "data": data,
    })
}

/// The body of a message and its headers.
pub(super) fn message(document: &Value, form: MessageForm) -> (Vec<u8>, Vec<(String, String)>) {
    let content_type = |media: &str| ("content-type".to_owned(), media.to_owned());
    match form {
        MessageForm::StructuredCloudEvent => {
            (document.to_string().into_bytes(), vec![content_type("application/cloudevents+json; charset=utf-8")])
        }
        MessageForm::Json => (document.to_string().into_bytes(), vec![content_type("application/json")]),
        MessageForm::Slack => {
            let body = json!({ "response_type": "in_channel", "text": slack(&document["data"]) });
            (body.to_string().into_bytes(), vec![content_type("application/json")])
        }
        MessageForm::CloudEvent => {
            let mut headers = vec![content_type("application/json")];
            for name in ["specversion", "id", "type", "source", "subject", "time"] {
                let value = document[name].as_str().unwrap_or_default().to_owned();
                headers.push((format!("ce-{name}"), value));
            }
            (document["data"].to_string().into_bytes(), headers)
        }
    }
}

/// In Slack's own markup (<https://docs.slack.dev/messaging/formatting-message-text>).
fn slack(data: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let run = &data["run"];
    let mut out = format!("*{}* {}: {}", text(&run["step"]), text(&run["verdict"]), escaped(&text(&run["summary"])));
    let none = Vec::new();
    let findings = data["findings"].as_array().unwrap_or(&none);
    for finding in findings.iter().take(MOST_IN_SLACK) {
        let place = match finding["namespace"].as_str() {
            Some(namespace) => format!("{namespace}/{}", text(&finding["name"])),
            None => text(&finding["name"]),
        };
        let (state, code) = (text(&finding["state"]), text(&finding["code"]));
        let message = escaped(&text(&finding["message"]));
        let _ = write!(out, "\n• {state} `{code}` {} {place}: {message}", text(&finding["kind"]));
    }
    let total = data["total"].as_u64().unwrap_or_default();
    if total > MOST_IN_SLACK as u64 {
        let _ = write!(out, "\nand {} more", total - MOST_IN_SLACK as u64);
    }
    out.chars().take(LONGEST_SLACK).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
