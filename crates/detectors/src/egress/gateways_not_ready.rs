//! Finds egress gateways of which no pod is ready.

use super::static_gateways::{configuration_of, is_egress_gateway};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/pods-not-ready",
        reads: &[Kind::Deployment],
        reports: &[&EGR0010],
        by_default: true,
        run,
    },
};

static EGR0010: Code = Code {
    id: "EGR0010",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-egress-gateway",
    page: include_str!("pages/EGR0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for deployment in mesh.each(Kind::Deployment).filter(|deployment| is_egress_gateway(deployment)) {
        let wanted = deployment.spec().get("replicas").integer_if_any().unwrap_or(1);
        // A status that is not there says nothing.
        let is_known = deployment.status().is_map();
        if is_known && wanted > 0 && deployment.status().field("readyReplicas").integer() == 0 {
            messages.report(no_pod_is_ready(deployment, wanted));
        }
    }
}

fn no_pod_is_ready(deployment: &Object, wanted: i64) -> Message<'_> {
    let (namespace, name) = (deployment.namespace(), deployment.name());
    let text =
        format!("None of its {wanted} pods is ready: requests to hosts that are routed through it fail with 503.");
    let look_at = match configuration_of(deployment) {
        Some(configuration) => format!(
            "StaticGatewayConfiguration {configuration} (`kubectl describe staticgatewayconfiguration {configuration} -n \
             {namespace}`) and its connection to istiod"
        ),
        None => "its connection to istiod".to_owned(),
    };
    let remedy = format!(
        "See the events of its pods: `kubectl describe pods -n {namespace} | grep -A20 {name}`. Usually the cause is \
         {look_at}."
    );
    Message::new(&EGR0010, deployment, text).at(Path::name()).remedy(remedy)
}
