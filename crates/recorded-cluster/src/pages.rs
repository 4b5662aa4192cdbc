//! Which file answers a request to a port of a pod. istiod's and Envoy's pages are recorded by name.

use serde_json::Value;

use super::store::{Kind, Store, text};

/// What a port answers.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Envoy's admin pages, with the query that selects them, and their files.
/// <https://www.envoyproxy.io/docs/envoy/latest/operations/admin>
pub(super) static ENVOY_PAGES: &[(&str, &str)] = &[
    ("/config_dump", "config_dump.json"),
    ("/config_dump?include_eds", "config_dump_include_eds.json"),
    ("/clusters", "clusters.txt"),
    ("/clusters?format=json", "clusters.json"),
    ("/listeners", "listeners.txt"),
    ("/listeners?format=json", "listeners.json"),
    ("/stats", "stats.txt"),
    ("/stats?format=prometheus", "stats_prometheus.txt"),
    ("/stats/prometheus", "stats_prometheus.txt"),
    ("/server_info", "server_info.json"),
    ("/certs", "certs.json"),
    ("/memory", "memory.json"),
    ("/ready", "ready.txt"),
    ("/runtime", "runtime.json"),
    ("/init_dump", "init_dump.json"),
    ("/logging", "logging.txt"),
    ("/contention", "contention.json"),
];

const ENVOY: u16 = 15000;
const AGENT: u16 = 15020;
const HEALTH: u16 = 15021;
const ENVOY_STATS: u16 = 15090;
const ISTIOD: [u16; 2] = [15014, 8080];

impl Store {
    /// Whether anything is recorded behind this port.
    pub(super) fn has_port(&self, namespace: &str, pod: &str, port: u16) -> bool {
        let folder = match (self.kind, port) {
            (Kind::Own, ENVOY | AGENT | HEALTH | ENVOY_STATS) => "envoy",
            (Kind::Own, 15014 | 8080) if self.has(&format!("istiod/{namespace}/{pod}/")) => "istiod",
            (Kind::Own, _) => return self.has(&format!("ports/{namespace}/{pod}/{port}/")),
            (Kind::BugReport, ENVOY | ENVOY_STATS) => {
                return self.bug_report_has(&format!("proxies/{namespace}/{pod}/"));
            }
            (Kind::BugReport, 15014 | 8080) => return self.bug_report_has(&format!("istio/{namespace}/{pod}/")),
            (Kind::BugReport | Kind::Yaml, _) => return false,
        };
        self.has(&format!("{folder}/{namespace}/{pod}/"))
    }

    /// That something failed is written down too, and is no page.
    fn has(&self, folder: &str) -> bool {
        self.tree.below(folder).any(|path| !has_ending(path, "error"))
    }

    /// A log alone is no page.
    fn bug_report_has(&self, folder: &str) -> bool {
        self.tree.below(folder).any(|path| !has_ending(path, "log") && !has_ending(path, "error"))
    }

    /// The recorded answer to a request, `None` when it was not recorded. Reads from disk.
    pub(super) fn page(&self, namespace: &str, pod: &str, port: u16, target: &str) -> Option<Page> {
        let path = match self.kind {
            Kind::Own => self.own_page(namespace, pod, port, target)?,
            Kind::BugReport => bug_report_page(namespace, pod, port, target)?,
            Kind::Yaml => return None,
        };
        if let Ok(body) = self.tree.read(&path) {
            return Some(Page { status: 200, body });
        }
        // The dump with endpoints has everything that the one without has.
        if let Some(folder) = path.strip_suffix("/config_dump.json").filter(|_| port == ENVOY)
            && let Ok(body) = self.tree.read(&format!("{folder}/config_dump_include_eds.json"))
        {
            return Some(Page { status: 200, body });
        }
        // Another answer than 200 lies beside: the status on the first line, then the body.
        let Ok(answer) = self.tree.read(&format!("{path}.status")) else {
            return self.not_connected(namespace, pod, port, target);
        };
        let end = answer.iter().position(|byte| *byte == b'\n').unwrap_or(answer.len());
        let status = std::str::from_utf8(&answer[..end]).ok()?.trim().parse().ok()?;
        Some(Page { status, body: answer.get(end + 1..).unwrap_or_default().to_vec() })
    }

