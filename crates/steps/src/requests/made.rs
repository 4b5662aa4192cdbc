//! Requests that are really made, as the access logs of clients' proxies show them.

use std::collections::{BTreeMap, BTreeSet};

use super::observed;
use cluster::{Cluster, Error};
use mesh::{Kind, Mesh, Proxy, host, is_gateway, is_ready};
use paths::{Protocol, Request};
use report::Skipped;

/// Proxies whose logs are read.
const MOST: usize = 50;
/// Different requests that are kept.
const MOST_REQUESTS: usize = 2000;

/// Who, where to, and how often.
#[derive(Debug, Default)]
pub(super) struct Made {
    counts: BTreeMap<(String, String), u64>,
    pub(super) skipped: Vec<Skipped>,
}

/// A request in words: `GET http://cart.shop:8080/cart`.
pub(super) fn written(request: &Request) -> String {
    let scheme = match request.protocol {
        Protocol::Http => "http",
        Protocol::Https => "https",
        Protocol::Tcp => "tcp",
        Protocol::Tls => "tls",
    };
    match request.protocol {
        Protocol::Http | Protocol::Https => {
            format!("{} {scheme}://{}:{}{}", request.method, request.host, request.port, request.path)
        }
        Protocol::Tcp | Protocol::Tls => format!("{scheme}://{}:{}", request.host, request.port),
    }
}

/// Reads the logs of one ready proxy of each workload.
pub(super) async fn gather(cluster: &Cluster, mesh: &Mesh) -> Result<Made, Error> {
    let workloads = mesh.workloads();
    let with_proxy = |pod: &&&mesh::Object| Proxy::of(pod).is_some() && !is_gateway(pod) && is_ready(pod);
    let all: Vec<_> = workloads.iter().filter_map(|(_, pods)| pods.iter().find(with_proxy)).collect();
    let pods: BTreeSet<(String, String)> =
        all.iter().take(MOST).map(|pod| (pod.namespace().to_owned(), pod.name().to_owned())).collect();
    let mut logs = observed::gather(cluster, mesh, &pods).await?;
    let mut made = Made { skipped: std::mem::take(&mut logs.skipped), ..Made::default() };
    if all.len() > MOST {
        made.skipped.push(Skipped::new(
            format!("access logs of {} workloads", all.len() - MOST),
            format!("at most {MOST} are read"),
        ));
    }
    for ((namespace, pod), lines) in logs.lines() {
        let Some(object) = mesh.find(Kind::Pod, namespace, pod) else { continue };
        let caller = mesh.workload_of(object).full_name();
        for mut request in lines.iter().filter_map(observed::request_of) {
            request.host = full_name(mesh, namespace, &request.host);
            if made.counts.len() < MOST_REQUESTS {
                *made.counts.entry((caller.clone(), written(&request))).or_default() += 1;
            }
        }
    }
    Ok(made)
}

/// A service's full name for any of the forms in which an application may write it.
fn full_name(mesh: &Mesh, namespace: &str, name: &str) -> String {
    let short = name.strip_suffix(".svc.cluster.local").or(name.strip_suffix(".svc")).unwrap_or(name);
    let (service, place) = short.split_once('.').unwrap_or((short, namespace));
    let is_service = mesh.find(Kind::Service, place, service).is_some();
    if is_service { host::fqdn(place, service) } else { name.to_owned() }
}

impl Made {
    pub(super) fn count(&self, caller: &str, request: &Request) -> u64 {
        self.counts.get(&(caller.to_owned(), written(request))).copied().unwrap_or_default()
    }

    /// Each with who makes it.
    pub(super) fn requests(&self) -> Vec<(String, Request)> {
        let parsed = self.counts.keys().filter_map(|(caller, text)| {
            let (method, url) = text.split_once(' ')?;
            let asked =
                super::AskedRequest { to: url.to_owned(), method: Some(method.to_owned()), ..Default::default() };
            Some((caller.clone(), asked.request().ok()?))
        });
        parsed.collect()
    }
}
