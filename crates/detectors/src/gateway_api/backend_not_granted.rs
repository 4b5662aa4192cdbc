//! Finds routes whose backend is in another namespace, which does not let them refer to it.

use super::grants::{Wanted, grant, is_granted};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/backend-not-granted",
        reads: &[Kind::HttpRoute, Kind::GrpcRoute, Kind::TlsRoute, Kind::TcpRoute, Kind::ReferenceGrant],
        reports: &[&GWA0014],
        by_default: true,
        run,
    },
};

static GWA0014: Code = Code {
    id: "GWA0014",
    severity: Severity::Error,
    docs: "https://gateway-api.sigs.k8s.io/api-types/referencegrant/",
    page: include_str!("pages/GWA0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let kinds = [Kind::HttpRoute, Kind::GrpcRoute, Kind::TlsRoute, Kind::TcpRoute];
    for route in kinds.into_iter().flat_map(|kind| mesh.each(kind)) {
        for (rule, i) in route.spec().get("rules").items().zip(0..) {
            for (backend, j) in rule.field("backendRefs").items().zip(0..) {
                let wanted = Wanted {
                    kind: backend.get("kind").text_if_any().unwrap_or("Service"),
                    namespace: backend.get("namespace").text_if_any().unwrap_or(route.namespace()),
                    name: backend.get("name").text(),
                };
                if wanted.kind == "Service" && !is_granted(mesh, route, wanted) {
                    let path = Path::spec().key("rules").index(i).key("backendRefs").index(j);
                    messages.report(backend_is_not_granted(route, wanted).at(path));
                }
            }
        }
    }
}

fn backend_is_not_granted<'m>(route: &'m Object, wanted: Wanted<'_>) -> Message<'m> {
    let Wanted { kind, namespace, name } = wanted;
    let text = format!(
        "It sends to {kind} {namespace}/{name}, and no ReferenceGrant in namespace {namespace} lets a {} of namespace {} refer to \
         it (RefNotPermitted): requests get 500.",
        route.kind().name(),
        route.namespace()
    );
    Message::new(&GWA0014, route, text).remedy(grant(route, wanted))
}
