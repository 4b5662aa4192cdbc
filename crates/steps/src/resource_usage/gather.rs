//! Reads the mesh, the metrics API, the pages and logs of some proxies, and the metrics of istiod.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};

use super::super::{
    pod_usage::{self, PodUsage},
    proxy_sample::{self, Answer, ProxyPod},
    target,
};
use super::{
    ResourceUsageInput,
    facts::{LogFacts, ProxyFacts},
    statistics,
};
use cluster::{
    self, Cluster, Error, Istiod, LogQuery, Scope,
    pod_http::{ENVOY_ADMIN, PodHttpError, PodPort},
};
use envoy::{
    clusters_page::Clusters,
    footprint::{Footprint, Services},
    server_info::{Memory, ServerInfo},
    traffic::Traffic,
};
use mesh::{KindSet, Mesh};
use report::{Read, Skipped};

/// Replicas of istiod that are asked at once.
const AT_ONCE: usize = 8;
/// Of istiod's metrics: some 20 MB in a large mesh.
const MAX_METRICS_BYTES: usize = 64 * 1024 * 1024;
/// Of one proxy's access log.
const MAX_LOG_BYTES: u32 = 2 * 1024 * 1024;

/// What was read.
pub struct Evidence {
    pub(super) mesh: Mesh,
    pub(super) usage: Read<PodUsage>,
    /// Every proxy of the namespaces and revision that were asked for.
    pub(super) proxies: Vec<ProxyPod>,
    pub(super) answers: Vec<Answer<ProxyFacts>>,
    /// Replicas of istiod with their metrics.
    pub(super) istiods: Vec<(Istiod, Read<Bytes>)>,
    pub(super) skipped: Vec<Skipped>,
}

pub(super) async fn gather(cluster: &Cluster, input: &ResourceUsageInput) -> Result<Evidence, Error> {
    let control_plane = cluster.control_plane_of(&[], input.revision.as_deref()).await?;
    let revisions = input.revision.as_ref().map(|_| control_plane.revisions());
    let mut skipped = control_plane.skipped.clone();
    let mesh = cluster.whole_mesh(KindSet::all()).await?.build();
    let usage = pod_usage::read(cluster, &Scope::All).await?;

    let proxies = proxy_sample::proxies(&mesh, &input.namespace, revisions.as_deref());
    let per_workload = input.per_workload.unwrap_or(1) as usize;
    let choice = proxy_sample::choose(&proxies, per_workload, input.max_proxies.unwrap_or(50) as usize);
    skipped.extend(choice.skipped);
    let log_lines = input.log_lines.unwrap_or(1000);
    let time = Duration::from_secs(input.deadline_s.unwrap_or(30).into());
    let known = &Known::default();
    let question = |proxy: ProxyPod| async move {
        let mut facts = read_proxy(cluster, &proxy, log_lines).await?;
        if let Ok(ProxyFacts { footprint: Ok(footprint), .. }) = &mut facts {
            known.share(footprint);
        }
        Ok(facts)
    };
    let answers = proxy_sample::ask(choice.chosen, time, question).await?;

    let asked = stream::iter(control_plane.istiods).map(|istiod| async {
        let metrics = cluster::read(metrics(cluster, &istiod).await)?;
        Ok((istiod, metrics))
    });
    let istiods: Vec<Result<_, Error>> = asked.buffered(AT_ONCE).collect().await;
    let istiods = istiods.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Evidence { mesh, usage, proxies, answers, istiods, skipped })
}

async fn metrics(cluster: &Cluster, istiod: &Istiod) -> Result<Bytes, Error> {
    cluster.istiod_port(istiod).page("/metrics", MAX_METRICS_BYTES).await
}

/// The pages of one proxy, one after the other: Envoy answers on its main thread. A port that does not answer at all is
/// asked once.
async fn read_proxy(cluster: &Cluster, proxy: &ProxyPod, log_lines: u32) -> Result<Read<ProxyFacts>, Error> {
    let mut envoy = proxy.port(cluster, ENVOY_ADMIN);
    let first = envoy.page("/server_info").await;
    if let Err(Error::Pod(error)) = &first
        && !matches!(error, PodHttpError::Status { .. })
    {
        return Ok(Err(error.skipped()));
    }
    let info = read(first, proxy, "/server_info", ServerInfo::parse).await?;
    let memory = ask(&mut envoy, proxy, "/memory", Memory::parse).await?;
    let footprint = ask(&mut envoy, proxy, "/config_dump", Footprint::read).await?;
    let traffic = |page: &[u8]| Clusters::parse(page).map(|page| Traffic::of(&page));
    let traffic = ask(&mut envoy, proxy, "/clusters", traffic).await?;
    let statistics = |page: &[u8]| Ok(statistics::read(&String::from_utf8_lossy(page)));
    let statistics = ask(&mut envoy, proxy, "/stats/prometheus?usedonly", statistics).await?;
    let log = if log_lines == 0 { None } else { Some(log(cluster, proxy, log_lines).await?) };
    Ok(Ok(ProxyFacts { info, memory, footprint, traffic, statistics, log }))
}

async fn ask<T: Send + 'static>(
    envoy: &mut PodPort,
    proxy: &ProxyPod,
    path: &str,
    parse: impl Fn(&[u8]) -> Result<T, envoy::Error> + Send + 'static,
) -> Result<Read<T>, Error> {
    read(envoy.page(path).await, proxy, path, parse).await
}

/// Reads a page away from the threads that serve requests: a dump may be 100 MB.
async fn read<T: Send + 'static>(
    page: Result<Bytes, Error>,
    proxy: &ProxyPod,
    path: &str,
    parse: impl Fn(&[u8]) -> Result<T, envoy::Error> + Send + 'static,
) -> Result<Read<T>, Error> {
    let page = match cluster::read(page)? {
        Ok(page) => page,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let what = format!("{path} of {}", proxy.place());
    match tokio::task::spawn_blocking(move || parse(&page)).await {
        Ok(parsed) => Ok(parsed.map_err(|error| Skipped::new(what, cluster::chain(&error)))),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

async fn log(cluster: &Cluster, proxy: &ProxyPod, lines: u32) -> Result<Read<LogFacts>, Error> {
    let query = LogQuery { tail: Some(lines), limit_bytes: Some(MAX_LOG_BYTES), ..LogQuery::default() };
    let log = cluster.log(&proxy.namespace, &proxy.name, target::PROXY, &query).await;
    Ok(cluster::read(log)?.map(|log| LogFacts::read(log.lines())))
}

/// What proxies know, kept once where it is equal.
#[derive(Default)]
struct Known(Mutex<Vec<Arc<Services>>>);

impl Known {
    fn share(&self, footprint: &mut Footprint) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.iter().find(|other| **other == footprint.services) {
            Some(other) => footprint.services = Arc::clone(other),
            None => known.push(Arc::clone(&footprint.services)),
        }
    }
}
