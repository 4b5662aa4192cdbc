//! Finds egress gateways beyond what the AKS add-on allows.

use std::collections::BTreeSet;

use super::static_gateways::{configuration_of, is_egress_gateway};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, REVISION};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "egress/limit", reads: &[Kind::Deployment], reports: &[&EGR0011], by_default: true, run },
};

static EGR0011: Code = Code {
    id: "EGR0011",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-egress#limitations-and-requirements",
    page: include_str!("pages/EGR0011.md"),
};

/// As the documentation of the add-on says.
const LONGEST_NAME: usize = 53;
const MOST_GATEWAYS: usize = 500;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let of_aks = mesh.each(Kind::Deployment).filter(|it| configuration_of(it).is_some() && is_egress_gateway(it));
    let mut gateways = BTreeSet::new();
    for deployment in of_aks {
        let name = gateway_name(deployment);
        if gateways.insert((deployment.namespace(), name)) && name.len() > LONGEST_NAME {
            messages.report(name_is_too_long(deployment, name));
        }
    }
    if gateways.len() > MOST_GATEWAYS {
        messages.report(there_are_too_many(gateways.len()));
    }
}

/// The gateway's own name: there is a Deployment `NAME-REVISION` for each revision.
fn gateway_name(deployment: &Object) -> &str {
    let labels = deployment.spec().path(&["template", "metadata", "labels"]);
    let revision = deployment.label(REVISION).unwrap_or_else(|| labels.get(REVISION).text());
    let name = deployment.name();
    name.strip_suffix(revision).and_then(|name| name.strip_suffix('-')).unwrap_or(name)
}

fn name_is_too_long<'m>(deployment: &'m Object, name: &str) -> Message<'m> {
    let text = format!("The name {name} has {} characters; the add-on allows {LONGEST_NAME}.", name.len());
    let remedy = format!("Create the egress gateway anew under a name of at most {LONGEST_NAME} characters.");
    Message::new(&EGR0011, deployment, text).at(Path::name()).remedy(remedy)
}

fn there_are_too_many<'m>(count: usize) -> Message<'m> {
    let text = format!("There are {count} egress gateways; the add-on allows {MOST_GATEWAYS} in a cluster.");
    Message::without_object(&EGR0011, text).remedy("Have workloads share egress gateways, and remove those not in use.")
}
