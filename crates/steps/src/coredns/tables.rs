//! The tables of the text: replicas and their load, configuration, look-ups of the mesh.

use std::fmt::Write as _;

use super::super::{counted, pod_usage::memory_text};
use super::data::{CorednsConfiguration, CorednsData, CorednsLoad, LoadPeriod, MeshDns};
use envoy::table::Table;

const PADDING: usize = 3;
/// Rows of a table.
const ROWS: usize = 20;

pub(crate) fn text(data: &CorednsData) -> String {
    let mut text = String::new();
    if !data.pods.is_empty() {
        replicas(data, &mut text);
    }
    configuration(&data.configuration, &mut text);
    mesh(&data.mesh, &mut text);
    text
}

fn replicas(data: &CorednsData, text: &mut String) {
    let period = match data.load.as_ref().map(|load| (load.period, load.seconds)) {
        Some((LoadPeriod::Window, seconds)) => format!("measured over {seconds:.0} s"),
        Some((LoadPeriod::SinceStart, _)) => {
            "read once: averages since the start of each, in which a peak or a fault of now does not show".to_owned()
        }
        None => "load unknown".to_owned(),
    };
    let _ = writeln!(text, "\nCoreDNS ({period})");
    let header = [
        "POD",
        "READY",
        "RESTARTS",
        "NODE",
        "MEMORY",
        "OF LIMIT",
        "CPU",
        "QUERIES/S",
        "P99 ms",
        "SERVFAIL %",
        "NXDOMAIN %",
        "CACHE HITS %",
    ];
    let mut table = Table::with_header(PADDING, &header);
    for pod in &data.pods {
        let percent = pod.used.memory_bytes.percent_of_limit.map(|percent| format!("{percent} %"));
        let mut cells = vec![
            pod.pod.clone(),
            if pod.ready { "yes" } else { "NO" }.to_owned(),
            pod.restarts.to_string(),
            pod.node.clone().unwrap_or_else(|| "-".to_owned()),
            pod.used.memory_bytes.used.map_or("-".to_owned(), memory_text),
            percent.unwrap_or_else(|| "-".to_owned()),
            optional(pod.used.cpu_millicores.used.map(|cpu| format!("{cpu}m"))),
        ];
        cells.extend(load_cells(pod.load.as_ref()));
        table.push(cells);
    }
    if data.pods.len() > 1 {
        let mut cells = vec!["all that were read".to_owned()];
        cells.extend(std::iter::repeat_n(String::new(), 6));
        cells.extend(load_cells(data.load.as_ref()));
        table.push(cells);
    }
    text.push_str(&table.text());
}

fn load_cells(load: Option<&CorednsLoad>) -> [String; 5] {
    [
        optional(load.map(|load| load.requests_per_s)),
        optional(load.and_then(|load| load.p99_ms)),
        optional(load.and_then(|load| load.servfail_percent)),
        optional(load.and_then(|load| load.nxdomain_percent)),
        optional(load.and_then(|load| load.cache_hit_percent)),
    ]
}

fn configuration(configuration: &CorednsConfiguration, text: &mut String) {
    text.push_str("\nConfiguration\n");
    let wanted = configuration.replicas_wanted.map(|wanted| format!(" of {wanted}")).unwrap_or_default();
    let _ = writeln!(
        text,
        "  replicas: {}{wanted} ready, on {}",
        configuration.replicas_ready,
        counted(configuration.nodes, "node")
    );
    if configuration.corefile.is_none() {
        text.push_str("  Corefile: there is no ConfigMap coredns, or it could not be read\n");
    }
    if let Some(seconds) = configuration.cache_s {
        let _ = writeln!(text, "  answers are kept for up to {seconds} s");
    }
    if !configuration.forwards_to.is_empty() {
        let _ = writeln!(text, "  outside names go to: {}", configuration.forwards_to.join(", "));
    }
    if configuration.logs_queries {
        text.push_str("  each query is logged (plugin log), which costs CPU\n");
    }
    if configuration.node_local_cache {
        text.push_str("  node-local-dns answers on the nodes, so that CoreDNS sees a part of the queries only\n");
    }
    let custom = configuration.custom.as_ref().map(|custom| custom.keys().map(String::as_str).collect::<Vec<_>>());
    match custom.as_deref() {
        None => text.push_str("  coredns-custom: not there\n"),
        Some([]) => text.push_str("  coredns-custom: empty\n"),
        Some(keys) => drop(writeln!(text, "  coredns-custom: {}", keys.join(", "))),
    }
    for (key, value) in configuration.autoscaler.iter().flatten() {
        let _ =
            writeln!(text, "  coredns-autoscaler, {key}: {}", value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

fn mesh(mesh: &MeshDns, text: &mut String) {
    if mesh.entries.is_empty() {
        text.push_str("\nNo ServiceEntry is resolved by DNS: the mesh itself looks up next to nothing.\n");
        return;
    }
    let _ = writeln!(
        text,
        "\nLook-ups by Envoy: about {} a second with a TTL of {} s ({} with 60 s, {} with 5 s)",
        mesh.queries_per_s, mesh.assumed_ttl_s, mesh.least_queries_per_s, mesh.most_queries_per_s
    );
    let header = ["SERVICEENTRY", "HOSTS", "LOOK-UPS", "PROXIES", "QUERIES/S", "UNRESOLVED IN"];
    let mut table = Table::with_header(PADDING, &header);
    for entry in mesh.entries.iter().take(ROWS) {
        let hosts: Vec<&str> = entry.hosts.iter().map(String::as_str).take(3).collect();
        let dots = if entry.hosts.len() > 3 { " …" } else { "" };
        table.push(vec![
            format!("{}/{}", entry.namespace, entry.name),
            format!("{}{dots}", hosts.join(", ")),
            entry.look_ups.to_string(),
            entry.proxies.to_string(),
            entry.queries_per_s.to_string(),
            format!("{} of {} asked", entry.unresolved_in, entry.asked),
        ]);
    }
    text.push_str(&table.text());
    if mesh.entries.len() > ROWS {
        let _ = writeln!(text, "and {} more", mesh.entries.len() - ROWS);
    }
    for rate in &mesh.refresh_rates {
        let by = rate.set_by.as_deref().map_or("Istio's default".to_owned(), |by| format!("set by {by}"));
        let _ = writeln!(text, "dnsRefreshRate of revision {}: {} ({by})", rate.revision, rate.value);
    }
    let _ = writeln!(text, "{}", mesh.note);
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}
