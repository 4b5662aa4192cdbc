//! What a proxy shows of itself that is connected to no istiod, or is slow, or was asked for: whether it ever got
//! configuration, its own state, and what its agent says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::{
    lean_pod::LeanPod,
    target::{self, PROXY},
};
use super::frozen::{self, Gone};
use cluster::{
    Cluster, Error, LogQuery, Resource, Scope,
    pod_http::{ENVOY_ADMIN, PodHttpLimits, PodPort},
};
use envoy::{clusters_page::Clusters, server_info::ServerInfo};
use logs::{LogDigest, Source, digest};
use report::{Read, Severity, Skipped};

/// Proxies that are asked, and at once.
const MOST: usize = 8;
const AT_ONCE: usize = 4;
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;
const MAX_DUMP_BYTES: usize = 256 * 1024 * 1024;
/// The agent tries to connect again every few seconds, and says each time why it could not.
const LOG: LogQuery = LogQuery { tail: Some(300), since_s: None, previous: false, limit_bytes: Some(512 * 1024) };
/// Listeners that every proxy of Istio has from its bootstrap: for statistics and for health.
const OWN_PORTS: [&str; 2] = ["15090", "15021"];

/// What one proxy shows.
#[derive(Debug)]
pub(super) struct Signs {
    /// Whether it has listeners besides its own.
    pub(super) is_configured: Read<bool>,
    pub(super) has_certificate: Read<bool>,
    /// Envoy's own state, `LIVE` where all is well.
    pub(super) state: Read<String>,
    /// Endpoints that it has and Kubernetes has not; `None` where that could not be compared.
    pub(super) gone: Option<Gone>,
    pub(super) log: Read<LogDigest>,
}

/// What the agent says of its connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reason<'s> {
    pub(super) message: &'s str,
    pub(super) sample: &'s str,
    pub(super) remedy: &'s str,
    /// The problem of the catalogue, where the line is a known one.
    pub(super) problem: &'s str,
}

impl Signs {
    /// Whether it never got anything; `None` where that cannot be told.
    pub(super) fn never_configured(&self) -> Option<bool> {
        match (&self.is_configured, &self.has_certificate) {
            (Ok(true), _) | (_, Ok(true)) => Some(false),
            (Ok(false), Ok(false)) => Some(true),
            _ => None,
        }
    }

    /// Envoy's state, where it is not live. Kubernetes may call the pod ready all the same: its probe asks the agent, or
    /// nothing at all.
    pub(super) fn not_live(&self) -> Option<&str> {
        self.state.as_deref().ok().filter(|state| !matches!(*state, "LIVE" | ""))
    }

    pub(super) fn reason(&self) -> Option<Reason<'_>> {
        let digest = self.log.as_ref().ok()?;
        let is_bad = |severity: Severity| severity >= Severity::Warning;
        let mut known: Vec<_> = digest.signatures.iter().filter(|hit| is_bad(hit.severity)).collect();
        // A reason that names a certificate, a token or a name says more than that the stream has ended.
        known.sort_by_key(|hit| is_consequence(&hit.id));
        if let Some(hit) = known.first() {
            let sample = hit.samples.first().map(String::as_str).unwrap_or_default();
            return Some(Reason { message: &hit.message, sample, remedy: &hit.remedy, problem: &hit.problem });
        }
        let unknown = digest.unknown.first()?;
        Some(Reason { message: &unknown.text, sample: &unknown.sample, remedy: "", problem: "" })
    }
}

/// Lines that only say that there is no connection, or what comes of that.
fn is_consequence(id: &str) -> bool {
    ["proxy-xds", "proxy-not-ready", "proxy-readiness", "proxy-stream", "proxy-warming"]
        .iter()
        .any(|start| id.starts_with(start))
}

/// Asks some of these proxies; by `<pod>.<namespace>`.
pub(super) async fn gather(
    cluster: &Cluster,
    pods: &[&Pod],
    skipped: &mut Vec<Skipped>,
) -> Result<BTreeMap<String, Signs>, Error> {
    let mut pods = pods.to_vec();
    // Those that are not ready first, as they are the ones that may never have got anything.
    pods.sort_by_key(|pod| target::container_status(pod, PROXY).is_some_and(|status| status.ready));
    if pods.len() > MOST {
        let what = format!("what {} of {} unconnected proxies say", pods.len() - MOST, pods.len());
        skipped.push(Skipped::new(what, format!("at most {MOST} are asked")));
        pods.truncate(MOST);
    }
    if pods.is_empty() {
        return Ok(BTreeMap::new());
    }
    let addresses = addresses(cluster).await?;
    let addresses = addresses.as_ref();
    let pods: Vec<Pod> = pods.into_iter().cloned().collect();
    let asked = stream::iter(pods).map(|pod| async move { one(cluster, &pod, addresses).await });
    let asked: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut found = BTreeMap::new();
    for signs in asked {
        let (name, signs) = signs?;
        let parts =
            [signs.is_configured.as_ref().err(), signs.has_certificate.as_ref().err(), signs.log.as_ref().err()];
        for part in parts.into_iter().flatten() {
            let mut part = part.clone();
            part.silences.push(format!("what proxy {name} shows of itself"));
            skipped.push(part);
        }
        found.insert(name, signs);
    }
    Ok(found)
}

