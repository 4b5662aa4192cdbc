//! Logs and pages of the pods of a mesh: istiod, gateways, workloads with a sidecar, and the cluster's DNS.

use serde_json::Value;

use super::super::fetch::{Answer, Failure, fetch};
use super::super::pages::{ENVOY_PAGES, istiod_file};
use super::super::store::text;
use super::{Recording, cut};
use crate::cluster::pod_http::{ENVOY_ADMIN, ISTIOD_DEBUG, Place, PodHttpLimits, PodPort};

/// A pod whose logs and pages are recorded.
pub(super) struct MeshPod {
    namespace: String,
    name: String,
    node: Option<String>,
    pub(super) containers: Vec<Container>,
    runs: bool,
    role: Role,
}

#[derive(Debug, Clone)]
pub(super) struct Container {
    name: String,
    restarts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Istiod,
    Envoy,
    Ztunnel,
    Dns,
    /// No part of the mesh: logs only, and only when they are asked for.
    Outside,
}

/// The pages of one role, which are fetched one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pages {
    Istiod,
    Envoy,
    Agent,
    Ztunnel,
    Dns,
}

impl MeshPod {
    fn from(pod: &Value) -> Self {
        let mut containers = Vec::new();
        for (list, statuses) in [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")] {
            let of_pod = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
            for container in of_pod.into_iter().flatten() {
                let name = text(container, &["name"]);
                let mut status = pod
                    .get("status")
                    .and_then(|status| status.get(statuses))
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten();
                let status = status.find(|status| text(status, &["name"]) == name);
                let restarts = status.and_then(|status| status.get("restartCount")).and_then(Value::as_u64);
                containers.push(Container { name: name.to_owned(), restarts: restarts.unwrap_or_default() });
            }
        }
        let has = |name: &str| containers.iter().any(|container| container.name == name);
        let label = |name: &str| text(pod, &["metadata", "labels", name]);
        let role = if has("discovery") && label("app") == "istiod" {
            Role::Istiod
        } else if has("istio-proxy") {
            if label("app") == "ztunnel" { Role::Ztunnel } else { Role::Envoy }
        } else if label("k8s-app") == "kube-dns" {
            Role::Dns
        } else {
            Role::Outside
        };
        Self {
            namespace: text(pod, &["metadata", "namespace"]).to_owned(),
            name: text(pod, &["metadata", "name"]).to_owned(),
            node: Some(text(pod, &["spec", "nodeName"]).to_owned()).filter(|node| !node.is_empty()),
            containers,
            runs: text(pod, &["status", "phase"]) == "Running",
            role,
        }
    }

    pub(super) fn ports(&self) -> Vec<Pages> {
        if !self.runs {
            return Vec::new();
        }
        match self.role {
            Role::Istiod => vec![Pages::Istiod],
            Role::Envoy => vec![Pages::Envoy, Pages::Agent],
            Role::Ztunnel => vec![Pages::Ztunnel],
            Role::Dns => vec![Pages::Dns],
            Role::Outside => Vec::new(),
        }
    }
}

/// The pods of the mesh. Without pods there are no logs and pages, and the list itself says why.
pub(super) async fn find(recording: &Recording) -> Vec<MeshPod> {
    const LIMIT: usize = 256 << 20;
    let (mut found, mut outside, mut token) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("/api/v1/pods?limit=250{token}");
        let page = match recording.get(&path, "application/json", LIMIT).await {
            Ok(page) => serde_json::from_slice::<Value>(&page).unwrap_or_default(),
            Err(why) => {
                recording.skip("logs and pages of pods", format!("the pods cannot be listed: {why}"));
                return found;
            }
        };
        let items = page.get("items").and_then(Value::as_array).into_iter().flatten();
        for pod in items.map(MeshPod::from).filter(|pod| recording.covers(&pod.namespace)) {
            if pod.role == Role::Outside && !recording.options.logs_outside_mesh {
                outside += 1;
            } else {
                found.push(pod);
            }
        }
        let next = text(&page, &["metadata", "continue"]);
        if next.is_empty() {
            if outside > 0 {
                recording.skip(format!("logs of {outside} pods outside of the mesh"), "they were not asked for");
            }
            return found;
        }
        token = format!("&continue={}", url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
    }
}

pub(super) async fn log(recording: &Recording, pod: &MeshPod, container: &Container) {
    one_log(recording, pod, &container.name, false).await;
    if container.restarts > 0 {
        one_log(recording, pod, &container.name, true).await;
    }
}

async fn one_log(recording: &Recording, pod: &MeshPod, container: &str, previous: bool) {
    let options = &recording.options;
    let lines = options.cut.as_ref().map_or(options.log_lines, |cut| cut.log_lines);
    let (namespace, name, bytes) = (&pod.namespace, &pod.name, options.log_bytes);
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{name}/log?container={container}&timestamps=true&tailLines={lines}\
         &limitBytes={bytes}&previous={previous}"
    );
    let ending = if previous { ".previous.log" } else { ".log" };
    let file = format!("logs/{namespace}/{name}/{container}{ending}");
    let limit = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(1024);
    match recording.get(&path, "*/*", limit).await {
        Ok(content) => {
            if content.len() as u64 >= bytes {
                recording.skip(format!("{file} after {bytes} bytes"), "the log is longer than the limit");
            }
            recording.add_text(file, content).await;
        }
        Err(why) => recording.skip(file, why),
    }
}

