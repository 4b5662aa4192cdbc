//! The areas that problems fall into.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    ControlPlane,
    Injection,
    MeshConfig,
    Resources,
    Network,
    Gateway,
    GatewayApi,
    Security,
    CertificateAuthority,
    Dns,
    Egress,
    Cni,
    Upgrade,
    Validation,
    Observability,
}

impl Area {
    /// Every area with the first part of its ids.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::ControlPlane, "cp"),
        (Self::Injection, "inject"),
        (Self::MeshConfig, "meshcfg"),
        (Self::Resources, "res"),
        (Self::Network, "net"),
        (Self::Gateway, "gw"),
        (Self::GatewayApi, "k8sgw"),
        (Self::Security, "sec"),
        (Self::CertificateAuthority, "ca"),
        (Self::Dns, "dns"),
        (Self::Egress, "egress"),
        (Self::Cni, "cni"),
        (Self::Upgrade, "upg"),
        (Self::Validation, "val"),
        (Self::Observability, "obs"),
    ];

    /// The area of an entry of the catalogue, by the part before the slash.
    pub fn of(id: &str) -> Self {
        let prefix = id.split('/').next().unwrap_or_default();
        let found = Self::ALL.into_iter().find(|(_, name)| *name == prefix);
        found.map(|(area, _)| area).expect("a test checks the area of every detector")
    }
}
