//! Finds Gateways whose class is not there, or is accepted by no controller.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/class-wrong",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass],
        reports: &[&GWA0005],
        by_default: true,
        run,
    },
};

static GWA0005: Code = Code {
    id: "GWA0005",
    severity: Severity::Error,
    docs: "https://gateway-api.sigs.k8s.io/api-types/gatewayclass/",
    page: include_str!("pages/GWA0005.md"),
};

/// The one that is for gateways at the edge.
const CONTROLLER: &str = "istio.io/gateway-controller";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.each(Kind::KubernetesGateway) {
        let name = gateway.spec().get("gatewayClassName").text();
        match mesh.find(Kind::GatewayClass, "", name) {
            None => messages.report(class_is_unknown(mesh, gateway, name)),
            Some(class) => {
                if let Some(condition) = not_accepted(class) {
                    messages.report(class_is_not_accepted(gateway, class, condition));
                }
            }
        }
    }
}

/// What says that no controller has accepted it.
fn not_accepted(class: &Object) -> Option<View<'_>> {
    let mut conditions = class.status().get("conditions").items();
    conditions.find(|condition| condition.get("type").text() == "Accepted" && condition.get("status").text() != "True")
}

fn class_is_unknown<'m>(mesh: &Mesh, gateway: &'m Object, name: &str) -> Message<'m> {
    let known = mesh.each(Kind::GatewayClass);
    let ours = known.filter(|class| class.spec().get("controllerName").text() == CONTROLLER).map(Object::name);
    let ours: Vec<&str> = ours.collect();
    let (known, remedy) = match ours.first() {
        None => (
            "and none of Istio's is there either".to_owned(),
            "See whether istiod runs: it makes the class istio itself, once the Gateway API is installed.".to_owned(),
        ),
        Some(first) => (format!("Istio's are: {}", ours.join(", ")), format!("Set spec.gatewayClassName to {first}.")),
    };
    let text = format!("GatewayClass {name} does not exist ({known}): no controller acts on the Gateway.");
    Message::new(&GWA0005, gateway, text).at(Path::spec().key("gatewayClassName")).remedy(remedy)
}

fn class_is_not_accepted<'m>(gateway: &'m Object, class: &Object, condition: View<'_>) -> Message<'m> {
    let [status, reason, message] = ["status", "reason", "message"].map(|key| condition.get(key).text());
    let text = format!(
        "No controller has accepted GatewayClass {} (Accepted is {status}, {reason}: {message}).",
        class.name()
    );
    let controller = class.spec().get("controllerName").text();
    let remedy = format!("See whether the controller {controller} runs, or use another class.");
    Message::new(&GWA0005, gateway, text).at(Path::spec().key("gatewayClassName")).remedy(remedy)
}
