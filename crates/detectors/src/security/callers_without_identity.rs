//! Finds rules of `AuthorizationPolicy`s about who calls, for calls that arrive without an identity.

use std::collections::BTreeSet;

use crate::security::rules::{Action, Part, Rule, action, is_dry_run, rules};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Account, Identities, Kind, Mesh, MutualTls, Object, Principal, Workload, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-needs-mtls",
        reads: &[
            Kind::AuthorizationPolicy,
            Kind::PeerAuthentication,
            Kind::ServiceAccount,
            Kind::Pod,
            Kind::Service,
            Kind::ConfigMap,
        ],
        reports: &[&SEC0010],
        by_default: true,
        run,
    },
};

static SEC0010: Code = Code {
    id: "SEC0010",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/concepts/security/#dependency-on-mutual-tls",
    page: include_str!("pages/SEC0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let identities = mesh.identities();
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| !is_dry_run(policy)) {
        let about_callers = rules(policy).filter(|rule| rule.parts.iter().any(Part::is_identity));
        let about_callers: Vec<Rule<'_>> = about_callers.collect();
        if about_callers.is_empty() {
            continue;
        }
        let pods = one_of_each(mesh.pods_under(policy));
        for rule in &about_callers {
            let plain = workloads_with(mesh, &pods, rule, MutualTls::Disable);
            if !plain.is_empty() {
                messages.report(nobody_has_an_identity(policy, rule, &plain));
                continue;
            }
            match action(policy) {
                Action::Allow if !pods.is_empty() => report_strangers(&identities, policy, rule, messages),
                Action::Deny => {
                    let open = workloads_with(mesh, &pods, rule, MutualTls::Permissive);
                    if rule.parts.iter().any(|part| part.is_identity() && !part.negated) && !open.is_empty() {
                        messages.report(plain_text_passes(policy, rule, &open));
                    }
                }
                Action::Allow | Action::Audit | Action::Custom => {}
            }
        }
    }
}

/// The workloads that have this mode on a port that a rule is for.
fn workloads_with(mesh: &Mesh, pods: &[&Object], rule: &Rule<'_>, mode: MutualTls) -> Vec<String> {
    let has_mode = |pod: &Object| {
        let workload = Workload::of_pod(pod);
        let ports = mesh.inbound_ports(pod);
        let mut numbers = ports.iter().map(|inbound| inbound.number).filter(|port| rule.concerns(*port));
        if ports.is_empty() {
            return mesh.mutual_tls(workload, None).mode == mode;
        }
        numbers.any(|port| mesh.mutual_tls(workload, Some(port)).mode == mode)
    };
    let found = pods.iter().filter(|pod| has_mode(pod)).map(|pod| format!("{}/{}", pod.namespace(), owner(pod).name));
    found.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Values that stand for callers of which none has a proxy.
fn report_strangers<'m>(identities: &Identities<'_>, policy: &'m Object, rule: &Rule<'m>, messages: &mut Messages<'m>) {
    for part in rule.parts.iter().filter(|part| part.is_identity() && !part.negated) {
        for (value, index) in part.values.iter().zip(0..) {
            let callers = callers(identities, policy, part.field, value);
            if callers.iter().any(|caller| caller.in_use) && callers.iter().all(|caller| !caller.in_mesh) {
                messages.report(caller_has_no_proxy(policy, part, value, part.path.clone().index(index)));
            }
        }
    }
}

fn callers(identities: &Identities<'_>, policy: &Object, field: &str, value: &str) -> Vec<Account> {
    match field {
        "principals" | "source.principal" => match identities.principal(value) {
            Principal::Accounts(accounts) => accounts,
            Principal::Malformed(_) | Principal::Foreign => Vec::new(),
        },
        "namespaces" | "source.namespace" => identities.namespace(value).into_iter().collect(),
        "serviceAccounts" | "source.serviceAccount" => {
            let (namespace, name) = value.split_once('/').unwrap_or((policy.namespace(), value));
            identities.get(namespace, name).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The first part about callers: what it is called and where it stands.
fn first<'r>(rule: &'r Rule<'_>) -> (String, Path) {
    let part: Option<&'r Part<'_>> = rule.parts.iter().find(|part| part.is_identity());
    part.map_or_else(|| (String::new(), Path::spec()), |part| (part.name(), part.path.clone()))
}

fn nobody_has_an_identity<'m>(policy: &'m Object, rule: &Rule<'_>, workloads: &[String]) -> Message<'m> {
    let (field, path) = first(rule);
    let text = format!(
        "Rule {} asks for {field}, but mutual TLS is off at {}: no call has an identity there, so the rule does not do what \
         it says.",
        rule.index,
        names(workloads)
    );
    let remedy = "Remove the mode DISABLE from the PeerAuthentication that holds for these workloads, better set STRICT. Or \
                  match on something else: ipBlocks, or requestPrincipals of a token.";
    Message::new(&SEC0010, policy, text).at(path).remedy(remedy)
}

fn caller_has_no_proxy<'m>(policy: &'m Object, part: &Part<'_>, value: &str, path: Path) -> Message<'m> {
    let text = format!(
        "{} allows {}, but no pod there has a proxy: its calls bring no identity and are refused with 403, or reset.",
        part.name(),
        quoted(value)
    );
    let remedy =
        "Give the callers a sidecar (label their namespace for injection and restart them), or allow them by ipBlocks.";
    Message::new(&SEC0010, policy, text).at(path).remedy(remedy)
}

fn plain_text_passes<'m>(policy: &'m Object, rule: &Rule<'_>, workloads: &[String]) -> Message<'m> {
    let (field, path) = first(rule);
    let text = format!(
        "Rule {} denies by {field}, but {} also take plain text: a caller that comes without a certificate has no identity \
         and is not denied.",
        rule.index,
        names(workloads)
    );
    let remedy = "Set STRICT in a PeerAuthentication for these workloads. Or allow the wanted callers instead: whoever has no \
                  identity then stays out.";
    Message::new(&SEC0010, policy, text).severity(Severity::Warning).at(path).remedy(remedy)
}
