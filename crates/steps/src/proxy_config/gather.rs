//! Reads the admin page of a proxy, and what its findings compare with.

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};

use super::super::{
    no_endpoint::{self, NoEndpoint},
    rejected::{self, Patches},
    target,
};
use super::{ProxyConfigInput, ProxyConfigKind};
use cluster::{
    self, Cluster, Error, Resource,
    pod_http::{ENVOY_ADMIN, PodHttpLimits, PodPort},
};
use envoy::proxy_config::Kind;
use report::{Read, Skipped};

/// Where istiod puts the root certificate for proxies, in every namespace
/// (<https://istio.io/latest/docs/concepts/security/#pki>).
const ROOT_CONFIG_MAP: &str = "istio-ca-root-cert";

pub struct Evidence {
    pub(super) pod: Pod,
    pub(super) page: Bytes,
    /// The clusters that routes and listeners may lead to; `None` where the page has them, or they do not matter.
    pub(super) clusters: Option<Read<Bytes>>,
    /// The root certificates (PEM) that istiod gives to this namespace; `None` where they do not matter, or istiod gives
    /// them in another way.
    pub(super) root: Option<Read<String>>,
    /// What is known of destinations without endpoints.
    pub(super) no_endpoint: NoEndpoint,
    /// What may be behind refused updates, where there are some.
    pub(super) patches: Option<Patches>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) now: Timestamp,
}

pub(super) async fn gather(cluster: &Cluster, input: &ProxyConfigInput) -> Result<Evidence, Error> {
    let pod = target::find_pod(cluster, input.namespace.as_deref(), &input.pod).await?;
    target::must_have_proxy(&pod)?;
    let mut envoy = cluster.pod_port(&pod, ENVOY_ADMIN);
    let page = page(&mut envoy, input.kind.kind()).await?;
    let clusters = match input.kind {
        ProxyConfigKind::Listener | ProxyConfigKind::Route => {
            Some(cluster::read(self::page(&mut envoy, Kind::Cluster).await)?)
        }
        _ => None,
    };
    let root = match input.kind {
        ProxyConfigKind::Secret | ProxyConfigKind::All => root(cluster, &pod).await?,
        _ => None,
    };
    let (mut no_endpoint, mut skipped) = (NoEndpoint::default(), Vec::new());
    if input.kind == ProxyConfigKind::Endpoint {
        let without = no_endpoint::clusters(&page);
        if !without.is_empty() {
            no_endpoint = no_endpoint::gather(cluster, &pod, without, &mut skipped).await?;
        }
    }
    let patches = if has_refused(&page) { patches(cluster, &pod, &mut skipped).await? } else { None };
    Ok(Evidence { pod, page, clusters, root, no_endpoint, patches, skipped, now: cluster.now() })
}

/// Whether a dump tells of an update that Envoy refused; its fields have either spelling.
fn has_refused(page: &[u8]) -> bool {
    std::str::from_utf8(page).is_ok_and(|page| page.contains("\"error_state\"") || page.contains("\"errorState\""))
}

async fn patches(cluster: &Cluster, pod: &Pod, skipped: &mut Vec<Skipped>) -> Result<Option<Patches>, Error> {
    let istio = cluster.control_plane(&[]).await;
    let istio = match cluster::read(istio)? {
        Ok(control_plane) => control_plane.namespaces(),
        Err(reason) => {
            skipped.push(reason);
            Vec::new()
        }
    };
    let read = rejected::gather(cluster, &[target::namespace(pod).to_owned()], &istio).await?;
    Ok(read.map_err(|reason| skipped.push(reason)).ok())
}

async fn page(envoy: &mut PodPort, kind: Kind) -> Result<Bytes, Error> {
    // Envoy tells its log levels to a POST only; without parameters it changes none.
    let method = if kind == Kind::Log { Method::POST } else { Method::GET };
    let path = format!("/{}", kind.page());
    let response = envoy.request(method, &path, PodHttpLimits::default()).await?;
    envoy.only_200(response, &path)
}

async fn root(cluster: &Cluster, pod: &Pod) -> Result<Option<Read<String>>, Error> {
    let config_maps = Resource::known("", "v1", "configmaps", "ConfigMap", true);
    let found = cluster.get::<ConfigMap>(&config_maps, pod.metadata.namespace.as_deref(), ROOT_CONFIG_MAP).await;
    if let Err(Error::NotFound { .. }) = found {
        return Ok(None);
    }
    let pem = |map: ConfigMap| map.data.and_then(|mut data| data.remove("root-cert.pem"));
    Ok(cluster::read(found)?.map(pem).transpose())
}
