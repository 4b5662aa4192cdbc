//! Finds workloads that check tokens and let requests without one pass.

use std::collections::BTreeSet;

use crate::security::rules::{Action, Part, action, rules};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload, labels, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/jwt-not-required",
        reads: &[Kind::RequestAuthentication, Kind::AuthorizationPolicy, Kind::Pod, Kind::ConfigMap],
        reports: &[&SEC0014],
        by_default: true,
        run,
    },
};

static SEC0014: Code = Code {
    id: "SEC0014",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/security/authentication/authn-policy/#require-a-valid-token",
    page: include_str!("pages/SEC0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for authentication in mesh.each(Kind::RequestAuthentication) {
        let mut token_rules = authentication.spec().field("jwtRules").items();
        if token_rules.any(|rule| rule.get("presence").text() == "REQUIRED") {
            continue;
        }
        let pods = one_of_each(mesh.pods_under(authentication));
        let open: BTreeSet<String> = pods
            .into_iter()
            .filter(|pod| !demands_a_token(mesh, pod))
            .map(|pod| format!("{}/{}", pod.namespace(), owner(pod).name))
            .collect();
        if !open.is_empty() {
            messages.report(token_is_optional(authentication, &open.into_iter().collect::<Vec<_>>()));
        }
    }
}

/// Whether a policy looks at the token, or asks somebody else.
fn demands_a_token(mesh: &Mesh, pod: &Object) -> bool {
    let policies = mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod));
    policies.iter().any(|policy| {
        action(policy) == Action::Custom || rules(policy).any(|rule| rule.parts.iter().any(Part::is_token))
    })
}

fn token_is_optional<'m>(authentication: &'m Object, workloads: &[String]) -> Message<'m> {
    let text = format!(
        "It refuses bad tokens, but no AuthorizationPolicy demands one: requests without a token reach {}.",
        names(workloads)
    );
    let pairs = authentication.spec().path(&["selector", "matchLabels"]);
    let selector = match labels::selector_text(pairs).as_str() {
        "" => String::new(),
        text => format!("selector: {{matchLabels: {{{}}}}}, ", text.replace('=', ": ").replace(',', ", ")),
    };
    let remedy = format!(
        "If a token is to be demanded, apply: {{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {{name: \
         {}-required, namespace: {}}}, spec: {{{selector}rules: [{{from: [{{source: {{requestPrincipals: [\"*\"]}}}}]}}]}}}}",
        authentication.name(),
        authentication.namespace()
    );
    Message::new(&SEC0014, authentication, text).at(Path::spec().key("jwtRules")).remedy(remedy)
}
