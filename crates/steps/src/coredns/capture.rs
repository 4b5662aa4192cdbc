//! What some proxies resolve by themselves, and what their agents do with the look-ups of the applications.

use bytes::Bytes;

use super::super::{proxy_sample::ProxyPod, target};
use super::data::{DnsCapture, ProxyDns};
use crate::prometheus::single;
use cluster::{self, Cluster, Error, pod_http::ENVOY_ADMIN};
use envoy::{clusters_page::Clusters, footprint::Footprint, traffic::Traffic};
use mesh::{Kind, Mesh, Workload, yaml};
use report::{Read, Skipped};

/// The agent's metrics, with those of Envoy and of the application behind them
/// (<https://istio.io/latest/docs/ops/integrations/prometheus/>).
const AGENT: u16 = 15020;
const SETTING: &str = "ISTIO_META_DNS_CAPTURE";

/// Reads one proxy.
pub(super) async fn read(cluster: &Cluster, proxy: &ProxyPod, captures: bool) -> Result<Read<ProxyDns>, Error> {
    let (namespace, pod) = (&proxy.namespace, &proxy.name);
    let mut envoy = proxy.port(cluster, ENVOY_ADMIN);
    let dump = cluster::read(envoy.page("/config_dump").await)?;
    let dump = match dump {
        Ok(dump) => dump,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let page = cluster::read(envoy.page("/clusters").await)?;
    let page = match page {
        Ok(page) => page,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let parsed = tokio::task::spawn_blocking(move || resolved(&dump, &page)).await;
    let (clusters, unresolved) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(error)) => {
            return Ok(Err(Skipped::new(format!("pages of {}", proxy.place()), cluster::chain(&error))));
        }
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    let capture = if captures {
        match cluster::read(proxy.port(cluster, AGENT).page("/stats/prometheus").await)? {
            Ok(page) => Some(capture(&String::from_utf8_lossy(&page))),
            Err(skipped) => return Ok(Err(skipped)),
        }
    } else {
        None
    };
    Ok(Ok(ProxyDns { namespace: namespace.clone(), pod: pod.clone(), clusters, unresolved, capture }))
}

type Resolved = (Vec<envoy::footprint::DnsCluster>, Vec<String>);

fn resolved(dump: &Bytes, page: &Bytes) -> Result<Resolved, envoy::Error> {
    let clusters = Footprint::read(dump)?.dns;
    let without_hosts = Traffic::of(&Clusters::parse(page)?).without_hosts;
    let unresolved = clusters.iter().map(|cluster| &cluster.name).filter(|name| without_hosts.contains(name));
    let unresolved = unresolved.cloned().collect();
    Ok((clusters, unresolved))
}

fn capture(page: &str) -> DnsCapture {
    let count = |name: &str| single(page, name).unwrap_or_default();
    DnsCapture {
        requests: count("istio_agent_dns_requests_total"),
        upstream_requests: count("istio_agent_dns_upstream_requests_total"),
        upstream_failures: count("istio_agent_dns_upstream_failures_total"),
    }
}

/// Whether the sidecar of a pod takes the application's look-ups.
pub(super) fn captures(mesh: &Mesh, proxy: &ProxyPod) -> bool {
    let Some(pod) = mesh.find(Kind::Pod, &proxy.namespace, &proxy.name) else { return false };
    let own = pod.annotation("proxy.istio.io/config").and_then(|text| yaml::first_document(text).ok().flatten());
    if let Some(value) = own.as_ref().map(|tree| tree.root().field("proxyMetadata").get(SETTING)).filter(|v| v.is_set())
    {
        return value.written() == "true";
    }
    let mut proxies = Workload::of_pod(pod).containers().filter(|found| found.get("name").text() == target::PROXY);
    let mut variables = proxies.next().into_iter().flat_map(|container| container.get("env").items());
    let variable = variables.find(|variable| variable.get("name").text() == SETTING);
    variable.is_some_and(|variable| variable.get("value").written() == "true")
}
