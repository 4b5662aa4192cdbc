//! The access log of one proxy in numbers: requests, and failures grouped by what they have in common.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access_log::{AccessLogLine, Side};
use super::digest::LogDigest;
use super::flags::{Explanation, case_finding, explain, flag_name};
use report::{Evidence, Finding, Severity, Subject};

/// Groups of failures, and destinations, that are told apart in one log.
const GROUPS: usize = 500;
/// A failure that meets fewer than one in so many requests to its destination is a warning, not an error. Our choice.
const RARE: u64 = 20;
/// So many refusals without one success mean that nobody gets through. Our choice.
const ALL_REFUSED: u64 = 5;

/// The access log of one proxy in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessLogSummary {
    /// Lines of the access log.
    pub lines: u64,
    pub outbound: u64,
    pub inbound: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub by_code: BTreeMap<String, u64>,
    /// Failures, the most frequent first.
    pub failures: Vec<FailureGroup>,
    /// Failures beyond the number of groups that are kept.
    pub failures_not_grouped: u64,
}

/// Failed requests that have side, destination, flags, details, route and code in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureGroup {
    pub side: Side,
    /// What the requests were for: authority, else host or address.
    pub destination: String,
    /// Name of the cluster, where the proxy got that far.
    pub upstream_cluster: Option<String>,
    pub route_name: Option<String>,
    pub response_code: u16,
    pub response_flags: Vec<String>,
    pub response_code_details: Option<String>,
    pub upstream_transport_failure_reason: Option<String>,
    pub count: u64,
    /// All requests of this side to the same destination.
    pub of: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub sample: AccessLogLine,
    pub explanation: Explanation,
}

type GroupKey = (Side, String, Option<String>, Option<String>, u16, Vec<String>, Option<String>);

/// Takes the access-log lines of one proxy, in order.
#[derive(Debug, Default)]
pub struct SummaryBuilder {
    summary: AccessLogSummary,
    totals: BTreeMap<(Side, String), u64>,
    groups: BTreeMap<GroupKey, FailureGroup>,
}

impl SummaryBuilder {
    pub fn push(&mut self, line: &AccessLogLine) {
        let summary = &mut self.summary;
        summary.lines += 1;
        if summary.first_at.is_none() {
            summary.first_at.clone_from(&line.start_time);
        }
        summary.last_at.clone_from(&line.start_time);
        let side = line.side();
        match side {
            Side::Outbound => summary.outbound += 1,
            Side::Inbound => summary.inbound += 1,
        }
        *summary.by_code.entry(line.response_code.to_string()).or_default() += 1;
        let destination = line.destination().unwrap_or("-").to_owned();
        let total = (side, destination.clone());
        if self.totals.len() < GROUPS || self.totals.contains_key(&total) {
            *self.totals.entry(total).or_default() += 1;
        }
        if let Some(explanation) = explain(line) {
            self.failure(line, destination, explanation);
        }
    }

    fn failure(&mut self, line: &AccessLogLine, destination: String, explanation: Explanation) {
        let details = line.response_code_details.clone();
        let key = (
            explanation.side,
            destination.clone(),
            line.upstream_cluster.as_ref().map(|cluster| cluster.name.clone()),
            line.route_name.clone(),
            line.response_code,
            line.response_flags.clone(),
            details.clone(),
        );
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
            self.summary.failures_not_grouped += 1;
            return;
        }
        let group = self.groups.entry(key).or_insert_with(|| FailureGroup {
            side: explanation.side,
            destination,
            upstream_cluster: line.upstream_cluster.as_ref().map(|cluster| cluster.name.clone()),
            route_name: line.route_name.clone(),
            response_code: line.response_code,
            response_flags: line.response_flags.clone(),
            response_code_details: details,
            upstream_transport_failure_reason: line.upstream_transport_failure_reason.clone(),
            count: 0,
            of: 0,
            first_at: line.start_time.clone(),
            last_at: None,
            sample: line.clone(),
            explanation,
        });
        group.count += 1;
        group.last_at.clone_from(&line.start_time);
    }

    pub fn finish(self) -> AccessLogSummary {
        let Self { mut summary, totals, groups } = self;
        summary.failures = groups.into_values().collect();
        for group in &mut summary.failures {
            let total = totals.get(&(group.side, group.destination.clone())).copied().unwrap_or_default();
            group.of = total.max(group.count);
        }
        summary.failures.sort_by_key(|group| std::cmp::Reverse(group.count));
        summary
    }
}

/// The summary of lines that are at hand as a whole.
pub fn summarize<'a>(lines: impl IntoIterator<Item = &'a AccessLogLine>) -> AccessLogSummary {
    let mut builder = SummaryBuilder::default();
    for line in lines {
        builder.push(line);
    }
    builder.finish()
}

/// One finding for each group of failures. `subject` is the pod whose proxy wrote the log.
pub fn findings(summary: &AccessLogSummary, subject: &Subject) -> Vec<Finding> {
    summary.failures.iter().map(|group| finding(group, subject)).collect()
}

