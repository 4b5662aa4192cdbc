//! Finds `AuthorizationPolicy`s that only audit.

use crate::security::rules::{Action, action};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-audit",
        reads: &[Kind::AuthorizationPolicy],
        reports: &[&SEC0011],
        by_default: true,
        run,
    },
};

static SEC0011: Code = Code {
    id: "SEC0011",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/security/authorization-policy/#AuthorizationPolicy-Action",
    page: include_str!("pages/SEC0011.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| action(policy) == Action::Audit) {
        messages.report(nothing_is_refused(policy));
    }
}

fn nothing_is_refused(policy: &Object) -> Message<'_> {
    let text = "Its action is AUDIT: the requests that it matches are marked for an audit plug-in, none is refused.";
    let remedy = format!(
        "If the requests are to be refused: kubectl patch authorizationpolicy {} -n {} --type merge -p \
         '{{\"spec\":{{\"action\":\"DENY\"}}}}'",
        policy.name(),
        policy.namespace()
    );
    Message::new(&SEC0011, policy, text).at(Path::spec().key("action")).remedy(remedy)
}
