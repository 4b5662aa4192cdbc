//! Finds objects whose status says that a controller has not accepted them.

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "conditions.ConditionAnalyzer",
    reads: &[
        Kind::Service,
        Kind::ServiceEntry,
        Kind::WorkloadEntry,
        Kind::AuthorizationPolicy,
        Kind::KubernetesGateway,
        Kind::HttpRoute,
        Kind::GrpcRoute,
    ],
    reports: &[&IST0171],
    by_default: true,
    run,
};

static IST0171: Code = Code {
    id: "IST0171",
    severity: Severity::Warning,
    docs: "https://gateway-api.sigs.k8s.io/concepts/troubleshooting/",
    page: include_str!("pages/IST0171.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for kind in ANALYZER.reads {
        for object in mesh.each(*kind) {
            let parents = object.status().get("parents").items();
            let of_parents = matches!(kind, Kind::HttpRoute | Kind::GrpcRoute)
                .then(|| parents.flat_map(|parent| parent.get("conditions").items()));
            let own = of_parents.is_none().then(|| object.status().get("conditions").items());
            for condition in own.into_iter().flatten().chain(of_parents.into_iter().flatten()) {
                if is_negative(*kind, condition) {
                    messages.report(condition_is_negative(object, condition));
                }
            }
        }
    }
}

fn is_negative(kind: Kind, condition: View<'_>) -> bool {
    let types: &[&str] = match kind {
        Kind::AuthorizationPolicy => &["ZtunnelAccepted", "WaypointAccepted"],
        Kind::KubernetesGateway | Kind::HttpRoute | Kind::GrpcRoute => &["Accepted", "Programmed", "ResolvedRefs"],
        _ => &["istio.io/WaypointBound"],
    };
    let name = condition.get("type").text();
    // A waypoint that took only a part of a policy says so in a condition that is true.
    let is_partial = kind == Kind::AuthorizationPolicy
        && name == "WaypointAccepted"
        && condition.get("reason").text() == "PartiallyInvalid";
    is_partial || types.contains(&name) && condition.get("status").text() == "False"
}

fn condition_is_negative<'m>(object: &'m Object, condition: View<'_>) -> Message<'m> {
    let [name, reason, message] = ["type", "reason", "message"].map(|key| condition.get(key).text());
    let text =
        format!("A condition with a negative status is present: type={name}, reason={reason}, message={message}.");
    Message::new(&IST0171, object, text)
}
