//! Finds switches of injection that stand where no webhook looks: an annotation in place of a label, or a label on a
//! workload in place of its pod template.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{INJECT, INJECTION, Kind, Mesh, Object, REVISION, Workload, is_control_plane};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/annotation-instead-of-label",
        reads: &[Kind::Namespace, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
        reports: &[&INJ0101],
        by_default: true,
        run,
    },
};

static INJ0101: Code = Code {
    id: "INJ0101",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy",
    page: include_str!("pages/INJ0101.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for namespace in mesh.each(Kind::Namespace) {
        for key in [REVISION, INJECTION] {
            if let Some(value) = namespace.annotation(key)
                && namespace.label(key).is_none()
            {
                messages.report(namespace_is_annotated(namespace, key, value));
            }
        }
    }
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
        for workload in mesh.each(kind).filter(|workload| !is_control_plane(workload)) {
            check(mesh, workload, messages);
        }
    }
}

fn check<'m>(mesh: &'m Mesh, workload: &'m Object, messages: &mut Messages<'m>) {
    let template = Workload::of_deployment(workload);
    let is_injected = mesh.namespace(workload.namespace()).is_some_and(|namespace| mesh.is_injected(namespace));
    // A switch that says what holds anyway is no loss.
    let would_matter = |value: &str| value == "true" && !is_injected || value == "false" && is_injected;
    if template.labels.get(INJECT).is_set() {
        return;
    }
    let annotation = template.annotations.get(INJECT).text_if_any();
    if let Some(value) = workload.label(INJECT).filter(|value| annotation.is_none() && would_matter(value)) {
        messages.report(workload_is_labelled(workload, value));
    }
    // The injector itself still obeys an annotation that declines; but one that asks never gets to it.
    let asks_by_revision = template.labels.get(REVISION).is_set();
    if annotation == Some("true") && !is_injected && !asks_by_revision {
        messages.report(template_is_annotated(workload));
    }
}

fn namespace_is_annotated<'m>(namespace: &'m Object, key: &'static str, value: &str) -> Message<'m> {
    let name = namespace.name();
    let text =
        format!("{key}={value} is an annotation of namespace {name}. Webhooks look at labels: it selects nothing.");
    let remedy = format!("kubectl annotate namespace {name} {key}- && kubectl label namespace {name} {key}={value}");
    Message::new(&INJ0101, namespace, text).at(Path::metadata().key("annotations").key(key)).remedy(remedy)
}

fn workload_is_labelled<'m>(workload: &'m Object, value: &str) -> Message<'m> {
    let kind = workload.kind();
    let text = format!(
        "The label {INJECT}={value} stands on the {kind}, not on its pod template, so that pods do not carry it: they \
         are {} sidecar.",
        if value == "true" { "made without a" } else { "given a" },
    );
    let remedy = format!(
        "Move it to spec.template.metadata.labels of {kind} {}: kubectl patch {} {} -n {} --patch \
         '{{\"spec\":{{\"template\":{{\"metadata\":{{\"labels\":{{\"{INJECT}\":\"{value}\"}}}}}}}}}}'",
        workload.full_name(),
        kind.name().to_lowercase(),
        workload.name(),
        workload.namespace(),
    );
    Message::new(&INJ0101, workload, text).at(Path::metadata().key("labels").key(INJECT)).remedy(remedy)
}

fn template_is_annotated(workload: &Object) -> Message<'_> {
    let text = format!(
        "The pod template asks for a sidecar with the annotation {INJECT}=true. Webhooks select pods by labels, and \
         the namespace is not labelled: no sidecar is injected."
    );
    let remedy = format!("Write it as a label, below spec.template.metadata.labels of {}.", workload.origin());
    let path = Path::spec().key("template").key("metadata").key("annotations").key(INJECT);
    Message::new(&INJ0101, workload, text).at(path).remedy(remedy)
}
