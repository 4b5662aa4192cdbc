//! Tells that both ways of redirection are in use.

use super::redirection;
use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/mixed",
        reads: &[Kind::Pod, Kind::DaemonSet, Kind::Deployment, Kind::StatefulSet, Kind::Job],
        reports: &[&CNI0003],
        by_default: true,
        run,
    },
};

static CNI0003: Code = Code {
    id: "CNI0003",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-cni",
    page: include_str!("pages/CNI0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let by_container = redirection::workloads_with(mesh, redirection::BY_CONTAINER);
    let by_plugin = redirection::workloads_with(mesh, redirection::BY_PLUGIN);
    if let (Some(first), false) = (by_plugin.first().copied(), by_container.is_empty()) {
        messages.report(both_are_in_use(first, &by_container, &by_plugin));
    }
}

fn both_are_in_use<'m>(first: &'m Object, by_container: &[&Object], by_plugin: &[&Object]) -> Message<'m> {
    let text = format!(
        "Traffic is redirected by istio-init in {}, and by the CNI plug-in in {}.",
        some_of(&redirection::names(by_container)),
        some_of(&redirection::names(by_plugin))
    );
    Message::new(&CNI0003, first, text)
        .remedy("Restart the workloads of the one kind once the switch is done, so that all are alike.")
}
