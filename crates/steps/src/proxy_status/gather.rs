//! Reads what `istioctl.proxy-status` judges: the page of every replica of istiod, the pods that run a proxy, and for one
//! pod both dumps.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::time::Instant;

use super::super::{
    lean_pod::LeanPod,
    rejected::{self, Patches},
    target::{self, PROXY},
};
use super::{
    ProxyStatusInput, findings,
    signs::{self, Signs},
    syncz::{self, Client, SyncStatus, TypeStatus},
    unconnected,
    version::Version,
    view::place,
};
use cluster::{
    self, Cluster, Error, Istiod, IstiodPort, Listed, Resource, Scope,
    pod_http::{ENVOY_ADMIN, PodHttpError, PodHttpLimits},
};
use report::{Read, Skipped};

/// Replicas that are asked at once.
const AT_ONCE: usize = 8;
/// How long the other replicas are waited for, once one has the proxy: an older connection may be in another's list.
const OTHERS: Duration = Duration::from_millis(300);
/// Largest list of proxies that is taken from one replica: some 20,000 proxies.
const MAX_SYNCZ_BYTES: usize = 64 * 1024 * 1024;
const MAX_DUMP_BYTES: usize = 256 * 1024 * 1024;

pub struct Evidence {
    pub(super) replicas: Vec<Replica>,
    /// All pods of istiod could be listed.
    pub(super) is_complete: bool,
    /// Running pods with a proxy, in the namespaces asked for.
    pub(super) pods: Read<Vec<Pod>>,
    pub(super) namespaces: Read<Vec<Value>>,
    /// Webhooks that make a tag for a revision.
    pub(super) tags: Read<Vec<Value>>,
    /// What proxies without istiod show, by `<pod>.<namespace>`.
    pub(super) signs: BTreeMap<String, Signs>,
    /// What may be behind rejections, where there are some.
    pub(super) patches: Option<Patches>,
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
            is_complete: true,
            pods: Ok(pods),
            namespaces: Ok(Vec::new()),
            tags: Ok(Vec::new()),
            signs: BTreeMap::new(),
            patches: None,
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
    let istio = control_plane.namespaces();
    let mut replicas = if let Some(pod) = &pod {
        ask_for(cluster, control_plane.istiods, pod, now).await?
    } else {
        let asked = stream::iter(control_plane.istiods).map(|istiod| ask(cluster, istiod, now));
        let asked: Vec<Result<Asked<'_>, Error>> = asked.buffered(AT_ONCE).collect().await;
        asked.into_iter().collect::<Result<_, _>>()?
    };
    let is_complete = control_plane.skipped.is_empty();
    let mut skipped = control_plane.skipped;
    let (pods, namespaces, tags) = match &pod {
        Some(pod) => (Ok(vec![pod.clone()]), Ok(Vec::new()), Ok(Vec::new())),
        None => mesh(cluster, input, &mut skipped).await?,
    };
    let one = match pod {
        Some(pod) => Some(One { dumps: dumps(cluster, &pod, &mut replicas).await?, pod }),
        None => None,
    };
    let replicas: Vec<Replica> = replicas.into_iter().map(|(replica, _)| replica).collect();
    let known = pods.as_deref().unwrap_or_default();
    let mut lost = unconnected::pods(known, &replicas, input);
    let slow = slow(&replicas);
    let is_asked = |pod: &&Pod| {
        let id = format!("{}.{}", target::name(pod), target::namespace(pod));
        one.is_some() || slow.contains(id.as_str())
    };
    let connected = known.iter().filter(is_asked).filter(|pod| !lost.iter().any(|one| std::ptr::eq(*one, *pod)));
    let connected: Vec<&Pod> = connected.collect();
    lost.extend(connected);
    let signs = signs::gather(cluster, &lost, &mut skipped).await?;
    let patches = patches(cluster, &replicas, &istio, &mut skipped).await?;
    Ok(Evidence { replicas, is_complete, pods, namespaces, tags, signs, patches, one, skipped, now })
}

/// Proxies that leave an update unacknowledged, so that they may be frozen.
fn slow(replicas: &[Replica]) -> BTreeSet<&str> {
    let is_slow = |one: &TypeStatus| {
        one.status == SyncStatus::Stale && one.age_s.is_some_and(|seconds| seconds >= findings::SLOW_S)
    };
    let clients = replicas.iter().flat_map(|replica| replica.clients.iter().flatten());
    clients.filter(|client| client.types.iter().any(is_slow)).map(|client| client.proxy.as_str()).collect()
}

