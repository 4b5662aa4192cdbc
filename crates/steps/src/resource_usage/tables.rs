//! The tables of the text: use of istiod and of each proxy, what namespaces hold and call, and the objects to apply.

use std::fmt::Write as _;

use super::super::{
    counted,
    pod_usage::{ContainerUse, ResourceUse, UseSource, cpu_text, memory_text},
    proxy_status::age,
};
use super::data::{CalledHost, DiscoveryScope, MeshWideScope, NamespaceScope, ResourceUsageData};
use envoy::table::Table;

/// Rows of proxies; those with the most memory come first.
const PROXIES: usize = 40;
/// Namespaces whose `Sidecar` is written out.
const PROPOSALS: usize = 5;
/// Hosts of a list.
const HOSTS: usize = 10;
const PADDING: usize = 3;

pub(crate) fn text(data: &ResourceUsageData) -> String {
    let mut text = String::new();
    istiods(data, &mut text);
    proxies(data, &mut text);
    namespaces(data, &mut text);
    if let Some(mesh_wide) = &data.mesh_wide {
        cuts_of_mesh_wide(mesh_wide, &mut text);
    }
    discovery_selectors(&data.discovery_selectors, &mut text);
    text
}

fn istiods(data: &ResourceUsageData, text: &mut String) {
    if data.istiods.is_empty() {
        return;
    }
    text.push_str("\nistiod\n");
    let header = ["POD", "REVISION", "MEMORY", "OF REQUEST", "OF LIMIT", "CPU", "PROXIES", "SERVICES", "KILLED"];
    let mut table = Table::with_header(PADDING, &header);
    for row in &data.istiods {
        let mut cells = vec![row.pod.clone(), row.revision.clone()];
        cells.extend(use_cells(&row.used));
        cells.extend([optional(row.proxies), optional(row.services), dash(row.out_of_memory.as_deref())]);
        table.push(cells);
    }
    text.push_str(&table.text());
}

fn proxies(data: &ResourceUsageData, text: &mut String) {
    if data.proxies.is_empty() {
        return;
    }
    text.push_str("\nProxies, most memory first\n");
    let header = [
        "NAMESPACE",
        "POD",
        "MEMORY",
        "OF REQUEST",
        "OF LIMIT",
        "CPU",
        "WORKERS",
        "CLUSTERS",
        "USED",
        "ENDPOINTS",
        "DUMP",
        "STATS",
    ];
    let mut table = Table::with_header(PADDING, &header);
    for row in data.proxies.iter().take(PROXIES) {
        let mut cells = vec![row.namespace.clone(), row.pod.clone()];
        cells.extend(use_cells(&row.used));
        let size = row.size.as_ref();
        cells.push(optional(row.workers.running));
        cells.push(optional(size.map(|size| size.clusters)));
        cells.push(optional(size.and_then(|size| size.used_clusters)));
        cells.push(optional(size.and_then(|size| size.endpoints)));
        cells.push(size.map_or("-".to_owned(), |size| memory_text(size.dump_bytes as u64)));
        cells.push(optional(row.statistics.as_ref().map(|statistics| statistics.total)));
        table.push(cells);
    }
    text.push_str(&table.text());
    if data.proxies.len() > PROXIES {
        let _ = writeln!(text, "and {} more", data.proxies.len() - PROXIES);
    }
    if data.proxies.iter().any(|row| row.used.memory_bytes.from == Some(UseSource::Envoy)) {
        text.push_str("Memory is Envoy's own (/memory); the agent in the same container comes on top.\n");
    }
}

fn use_cells(used: &ContainerUse) -> [String; 4] {
    let percent = |part: Option<u64>| part.map_or("-".to_owned(), |percent| format!("{percent} %"));
    let ResourceUse { used: memory, percent_of_limit, percent_of_request, .. } = used.memory_bytes;
    [
        memory.map_or("-".to_owned(), memory_text),
        percent(percent_of_request),
        percent(percent_of_limit),
        used.cpu_millicores.used.map_or("-".to_owned(), cpu_text),
    ]
}

