//! What `AuthorizationPolicy`s say to a request: custom ones first, then those that deny, then those that allow
//! (<https://istio.io/latest/docs/concepts/security/#authorization-policy-precedence>).

use std::net::IpAddr;

use crate::conditions;
use crate::request::Request;
use crate::trail::By;
use mesh::{Object, View};

/// Who is at the other end of a connection, as far as the connection proves it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peer<'m> {
    /// Namespace and service account; none without mutual TLS.
    pub account: Option<(&'m str, &'m str)>,
    /// The address that the connection comes from.
    pub address: Option<IpAddr>,
    /// The address that the request came from at first.
    pub remote: Option<IpAddr>,
}

/// What a policy is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a, 'm> {
    /// Trust domains of the mesh, which are one.
    pub trust_domains: &'a [&'m str],
    pub peer: &'a Peer<'m>,
    pub request: &'a Request,
    /// The port of the workload.
    pub port: u16,
    /// Whether the proxy reads requests here, or only bytes.
    pub is_http: bool,
    /// Whether the request's token was found valid.
    pub has_valid_token: bool,
}

/// What they decide.
#[derive(Debug, Clone)]
pub(crate) enum Decision<'m> {
    Allowed,
    Denied {
        by: By<'m>,
        detail: String,
    },
    /// An authorizer elsewhere decides.
    Elsewhere(By<'m>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Allow,
    Deny,
    Custom,
    Audit,
}

fn action(policy: &Object) -> Action {
    match policy.spec().get("action").text() {
        "DENY" => Action::Deny,
        "CUSTOM" => Action::Custom,
        "AUDIT" => Action::Audit,
        _ => Action::Allow,
    }
}

/// Policies that only say in the log what they would do
/// (<https://istio.io/latest/docs/tasks/security/authorization/authz-dry-run/>).
fn is_dry_run(policy: &Object) -> bool {
    policy.annotation("istio.io/dry-run") == Some("true")
}

/// Asks the policies that hold for a workload.
pub(crate) fn decide<'m>(policies: &[&'m Object], asked: &Asked<'_, 'm>) -> Decision<'m> {
    let of =
        |wanted: Action| policies.iter().copied().filter(move |policy| action(policy) == wanted && !is_dry_run(policy));
    for policy in of(Action::Custom) {
        if let Some(index) = matching_rule(policy, asked, true) {
            return Decision::Elsewhere(By::new(policy, format!("spec.rules[{index}]")));
        }
    }
    for policy in of(Action::Deny) {
        if let Some(index) = matching_rule(policy, asked, true) {
            let detail = format!("ns[{}]-policy[{}]-rule[{index}]", policy.namespace(), policy.name());
            return Decision::Denied { by: By::new(policy, format!("spec.rules[{index}]")), detail };
        }
    }
    let mut allowing = of(Action::Allow).peekable();
    let Some(first) = allowing.peek().copied() else { return Decision::Allowed };
    if allowing.any(|policy| matching_rule(policy, asked, false).is_some()) {
        return Decision::Allowed;
    }
    Decision::Denied { by: By::new(first, "spec.rules"), detail: "none".to_owned() }
}

/// The first rule of a policy that a request matches.
///
/// Where the proxy reads no requests, fields of HTTP are left out of rules that deny, which makes them wider, and rules that
/// allow do not count if they have any.
fn matching_rule(policy: &Object, asked: &Asked<'_, '_>, denies: bool) -> Option<usize> {
    let mut rules = policy.spec().get("rules").items().zip(0..);
    rules.find(|(rule, _)| rule_matches(*rule, policy, asked, denies)).map(|(_, index)| index)
}

fn rule_matches(rule: View<'_>, policy: &Object, asked: &Asked<'_, '_>, denies: bool) -> bool {
    let one_of = |list: View<'_>, inner: &str, test: &dyn Fn(View<'_>) -> bool| {
        list.is_empty() || list.items().any(|item| test(item.get(inner)))
    };
    one_of(rule.get("from"), "source", &|source| conditions::source(source, policy, asked, denies))
        && one_of(rule.get("to"), "operation", &|operation| conditions::operation(operation, asked, denies))
        && rule.get("when").items().all(|when| conditions::when(when, policy, asked, denies))
}
