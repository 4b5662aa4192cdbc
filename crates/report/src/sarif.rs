//! Findings as SARIF 2.1.0, for code-scanning tools
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Finding, Severity, Subject, words::Shown};

/// Tools refuse files with more results than this.
const MAX_RESULTS: usize = 25_000;

/// The report as SARIF.
pub fn sarif(shown: &Shown) -> String {
    let rules: BTreeMap<&str, &Finding> = shown.findings.iter().map(|finding| (&*finding.code, finding)).collect();
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|(code, finding)| {
            json!({
                "id": code,
                "helpUri": &*finding.docs,
                "defaultConfiguration": { "level": level(finding.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = shown.findings.iter().take(MAX_RESULTS).map(result).collect();
    let notifications: Vec<Value> = shown
        .skipped
        .iter()
        .map(|skipped| json!({ "level": "warning", "message": { "text": format!("{}: {}", skipped.what, skipped.why) } }))
        .collect();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "meshtriage",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "automationDetails": { "id": shown.title },
            // What could not be read is not a clean result.
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&report).expect("the report is JSON") + "\n"
}

fn result(finding: &Finding) -> Value {
    let mut text = finding.message.clone();
    if !finding.remedy.is_empty() {
        text = format!("{text}\n\n{}", finding.remedy);
    }
    json!({
        "ruleId": &*finding.code,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [location(&finding.subject)],
        "partialFingerprints": { "meshtriage/v1": finding.fingerprint },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn location(subject: &Subject) -> Value {
    let name = match &subject.namespace {
        Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
        None => format!("{} {}", subject.kind, subject.name),
    };
    let mut location = json!({ "logicalLocations": [{
        "name": subject.name,
        "fullyQualifiedName": match &subject.path {
            Some(path) => format!("{name} {path}"),
            None => name,
        },
        "kind": "resource",
    }] });
    if let Some(file) = &subject.file {
        let (file, line) = match file.rsplit_once(':').map(|(file, line)| (file, line.parse::<u32>())) {
            Some((file, Ok(line))) => (file, line.max(1)),
            _ => (file.as_str(), 1),
        };
        location["physicalLocation"] = json!({ "artifactLocation": { "uri": file }, "region": { "startLine": line } });
    }
    location
}
