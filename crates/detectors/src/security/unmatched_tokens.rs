//! Finds `ALLOW` policies that no token can match: the principals that they list are of no issuer whose tokens are accepted.

use std::collections::BTreeSet;

use crate::security::rules::{Action, Part, action, rules};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, quoted};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/jwt-principal",
        reads: &[Kind::RequestAuthentication, Kind::AuthorizationPolicy, Kind::Pod, Kind::ConfigMap],
        reports: &[&SEC0025],
        by_default: true,
        run,
    },
};

static SEC0025: Code = Code {
    id: "SEC0025",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source",
    page: include_str!("pages/SEC0025.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| action(policy) == Action::Allow) {
        let parts: Vec<Part<'_>> = rules(policy)
            .flat_map(|rule| rule.parts)
            .filter(|part| !part.negated && matches!(part.field, "requestPrincipals" | "request.auth.principal"))
            .collect();
        if parts.is_empty() {
            continue;
        }
        let pods = mesh.pods_under(policy);
        if pods.is_empty() {
            continue;
        }
        let issuers: BTreeSet<&str> = pods.iter().flat_map(|pod| issuers(mesh, pod)).collect();
        for part in parts {
            if !part.values.is_empty() && !part.values.iter().any(|value| is_possible(value, &issuers)) {
                messages.report(no_token_matches(policy, &part, &issuers));
            }
        }
    }
}

/// The issuers whose tokens a workload accepts. Of other tokens no principal is made.
fn issuers<'m>(mesh: &'m Mesh, pod: &'m Object) -> Vec<&'m str> {
    let authentications = mesh.policies(Kind::RequestAuthentication, Workload::of_pod(pod));
    let rules = authentications.iter().flat_map(|one| one.spec().field("jwtRules").items());
    rules.map(|rule| rule.get("issuer").text()).collect()
}

/// Whether a principal, `<issuer>/<subject>` with a star at one end, may be that of a token of these issuers.
fn is_possible(value: &str, issuers: &BTreeSet<&str>) -> bool {
    issuers.iter().any(|issuer| {
        let start = format!("{issuer}/");
        match value.strip_suffix('*') {
            Some(prefix) => prefix.starts_with(&start) || start.starts_with(prefix),
            // Only the end is given, and the subject is anybody's.
            None => value.starts_with('*') || value.starts_with(&start),
        }
    })
}

fn no_token_matches<'m>(policy: &'m Object, part: &Part<'_>, issuers: &BTreeSet<&str>) -> Message<'m> {
    let values = names(&part.values.iter().map(|value| quoted(value)).collect::<Vec<_>>());
    let known: Vec<String> = issuers.iter().map(|issuer| quoted(issuer)).collect();
    let text = if known.is_empty() {
        format!(
            "{} lists {values}, and no RequestAuthentication is in force for its workloads: no request has a principal, so \
             the rule lets nobody through.",
            part.field
        )
    } else {
        format!(
            "{} lists {values}, which no token can have: the tokens that are accepted are of issuer {}, and a principal is \
             <issuer>/<subject>.",
            part.field,
            names(&known)
        )
    };
    let remedy = match issuers.iter().next() {
        Some(issuer) => format!(
            "Write the principals as the tokens have them, such as {}, in {}: kubectl edit authorizationpolicy {} --namespace {}",
            quoted(&format!("{issuer}/*")),
            part.field,
            policy.name(),
            policy.namespace()
        ),
        None => format!(
            "Apply a RequestAuthentication with the issuer of the tokens for the workloads of policy {}: kubectl get \
             requestauthentications --namespace {}",
            policy.name(),
            policy.namespace()
        ),
    };
    Message::new(&SEC0025, policy, text).at(part.path.clone()).remedy(remedy)
}
