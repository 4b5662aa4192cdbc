//! Finds annotations on the add-on's Services that the add-on does not keep.

use super::add_on::{self, Ingress, LIST_DATE};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/annotation-unknown",
        reads: &[Kind::Service],
        reports: &[&GWY0004],
        by_default: true,
        run,
    },
};

static GWY0004: Code = Code {
    id: "GWY0004",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress#annotations",
    page: include_str!("pages/GWY0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for service in [Ingress::External, Ingress::Internal].into_iter().filter_map(|ingress| ingress.service(mesh)) {
        for (key, _) in service.annotations().entries().filter(|(key, _)| !add_on::keeps(key)) {
            messages.report(annotation_is_not_kept(service, key));
        }
    }
}

fn annotation_is_not_kept<'m>(service: &'m Object, key: &str) -> Message<'m> {
    let text = format!("The annotation {key} is not among those that the add-on keeps (list of {LIST_DATE}).");
    let remedy = format!(
        "Remove it, or use one of the list: `kubectl annotate service {} -n {} {key}-`.",
        service.name(),
        service.namespace()
    );
    let path = Path::metadata().key("annotations").key(key.to_owned());
    Message::new(&GWY0004, service, text).at(path).remedy(remedy)
}
