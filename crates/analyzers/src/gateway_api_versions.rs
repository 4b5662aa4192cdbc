//! Finds resource types of the Gateway API that are too old for Istio to read.

use super::{Analyzer, Message, Messages, quoted};
use mesh::{Kind, Mesh, Object, versions};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "k8sgateway.CRDVersionAnalyzer",
    reads: &[Kind::CustomResourceDefinition],
    reports: &[&IST0176],
    by_default: true,
    run,
};

static IST0176: Code = Code {
    id: "IST0176",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#setup",
    page: include_str!("pages/IST0176.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for crd in mesh.each(Kind::CustomResourceDefinition) {
        if let Some((installed, minimum)) = versions::below_minimum(crd) {
            messages.report(is_too_old(crd, &installed.to_string(), minimum));
        }
    }
}

fn is_too_old<'m>(crd: &'m Object, installed: &str, minimum: &str) -> Message<'m> {
    let [name, installed, minimum] = [crd.name(), installed, minimum].map(quoted);
    let text = format!(
        "Gateway API CRD {name} is at version {installed} but Istio requires at least {minimum}; resources of this \
         kind will not be processed. Upgrade the Gateway API CRDs to satisfy the minimum version."
    );
    Message::new(&IST0176, crd, text)
}