/// <https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/> and istiod's own list at `/debug`.
const ISTIOD_PAGES: &[&str] = &[
    "/version",
    "/metrics",
    "/debug/adsz",
    "/debug/authorizationz",
    "/debug/cachez",
    "/debug/clusterz",
    "/debug/config_distribution",
    "/debug/configz",
    "/debug/connections",
    "/debug/endpointShardz",
    "/debug/endpointz",
    "/debug/inject",
    "/debug/instancesz",
    "/debug/mcsz",
    "/debug/mesh",
    "/debug/networkz",
    "/debug/push_status",
    "/debug/registryz",
    "/debug/resourcesz",
    "/debug/sidecarz",
    "/debug/telemetryz",
];

pub(super) async fn pages(recording: &Recording, pod: &MeshPod, pages: Pages) {
    match pages {
        Pages::Istiod => istiod(recording, pod).await,
        Pages::Envoy => {
            let mut envoy = port(recording, pod, ENVOY_ADMIN);
            let mut written = Vec::new();
            for (target, file) in ENVOY_PAGES {
                // The dump with endpoints has everything that the other has.
                let superfluous = recording.options.cut.is_some() && *file == "config_dump.json";
                if written.contains(file) || superfluous {
                    continue;
                }
                written.push(file);
                let file = format!("envoy/{}/{}/{file}", pod.namespace, pod.name);
                if !page(recording, &mut envoy, target, &file).await {
                    return;
                }
            }
        }
        Pages::Agent => {
            let agent = [
                (15020, "/stats/prometheus", "agent_stats_prometheus.txt"),
                (15020, "/debug/ndsz", "agent_ndsz.json"),
                (15021, "/healthz/ready", "healthz_ready.txt"),
            ];
            for (number, target, file) in agent {
                let file = format!("envoy/{}/{}/{file}", pod.namespace, pod.name);
                page(recording, &mut port(recording, pod, number), target, &file).await;
            }
        }
        Pages::Ztunnel => {
            let file = format!("envoy/{}/{}/config_dump.json", pod.namespace, pod.name);
            page(recording, &mut port(recording, pod, ENVOY_ADMIN), "/config_dump", &file).await;
        }
        Pages::Dns => {
            let file = format!("ports/{}/{}/9153/metrics", pod.namespace, pod.name);
            page(recording, &mut port(recording, pod, 9153), "/metrics", &file).await;
        }
    }
}

/// The pages of an istiod, and for each proxy that is connected to it what it was sent.
async fn istiod(recording: &Recording, pod: &MeshPod) {
    let folder = format!("istiod/{}/{}", pod.namespace, pod.name);
    let file = |target: &str| format!("{folder}/{}", istiod_file(target));
    page(recording, &mut port(recording, pod, 8080), "/ready", &file("/ready")).await;
    // Who is connected is read once, for the record and for what follows from it.
    let syncz = file("/debug/syncz");
    let mut pages = port(recording, pod, ISTIOD_DEBUG);
    let answer = fetch(&mut pages, "/debug/syncz", limits(recording)).await;
    let proxies = answer.as_ref().map(|answer| proxies(&answer.body)).unwrap_or_default();
    if !record(recording, &pages, &syncz, answer).await {
        return;
    }
    for target in ISTIOD_PAGES {
        if !page(recording, &mut pages, target, &file(target)).await {
            return;
        }
    }
    for proxy in proxies {
        for debug in ["config_dump", "sidecarz"] {
            let target = format!("/debug/{debug}?proxyID={proxy}");
            page(recording, &mut pages, &target, &file(&target)).await;
        }
    }
}

/// The names in `/debug/syncz`, as long as they are such that a file may have them.
fn proxies(syncz: &[u8]) -> Vec<String> {
    let page: Value = serde_json::from_slice(syncz).unwrap_or_default();
    let names = page.as_array().into_iter().flatten().map(|entry| text(entry, &["proxy"]));
    let allowed = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    names.filter(|name| allowed(name)).map(str::to_owned).collect()
}

fn port(recording: &Recording, pod: &MeshPod, port: u16) -> PodPort {
    let place = Place { namespace: pod.namespace.clone(), pod: pod.name.clone(), node: pod.node.clone(), port };
    PodPort::new(recording.client.clone(), recording.gates.clone(), place)
}

fn limits(recording: &Recording) -> PodHttpLimits {
    PodHttpLimits { deadline: recording.options.call_timeout, max_bytes: recording.options.page_bytes }
}

/// Records one page; false when the port does not answer, so that the other pages need not be tried.
async fn page(recording: &Recording, port: &mut PodPort, target: &str, file: &str) -> bool {
    let answer = fetch(port, target, limits(recording)).await;
    record(recording, port, file, answer).await
}

async fn record(recording: &Recording, port: &PodPort, file: &str, answer: Result<Answer, Failure>) -> bool {
    match answer {
        Ok(Answer { status: 200, body }) => add_page(recording, file, body).await,
        Ok(Answer { status, body }) => {
            let mut content = format!("{status}\n").into_bytes();
            content.extend_from_slice(&body);
            recording.add_text(format!("{file}.status"), content).await;
        }
        Err(Failure::Page(why)) => recording.skip(file, why),
        Err(Failure::Port(why)) => {
            recording.skip(port.place().to_string(), why);
            return false;
        }
    }
    true
}

async fn add_page(recording: &Recording, file: &str, body: Vec<u8>) {
    let name = file.rsplit('/').next().unwrap_or_default();
    let is_cut = recording.options.cut.is_some();
    if is_cut && cut::is_templates(file) {
        return;
    }
    let body = if is_cut { cut::page(name, body) } else { body };
    recording.add_text(file, body).await;
}
