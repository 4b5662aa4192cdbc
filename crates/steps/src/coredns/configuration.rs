//! CoreDNS's configuration: the Corefile and what AKS lets users add to it, the Deployment, the autoscaler.
//!
//! See <https://coredns.io/2017/07/23/corefile-explained/> and <https://learn.microsoft.com/azure/aks/coredns-custom>.

use std::collections::{BTreeMap, BTreeSet};

use super::data::{CorednsConfiguration, CorednsPod};
use mesh::{Kind, Mesh};

pub(super) const NAMESPACE: &str = "kube-system";

pub(super) fn configuration(mesh: &Mesh, pods: &[CorednsPod]) -> CorednsConfiguration {
    let data = |name: &str| -> Option<BTreeMap<String, String>> {
        let map = mesh.find(Kind::ConfigMap, NAMESPACE, name)?.root().get("data");
        Some(map.entries().map(|(key, value)| (key.to_owned(), value.written().to_owned())).collect())
    };
    let corefile = data("coredns").and_then(|mut map| map.remove("Corefile"));
    let ready = || pods.iter().filter(|pod| pod.ready);
    let nodes: BTreeSet<_> = ready().filter_map(|pod| pod.node.as_deref()).collect();
    let deployment = mesh.find(Kind::Deployment, NAMESPACE, "coredns");
    let plugins = corefile.as_deref().map(plugins).unwrap_or_default();
    let forwards_to = plugins.iter().filter(|plugin| plugin[0] == "forward").flat_map(|plugin| plugin.iter().skip(2));
    CorednsConfiguration {
        cache_s: plugins.iter().find(|plugin| plugin[0] == "cache").and_then(|plugin| plugin.get(1)?.parse().ok()),
        forwards_to: forwards_to.map(|target| (*target).to_owned()).collect(),
        logs_queries: plugins.iter().any(|plugin| plugin[0] == "log"),
        custom: data("coredns-custom"),
        autoscaler: data("coredns-autoscaler"),
        replicas_wanted: deployment.and_then(|deployment| deployment.spec().get("replicas").integer_if_any()),
        replicas_ready: ready().count(),
        nodes: nodes.len(),
        node_local_cache: mesh.find(Kind::DaemonSet, NAMESPACE, "node-local-dns").is_some(),
        corefile,
    }
}

/// The lines of a Corefile that name a plugin, in words; what stands in a plugin's own block is left out.
fn plugins(corefile: &str) -> Vec<Vec<&str>> {
    let mut plugins = Vec::new();
    let mut depth = 0_usize;
    for line in corefile.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let opens = line.ends_with('{');
        let words: Vec<&str> = line.trim_end_matches('{').split_whitespace().collect();
        if line.starts_with('}') {
            depth = depth.saturating_sub(1);
            continue;
        }
        if depth == 1 && !words.is_empty() {
            plugins.push(words);
        }
        depth += usize::from(opens);
    }
    plugins
}

#[cfg(test)]
mod tests {
    use super::plugins;

    #[test]
    fn plugins_of_the_server_blocks_are_found() {
        let corefile = ".:53 {\n    errors # all of them\n    health {\n      lameduck 5s\n    }\n    \
            forward . 10.0.0.4 10.0.0.5 {\n      max_concurrent 1000\n    }\n    cache 30\n}\nimport custom/*.server\n";
        let expected =
            [vec!["errors"], vec!["health"], vec!["forward", ".", "10.0.0.4", "10.0.0.5"], vec!["cache", "30"]];
        assert_eq!(plugins(corefile), expected);
        assert!(plugins("}}}{{{\n}").is_empty());
    }
}
