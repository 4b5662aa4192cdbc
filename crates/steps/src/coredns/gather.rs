//! Reads the mesh, the replicas of CoreDNS twice, their logs, and some proxies.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::super::{
    pod_usage::{self, PodUsage},
    proxy_sample::{self, Answer, ProxyPod},
};
use super::{CorednsInput, capture, configuration::NAMESPACE, data::ProxyDns, metrics::DnsMetrics};
use cluster::{
    self, Cluster, Error, LogQuery, Scope,
    pod_http::{Place, PodHttpLimits},
};
use logs::{DigestBuilder, LogDigest, Source};
use mesh::{Kind, KindSet, Mesh};
use report::{Read, Skipped};

/// The label of the cluster's DNS, whoever installed it
/// (<https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/>).
const LABEL: (&str, &str) = ("k8s-app", "kube-dns");
pub(super) const CONTAINER: &str = "coredns";
/// Where the plugin `prometheus` listens, unless it is told otherwise (<https://coredns.io/plugins/metrics/>).
const METRICS: u16 = 9153;
const MAX_METRICS_BYTES: usize = 16 * 1024 * 1024;
const MAX_LOG_BYTES: u32 = 1024 * 1024;
const WINDOW_S: u32 = 10;
/// More replicas than these are not read.
const MAX_REPLICAS: usize = 50;

/// What was read.
pub struct Evidence {
    pub(super) mesh: Mesh,
    pub(super) usage: Read<PodUsage>,
    pub(super) replicas: Vec<Replica>,
    pub(super) proxies: Vec<ProxyPod>,
    pub(super) answers: Vec<Answer<ProxyDns>>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) now: jiff::Timestamp,
}

/// A replica of CoreDNS and what it told.
pub(super) struct Replica {
    pub(super) pod: String,
    pub(super) first: Read<DnsMetrics>,
    /// The second reading, and the seconds between them; `None` where it was read once.
    pub(super) second: Option<(Read<DnsMetrics>, f64)>,
    pub(super) log: Option<Read<LogDigest>>,
}

pub(super) async fn gather(cluster: &Cluster, input: &CorednsInput) -> Result<Evidence, Error> {
    let mut skipped = Vec::new();
    let revisions = match &input.revision {
        Some(revision) => {
            let control_plane = cluster.control_plane_of(&[], Some(revision)).await?;
            skipped.extend(control_plane.skipped.iter().cloned());
            Some(control_plane.revisions())
        }
        None => None,
    };
    let mesh = cluster.whole_mesh(KindSet::all()).await?.build();
    let usage = pod_usage::read(cluster, &Scope::Namespaces(vec![NAMESPACE.to_owned()])).await?;
    let pods = dns_pods(&mesh);
    if pods.len() > MAX_REPLICAS {
        let what = format!("{} more replicas of CoreDNS", pods.len() - MAX_REPLICAS);
        skipped.push(Skipped::new(what, format!("no more than {MAX_REPLICAS} are read")));
    }

    let window = if cluster.is_recording() { 0 } else { input.window_s.unwrap_or(WINDOW_S) };
    let proxies = proxy_sample::proxies(&mesh, &input.namespace, revisions.as_deref());
    let replicas = pods.iter().take(MAX_REPLICAS).map(|pod| replica(cluster, pod, window, input));
    let (replicas, answers) = futures::join!(join_all(replicas), ask(cluster, &mesh, &proxies, input, &mut skipped));
    let replicas = replicas.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Evidence { usage, replicas, proxies, answers: answers?, skipped, now: cluster.now(), mesh })
}

/// The names of CoreDNS's pods.
fn dns_pods(mesh: &Mesh) -> Vec<String> {
    let pods = mesh.in_namespace(Kind::Pod, NAMESPACE).filter(|pod| pod.label(LABEL.0) == Some(LABEL.1));
    pods.filter(|pod| !mesh::is_finished(pod)).map(|pod| pod.name().to_owned()).collect()
}

async fn ask(
    cluster: &Cluster,
    mesh: &Mesh,
    proxies: &[ProxyPod],
    input: &CorednsInput,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Answer<ProxyDns>>, Error> {
    let most = input.max_proxies.unwrap_or(10) as usize;
    if most == 0 {
        skipped.push(Skipped::new("what proxies resolve", "max_proxies is 0"));
        return Ok(Vec::new());
    }
    let choice = proxy_sample::choose(proxies, 1, most);
    skipped.extend(choice.skipped);
    let time = Duration::from_secs(input.deadline_s.unwrap_or(20).into());
    let question = |proxy: ProxyPod| {
        let captures = capture::captures(mesh, &proxy);
        async move { capture::read(cluster, &proxy, captures).await }
    };
    proxy_sample::ask(choice.chosen, time, question).await
}

async fn replica(cluster: &Cluster, pod: &str, window_s: u32, input: &CorednsInput) -> Result<Replica, Error> {
    let first = cluster::read(metrics(cluster, pod).await)?;
    let at = Instant::now();
    let lines = input.log_lines.unwrap_or(500);
    let log = if lines == 0 { None } else { Some(log(cluster, pod, lines).await?) };
    let second = if window_s > 0 && first.is_ok() {
        tokio::time::sleep_until(at + Duration::from_secs(window_s.into())).await;
        let second = cluster::read(metrics(cluster, pod).await)?;
        Some((second, at.elapsed().as_secs_f64()))
    } else {
        None
    };
    Ok(Replica { pod: pod.to_owned(), first, second, log })
}

async fn metrics(cluster: &Cluster, pod: &str) -> Result<DnsMetrics, Error> {
    let limits = PodHttpLimits { max_bytes: MAX_METRICS_BYTES, deadline: Duration::from_secs(10) };
    let place = Place { namespace: NAMESPACE.to_owned(), pod: pod.to_owned(), node: None, port: METRICS };
    let page = cluster.port_at(place).page_within("/metrics", limits).await?;
    Ok(DnsMetrics::read(&String::from_utf8_lossy(&page)))
}

async fn log(cluster: &Cluster, pod: &str, lines: u32) -> Result<Read<LogDigest>, Error> {
    let query = LogQuery { tail: Some(lines), limit_bytes: Some(MAX_LOG_BYTES), ..LogQuery::default() };
    let log = cluster::read(cluster.log(NAMESPACE, pod, CONTAINER, &query).await)?;
    Ok(log.map(|log| {
        let mut digest = DigestBuilder::new(Source::Coredns);
        for line in log.lines() {
            digest.push(line);
        }
        digest.finish()
    }))
}
