//! Finds `AuthorizationPolicy`s that are on trial.

use crate::security::rules::is_dry_run;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-dry-run",
        reads: &[Kind::AuthorizationPolicy],
        reports: &[&SEC0013],
        by_default: true,
        run,
    },
};

static SEC0013: Code = Code {
    id: "SEC0013",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/security/authorization/authz-dry-run/",
    page: include_str!("pages/SEC0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| is_dry_run(policy)) {
        messages.report(policy_is_not_enforced(policy));
    }
}

fn policy_is_not_enforced(policy: &Object) -> Message<'_> {
    let text = "It is not enforced: its annotation istio.io/dry-run is true, so what it would refuse is only logged.";
    let remedy = format!(
        "When the log shows what is wanted: kubectl annotate authorizationpolicy {} -n {} istio.io/dry-run-",
        policy.name(),
        policy.namespace()
    );
    let path = Path::metadata().key("annotations").key("istio.io/dry-run");
    Message::new(&SEC0013, policy, text).at(path).remedy(remedy)
}
