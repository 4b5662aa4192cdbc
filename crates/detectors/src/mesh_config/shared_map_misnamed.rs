//! Finds shared `ConfigMaps` that istiod does not read, because of their name or namespace.

use super::maps;
use crate::wording::nearest;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, versions};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/shared-misnamed",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0002],
        by_default: true,
        run,
    },
};

static CFG0002: Code = Code {
    id: "CFG0002",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-meshconfig",
    page: include_str!("pages/CFG0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let control_planes = mesh.control_planes();
    let read: Vec<String> = control_planes.iter().map(maps::shared_name).collect();
    if !mesh.is_aks() || read.is_empty() {
        return;
    }
    for map in mesh.each(Kind::ConfigMap).filter(|map| map.name().starts_with(maps::SHARED)) {
        let is_at_home = map.namespace() == mesh.istio_namespace();
        // One of another revision is left over, or made before an upgrade.
        let is_of_a_revision = |name: &str| {
            let revision = name.strip_prefix(maps::SHARED).and_then(|rest| rest.strip_prefix('-'));
            revision.is_some_and(|revision| versions::add_on_minor(revision).is_some())
        };
        if is_at_home && (read.iter().any(|name| name == map.name()) || is_of_a_revision(map.name())) {
            continue;
        }
        messages.report(nobody_reads(mesh, map, &read));
    }
}

fn nobody_reads<'m>(mesh: &'m Mesh, map: &'m Object, read: &[String]) -> Message<'m> {
    let home = mesh.istio_namespace();
    let names: Vec<&str> = read.iter().map(String::as_str).collect();
    let wanted = nearest(map.name(), &names).or(names.last().copied()).unwrap_or_default();
    let text = format!(
        "No istiod reads ConfigMap {}: the installed ones read {} in namespace {home}. Its settings have no effect.",
        map.full_name(),
        read.join(" and "),
    );
    let is_there = mesh.find(Kind::ConfigMap, home, wanted).is_some();
    let remedy = if is_there {
        format!("ConfigMap {wanted} is there as well: move the settings into it, and delete this one.")
    } else {
        format!(
            "Create it under the name that is read: kubectl get configmap {} -n {} -o jsonpath='{{.data.mesh}}' > \
             mesh.yaml && kubectl create configmap {wanted} -n {home} --from-file=mesh=mesh.yaml",
            map.name(),
            map.namespace(),
        )
    };
    // A copy beside the one that is read is clutter.
    let severity = if is_there { Severity::Warning } else { CFG0002.severity };
    Message { severity, ..Message::new(&CFG0002, map, text).at(Path::name()).remedy(remedy) }
}
