//! Reads what `istioctl.proxy-status` judges: the page of every replica of istiod, the pods that run a proxy, and for one
//! pod both dumps.

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::{
    lean_pod::LeanPod,
    target::{self, PROXY},
};
use super::{
    ProxyStatusInput,
    syncz::{self, Client},
    version::Version,
};
use cluster::{
    self, Cluster, Error, Istiod, Listed, Resource, Scope,
    pod_http::{ENVOY_ADMIN, PodHttpError, PodHttpLimits, PodPort},
};
use report::{Read, Skipped};

/// Replicas that are asked at once.
const AT_ONCE: usize = 8;
/// Largest list of proxies that is taken from one replica: some 20,000 proxies.
const MAX_SYNCZ_BYTES: usize = 64 * 1024 * 1024;
const MAX_DUMP_BYTES: usize = 256 * 1024 * 1024;

pub struct Evidence {
    pub(super) replicas: Vec<Replica>,
    /// Running pods with a proxy, in the namespaces asked for.
    pub(super) pods: Read<Vec<Pod>>,
    pub(super) namespaces: Read<Vec<Value>>,
    /// Webhooks that make a tag for a revision.
    pub(super) tags: Read<Vec<Value>>,
    pub(super) one: Option<One>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) now: Timestamp,
}

/// A replica of istiod and what it says.
pub(super) struct Replica {
    pub(super) istiod: Istiod,
    pub(super) version: Option<String>,
    pub(super) clients: Read<Vec<Client>>,
    /// Nothing listens, so that no proxy can be connected either.
    pub(super) down: bool,
}

/// The one proxy that was asked for.
pub(super) struct One {
    pub(super) pod: Pod,
    /// The dumps of istiod and of Envoy.
    pub(super) dumps: Read<(Bytes, Bytes)>,
}

impl Evidence {
    /// The evidence from pages that somebody has: what each istiod answered, and the pods with a proxy.
    pub fn of_pages(pages: Vec<(Istiod, Bytes)>, pods: Vec<Pod>, now: Timestamp) -> Self {
        let read = |(istiod, page): (Istiod, Bytes)| {
            let clients = clients(&page_name(&istiod), &page, now);
            Replica { istiod, version: None, clients, down: false }
        };
        Self {
            replicas: pages.into_iter().map(read).collect(),
            pods: Ok(pods),
            namespaces: Ok(Vec::new()),
            tags: Ok(Vec::new()),
            one: None,
            skipped: Vec::new(),
            now,
        }
    }
}

fn page_name(istiod: &Istiod) -> String {
    format!("/debug/syncz of {}/{}", target::namespace(&istiod.pod), target::name(&istiod.pod))
}

fn clients(what: &str, page: &[u8], now: Timestamp) -> Read<Vec<Client>> {
    syncz::clients(page, now).map_err(|error| Skipped::new(what, format!("the page cannot be read: {error}")))
}

impl Replica {
    pub(super) fn name(&self) -> &str {
        target::name(&self.istiod.pod)
    }

    /// When this replica sent the proxy something last, if it has it at all.
    pub(super) fn find(&self, proxy: &str) -> Option<&Client> {
        let clients = self.clients.as_ref().ok()?;
        clients.iter().filter(|client| client.proxy == proxy).max_by_key(|client| client.last_sent())
    }
}

pub(super) async fn gather(cluster: &Cluster, input: &ProxyStatusInput) -> Result<Evidence, Error> {
    let pod = match &input.pod {
        Some(pod) => Some(proxy_pod(cluster, input.namespace.first().map(String::as_str), pod).await?),
        None => None,
    };
    let control_plane = cluster.control_plane_of(&[], input.revision.as_deref()).await?;
    let now = cluster.now();
    let asked = stream::iter(control_plane.istiods).map(|istiod| ask(cluster, istiod, now));
    let asked: Vec<Result<Asked, Error>> = asked.buffered(AT_ONCE).collect().await;
    let mut replicas = asked.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut skipped = control_plane.skipped;
    let (pods, namespaces, tags) = match &pod {
        Some(pod) => (Ok(vec![pod.clone()]), Ok(Vec::new()), Ok(Vec::new())),
        None => mesh(cluster, input, &mut skipped).await?,
    };
    let one = match pod {
        Some(pod) => Some(One { dumps: dumps(cluster, &pod, &mut replicas).await?, pod }),
        None => None,
    };
    let replicas = replicas.into_iter().map(|(replica, _)| replica).collect();
    Ok(Evidence { replicas, pods, namespaces, tags, one, skipped, now })
}

async fn proxy_pod(cluster: &Cluster, namespace: Option<&str>, pod: &str) -> Result<Pod, Error> {
    let pod = target::find_pod(cluster, namespace, pod).await?;
    if is_ztunnel(&pod) {
        let (namespace, name) = (target::namespace(&pod), target::name(&pod));
        let why = format!("pod {namespace}/{name} is a ztunnel, for which there is no diff");
        return Err(Error::Input { field: "pod", why });
    }
    target::must_have_proxy(&pod)?;
    Ok(pod)
}

