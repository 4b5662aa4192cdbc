//! The rules of an `AuthorizationPolicy`, taken apart: which field or attribute is compared with which values, and where
//! that is written (<https://istio.io/latest/docs/reference/config/security/authorization-policy/#Rule>).

use analyzers::Path;
use mesh::{Object, View};

/// What a policy does with the requests that its rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny,
    Audit,
    Custom,
}

/// Which list of a rule a part stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    From,
    To,
    When,
}

/// One list of values.
#[derive(Debug)]
pub(crate) struct Part<'m> {
    pub(crate) place: Place,
    /// The item of that list.
    pub(crate) item: usize,
    /// The field without its `not`, or the attribute that a condition names.
    pub(crate) field: &'m str,
    /// Whether the values are those that must not be.
    pub(crate) negated: bool,
    pub(crate) values: Vec<&'m str>,
    pub(crate) path: Path,
}

/// One rule: every `from` with every `to` under all of `when`.
#[derive(Debug)]
pub(crate) struct Rule<'m> {
    pub(crate) view: View<'m>,
    pub(crate) index: usize,
    pub(crate) parts: Vec<Part<'m>>,
}

/// The positive and the negative name of each field.
const SOURCE: [(&str, &str); 7] = [
    ("principals", "notPrincipals"),
    ("requestPrincipals", "notRequestPrincipals"),
    ("namespaces", "notNamespaces"),
    ("serviceAccounts", "notServiceAccounts"),
    ("trustDomains", "notTrustDomains"),
    ("ipBlocks", "notIpBlocks"),
    ("remoteIpBlocks", "notRemoteIpBlocks"),
];
const OPERATION: [(&str, &str); 4] =
    [("hosts", "notHosts"), ("ports", "notPorts"), ("methods", "notMethods"), ("paths", "notPaths")];

pub(crate) fn action(policy: &Object) -> Action {
    match policy.spec().get("action").text() {
        "DENY" => Action::Deny,
        "AUDIT" => Action::Audit,
        "CUSTOM" => Action::Custom,
        _ => Action::Allow,
    }
}

/// Whether a policy only logs what it would do
/// (<https://istio.io/latest/docs/tasks/security/authorization/authz-dry-run/>).
pub(crate) fn is_dry_run(policy: &Object) -> bool {
    matches!(policy.annotation("istio.io/dry-run"), Some("1" | "t" | "T" | "TRUE" | "true" | "True"))
}

pub(crate) fn rules(policy: &Object) -> impl Iterator<Item = Rule<'_>> {
    policy.spec().get("rules").items().zip(0..).map(|(view, index)| Rule { view, index, parts: parts(view, index) })
}

fn parts(rule: View<'_>, index: usize) -> Vec<Part<'_>> {
    let here = Path::spec().key("rules").index(index);
    let mut found = Vec::new();
    for (place, list, inner, fields) in
        [(Place::From, "from", "source", &SOURCE[..]), (Place::To, "to", "operation", &OPERATION[..])]
    {
        for (entry, item) in rule.get(list).items().zip(0..) {
            let path = here.clone().key(list).index(item).key(inner);
            for (positive, negative) in fields {
                for (name, negated) in [(*positive, false), (*negative, true)] {
                    let values: Vec<&str> = entry.get(inner).field(name).texts().collect();
                    if !values.is_empty() {
                        let path = path.clone().key(name);
                        found.push(Part { place, item, field: positive, negated, values, path });
                    }
                }
            }
        }
    }
    for (condition, item) in rule.get("when").items().zip(0..) {
        for (name, negated) in [("values", false), ("notValues", true)] {
            let values: Vec<&str> = condition.field(name).texts().collect();
            if !values.is_empty() {
                let path = here.clone().key("when").index(item).key(name);
                let field = condition.get("key").text();
                found.push(Part { place: Place::When, item, field, negated, values, path });
            }
        }
    }
    found
}

impl Part<'_> {
    /// The field as it is written.
    pub(crate) fn name(&self) -> String {
        match (self.place, self.negated) {
            (Place::When, _) | (_, false) => self.field.to_owned(),
            (_, true) => {
                let (first, rest) = self.field.split_at(1);
                format!("not{}{rest}", first.to_uppercase())
            }
        }
    }

    /// Whether only HTTP requests have it.
    pub(crate) fn is_http(&self) -> bool {
        match self.place {
            Place::From => matches!(self.field, "requestPrincipals" | "remoteIpBlocks"),
            Place::To => matches!(self.field, "hosts" | "methods" | "paths"),
            Place::When => self.field.starts_with("request.") || self.field == "remote.ip",
        }
    }

    /// Whether only callers that came with a certificate of the mesh have it.
    pub(crate) fn is_identity(&self) -> bool {
        match self.place {
            Place::From => matches!(self.field, "principals" | "namespaces" | "serviceAccounts" | "trustDomains"),
            Place::To => false,
            Place::When => self.field.starts_with("source.") && self.field != "source.ip",
        }
    }

    /// Whether it is about a token that was checked.
    pub(crate) fn is_token(&self) -> bool {
        self.field == "requestPrincipals" || self.field.starts_with("request.auth.")
    }
}

impl Rule<'_> {
    /// Whether a rule can match on a port of the container: it names this one, or none.
    pub(crate) fn concerns(&self, port: i64) -> bool {
        let is_listed = |part: &Part| part.values.iter().any(|value| value.parse() == Ok(port));
        let operations = self.view.get("to").items().count();
        let allows = |item: usize| {
            let parts = self.parts.iter().filter(|part| part.place == Place::To && part.item == item);
            parts.filter(|part| part.field == "ports").all(|part| is_listed(part) != part.negated)
        };
        let conditions = self.parts.iter().filter(|part| part.field == "destination.port");
        (operations == 0 || (0..operations).any(allows))
            && conditions.into_iter().all(|part| is_listed(part) != part.negated)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use mesh::{Kind, MeshBuilder, Settings};

    #[test]
    fn rules_are_taken_apart() {
        let text = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec:
  action: DENY
  rules:
  - from: [{source: {notRequestPrincipals: ["*"], namespaces: [bank]}}]
    to: [{operation: {ports: ["8080"]}}, {operation: {notPorts: ["9090"], paths: ["/a"]}}]
    when: [{key: source.ip, notValues: [10.0.0.1]}]
"#;
        let mut builder = MeshBuilder::new(Settings::new(jiff::Timestamp::UNIX_EPOCH));
        builder.add_files(&[("policy.yaml", text)]);
        let mesh = builder.build();
        let policy = mesh.find(Kind::AuthorizationPolicy, "shop", "cart").unwrap();
        assert_eq!(action(policy), Action::Deny);
        let rule = rules(policy).next().unwrap();
        let names: Vec<String> = rule.parts.iter().map(Part::name).collect();
        assert_eq!(names, ["notRequestPrincipals", "namespaces", "ports", "notPorts", "paths", "source.ip"]);
        assert_eq!(rule.parts[4].path.to_string(), "{.spec.rules[0].to[1].operation.paths}");
        let flags = |part: &Part| (part.is_http(), part.is_identity(), part.is_token());
        assert_eq!(flags(&rule.parts[0]), (true, false, true));
        assert_eq!(flags(&rule.parts[1]), (false, true, false));
        assert_eq!(flags(&rule.parts[5]), (false, false, false));
        assert!(rule.concerns(8080) && rule.concerns(7070) && !rule.concerns(9090));
    }
}
