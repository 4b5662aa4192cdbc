//! Finds resource types of the Gateway API on AKS of another release than the version of Kubernetes goes with.

use super::add_on::ADD_ON;
use super::definitions::definitions;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::versions::BUNDLE_VERSION;
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/bundle-mismatch",
        reads: &[Kind::CustomResourceDefinition, Kind::Node],
        reports: &[&GWA0003],
        by_default: true,
        run,
    },
};

static GWA0003: Code = Code {
    id: "GWA0003",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/managed-gateway-api",
    page: include_str!("pages/GWA0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    // The API server is never older than a node, and may be newer
    // (<https://kubernetes.io/releases/version-skew-policy/>): only the releases of older versions are surely wrong.
    let Some(minor) = mesh.each(Kind::Node).filter_map(minor_version).max() else { return };
    let fits_later = |release: &str| {
        let from = ADD_ON.bundles.partition_point(|bundle| bundle.kubernetes <= minor);
        ADD_ON.bundles[from.saturating_sub(1)..].iter().any(|bundle| bundle.release == release)
    };
    let mut outdated = definitions(mesh).filter_map(|definition| {
        let release = definition.annotation(BUNDLE_VERSION)?;
        let is_known = ADD_ON.bundles.iter().any(|bundle| bundle.release == release);
        (is_known && !fits_later(release)).then_some((definition, release))
    });
    if let Some((definition, release)) = outdated.next() {
        messages.report(goes_with_older_kubernetes(definition, release, minor));
    }
}

/// The minor version of a node's Kubernetes.
pub(super) fn minor_version(node: &Object) -> Option<u32> {
    let version = node.status().get("nodeInfo").get("kubeletVersion").text();
    version.strip_prefix("v1.")?.split('.').next()?.parse().ok()
}

fn goes_with_older_kubernetes<'m>(definition: &'m Object, release: &str, minor: u32) -> Message<'m> {
    let wanted = ADD_ON.bundles.iter().rev().find(|bundle| bundle.kubernetes <= minor);
    let wanted = wanted.map(|bundle| format!(" (list of {}: {})", ADD_ON.as_of, bundle.release)).unwrap_or_default();
    let text = format!(
        "The resource types of the Gateway API are of release {release}, which AKS uses with older versions of \
         Kubernetes than 1.{minor}{wanted}."
    );
    let remedy = "Install the release that fits, or enable the managed installation, which follows the upgrades of the \
                  cluster: `az aks update --resource-group <rg> --name <cluster> --enable-gateway-api`.";
    Message::new(&GWA0003, definition, text).remedy(remedy)
}
