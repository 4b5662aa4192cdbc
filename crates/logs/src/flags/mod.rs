//! What a failed line of the access log means: response flags, response code details and failure reasons
//! (`tables.yaml`), judged on the side that wrote the line.
//!
//! Newer Envoys join details with `|` and spell them with underscores
//! (`remote_connection_failure|delayed_connect_error:_Connection_refused`), older ones with commas and numbers
//! (`connection_failure,delayed_connect_error:_111`). Both are read.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access_log::{AccessLogLine, Side};
use super::signatures::LogCode;
use report::{Finding, Severity, Subject};

const FLAG_DOCS: &str = "https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage";
const DETAIL_DOCS: &str =
    "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details";
const CASE_DOCS: &str =
    "https://istio.io/latest/docs/ops/common-problems/network-issues/#requests-are-rejected-by-envoy";

/// The body of Envoy's answer when an `AuthorizationPolicy` refuses is `RBAC: access denied`.
const RBAC_BODY_BYTES: u64 = 19;

/// What a failed line means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Code of the finding it leads to, for example `LOG1005`.
    pub code: String,
    pub severity: Severity,
    pub side: Side,
    /// The flag, detail or case that decided, for example `NC`, `rbac_access_denied_matched_policy`.
    pub decided_by: String,
    pub meaning: String,
    /// Name of the TLS or socket reason within the line, for example `WRONG_VERSION_NUMBER`.
    pub reason_id: Option<String>,
    /// What the reasons within the line add, in words.
    pub reason: Option<String>,
    pub look_at: String,
    /// Problems of the catalogue to try.
    pub candidates: Vec<String>,
    /// The proxy answered itself: the other side has no line of this request.
    pub answered_locally: bool,
    pub docs: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    /// Envoy's long name of a flag.
    #[serde(default)]
    name: String,
    code: String,
    severity: Severity,
    #[serde(default)]
    local: bool,
    meaning: String,
    #[serde(default)]
    look_at: String,
    candidates: Vec<String>,
    inbound: Option<Inbound>,
}

/// The words for the server's side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inbound {
    meaning: String,
    look_at: String,
    candidates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    id: String,
    texts: Vec<String>,
    meaning: String,
    candidates: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    flags: Vec<Entry>,
    details: Vec<Entry>,
    cases: Vec<Entry>,
    reasons: Vec<Reason>,
}

fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> =
        LazyLock::new(|| serde_saphyr::from_str(include_str!("tables.yaml")).expect("a test reads the tables"));
    &TABLES
}

pub(super) fn codes() -> impl Iterator<Item = LogCode> {
    let tables = tables();
    let entries = [(&tables.flags, FLAG_DOCS), (&tables.details, DETAIL_DOCS), (&tables.cases, CASE_DOCS)];
    entries.into_iter().flat_map(|(entries, docs)| {
        entries.iter().map(move |entry| LogCode {
            id: &entry.code,
            severity: entry.severity,
            docs,
            cause: &entry.meaning,
            remedy: &entry.look_at,
        })
    })
}

/// Envoy's name of a flag, for example `NoClusterFound` for `NC`.
pub fn flag_name(flag: &str) -> Option<&'static str> {
    tables().flags.iter().find(|entry| entry.id == flag).map(|entry| entry.name.as_str())
}

/// What a line means, or `None` where nothing failed: a success, or an application's own answer below 500.
pub fn explain(line: &AccessLogLine) -> Option<Explanation> {
    let (entry, docs) = decide(line)?;
    let side = line.side();
    let (meaning, look_at, candidates) = match (&entry.inbound, side) {
        (Some(words), Side::Inbound) => (&words.meaning, &words.look_at, &words.candidates),
        _ => (&entry.meaning, &entry.look_at, &entry.candidates),
    };
    let reason = reason(line);
    let mut candidates = candidates.clone();
    if let Some(reason) = reason {
        // The reason is nearer to the cause than the flag, so its problems are tried first.
        candidates.retain(|candidate| !reason.candidates.contains(candidate));
        candidates.splice(0..0, reason.candidates.iter().cloned());
    }
    Some(Explanation {
        code: entry.code.clone(),
        severity: entry.severity,
        side,
        decided_by: entry.id.clone(),
        meaning: meaning.clone(),
        reason_id: reason.map(|reason| reason.id.clone()),
        reason: reason.map(|reason| reason.meaning.clone()).filter(|reason| reason != meaning),
        look_at: look_at.clone(),
        candidates,
        answered_locally: entry.local,
        docs: docs.to_owned(),
    })
}

/// Whether a word is a list of Envoy's flags.
pub(crate) fn is_flags(word: &str) -> bool {
    !word.is_empty() && word.split(',').all(|flag| tables().flags.iter().any(|entry| entry.id == flag))
}

/// Whether a word is one of Envoy's response code details.
pub(crate) fn is_detail(word: &str) -> bool {
    word == "via_upstream"
        || word.starts_with("upstream_reset_before_response_started")
        || (word.contains('_') && detail(word).is_some())
}