fn namespaces(data: &ResourceUsageData, text: &mut String) {
    if data.namespaces.is_empty() {
        return;
    }
    text.push_str("\nWhat sidecars hold and call, by namespace\n");
    let header = ["NAMESPACE", "OUTBOUND CLUSTERS", "HOSTS CALLED", "WITH PROPOSED SIDECAR", "SIDECAR IN FORCE"];
    let mut table = Table::with_header(PADDING, &header);
    for scope in &data.namespaces {
        let left = scope.proposal.as_ref().map(|proposal| proposal.clusters_left);
        table.push(vec![
            scope.namespace.clone(),
            scope.outbound_clusters.to_string(),
            scope.called.len().to_string(),
            optional(left),
            dash(Some(scope.sidecars.join(", ").as_str()).filter(|names| !names.is_empty())),
        ]);
    }
    text.push_str(&table.text());
    for scope in &data.namespaces {
        if let Some(why) = &scope.no_proposal_because {
            let _ = writeln!(text, "No Sidecar is proposed for {}: {why}.", scope.namespace);
        }
    }
    let mut proposed: Vec<&NamespaceScope> = data.namespaces.iter().filter(|scope| scope.proposal.is_some()).collect();
    proposed.sort_by_key(|scope| std::cmp::Reverse(scope.outbound_clusters));
    for scope in proposed.into_iter().take(PROPOSALS) {
        proposal(scope, text);
    }
}

fn proposal(scope: &NamespaceScope, text: &mut String) {
    let Some(proposal) = &scope.proposal else { return };
    let since =
        scope.observed_s.map(|seconds| format!(", in the last {}", age(seconds.cast_signed()))).unwrap_or_default();
    let asked = counted(scope.proxies_asked, "proxy");
    let _ = writeln!(text, "\nSidecar for {} (from the calls of {asked}{since}):", scope.namespace);
    text.push_str(&indented(&proposal.manifest));
    match hosts(&proposal.cuts_off).as_str() {
        "" => text.push_str("It cuts off nothing that was seen to be called; calls that were not seen would be.\n"),
        hosts => drop(writeln!(text, "It cuts off: {hosts}")),
    }
}

fn cuts_of_mesh_wide(mesh_wide: &MeshWideScope, text: &mut String) {
    let cut: Vec<_> = mesh_wide.namespaces.iter().filter(|namespace| !namespace.cuts_off.is_empty()).collect();
    let root = &mesh_wide.root_namespace;
    if let Some(present) = &mesh_wide.present {
        let _ = writeln!(text, "\nSidecar {present} holds for every namespace without one of its own.");
        return;
    }
    if mesh_wide.namespaces.is_empty() {
        return;
    }
    if cut.is_empty() {
        let _ = writeln!(text, "\nA mesh-wide Sidecar in {root} would cut off no call that was seen.");
        return;
    }
    let _ = writeln!(text, "\nA mesh-wide Sidecar in {root} (own namespace and {root} only) would cut off:");
    for namespace in cut {
        let _ = writeln!(text, "  {}: {}", namespace.namespace, hosts(&namespace.cuts_off));
    }
}

fn discovery_selectors(scope: &DiscoveryScope, text: &mut String) {
    if let Some(why) = &scope.no_proposal_because {
        let _ = writeln!(text, "\nNo discoverySelectors are proposed: {why}.");
        return;
    }
    let Some(manifest) = &scope.manifest else { return };
    let names: Vec<&str> = scope.not_needed.iter().map(|one| one.namespace.as_str()).take(HOSTS).collect();
    let dots = if scope.not_needed.len() > HOSTS { " …" } else { "" };
    let _ = writeln!(
        text,
        "\n{} of {} are not needed by the mesh ({}{dots}); {} of the largest proxy lead there. discoverySelectors for the \
         mesh configuration that leave them out:",
        scope.not_needed.len(),
        counted(scope.namespaces, "namespace"),
        names.join(", "),
        counted(scope.clusters, "cluster")
    );
    text.push_str(&indented(manifest));
    if !scope.apply_to.is_empty() {
        let _ = writeln!(text, "It belongs under the key mesh of ConfigMap {}.", scope.apply_to.join(", "));
    }
    text.push_str("A namespace that is added later must be added here too.\n");
}

fn hosts(called: &[CalledHost]) -> String {
    let one = |called: &CalledHost| {
        let count = called.requests.max(called.connections).max(called.log_lines);
        format!("{} ({count} calls from {})", called.host, called.callers.join(", "))
    };
    let mut shown: Vec<String> = called.iter().take(HOSTS).map(one).collect();
    if called.len() > HOSTS {
        shown.push(format!("and {} more", called.len() - HOSTS));
    }
    shown.join(", ")
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |text, line| format!("{text}  {line}\n"))
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

fn dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}
