//! Findings as SARIF 2.1.0, for code-scanning tools
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>). GitHub takes a result only with a place in a file,
//! so that an object of the cluster gets the path that a file of it would have.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Shown, words::cut};
use crate::{Finding, Severity, Subject};

/// Tools refuse files with more results than this.
const MAX_RESULTS: usize = 25_000;
/// GitHub cuts a rule's text here.
const RULE_TEXT: usize = 1024;

/// The report as SARIF.
pub(super) fn sarif(shown: &Shown) -> String {
    let rules: BTreeMap<&str, &Finding> = shown.findings.iter().rev().map(|found| (&*found.code, found)).collect();
    let places: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, code)| (*code, index)).collect();
    let rules: Vec<Value> = rules.into_iter().map(|(code, finding)| rule(code, finding)).collect();
    let results: Vec<Value> =
        shown.findings.iter().take(MAX_RESULTS).map(|found| result(found, places[&*found.code])).collect();
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
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            // One category for each step: an upload replaces the results of the same step only.
            "automationDetails": { "id": format!("{}/", shown.step) },
            // What could not be read is not a clean result.
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&report).expect("the report is JSON") + "\n"
}

fn rule(code: &str, finding: &Finding) -> Value {
    let help = if finding.remedy.is_empty() { &finding.message } else { &finding.remedy };
    let mut rule = json!({
        "id": code,
        "shortDescription": { "text": cut(&finding.message, RULE_TEXT) },
        "help": { "text": help },
        "defaultConfiguration": { "level": level(finding.severity) },
    });
    if !finding.docs.is_empty() {
        rule["helpUri"] = json!(&*finding.docs);
    }
    rule
}

fn result(finding: &Finding, rule: usize) -> Value {
    let mut text = finding.message.clone();
    if !finding.remedy.is_empty() {
        text = format!("{text}\n\n{}", finding.remedy);
    }
    json!({
        "ruleId": &*finding.code,
        "ruleIndex": rule,
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
    let (file, line) = match &subject.file {
        Some(file) => match file.rsplit_once(':').map(|(file, line)| (file, line.parse::<u32>())) {
            Some((path, Ok(line))) => (path.to_owned(), line.max(1)),
            _ => (file.clone(), 1),
        },
        None => {
            let folder = subject.namespace.as_deref().unwrap_or("_cluster");
            (format!("cluster/{folder}/{}/{}.yaml", subject.kind, subject.name), 1)
        }
    };
    json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(&file) }, "region": { "startLine": line } },
        "logicalLocations": [{
            "name": subject.name,
            "fullyQualifiedName": match &subject.path {
                Some(path) => format!("{name} {path}"),
                None => name,
            },
            "kind": "resource",
        }],
    })
}

/// A path as a relative reference: what a URI cannot hold is written in percent.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
