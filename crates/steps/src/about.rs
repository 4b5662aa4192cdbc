//! What a step says of itself.

use serde::Serialize;
use utoipa::ToSchema;

/// A step's entry in the catalogue.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct About {
    /// For example `kubectl.istiod-logs`.
    pub id: &'static str,
    pub title: &'static str,
    /// What it answers, in a sentence or two.
    pub description: &'static str,
    /// Section of the troubleshooting guide, for example `kubectl/1-istiod-logs`.
    pub guide: &'static str,
    /// `GET` for what only reads, `POST` for what changes something or makes an archive.
    pub method: &'static str,
    /// Path of the typed endpoint.
    pub endpoint: &'static str,
    /// Whether it changes the cluster. Such steps are off unless they are enabled.
    pub mutating: bool,
    /// The Kubernetes permissions that the caller needs, in the namespaces that the step touches.
    pub permissions: &'static [Permission],
    pub cost: Cost,
    /// The command that a person would type.
    pub command: &'static str,
    /// The page of the guide, or of Istio's or Kubernetes' documentation.
    pub docs: &'static str,
}

/// A permission of Kubernetes RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Permission {
    pub verb: &'static str,
    /// Empty for the core group.
    pub group: &'static str,
    /// With the subresource, for example `pods/log`.
    pub resource: &'static str,
}

impl Permission {
    pub const fn core(verb: &'static str, resource: &'static str) -> Self {
        Self { verb, group: "", resource }
    }
}

/// What a call costs the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// A few requests to the API server.
    Low,
    /// Logs or pages of a few pods.
    Medium,
    /// Grows with the number of pods or objects in the mesh.
    High,
}
