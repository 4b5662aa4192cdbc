//! How analyzers bear many objects: a large mesh in which all is well, and documents in which everything conflicts.

use std::time::{Duration, Instant};

use meshtriage::analyzers::{ANALYZERS, Messages, Options, analyze};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, Perspective, Settings};
use serde_json::{Value, json};

use super::cases::now;
use crate::support::say;

fn mesh_of(objects: impl Iterator<Item = (Kind, Value)>) -> Mesh {
    let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
    objects.for_each(|(kind, object)| builder.add(kind, LOCAL_CLUSTER, &object));
    builder.build()
}

/// A tenth of the number of workloads in as many namespaces, each with what a workload commonly has.
pub(crate) fn workload(number: usize) -> Vec<(Kind, Value)> {
    let (namespace, name) = (format!("team-{}", number / 10), format!("app-{number}"));
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"app": name}});
    let host = format!("{name}.example.com");
    let destination = json!({"host": name, "subset": "v1", "port": {"number": 80}});
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
    let containers = json!([{"name": "app", "image": "app"}, {"name": "istio-proxy", "image": "proxyv2:1"}]);
    let mut objects = vec![
        (Kind::Service, json!({"metadata": metadata, "spec": {"selector": {"app": name}, "ports": ports}})),
        (Kind::Pod, json!({"metadata": metadata, "spec": {"containers": containers}})),
        (
            Kind::VirtualService,
            json!({"metadata": metadata, "spec": {"hosts": [host], "gateways": ["infra/front"],
                "http": [{"match": [{"headers": {"@request.auth.claims.a": {"exact": "b"}}}],
                          "route": [{"destination": destination}]}]}}),
        ),
        (
            Kind::VirtualService,
            json!({"metadata": {"name": format!("{name}-inside"), "namespace": namespace},
                "spec": {"hosts": [name], "exportTo": ["."], "http": [{"route": [{"destination": destination}]}]}}),
        ),
        (Kind::DestinationRule, json!({"metadata": metadata, "spec": {"host": name, "subsets": [{"name": "v1"}]}})),
        (
            Kind::ServiceEntry,
            json!({"metadata": metadata, "spec": {"hosts": [format!("*.{name}.example.org")],
                "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]}}),
        ),
        (Kind::Sidecar, json!({"metadata": metadata, "spec": {"workloadSelector": {"labels": {"app": name}}}})),
        (Kind::Telemetry, json!({"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": name}}}})),
        (
            Kind::ProxyConfig,
            json!({"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": name}},
                "image": {"imageType": "debug"}}}),
        ),
    ];
    if number.is_multiple_of(10) {
        let labels = json!({"istio-injection": "enabled"});
        objects.push((Kind::Namespace, json!({"metadata": {"name": namespace, "labels": labels}})));
    }
    objects
}

pub(crate) fn infrastructure(hosts: usize) -> Vec<(Kind, Value)> {
    let hosts: Vec<String> = (0..hosts).map(|number| format!("app-{number}.example.com")).collect();
    let named = |name: &str| json!({"name": name, "namespace": "infra"});
    let values = json!({"global": {"hub": "hub", "tag": "2", "proxy": {"image": "proxyv2"}}}).to_string();
    let labels = json!({"istio": "ingress", "tokens": "yes"});
    vec![
        (
            Kind::Gateway,
            json!({"metadata": named("front"), "spec": {"selector": {"istio": "ingress"},
                "servers": [{"port": {"number": 80, "protocol": "HTTP"}, "hosts": hosts}]}}),
        ),
        (Kind::Pod, json!({"metadata": {"name": "ingress", "namespace": "infra", "labels": labels}, "spec": {}})),
        (
            Kind::RequestAuthentication,
            json!({"metadata": named("tokens"), "spec": {"selector": {"matchLabels": {"tokens": "yes"}}}}),
        ),
        (
            Kind::ConfigMap,
            json!({"metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"},
                "data": {"values": values}}),
        ),
    ]
}

/// In a build without optimization. A rule that compares each object with each other takes minutes.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn large_mesh_takes_time_in_proportion() {
    let count = 6000;
    let mesh = mesh_of((0..count).flat_map(workload).chain(infrastructure(count)));
    assert!(mesh.len() > 9 * count);
    for compatible in [true, false] {
        let mesh = mesh.seen_from(Perspective { compatible, revision: None });
        let (mut slowest, mut total) = ((Duration::ZERO, ""), Duration::ZERO);
        for analyzer in ANALYZERS {
            let start = Instant::now();
            let mut messages = Messages::new(compatible);
            (analyzer.run)(&mesh, &mut messages);
            let elapsed = start.elapsed();
            assert!(elapsed < LIMIT, "{} took {elapsed:?}", analyzer.name);
            slowest = slowest.max((elapsed, analyzer.name));
            total += elapsed;
        }
        say(&format!("{} objects, compatible: {compatible}: {total:?}, slowest {slowest:?}", mesh.len()));
    }
}

/// Objects of which each is in conflict with each other.
pub(crate) fn conflicting(count: usize) -> impl Iterator<Item = (Kind, Value)> {
    let labels = json!({"app": "cart"});
    (0..count).flat_map(move |number| {
        let metadata = json!({"name": format!("object-{number}"), "namespace": "shop", "labels": labels});
        let route =
            json!([{"route": [{"destination": {"host": "cart", "subset": "v1"}}, {"destination": {"host": "cart"}}]}]);
        let export_to = if number.is_multiple_of(2) { "*" } else { "." };
        let host = format!("*.{number}.example.com");
        let ports = json!([{"number": 80, "protocol": format!("P{number}")}]);
        let revision = json!({"matchLabels": {"istio.io/rev": format!("r{number}")}});
        [
            (Kind::Pod, json!({"metadata": metadata, "spec": {}})),
            (Kind::Sidecar, json!({"metadata": metadata, "spec": {"workloadSelector": {"labels": labels}}})),
            (Kind::Telemetry, json!({"metadata": metadata, "spec": {"selector": {"matchLabels": labels}}})),
            (
                Kind::VirtualService,
                json!({"metadata": metadata, "spec": {"hosts": ["cart", "*", host], "exportTo": [export_to],
                    "gateways": ["mesh"], "http": route}}),
            ),
            (
                Kind::ServiceEntry,
                json!({"metadata": metadata, "spec": {"hosts": ["cart", "*.example.com"], "ports": ports}}),
            ),
            (
                Kind::MutatingWebhookConfiguration,
                json!({"metadata": {"name": format!("object-{number}")}, "webhooks": [
                    {"name": "a.istio.io"}, {"name": "b.istio.io", "namespaceSelector": revision}]}),
            ),
        ]
    })
}

#[test]
fn conflicts_of_everything_with_everything_take_bounded_time_and_memory() {
    let mesh = mesh_of(conflicting(3000));
    for compatible in [true, false] {
        let mesh = mesh.seen_from(Perspective { compatible, revision: None });
        for analyzer in ANALYZERS.iter().filter(|analyzer| !analyzer.name.starts_with("schema.")) {
            let start = Instant::now();
            let options = Options { analyzers: vec![analyzer.name.to_owned()], ..Options::default() };
            let analysis = analyze(&mesh, &options).unwrap();
            assert!(start.elapsed() < 3 * LIMIT, "{} took {:?}", analyzer.name, start.elapsed());
            if start.elapsed() > Duration::from_millis(500) {
                let (count, skipped) = (analysis.messages.len(), &analysis.skipped);
                say(&format!("{}: {count} messages in {:?}, {skipped:?}", analyzer.name, start.elapsed()));
            }
        }
    }
}