/// What may be behind rejections, where a proxy has rejected something.
async fn patches(
    cluster: &Cluster,
    replicas: &[Replica],
    istio: &[String],
    skipped: &mut Vec<Skipped>,
) -> Result<Option<Patches>, Error> {
    let clients = replicas.iter().flat_map(|replica| replica.clients.iter().flatten());
    let refusing = clients.filter(|client| client.types.iter().any(|one| one.status == SyncStatus::Error));
    let namespaces: BTreeSet<String> = refusing.map(|client| place(&client.proxy).1.to_owned()).collect();
    if namespaces.is_empty() {
        return Ok(None);
    }
    let namespaces: Vec<String> = namespaces.into_iter().collect();
    let read = rejected::gather(cluster, &namespaces, istio).await?;
    Ok(read.map_err(|reason| skipped.push(reason)).ok())
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
type Asked<'c> = (Replica, IstiodPort<'c>);

/// The lists of the replicas, until the one is found that the pod's proxy is connected to.
async fn ask_for<'c>(
    cluster: &'c Cluster,
    istiods: Vec<Istiod>,
    pod: &Pod,
    now: Timestamp,
) -> Result<Vec<Asked<'c>>, Error> {
    let proxy = format!("{}.{}", target::name(pod), target::namespace(pod));
    let mut waiting: BTreeMap<usize, Istiod> = istiods.into_iter().enumerate().collect();
    let mut asked = BTreeMap::new();
    let asking: Vec<(usize, Istiod)> = waiting.iter().map(|(index, istiod)| (*index, istiod.clone())).collect();
    let asking = stream::iter(asking).map(|(index, istiod)| async move { (index, ask(cluster, istiod, now).await) });
    let mut asking = std::pin::pin!(asking.buffer_unordered(AT_ONCE));
    let mut owner = None;
    loop {
        let next = match &owner {
            None => asking.next().await,
            Some((until, _)) => tokio::time::timeout_at(*until, asking.next()).await.unwrap_or_default(),
        };
        let Some((index, answer)) = next else { break };
        let (replica, debug) = answer?;
        waiting.remove(&index);
        if owner.is_none() && replica.find(&proxy).is_some() {
            owner = Some((Instant::now() + OTHERS, replica.name().to_owned()));
        }
        asked.insert(index, (replica, debug));
    }
    let owner = owner.map(|(_, name)| name).unwrap_or_default();
    for (index, istiod) in waiting {
        let what = format!("istiod {}/{}", target::namespace(&istiod.pod), target::name(&istiod.pod));
        let clients = Err(Skipped::new(what, format!("not waited for, as the proxy is connected to {owner}")));
        let debug = cluster.istiod_port(&istiod);
        asked.insert(index, (Replica { istiod, version: None, clients, down: false }, debug));
    }
    Ok(asked.into_values().collect())
}

/// The list of one replica, and its version.
async fn ask(cluster: &Cluster, istiod: Istiod, now: Timestamp) -> Result<Asked<'_>, Error> {
    let mut debug = cluster.istiod_port(&istiod);
    let phase = istiod.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown");
    if phase != "Running" {
        let what = format!("istiod {}/{}", target::namespace(&istiod.pod), target::name(&istiod.pod));
        let clients = Err(Skipped::new(what, format!("the pod is not running: {phase}")));
        return Ok((Replica { istiod, version: None, clients, down: true }, debug));
    }
    let version = cluster::read(debug.version().await)?;
    let clients = debug.page("/debug/syncz", MAX_SYNCZ_BYTES).await;
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
        Err(reason) => match &version {
            // Asked a second time, it only says that it was silent before.
            Err(first) if !down => Err(first.clone()),
            _ => Err(reason),
        },
    };
    let version = version.ok().filter(|_| clients.is_ok());
    let version = version.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    Ok((Replica { istiod, version, clients, down }, debug))
}

/// Both dumps of a proxy: istiod's from the replica that the proxy is connected to, as another one does not know it.
async fn dumps(cluster: &Cluster, pod: &Pod, replicas: &mut [Asked<'_>]) -> Result<Read<(Bytes, Bytes)>, Error> {
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
    let istiod = match cluster::read(debug.page(&path, MAX_DUMP_BYTES).await)? {
        Ok(dump) => dump,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let mut envoy = cluster.pod_port(pod, ENVOY_ADMIN);
    let limits = PodHttpLimits { max_bytes: MAX_DUMP_BYTES, ..PodHttpLimits::default() };
    let envoy = envoy.page_within("/config_dump", limits).await;
    Ok(cluster::read(envoy)?.map(|envoy| (istiod, envoy)))
}
