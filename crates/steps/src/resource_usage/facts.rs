//! What is kept of the pages and the log of one proxy: pages of large meshes are many megabytes, so they are read where
//! they arrive.

use std::collections::BTreeMap;

use super::data::ProxyStatistics;
use envoy::{
    footprint::Footprint,
    server_info::{Memory, ServerInfo},
    traffic::Traffic,
};
use logs::{AccessLogLine, DigestBuilder, Side, Source};
use report::Read;

/// Hosts of a log that are remembered. A client chooses the names, so that there may be any number.
const MAX_HOSTS: usize = 500;
/// Clusters to which Istio sends what no service is found for.
const NO_SERVICE: [&str; 2] = ["PassthroughCluster", "BlackHoleCluster"];

/// A proxy that answered.
#[derive(Debug)]
pub(super) struct ProxyFacts {
    pub(super) info: Read<ServerInfo>,
    pub(super) memory: Read<Memory>,
    pub(super) footprint: Read<Footprint>,
    pub(super) traffic: Read<Traffic>,
    pub(super) statistics: Read<ProxyStatistics>,
    /// `None` where the log was not asked for.
    pub(super) log: Option<Read<LogFacts>>,
}

/// Where requests went, by the access log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LogFacts {
    /// Lines for each host whose cluster was found.
    pub(super) called: BTreeMap<String, u64>,
    /// Lines for each name that no service was found for.
    pub(super) unknown: BTreeMap<String, u64>,
}

impl LogFacts {
    pub(super) fn read<'l>(lines: impl Iterator<Item = &'l str>) -> Self {
        let mut reader = DigestBuilder::new(Source::Proxy);
        let mut facts = Self::default();
        for line in lines.filter_map(|raw| reader.push(raw)) {
            facts.add(&line);
        }
        facts
    }

    fn add(&mut self, line: &AccessLogLine) {
        if line.side() != Side::Outbound {
            return;
        }
        let cluster = line.upstream_cluster.as_ref();
        if let Some(host) = cluster.and_then(|cluster| cluster.host.as_deref()) {
            count(&mut self.called, host.to_owned());
            return;
        }
        let leads_nowhere = match cluster {
            Some(cluster) => NO_SERVICE.contains(&cluster.name.as_str()),
            None => line.response_flags.iter().any(|flag| flag == "NR"),
        };
        if leads_nowhere && let Some(name) = line.destination().map(bare).filter(|name| !name.is_empty()) {
            count(&mut self.unknown, name);
        }
    }
}

fn count(hosts: &mut BTreeMap<String, u64>, host: String) {
    if hosts.len() < MAX_HOSTS || hosts.contains_key(&host) {
        *hosts.entry(host).or_default() += 1;
    }
}

/// A name as a client wrote it, without its port.
fn bare(name: &str) -> String {
    let name = match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.contains(':') => host,
        _ => name,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_tells_hosts_and_names_without_a_service() {
        let line = |flags: &str, authority: &str, cluster: &str| {
            format!(
                "[2026-11-25T10:49:40.000Z] \"GET / HTTP/1.1\" 200 {flags} via_upstream - \"-\" 0 2 1 1 \"-\" \"curl\" \
                 \"id\" \"{authority}\" \"10.0.0.1:80\" {cluster} 10.0.0.2:1 10.0.0.3:80 10.0.0.2:2 - default"
            )
        };
        let lines = [
            line("-", "cart:8080", "outbound|8080||cart.shop.svc.cluster.local"),
            line("-", "Pay.Bank.svc:9090", "PassthroughCluster"),
            line("UH", "pay.bank.svc:9090", "BlackHoleCluster"),
            line("NR", "gone", "-"),
            line("-", "cart", "inbound|8080||"),
        ];
        let facts = LogFacts::read(lines.iter().map(String::as_str));
        assert_eq!(facts.called, BTreeMap::from([("cart.shop.svc.cluster.local".to_owned(), 1)]));
        assert_eq!(facts.unknown, BTreeMap::from([("pay.bank.svc".to_owned(), 2), ("gone".to_owned(), 1)]));
    }
}