fn decide(line: &AccessLogLine) -> Option<(&'static Entry, &'static str)> {
    let details = line.response_code_details.as_deref().unwrap_or_default();
    let flags = &line.response_flags;
    let code = line.response_code;
    // A refused host has the flag UH, or a direct response, and is no unhealthy upstream.
    if line.upstream_cluster.as_ref().is_some_and(|cluster| cluster.name == "BlackHoleCluster")
        || line.route_name.as_deref() == Some("block_all")
    {
        return case("registry_only");
    }
    if details == "filter_chain_not_found" {
        // A connection without server name is none of a sidecar's, which always sends one with its TLS.
        let plain = line.requested_server_name.is_none();
        return case(if plain { "plain_text_to_tls" } else { "server_name_unknown" });
    }
    // A refused connection has no response, and no flag in every release.
    if let Some(termination) = line.connection_termination_details.as_deref()
        && let Some(entry) = detail(termination)
        && specific(entry, flags)
    {
        return Some((entry, DETAIL_DOCS));
    }
    // Releases before 1.9 write no details; a host upstream says who answered.
    if flags.is_empty() && (details == "via_upstream" || (details.is_empty() && line.upstream_host.is_some())) {
        return via_upstream(line);
    }
    if let Some(entry) = detail(details)
        && (code >= 400 || !flags.is_empty())
        && specific(entry, flags)
    {
        return Some((entry, DETAIL_DOCS));
    }
    if let Some(entry) = tables().flags.iter().find(|entry| flags.contains(&entry.id)) {
        return Some((entry, FLAG_DOCS));
    }
    if !flags.is_empty() || code >= 500 || (code >= 400 && !details.is_empty()) {
        return case("other_failure");
    }
    if line.grpc_status.as_deref().is_some_and(|status| !matches!(status, "0" | "OK" | "Ok")) {
        return case("grpc_status");
    }
    None
}

/// Details decide where no flag does, and where they say more than one: a policy, a token, a limit, a timeout. The
/// flags of routing and of a client that left say all that the details do.
fn specific(entry: &Entry, flags: &[String]) -> bool {
    let same = matches!(
        entry.id.as_str(),
        "cluster_not_found" | "no_healthy_upstream" | "downstream_remote_disconnect" | "overflow" | "direct_response"
    );
    flags.is_empty() || !same
}

/// The other sidecar or the application answered. Which of them is known only on the server's side.
fn via_upstream(line: &AccessLogLine) -> Option<(&'static Entry, &'static str)> {
    match (line.response_code, line.side()) {
        // Envoy itself answers 503 and 504 in the name of the application, seldom anybody else.
        (502..=504, Side::Outbound) => case("destination_answered"),
        (500.., _) => case("application_error"),
        (401, Side::Outbound) => case("destination_refused"),
        (403, Side::Outbound) if line.bytes_sent == RBAC_BODY_BYTES => case("destination_refused"),
        _ if line.grpc_status.as_deref().is_some_and(|status| !matches!(status, "0" | "OK" | "Ok")) => {
            case("grpc_status")
        }
        _ => None,
    }
}

fn case(id: &str) -> Option<(&'static Entry, &'static str)> {
    tables().cases.iter().find(|entry| entry.id == id).map(|entry| (entry, CASE_DOCS))
}

/// A finding of a case that no single line shows.
pub(super) fn case_finding(id: &str, subject: &Subject) -> Finding {
    let (entry, docs) = case(id).expect("a test asks for each such case");
    Finding {
        code: entry.code.as_str().into(),
        severity: entry.severity,
        subject: subject.clone(),
        message: entry.meaning.clone(),
        evidence: Vec::new(),
        remedy: format!("Look at {}.", entry.look_at),
        docs: docs.into(),
        fingerprint: String::new(),
        found_by: Vec::new(),
        discriminator: String::new(),
    }
}

fn detail(details: &str) -> Option<&'static Entry> {
    let base = details.split(['{', '[', ':', '|']).next().unwrap_or_default();
    tables().details.iter().find(|entry| match entry.id.strip_suffix('.') {
        Some(_) => base.starts_with(&entry.id),
        None => base == entry.id,
    })
}

/// The reason within a failed line. Underscores stand for spaces, and numbers are those of Linux's `errno`.
fn reason(line: &AccessLogLine) -> Option<&'static Reason> {
    let details = line.response_code_details.as_deref().unwrap_or_default();
    let inner = details.split_once('{').map_or("", |(_, inner)| inner);
    let texts = [
        line.upstream_transport_failure_reason.as_deref().unwrap_or_default(),
        inner,
        line.connection_termination_details.as_deref().unwrap_or_default(),
    ];
    let texts = texts.map(|text| text.replace('_', " ").to_ascii_lowercase());
    tables().reasons.iter().find(|reason| {
        reason.texts.iter().any(|wanted| {
            let wanted = wanted.replace('_', " ").to_ascii_lowercase();
            texts.iter().any(|text| text.contains(&wanted))
        })
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
