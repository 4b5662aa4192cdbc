//! The steps that foretell requests: what happens to one (`mesh.path`), who can reach whom (`mesh.callers`), and which requests
//! a change would end differently (`mesh.impact`).

mod asked;
mod callers;
mod impact;
mod made;
mod observed;
mod path;
mod proxies;
mod show;

pub use asked::AskedRequest;
pub use callers::{CallerRow, MeshCallers, MeshCallersData, MeshCallersInput};
pub use impact::{MeshImpact, MeshImpactData, MeshImpactInput, RequestDifference, RequestEnd};
pub use observed::ObservedRequests;
pub(super) use observed::request_of;
pub use path::{MeshPath, MeshPathData, MeshPathInput, PathAnswer};
pub use proxies::gather as proxy_facts;
pub(super) use show::sentence;

use super::{About, Cost, Invalid, Judgement, Permission, Step, codes::codes, counted, input::check};

codes! {
    PTH0001, Error, "https://istio.io/latest/docs/ops/common-problems/network-issues/";
    PTH0002, Warning, "https://istio.io/latest/docs/ops/common-problems/network-issues/";
    PTH0003, Info, "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/";
    PTH0004, Warning, "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/";
    PTH0101, Error, "https://istio.io/latest/docs/ops/best-practices/traffic-management/";
    PTH0102, Warning, "https://istio.io/latest/docs/ops/best-practices/traffic-management/";
    PTH0103, Info, "https://istio.io/latest/docs/ops/best-practices/traffic-management/";
}

/// What these steps read of the cluster's objects.
const PERMISSIONS: &[Permission] = &[
    Permission::core("list", "namespaces"),
    Permission::core("list", "services"),
    Permission::core("list", "pods"),
    Permission::core("get", "pods/log"),
    Permission::core("create", "pods/portforward"),
    Permission::core("list", "configmaps"),
    Permission { verb: "list", group: "networking.istio.io", resource: "*" },
    Permission { verb: "list", group: "security.istio.io", resource: "*" },
    Permission { verb: "list", group: "gateway.networking.k8s.io", resource: "*" },
];

/// The kinds of objects that a path depends on.
pub(super) fn kinds() -> mesh::KindSet {
    use mesh::Kind;
    let kinds = [
        Kind::Namespace,
        Kind::Node,
        Kind::Pod,
        Kind::Service,
        Kind::Secret,
        Kind::ConfigMap,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::Job,
        Kind::EndpointSlice,
        Kind::ServiceEntry,
        Kind::WorkloadEntry,
        Kind::VirtualService,
        Kind::DestinationRule,
        Kind::Sidecar,
        Kind::Gateway,
        Kind::EnvoyFilter,
        Kind::WasmPlugin,
        Kind::PeerAuthentication,
        Kind::RequestAuthentication,
        Kind::AuthorizationPolicy,
        Kind::NetworkPolicy,
        Kind::KubernetesGateway,
        Kind::GatewayClass,
        Kind::HttpRoute,
        Kind::GrpcRoute,
        Kind::TlsRoute,
        Kind::TcpRoute,
        Kind::ReferenceGrant,
    ];
    kinds.into_iter().collect()
}