/// Says that a proxy's log has no line of the access log, where it has lines at all. Nobody can tell from the log alone
/// whether logging is off or nothing was requested, so it is only information.
pub fn access_log_empty(digest: &LogDigest, subject: &Subject) -> Option<Finding> {
    if digest.lines == 0 || digest.access_lines > 0 {
        return None;
    }
    let mut finding = case_finding("access_log_empty", subject);
    if digest.foreign_access_lines > 0 {
        let lines = digest.foreign_access_lines;
        finding.message = format!("the access log has a format of the mesh's own: {lines} lines were not read");
    }
    Some(finding)
}

fn finding(group: &FailureGroup, subject: &Subject) -> Finding {
    let explanation = &group.explanation;
    let mut evidence = Evidence::new(
        format!("access log of {}/{}", subject.namespace.as_deref().unwrap_or_default(), subject.name),
        sample(&group.sample),
    );
    evidence.count = Some(group.count);
    evidence.last_seen.clone_from(&group.last_at);
    let remedy = match explanation.look_at.as_str() {
        "" => String::new(),
        look_at => format!("Look at {look_at}."),
    };
    Finding {
        code: explanation.code.clone().into(),
        severity: severity(group),
        subject: subject.clone(),
        message: message(group),
        evidence: vec![evidence],
        remedy,
        docs: explanation.docs.clone().into(),
        fingerprint: String::new(),
        found_by: Vec::new(),
        discriminator: discriminator(group),
    }
}

/// How bad a group is: a rare error is a warning, and a refusal that nobody gets past is an error.
fn severity(group: &FailureGroup) -> Severity {
    match group.explanation.severity {
        Severity::Error if group.count * RARE < group.of => Severity::Warning,
        Severity::Warning if is_refusal(group) && group.count == group.of && group.count >= ALL_REFUSED => {
            Severity::Error
        }
        severity => severity,
    }
}

fn is_refusal(group: &FailureGroup) -> bool {
    let decided_by = group.explanation.decided_by.as_str();
    matches!(decided_by, "rbac_access_denied_matched_policy" | "jwt_authn_access_denied" | "ext_authz_denied" | "UAEX")
}

/// `503 NC towards checkout.shop:8080 (53 of 53 requests): the route names a cluster that this proxy does not have`.
fn message(group: &FailureGroup) -> String {
    let explanation = &group.explanation;
    let code = match group.response_code {
        0 => "connection closed".to_owned(),
        code => code.to_string(),
    };
    let flags = group.response_flags.iter().map(|flag| match flag_name(flag) {
        Some(name) => format!(" {flag} ({name})"),
        None => format!(" {flag}"),
    });
    let direction = match group.side {
        Side::Outbound => "towards",
        Side::Inbound => "received for",
    };
    let cluster = match &group.upstream_cluster {
        Some(cluster) => format!(" by {cluster}"),
        None => String::new(),
    };
    let mut text = format!(
        "{code}{} {direction} {}{cluster}, {} of {} requests: {}",
        flags.collect::<String>(),
        group.destination,
        group.count,
        group.of,
        explanation.meaning,
    );
    if let Some(reason) = &explanation.reason {
        let _ = write!(text, "; {reason}");
    }
    if let Some(policy) = group.response_code_details.as_deref().and_then(policy) {
        let _ = match policy {
            "none" => write!(text, "; no ALLOW policy matched"),
            policy => write!(text, "; matched {policy}"),
        };
    }
    text
}

/// The policy within `rbac_access_denied_matched_policy[…]`.
fn policy(details: &str) -> Option<&str> {
    details.strip_prefix("rbac_access_denied_matched_policy[")?.strip_suffix(']')
}

fn discriminator(group: &FailureGroup) -> String {
    let cluster = group.upstream_cluster.as_deref().unwrap_or_default();
    let details = group.response_code_details.as_deref().unwrap_or_default();
    let flags = group.response_flags.join(",");
    format!("{} {cluster} {} {flags} {details}", mask_address(&group.destination), group.response_code)
}

/// Addresses of pods change with each restart.
fn mask_address(destination: &str) -> String {
    let is_address = destination.parse::<std::net::SocketAddr>().is_ok();
    if is_address {
        format!("port {}", destination.rsplit(':').next().unwrap_or_default())
    } else {
        destination.to_owned()
    }
}

/// A line in short, from the fields that decide.
fn sample(line: &AccessLogLine) -> String {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "[{}] \"{} {} {}\" {} {} {} {} \"{}\" {} -> {} {} route {} request {}",
        dash(&line.start_time),
        dash(&line.method),
        dash(&line.path),
        dash(&line.protocol),
        line.response_code,
        if line.response_flags.is_empty() { "-".to_owned() } else { line.response_flags.join(",") },
        dash(&line.response_code_details),
        dash(&line.connection_termination_details),
        dash(&line.upstream_transport_failure_reason),
        dash(&line.authority),
        dash(&line.upstream_host),
        line.upstream_cluster.as_ref().map_or("-", |cluster| cluster.name.as_str()),
        dash(&line.route_name),
        dash(&line.request_id),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
