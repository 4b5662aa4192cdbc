//! Finds shared `ConfigMaps` of revisions that are gone.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, versions};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/shared-orphan",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0005],
        by_default: true,
        run,
    },
};

static CFG0005: Code = Code {
    id: "CFG0005",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#mesh-configuration-and-upgrades",
    page: include_str!("pages/CFG0005.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let control_planes = mesh.control_planes();
    let newest = control_planes.iter().filter_map(|it| versions::add_on_minor(it.revision)).max();
    let Some(newest) = newest.filter(|_| mesh.is_aks()) else { return };
    for map in mesh.in_namespace(Kind::ConfigMap, mesh.istio_namespace()) {
        let revision = map.name().strip_prefix(maps::SHARED).and_then(|rest| rest.strip_prefix('-'));
        let minor = revision.and_then(versions::add_on_minor);
        let is_read = control_planes.iter().any(|it| maps::shared_name(it) == map.name());
        // One for a newer revision is there on purpose: it has to be, before an upgrade begins.
        if let (Some(revision), Some(minor)) = (revision, minor)
            && minor < newest
            && !is_read
        {
            messages.report(revision_is_gone(map, revision));
        }
    }
}

fn revision_is_gone<'m>(map: &'m Object, revision: &str) -> Message<'m> {
    let text = format!("Revision {revision} is not installed: nobody reads ConfigMap {}.", map.name());
    let remedy = format!(
        "Delete it once the upgrade is done and nobody will go back: kubectl delete configmap {} -n {}",
        map.name(),
        map.namespace()
    );
    Message::new(&CFG0005, map, text).remedy(remedy)
}
