//! Finds fields and resource types that Istio has given up.

use super::shared::{IST0002, deprecated};
use super::{Analyzer, Messages};
use mesh::{Kind, Mesh, Object};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "deprecation.DeprecationAnalyzer",
    reads: &[Kind::VirtualService, Kind::Sidecar, Kind::CustomResourceDefinition],
    reports: &[&IST0002],
    by_default: true,
    run,
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for virtual_service in mesh.each(Kind::VirtualService) {
        for route in virtual_service.spec().get("http").items() {
            if route.path(&["fault", "delay", "percent"]).integer() > 0 {
                messages.report(deprecated(
                    virtual_service,
                    "HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage",
                ));
            }
        }
    }
    for sidecar in mesh.each(Kind::Sidecar) {
        if sidecar.spec().path(&["outboundTrafficPolicy", "egressProxy"]).is_set() {
            messages.report(deprecated(sidecar, "OutboundTrafficPolicy.EgressProxy ignored"));
        }
    }
    for crd in mesh.each(Kind::CustomResourceDefinition) {
        if let Some(kind) = removed_kind(crd)
            // `istioctl` does not understand a CRD from a file.
            && (crd.source().is_none() || !mesh.is_compatible())
        {
            messages.report(deprecated(crd, &format!("Custom resource type rbac.istio.io {kind} is removed")));
        }
    }
}

fn removed_kind(crd: &Object) -> Option<&str> {
    let kind = crd.spec().path(&["names", "kind"]).text();
    let is_removed = matches!(kind, "ClusterRbacConfig" | "RbacConfig" | "ServiceRole" | "ServiceRoleBinding");
    (crd.spec().get("group").text() == "rbac.istio.io" && is_removed).then_some(kind)
}
