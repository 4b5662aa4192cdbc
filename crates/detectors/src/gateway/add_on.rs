//! The ingress gateways of the AKS add-on: their names, and what their Services may be annotated with
//! (<https://learn.microsoft.com/azure/aks/istio-deploy-ingress>).

use mesh::{INGRESS_NAMESPACE, Kind, Mesh, Object};

/// The day on which the list of annotations was read.
pub(super) const LIST_DATE: &str = "2026-08-21";

/// An ingress gateway of the add-on. A cluster has up to one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ingress {
    External,
    Internal,
}

impl Ingress {
    /// As the command line names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Internal => "internal",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::External => Self::Internal,
            Self::Internal => Self::External,
        }
    }

    /// The name of its Service, and the value of its label `istio`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::External => "aks-istio-ingressgateway-external",
            Self::Internal => "aks-istio-ingressgateway-internal",
        }
    }

    /// The one that a Gateway is written for.
    pub(super) fn of(gateway: &Object) -> Option<Self> {
        let label = gateway.spec().get("selector").get("istio").text();
        [Self::External, Self::Internal].into_iter().find(|ingress| ingress.name() == label)
    }

    pub(super) fn service(self, mesh: &Mesh) -> Option<&Object> {
        mesh.find(Kind::Service, INGRESS_NAMESPACE, self.name())
    }

    /// The command that enables it.
    pub(super) fn command(self) -> String {
        format!(
            "az aks mesh enable-ingress-gateway --resource-group <rg> --name <cluster> --ingress-gateway-type {}",
            self.word()
        )
    }
}

/// A Gateway that is written for an ingress gateway which the cluster does not have.
pub(super) fn without_ingress(mesh: &Mesh) -> impl Iterator<Item = (&Object, Ingress)> {
    let gateways = mesh.each(Kind::Gateway).filter(|_| mesh.is_aks());
    gateways
        .filter_map(|gateway| Some((gateway, Ingress::of(gateway)?)))
        .filter(|(gateway, ingress)| ingress.service(mesh).is_none() && mesh.gateway_pods(gateway).is_empty())
}

/// The beginning of the keys that Azure's load balancer understands.
pub(super) const AZURE: &str = "service.beta.kubernetes.io/";

/// Those that the add-on keeps, after [`AZURE`]. The last is its own mark on the internal gateway.
const KEPT: [&str; 12] = [
    "azure-allowed-ip-ranges",
    "azure-allowed-service-tags",
    "azure-disable-load-balancer-floating-ip",
    "azure-load-balancer-internal-subnet",
    "azure-load-balancer-ipv4",
    "azure-load-balancer-disable-tcp-reset",
    "azure-load-balancer-resource-group",
    "azure-load-balancer-tcp-idle-timeout",
    "azure-pip-ip-tags",
    "azure-pip-name",
    "azure-shared-securityrule",
    "azure-load-balancer-internal",
];

/// Those for the port 80 or 443, after `port_80_`.
const KEPT_OF_PORTS: [&str; 7] = [
    "no_lb_rule",
    "no_probe_rule",
    "health-probe_protocol",
    "health-probe_port",
    "health-probe_interval",
    "health-probe_num-of-probe",
    "health-probe_request-path",
];

/// Whether an annotation of Azure's load balancer stays on the add-on's Services
/// (<https://learn.microsoft.com/azure/aks/istio-deploy-ingress#ingress-gateway-service-customizations>).
pub(super) fn keeps(key: &str) -> bool {
    let Some(name) = key.strip_prefix(AZURE) else { return true };
    let of_port = name.strip_prefix("port_80_").or_else(|| name.strip_prefix("port_443_"));
    KEPT.contains(&name) || of_port.is_some_and(|setting| KEPT_OF_PORTS.contains(&setting))
}
