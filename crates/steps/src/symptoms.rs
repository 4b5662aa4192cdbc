//! What users see, in their words: a status, a response flag, or an error message of a client, and what it stands for.

use std::collections::BTreeSet;

use logs::{AccessLogLine, explain};

use crate::misconfiguration::symptom::{SYMPTOMS, Symptom};

/// Words of error messages, in lower case, as Envoy, curl and clients' libraries print them.
const PHRASES: &[(&str, Symptom)] = &[
    ("rbac: access denied", Symptom::Forbidden),
    ("jwt is missing", Symptom::Unauthorized),
    ("jwt verification fails", Symptom::Unauthorized),
    ("jwks", Symptom::Unauthorized),
    ("jwt", Symptom::Unauthorized),
    ("upgrade required", Symptom::UpgradeRequired),
    ("no healthy upstream", Symptom::ServiceUnavailable),
    ("upstream connect error", Symptom::ServiceUnavailable),
    ("reset reason", Symptom::ServiceUnavailable),
    ("connection refused", Symptom::ServiceUnavailable),
    ("service unavailable", Symptom::ServiceUnavailable),
    ("upstream request timeout", Symptom::TimedOut),
    ("gateway time", Symptom::TimedOut),
    ("timed out", Symptom::TimedOut),
    ("deadline exceeded", Symptom::TimedOut),
    ("deadline_exceeded", Symptom::TimedOut),
    ("(28)", Symptom::TimedOut),
    ("recv failure", Symptom::Reset),
    ("(56)", Symptom::Reset),
    ("(52)", Symptom::Reset),
    ("empty reply", Symptom::Reset),
    ("connection reset", Symptom::Reset),
    ("econnreset", Symptom::Reset),
    ("socket hang up", Symptom::Reset),
    ("broken pipe", Symptom::Reset),
    ("unexpected eof", Symptom::Reset),
    ("connection termination", Symptom::Reset),
    ("protocol error", Symptom::Reset),
    ("(7)", Symptom::IngressUnreachable),
    ("failed to connect", Symptom::IngressUnreachable),
    ("ssl_error", Symptom::IngressTls),
    ("ssl certificate problem", Symptom::IngressTls),
    ("certificate has expired", Symptom::IngressTls),
    ("certificate verify failed", Symptom::IngressTls),
    ("x509", Symptom::IngressTls),
    ("(35)", Symptom::IngressTls),
    ("(60)", Symptom::IngressTls),
    ("bad gateway", Symptom::BadGateway),
    ("not found", Symptom::NotFound),
    ("could not resolve host", Symptom::Dns),
    ("no such host", Symptom::Dns),
    ("enotfound", Symptom::Dns),
    ("name or service not known", Symptom::Dns),
    ("temporary failure in name resolution", Symptom::Dns),
    ("servfail", Symptom::Dns),
    ("nxdomain", Symptom::Dns),
    ("failed calling webhook", Symptom::PodsCannotBeCreated),
    ("admission webhook", Symptom::ApplyFails),
    ("no sidecar", Symptom::NoSidecar),
    ("not injected", Symptom::NoSidecar),
    ("missing the istio proxy", Symptom::NoSidecar),
    ("envoy proxy is not ready", Symptom::SidecarNotReady),
    ("readiness probe", Symptom::SidecarNotReady),
    ("istiod", Symptom::ControlPlaneDown),
    ("crashloop", Symptom::ApplicationStartsBadly),
    ("oomkilled", Symptom::Resources),
    ("memory", Symptom::Resources),
    ("no effect", Symptom::NoEffect),
    ("ignored", Symptom::NoEffect),
];

/// What a text stands for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Understood {
    pub(crate) statuses: BTreeSet<u16>,
    pub(crate) symptoms: BTreeSet<Symptom>,
    /// Problems of the catalogue, from the response flags within it.
    pub(crate) problems: BTreeSet<String>,
    /// Words that could be names.
    pub(crate) names: BTreeSet<String>,
}

/// Looks for statuses, flags, phrases and names in a text.
pub(crate) fn understand(text: &str) -> Understood {
    let mut understood = Understood::default();
    let lower = text.to_lowercase();
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_');
    for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty()) {
        if let Ok(status) = word.parse::<u16>()
            && (400..600).contains(&status)
        {
            understood.statuses.insert(status);
            understood.symptoms.insert(Symptom::of_status(status));
        } else if (2..=5).contains(&word.len()) && word.chars().all(|c| c.is_ascii_uppercase()) {
            understood.problems.extend(of_flag(word));
        }
        if word.len() > 2 && word.chars().any(|c| c.is_ascii_lowercase()) {
            understood.names.insert(word.trim_matches(['.', '/', '-']).to_owned());
        }
    }
    // "upstream connect error … connection termination" is the more telling the longer the words.
    for (phrase, symptom) in PHRASES {
        if lower.contains(phrase) {
            understood.symptoms.insert(*symptom);
        }
    }
    for (symptom, _, problems) in SYMPTOMS {
        if understood.symptoms.contains(symptom) {
            understood.problems.extend(problems.iter().map(|problem| problem.id.to_owned()));
        }
    }
    understood
}

/// The problems that requests with a response flag may come from.
fn of_flag(flag: &str) -> Vec<String> {
    if logs::flags::flag_name(flag).is_none() {
        return Vec::new();
    }
    let line = AccessLogLine { response_code: 503, response_flags: vec![flag.to_owned()], ..AccessLogLine::default() };
    explain(&line).map(|explanation| explanation.candidates).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_clients_are_understood() {
        for (text, symptom) in [
            ("503 from cart", Symptom::ServiceUnavailable),
            (
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
                Symptom::Reset,
            ),
            ("curl: (56) Recv failure: Connection reset by peer", Symptom::Reset),
            ("RBAC: access denied", Symptom::Forbidden),
            ("Jwt is missing", Symptom::Unauthorized),
            ("curl: (6) Could not resolve host: cart.shop", Symptom::Dns),
            (
                "Internal error occurred: failed calling webhook \"rev.namespace.sidecar-injector.istio.io\"",
                Symptom::PodsCannotBeCreated,
            ),
        ] {
            let understood = understand(text);
            assert!(understood.symptoms.contains(&symptom), "{text}: {understood:?}");
            assert!(!understood.problems.is_empty(), "{text}");
        }
        assert!(understand("NR towards cart").problems.contains("net/no-route"));
        assert!(understand("why is the checkout in shop slow").names.contains("checkout"));
        assert_eq!(understand("hello").symptoms, BTreeSet::new());
    }
}
