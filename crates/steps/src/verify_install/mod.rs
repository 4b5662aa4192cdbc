//! `istioctl verify-install`, which istioctl lost in 1.24: for each revision the objects that it needs, and what follows
//! from those that are missing, unhealthy or changed. It goes by revision, as the command never did.

pub(crate) mod codes;
mod gather;
mod judge;
mod revision;
mod rollout;
mod shared;
pub(crate) mod support;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(crate) use gather::VerifyInstallEvidence;

use super::{About, Cost, Invalid, Judgement, Permission, Step, input::check};
use cluster::{Cluster, Error};

/// The check of the installation.
pub struct VerifyInstall;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerifyInstallInput {
    /// Namespaces of the control plane. Default: wherever istiod is installed.
    #[param(max_items = 100)]
    pub istio_namespace: Vec<String>,
    /// Only this revision, or the revision that this tag points to. Default: every revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
}

/// The objects of each revision, and those that the revisions share.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyInstallData {
    pub installation: InstallState,
    /// The AKS add-on, rather than Istio's own charts.
    pub add_on: bool,
    /// Version of the API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    pub revisions: Vec<RevisionInstall>,
    /// Resource types, root certificates, node agents, webhooks of revisions that are gone.
    pub shared: Vec<InstalledObject>,
    pub counts: InstallCounts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallState {
    Installed,
    /// It works, and something is not as it should be.
    Degraded,
    /// Something that it needs is missing or does not work.
    Broken,
    NotInstalled,
    /// Too little could be read.
    Unknown,
}

/// One revision.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionInstall {
    pub revision: String,
    pub namespace: String,
    /// The tag of istiod's image.
    pub version: String,
    pub state: InstallState,
    pub objects: Vec<InstalledObject>,
}

/// One object of the installation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InstalledObject {
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    pub state: ObjectState,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// Installations differ in whether they have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    Present,
    Missing,
    Unhealthy,
    Drifted,
    /// It could not be read.
    Unknown,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct InstallCounts {
    pub present: usize,
    pub missing: usize,
    pub unhealthy: usize,
    pub drifted: usize,
    pub unknown: usize,
}

impl Step for VerifyInstall {
    const ABOUT: About = About {
        id: "istioctl.verify-install",
        title: "Check of the installation",
        description: "For each revision the objects that it needs: present, missing, unhealthy or drifted, and what \
            follows from it. Webhooks with their Service and CA bundle, resource types and versions, roles, root \
            certificates, gateways.",
        guide: "istioctl/1-verify-install",
        method: "GET",
        endpoint: "/v1/istioctl/verify-install",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("list", "services"),
            Permission::core("list", "configmaps"),
            Permission::core("list", "serviceaccounts"),
            Permission::core("list", "namespaces"),
            Permission { verb: "list", group: "apps", resource: "deployments" },
            Permission { verb: "list", group: "apps", resource: "daemonsets" },
            Permission { verb: "list", group: "autoscaling", resource: "horizontalpodautoscalers" },
            Permission { verb: "list", group: "policy", resource: "poddisruptionbudgets" },
            Permission { verb: "list", group: "discovery.k8s.io", resource: "endpointslices" },
            Permission { verb: "list", group: "rbac.authorization.k8s.io", resource: "clusterroles" },
            Permission { verb: "list", group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
            Permission { verb: "list", group: "rbac.authorization.k8s.io", resource: "roles" },
            Permission { verb: "list", group: "rbac.authorization.k8s.io", resource: "rolebindings" },
            Permission {
                verb: "list",
                group: "admissionregistration.k8s.io",
                resource: "mutatingwebhookconfigurations",
            },
            Permission {
                verb: "list",
                group: "admissionregistration.k8s.io",
                resource: "validatingwebhookconfigurations",
            },
            Permission { verb: "list", group: "apiextensions.k8s.io", resource: "customresourcedefinitions" },
        ],
        cost: Cost::Medium,
        command: "istioctl verify-install --istioNamespace <namespace> --revision <revision>",
        docs: "https://istio.io/v1.23/docs/reference/commands/istioctl/#istioctl-verify-install",
    };
    type Input = VerifyInstallInput;
    type Evidence = VerifyInstallEvidence;
    type Data = VerifyInstallData;

    fn check(input: &VerifyInstallInput) -> Vec<Invalid> {
        let mut invalid = check::namespaces("istio_namespace", &input.istio_namespace);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &VerifyInstallInput) -> Result<VerifyInstallEvidence, Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &VerifyInstallInput, evidence: VerifyInstallEvidence) -> Judgement<VerifyInstallData> {
        judge::judge(input, evidence)
    }

    fn raw(_: &VerifyInstallInput, data: &VerifyInstallData) -> Option<String> {
        Some(judge::printed(data))
    }
}

impl InstalledObject {
    fn present(kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            state: ObjectState::Present,
            why: None,
            consequence: None,
            optional: false,
        }
    }

    fn is(mut self, state: ObjectState, why: impl Into<String>, consequence: &str) -> Self {
        self.state = state;
        self.why = Some(why.into());
        self.consequence = Some(consequence.to_owned());
        self
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}
