//! Finds rules of `AuthorizationPolicy`s for callers that do not exist.

use crate::security::rules::{Action, Part, action, rules};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Identities, Kind, Mesh, Object, Principal};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-unknown-source",
        reads: &[Kind::AuthorizationPolicy, Kind::ServiceAccount, Kind::Pod, Kind::Namespace, Kind::ConfigMap],
        reports: &[&SEC0009],
        by_default: true,
        run,
    },
};

static SEC0009: Code = Code {
    id: "SEC0009",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source",
    page: include_str!("pages/SEC0009.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let identities = mesh.identities();
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        for part in rules(policy).flat_map(|rule| rule.parts) {
            for (value, index) in part.values.iter().zip(0..) {
                if let Some(why) = why_nobody(mesh, &identities, policy, &part, value) {
                    messages.report(nobody_is_meant(policy, &part, value, &why, part.path.clone().index(index)));
                }
            }
        }
    }
}

/// Why a value stands for no caller. Names in `namespaces` themselves are looked up by `istioctl analyze`.
fn why_nobody(
    mesh: &Mesh,
    identities: &Identities<'_>,
    policy: &Object,
    part: &Part<'_>,
    value: &str,
) -> Option<String> {
    match part.field {
        "principals" | "source.principal" => match identities.principal(value) {
            Principal::Malformed(why) => Some(why.to_owned()),
            Principal::Accounts(accounts) if accounts.is_empty() => Some(missing_part(mesh, value)),
            Principal::Accounts(_) | Principal::Foreign => None,
        },
        "serviceAccounts" | "source.serviceAccount" => {
            let (namespace, name) = value.split_once('/').unwrap_or((policy.namespace(), value));
            identities.get(namespace, name).is_none().then(|| missing_account(mesh, namespace, name))
        }
        "source.namespace" if !value.contains('*') => {
            mesh.namespace(value).is_none().then(|| format!("there is no namespace {value}"))
        }
        _ => None,
    }
}

fn missing_part(mesh: &Mesh, principal: &str) -> String {
    match principal.split('/').collect::<Vec<_>>()[..] {
        [_, "ns", namespace, "sa", account] if !principal.contains('*') => missing_account(mesh, namespace, account),
        _ => "no service account matches".to_owned(),
    }
}

fn missing_account(mesh: &Mesh, namespace: &str, account: &str) -> String {
    if mesh.namespace(namespace).is_none() {
        return format!("there is no namespace {namespace}");
    }
    format!("namespace {namespace} has no service account {account}")
}

fn nobody_is_meant<'m>(policy: &'m Object, part: &Part<'_>, value: &str, why: &str, path: Path) -> Message<'m> {
    let consequence = match (action(policy), part.negated) {
        (_, true) => "it leaves nobody out",
        (Action::Allow, false) => "it lets nobody in",
        (Action::Deny, false) => "it keeps nobody out",
        (Action::Audit | Action::Custom, false) => "it matches nobody",
    };
    let text = format!("{} has {}, but {why}: {consequence}.", part.name(), quoted(value));
    let remedy = "Write the account that the callers run as: kubectl get pod <caller> -n <namespace> -o \
                  jsonpath='{.spec.serviceAccountName}'. A principal is <trust domain>/ns/<namespace>/sa/<account>, usually \
                  with the trust domain cluster.local.";
    Message::new(&SEC0009, policy, text).at(path).remedy(remedy)
}