    /// istiod's answer about a proxy that is connected elsewhere or nowhere. It need not be recorded for each: the
    /// recorded list of connections tells.
    fn not_connected(&self, namespace: &str, pod: &str, port: u16, target: &str) -> Option<Page> {
        const ANSWER: &str = "Proxy not connected to this Pilot instance. It may be connected to another instance.\n";
        if self.kind != Kind::Own || !ISTIOD.contains(&port) {
            return None;
        }
        let proxy = proxy_id(target)?;
        let syncz = self.tree.read(&format!("istiod/{namespace}/{pod}/debug/syncz")).ok()?;
        let connections: Value = serde_json::from_slice(&syncz).ok()?;
        let mut connected = connections.as_array()?.iter().map(|connection| text(connection, &["proxy"]));
        let is_connected = connected.any(|connected| connected == proxy);
        (!is_connected).then(|| Page { status: 404, body: ANSWER.into() })
    }

    fn own_page(&self, namespace: &str, pod: &str, port: u16, target: &str) -> Option<String> {
        if ISTIOD.contains(&port) && self.has(&format!("istiod/{namespace}/{pod}/")) {
            return Some(format!("istiod/{namespace}/{pod}/{}", istiod_file(target)));
        }
        let envoy = |file: &str| Some(format!("envoy/{namespace}/{pod}/{file}"));
        let (bare, _) = split(target);
        match (port, bare) {
            (ENVOY, _) => envoy(envoy_file(target)?),
            (AGENT | HEALTH | ENVOY_STATS, "/healthz/ready") => envoy("healthz_ready.txt"),
            (AGENT, "/stats/prometheus") => envoy("agent_stats_prometheus.txt"),
            (HEALTH | ENVOY_STATS, "/stats/prometheus") => envoy("stats_prometheus.txt"),
            (AGENT | HEALTH | ENVOY_STATS, "/debug/ndsz") => envoy("agent_ndsz.json"),
            (AGENT | HEALTH | ENVOY_STATS, _) => None,
            _ => Some(format!("ports/{namespace}/{pod}/{port}/{}", bare.trim_start_matches('/'))),
        }
    }
}

fn has_ending(path: &str, ending: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|found| found == ending)
}

/// The path and the query of a request target.
fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

/// Masks and filters of a dump are not applied: whoever asks gets the whole page.
fn envoy_file(target: &str) -> Option<&'static str> {
    let file = |wanted: &str| ENVOY_PAGES.iter().find(|(page, _)| *page == wanted).map(|(_, file)| *file);
    let (bare, query) = split(target);
    if let Some(found) = file(target) {
        return Some(found);
    }
    if bare == "/config_dump" && query.contains("include_eds") {
        return file("/config_dump?include_eds");
    }
    file(bare)
}

/// The file of an istiod page, below the pod's folder.
pub(super) fn istiod_file(target: &str) -> String {
    let (bare, _) = split(target);
    match proxy_id(target) {
        Some(proxy) if bare == "/debug/config_dump" => format!("debug/config_dump/{proxy}.json"),
        Some(proxy) if bare == "/debug/sidecarz" => format!("debug/sidecarz_by_proxy/{proxy}.json"),
        _ => bare.trim_start_matches('/').to_owned(),
    }
}

fn proxy_id(target: &str) -> Option<String> {
    let (bare, query) = split(target);
    let mut parameters = url::form_urlencoded::parse(query.as_bytes());
    let is_about_a_proxy = matches!(bare, "/debug/config_dump" | "/debug/sidecarz");
    parameters.find(|(name, _)| name == "proxyID" && is_about_a_proxy).map(|(_, value)| value.into_owned())
}

/// istioctl names the files after the pages; the dump is always the one with endpoints.
fn bug_report_page(namespace: &str, pod: &str, port: u16, target: &str) -> Option<String> {
    let (bare, query) = split(target);
    let name = match (port, bare, query) {
        (15014 | 8080, _, "") => return Some(format!("istio/{namespace}/{pod}/{}", bare.trim_start_matches('/'))),
        (ENVOY, "/config_dump", _) => "config_dump?include_eds",
        (ENVOY, "/clusters" | "/listeners", "")
        | (ENVOY, "/certs" | "/memory" | "/server_info" | "/runtime", "" | "format=json") => &bare[1..],
        (ENVOY | ENVOY_STATS, "/stats/prometheus", _) | (ENVOY, "/stats", "format=prometheus") => "stats/prometheus",
        _ => return None,
    };
    Some(format!("proxies/{namespace}/{pod}/{name}"))
}