async fn one(cluster: &Cluster, pod: &Pod, addresses: Option<&BTreeSet<IpAddr>>) -> Result<(String, Signs), Error> {
    let mut envoy = cluster.pod_port(pod, ENVOY_ADMIN);
    let limits = PodHttpLimits { max_bytes: MAX_PAGE_BYTES, ..PodHttpLimits::default() };
    let is_configured = match cluster::read(envoy.page_within("/listeners", limits).await)? {
        Ok(page) => Ok(has_other_listeners(&String::from_utf8_lossy(&page))),
        Err(reason) => Err(reason),
    };
    // Who does not answer once is not waited for again.
    let has_certificate = match &is_configured {
        Ok(_) => cluster::read(envoy.page_within("/certs", limits).await)?.map(|page| has_certificate(&page)),
        Err(reason) => Err(reason.clone()),
    };
    let state = match &is_configured {
        Ok(_) => cluster::read(envoy.page_within("/server_info", limits).await)?.map(|page| state(&page)),
        Err(reason) => Err(reason.clone()),
    };
    let gone = match (&is_configured, addresses) {
        (Ok(true), Some(addresses)) => gone(&mut envoy, addresses).await?,
        _ => None,
    };
    let (namespace, name) = (target::namespace(pod), target::name(pod));
    let log = cluster::read(cluster.log(namespace, name, PROXY, &LOG).await)?;
    let log = log.map(|log| digest::digest(Source::Proxy, log.lines()));
    Ok((format!("{name}.{namespace}"), Signs { is_configured, has_certificate, state, gone, log }))
}

/// What the proxy has and Kubernetes has not, and since when; where its pages can be read.
async fn gone(envoy: &mut PodPort, addresses: &BTreeSet<IpAddr>) -> Result<Option<Gone>, Error> {
    let limits = PodHttpLimits { max_bytes: MAX_DUMP_BYTES, ..PodHttpLimits::default() };
    let Ok(page) = cluster::read(envoy.page_within("/clusters", limits).await)? else { return Ok(None) };
    let Ok(page) = Clusters::parse(&page) else { return Ok(None) };
    let mut gone = Gone::find(&page, addresses);
    if !gone.endpoints.is_empty()
        && let Ok(dump) = cluster::read(envoy.page_within("/config_dump", limits).await)?
    {
        gone.since = frozen::last_update(&dump);
    }
    Ok(Some(gone))
}

/// The addresses of all pods; `None` where some could not be listed.
async fn addresses(cluster: &Cluster) -> Result<Option<BTreeSet<IpAddr>>, Error> {
    let listed = cluster::read(cluster.list::<LeanPod>(&Resource::pods(), &Scope::All, None).await)?;
    let complete = listed.ok().filter(|listed| listed.skipped.is_empty());
    let address = |LeanPod(pod): &LeanPod| pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok();
    Ok(complete.map(|listed| listed.items.iter().filter_map(address).collect()))
}

fn state(page: &[u8]) -> String {
    ServerInfo::parse(page).map(|info| info.state).unwrap_or_default()
}

/// Lines are `<name>::<address>`.
fn has_other_listeners(page: &str) -> bool {
    let ports = page.lines().filter_map(|line| line.trim().rsplit_once(':')).map(|(_, port)| port);
    ports.into_iter().any(|port| !OWN_PORTS.contains(&port))
}

/// Whether Envoy holds a chain of its own; the roots that it trusts come without.
fn has_certificate(page: &[u8]) -> bool {
    let page: Value = serde_json::from_slice(page).unwrap_or_default();
    let all = page["certificates"].as_array();
    all.is_some_and(|all| all.iter().any(|one| one["cert_chain"].as_array().is_some_and(|chain| !chain.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(listeners: &str, certificates: &str, log: &str) -> Signs {
        Signs {
            is_configured: Ok(has_other_listeners(listeners)),
            has_certificate: Ok(has_certificate(certificates.as_bytes())),
            state: Ok("LIVE".to_owned()),
            gone: None,
            log: Ok(digest::digest(Source::Proxy, log.lines())),
        }
    }

    const OWN: &str = "5a1c::0.0.0.0:15090\n77d0::0.0.0.0:15021\n";

    #[test]
    fn a_proxy_with_nothing_but_its_own_never_got_anything() {
        assert_eq!(signs(OWN, r#"{"certificates": []}"#, "").never_configured(), Some(true));
        let configured = format!("{OWN}virtualInbound::0.0.0.0:15006\n");
        assert_eq!(signs(&configured, r#"{"certificates": []}"#, "").never_configured(), Some(false));
        let waiting = Signs { state: Ok("PRE_INITIALIZING".to_owned()), ..signs(OWN, "{}", "") };
        assert_eq!((waiting.not_live(), signs(OWN, "{}", "").not_live()), (Some("PRE_INITIALIZING"), None));
        // A gateway that nobody has made a Gateway for has a certificate and no listener.
        let chain = r#"{"certificates": [{"ca_cert": [], "cert_chain": [{"serial_number": "1"}]}]}"#;
        assert_eq!(signs(OWN, chain, "").never_configured(), Some(false));
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        let mut unread = signs(OWN, "{}", "");
        unread.has_certificate = Err(Skipped::new("/certs", "no answer"));
        assert_eq!(unread.never_configured(), None);
    }

    #[test]
    fn the_agents_reason_goes_before_what_comes_of_it() {
        let log = "2026-03-01T10:00:00.000000Z\twarn\txdsproxy\tfailed to connect to upstream \
                   istiod.istio-system.svc:15012: dial tcp: connection refused\n\
                   2026-03-01T10:00:01.000000Z\twarn\tca\tca request failed: x509: certificate signed by unknown \
                   authority\n";
        let signs = signs(OWN, "{}", log);
        let reason = signs.reason().expect("a reason");
        assert!(reason.message.contains("certificate signed by unknown authority"), "{reason:?}");
        assert_eq!(super::Signs { log: Ok(digest::digest(Source::Proxy, [])), ..signs }.reason(), None);
    }
}
