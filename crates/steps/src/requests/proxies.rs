//! What the proxies on a path say themselves: listeners that they have refused, endpoints that they have put aside, secrets that
//! they wait for.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;

use crate::proxy_sample::{Answer, ProxyPod, ask};
use cluster::{Cluster, Error, pod_http::ENVOY_ADMIN};
use envoy::{clusters_page::Clusters, config_dump::ConfigDump};
use mesh::{Kind, Mesh, Proxy, secret_of};
use paths::Facts;
use report::{Read, Skipped};

/// For all proxies together.
const TIME: Duration = Duration::from_secs(15);

/// What one proxy says.
#[derive(Debug, Default)]
struct Standing {
    refused: Vec<String>,
    awaited: Vec<String>,
    /// The certificates that it trusts.
    roots: BTreeSet<String>,
    /// Clusters and endpoints.
    ejected: Vec<(String, String)>,
}

/// Asks the proxies of some pods.
pub async fn gather(
    cluster: &Cluster,
    mesh: &Mesh,
    pods: &BTreeSet<(String, String)>,
) -> Result<(Facts, Vec<Skipped>), Error> {
    let found = pods.iter().filter_map(|(namespace, name)| mesh.find(Kind::Pod, namespace, name));
    let proxies: Vec<ProxyPod> =
        found.filter(|pod| Proxy::of(pod).is_some()).map(ProxyPod::of).filter(|proxy| proxy.is_running).collect();
    let answers: Vec<Answer<Standing>> = ask(proxies, TIME, |proxy| read(cluster, proxy)).await?;
    let (mut facts, mut skipped) = (Facts::default(), Vec::new());
    for (proxy, answer) in answers {
        let standing = match answer {
            Ok(standing) => standing,
            Err(part) => {
                skipped.push(part);
                continue;
            }
        };
        let place = || (proxy.namespace.clone(), proxy.name.clone());
        facts.roots.insert(place(), standing.roots);
        for listener in standing.refused {
            let (namespace, pod) = place();
            facts.refused_listeners.insert((namespace, pod, listener));
        }
        for (cluster, endpoint) in standing.ejected {
            let (namespace, pod) = place();
            facts.ejected.insert((namespace, pod, cluster, endpoint));
        }
        for secret in standing.awaited {
            if let Some((secret_namespace, name)) = secret_of(&secret, &proxy.namespace) {
                let (namespace, pod) = place();
                facts.awaited_secrets.insert((namespace, pod, secret_namespace.to_owned(), name.to_owned()));
            }
        }
    }
    Ok((facts, skipped))
}

async fn read(cluster: &Cluster, proxy: ProxyPod) -> Result<Read<Standing>, Error> {
    let mut envoy = proxy.port(cluster, ENVOY_ADMIN);
    let mut pages = Vec::new();
    for page in ["/config_dump", "/clusters?format=json"] {
        match cluster::read(envoy.page(page).await)? {
            Ok(page) => pages.push(page),
            Err(skipped) => return Ok(Err(skipped)),
        }
    }
    let place = proxy.place();
    let parsed = tokio::task::spawn_blocking(move || parse(&pages)).await;
    match parsed {
        Ok(Ok(standing)) => Ok(Ok(standing)),
        Ok(Err(error)) => Ok(Err(Skipped::new(format!("pages of {place}"), cluster::chain(&error)))),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn parse(pages: &[Bytes]) -> Result<Standing, envoy::Error> {
    let [dump, clusters] = pages else { return Ok(Standing::default()) };
    let dump = ConfigDump::parse(dump)?;
    const BEGINS: &str = "-----BEGIN CERTIFICATE-----";
    // One that has none yet trusts nobody, which is no reason to call it a stranger.
    let bundle = envoy::secrets::root_ca(&dump).unwrap_or_default();
    let roots = bundle.split(BEGINS).skip(1).map(|block| block.split_whitespace().collect::<String>());
    let mut standing = Standing {
        roots: roots.collect(),
        refused: dump.refused_listeners(),
        awaited: dump.awaited_secrets(),
        ejected: Vec::new(),
    };
    for cluster in Clusters::parse(clusters)?.clusters {
        for host in cluster.hosts.iter().filter(|host| host.health.failed_outlier_check) {
            standing.ejected.push((cluster.name.clone(), format!("{}:{}", host.address.address, host.address.port)));
        }
    }
    Ok(standing)
}