fn is_ztunnel(pod: &Pod) -> bool {
    match pod.metadata.labels.as_ref().and_then(|labels| labels.get("app")) {
        Some(app) => app == "ztunnel",
        None => target::name(pod).starts_with("ztunnel"),
    }
}

type MeshParts = (Read<Vec<Pod>>, Read<Vec<Value>>, Read<Vec<Value>>);

/// Pods with a proxy, and what namespaces say of their revision.
async fn mesh(cluster: &Cluster, input: &ProxyStatusInput, skipped: &mut Vec<Skipped>) -> Result<MeshParts, Error> {
    let scope = Scope::of(&input.namespace);
    let (resource, namespaces) = (Resource::pods(), Resource::namespaces());
    let webhooks = Resource::mutating_webhook_configurations();
    let (pods, namespaces, tags) = futures::join!(
        cluster.list::<LeanPod>(&resource, &scope, None),
        cluster.list::<Value>(&namespaces, &Scope::All, Some("istio.io/rev")),
        cluster.list::<Value>(&webhooks, &Scope::All, Some("istio.io/tag")),
    );
    let pods = cluster::read(pods)?.map(|listed| {
        skipped.extend(listed.skipped);
        let pods = listed.items.into_iter().map(|LeanPod(pod)| pod);
        pods.filter(|pod| target::container(pod, PROXY).is_some()).collect()
    });
    let items = |listed: Listed<Value>| listed.items;
    Ok((pods, cluster::read(namespaces)?.map(items), cluster::read(tags)?.map(items)))
}

/// A replica, and its port for more questions.
type Asked = (Replica, PodPort);

/// The list of one replica, and its version.
async fn ask(cluster: &Cluster, istiod: Istiod, now: Timestamp) -> Result<Asked, Error> {
    let mut debug = cluster.pod_port(&istiod.pod, istiod.debug_port());
    let phase = istiod.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown");
    if phase != "Running" {
        let what = format!("istiod {}/{}", target::namespace(&istiod.pod), target::name(&istiod.pod));
        let clients = Err(Skipped::new(what, format!("the pod is not running: {phase}")));
        return Ok((Replica { istiod, version: None, clients, down: true }, debug));
    }
    let clients = debug.page_within("/debug/syncz", at_most(MAX_SYNCZ_BYTES)).await;
    let down = matches!(clients, Err(Error::Pod(PodHttpError::Refused { .. })));
    let clients = match cluster::read(clients)? {
        Ok(page) => {
            let what = page_name(&istiod);
            // Thousands of proxies take a while to read, which must not hold up other requests.
            match tokio::task::spawn_blocking(move || self::clients(&what, &page, now)).await {
                Ok(clients) => clients,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Err(reason) => Err(reason),
    };
    let version = if clients.is_ok() {
        let version = cluster::read(debug.page_within("/version", at_most(1024)).await)?;
        version.ok().map(|text| String::from_utf8_lossy(&text).trim().to_owned())
    } else {
        None
    };
    Ok((Replica { istiod, version, clients, down }, debug))
}

fn at_most(max_bytes: usize) -> PodHttpLimits {
    PodHttpLimits { max_bytes, ..PodHttpLimits::default() }
}

/// Both dumps of a proxy: istiod's from the replica that the proxy is connected to, as another one does not know it.
async fn dumps(cluster: &Cluster, pod: &Pod, replicas: &mut [Asked]) -> Result<Read<(Bytes, Bytes)>, Error> {
    let proxy = format!("{}.{}", target::name(pod), target::namespace(pod));
    let what = format!("istiod's configuration for {proxy}");
    let connected = replicas.iter_mut().filter_map(|asked| Some((asked.0.find(&proxy)?.last_sent(), asked)));
    let Some((_, (replica, debug))) = connected.max_by_key(|(last_sent, _)| *last_sent) else {
        return Ok(Err(Skipped::new(what, "the proxy is connected to no istiod that could be asked")));
    };
    if let Err(why) = Version::may_dump(replica.version.as_deref()) {
        return Ok(Err(Skipped::new(what, format!("istiod {} was not asked: {why}", replica.name()))));
    }
    let path = format!("/debug/config_dump?proxyID={proxy}");
    let istiod = match cluster::read(debug.page_within(&path, at_most(MAX_DUMP_BYTES)).await)? {
        Ok(dump) => dump,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let mut envoy = cluster.pod_port(pod, ENVOY_ADMIN);
    let envoy = envoy.page_within("/config_dump", at_most(MAX_DUMP_BYTES)).await;
    Ok(cluster::read(envoy)?.map(|envoy| (istiod, envoy)))
}
