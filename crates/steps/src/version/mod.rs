//! `istioctl version`: the version of every replica of istiod and of every proxy, and where they are too far apart.

mod build;
mod judge;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use build::{BuildInfo, IstiodBuild, MeshVersions, ProxyBuild};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, injection::read::objects, input::check,
    resource_status::object::Object, tags::IstioctlOutput,
};
use cluster::{Cluster, Error, Istiod, Resource, Scope, pod_http::PodHttpError, read};
use report::{Read, Skipped};

/// Replicas that are asked at once.
const AT_ONCE: usize = 8;

/// Versions of the mesh.
pub struct Version;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionInput {
    /// Namespaces of the control plane. Default: wherever istiod runs.
    #[param(max_items = 100)]
    pub istio_namespace: Vec<String>,
    /// Only this revision, or the revision that this tag points to. Default: every revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// What `format=raw` prints, as `istioctl version --output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<IstioctlOutput>,
    /// With `format=raw`: the long form, `istioctl version --short=false`.
    pub long: bool,
}

/// What was read.
#[derive(Debug)]
pub struct VersionEvidence {
    replicas: Vec<Replica>,
    pods: Read<Vec<Object>>,
    skipped: Vec<Skipped>,
}

/// A replica of istiod, and its two pages.
#[derive(Debug)]
struct Replica {
    istiod: Istiod,
    version: Read<Bytes>,
    syncz: Read<Bytes>,
}

/// Versions of control plane and data plane.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionData {
    /// Of this service, which stands in the place of istioctl.
    pub service_version: String,
    pub control_plane: Vec<IstiodVersion>,
    pub revisions: Vec<RevisionVersions>,
    pub data_plane: Vec<VersionCount>,
    pub proxies: Vec<ProxyVersion>,
    /// Pods with a running proxy that no replica lists. Known only if every replica answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_connected: Option<Vec<String>>,
    #[serde(skip)]
    printed: MeshVersions,
}

/// One replica of istiod.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodVersion {
    pub namespace: String,
    pub pod: String,
    pub revision: String,
    pub ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildInfo>,
    pub image: String,
    /// Proxies that are connected to it; absent where it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<usize>,
}

/// One revision: its replicas' versions, and its proxies by version.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionVersions {
    pub revision: String,
    pub versions: Vec<String>,
    pub replicas: usize,
    pub ready_replicas: usize,
    pub data_plane: Vec<VersionCount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VersionCount {
    pub version: String,
    pub proxies: usize,
}

/// A proxy, as the replica that it is connected to lists it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProxyVersion {
    /// `pod.namespace`.
    pub id: String,
    pub version: String,
    /// `sidecar`, `gateway`, `waypoint`, `ztunnel`.
    pub kind: String,
    /// The revision of the istiod that it is connected to.
    pub revision: String,
    pub istiod: String,
}

impl Step for Version {
    const ABOUT: About = About {
        id: "istioctl.version",
        title: "Versions of control plane and data plane",
        description: "The version of every replica of istiod in every revision, the proxies by version, replicas that \
            do not answer, proxies that are connected nowhere, and versions too far apart.",
        guide: "istioctl/0-general",
        method: "GET",
        endpoint: "/v1/istioctl/version",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("get", "pods/portforward"),
            Permission::core("create", "pods/portforward"),
        ],
        cost: Cost::Medium,
        command: "istioctl version --istioNamespace <namespace> --revision <revision>",
        docs: "https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-version",
    };
    type Input = VersionInput;
    type Evidence = VersionEvidence;
    type Data = VersionData;

    fn check(input: &VersionInput) -> Vec<Invalid> {
        let mut invalid = check::namespaces("istio_namespace", &input.istio_namespace);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &VersionInput) -> Result<VersionEvidence, Error> {
        let control_plane = cluster.control_plane_of(&input.istio_namespace, input.revision.as_deref()).await?;
        let mut skipped = control_plane.skipped;
        let asked: Vec<Result<Replica, Error>> = stream::iter(control_plane.istiods)
            .map(|istiod| async move {
                let mut debug = cluster.pod_port(&istiod.pod, istiod.debug_port());
                let version = debug.page("/version").await;
                // Who is silent on one page would only be waited for again on the next.
                let hangs = matches!(version, Err(Error::Pod(PodHttpError::TimedOut { .. })));
                let version = read(version)?;
                let syncz = match &version {
                    Err(part) if hangs => Err(part.clone()),
                    _ => read(debug.page("/debug/syncz").await)?,
                };
                Ok(Replica { istiod, version, syncz })
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut replicas = Vec::new();
        for replica in asked {
            let replica = replica?;
            for part in [replica.version.as_ref().err(), replica.syncz.as_ref().err()].into_iter().flatten() {
                if !skipped.contains(part) {
                    skipped.push(part.clone());
                }
            }
            replicas.push(replica);
        }
        let pods = objects(cluster, &Resource::pods(), &Scope::All, None, &mut skipped).await?;
        Ok(VersionEvidence { replicas, pods, skipped })
    }

    fn judge(input: &VersionInput, evidence: VersionEvidence) -> Judgement<VersionData> {
        judge::judge(input, evidence)
    }

    fn raw(input: &VersionInput, data: &VersionData) -> Option<String> {
        Some(data.printed.print(!input.long, input.output))
    }
}
