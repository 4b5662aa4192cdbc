//! How detectors bear many objects: a large mesh, and documents in which everything conflicts.

use std::time::{Duration, Instant};

use meshtriage::{
    analyzers::Messages,
    detectors,
    mesh::{Extent, Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, Settings},
};
use serde_json::{Value, json};

use crate::{
    analyze::{
        cases::now,
        scale::{LIMIT, conflicting, infrastructure, workload},
    },
    support::say,
};

fn mesh_of(objects: impl Iterator<Item = (Kind, Value)>) -> Mesh {
    let mut builder = MeshBuilder::new(Settings { live: true, extent: Extent::Whole, ..Settings::new(now()) });
    objects.for_each(|(kind, object)| builder.add(kind, LOCAL_CLUSTER, &object));
    builder.build()
}

const NOTABLE: Duration = Duration::from_secs(1);

/// Runs each and says how long the slowest took.
fn check(mesh: &Mesh) {
    let (mut slowest, mut total) = ((Duration::ZERO, ""), Duration::ZERO);
    for detector in detectors::all() {
        let start = Instant::now();
        (detector.rule.run)(mesh, &mut Messages::new(false));
        let elapsed = start.elapsed();
        assert!(elapsed < LIMIT, "{} took {elapsed:?}", detector.id());
        if elapsed > NOTABLE {
            say(&format!("{} took {elapsed:?}", detector.id()));
        }
        slowest = slowest.max((elapsed, detector.id()));
        total += elapsed;
    }
    say(&format!("detectors over {} objects: {total:?}, slowest {slowest:?}", mesh.len()));
}

/// What a workload has beside what analyzers look at.
fn surroundings(number: usize) -> Vec<(Kind, Value)> {
    let (namespace, name) = (format!("team-{}", number / 10), format!("app-{number}"));
    let named = |name: &str| json!({"name": name, "namespace": namespace, "labels": {"app": name}});
    let outside = format!("partner-{number}.example.net");
    let environment = json!([{"name": "URL", "value": format!("https://{outside}/v1")},
        {"name": "HTTP_PROXY", "value": "http://proxy.example.net:3128"}]);
    let containers = json!([{"name": "app", "env": environment}, {"name": "istio-proxy", "image": "proxyv2:1"}]);
    let to_gateway = json!({"destination": {"host": "egress.infra.svc.cluster.local", "port": {"number": 80}}});
    let to_host = json!({"destination": {"host": outside, "port": {"number": 443}}});
    let rule = |gateway: &str, route: &Value| json!({"match": [{"gateways": [gateway]}], "route": [route]});
    vec![
        (
            Kind::Pod,
            json!({"metadata": named(&format!("{name}-job")), "spec": {"containers": containers},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        ),
        (
            Kind::ServiceEntry,
            json!({"metadata": named(&outside), "spec": {"hosts": [outside], "resolution": "DNS",
                "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}]}}),
        ),
        (
            Kind::VirtualService,
            json!({"metadata": named(&outside), "spec": {"hosts": [outside], "gateways": ["mesh", "infra/egress"],
                "http": [rule("mesh", &to_gateway), rule("infra/egress", &to_host)]}}),
        ),
        (
            Kind::DestinationRule,
            json!({"metadata": named(&outside), "spec": {"host": outside,
                "trafficPolicy": {"tls": {"mode": "SIMPLE", "credentialName": "partner"}}}}),
        ),
        (
            Kind::NetworkPolicy,
            json!({"metadata": named(&name), "spec": {"podSelector": {"matchLabels": {"app": name}},
                "ingress": [{"ports": [{"port": 80}]}]}}),
        ),
    ]
}

/// An egress gateway, and rules for all services.
fn common() -> Vec<(Kind, Value)> {
    let named = |name: &str| json!({"name": name, "namespace": "infra", "labels": {"istio": "egress"}});
    let server = json!({"port": {"number": 80, "protocol": "HTTP"}, "hosts": ["*"]});
    let tls = |mode: &str| json!({"tls": {"mode": mode}});
    vec![
        (
            Kind::Service,
            json!({"metadata": named("egress"), "spec": {"selector": {"istio": "egress"},
            "ports": [{"name": "http", "port": 80}]}}),
        ),
        (
            Kind::Pod,
            json!({"metadata": named("egress-1"), "spec": {"containers": [{"name": "istio-proxy", "image": "p:1"}]}}),
        ),
        (
            Kind::Gateway,
            json!({"metadata": named("egress"), "spec": {"selector": {"istio": "egress"}, "servers": [server]}}),
        ),
        (
            Kind::DestinationRule,
            json!({"metadata": {"name": "all", "namespace": "istio-system"},
                "spec": {"host": "*", "trafficPolicy": tls("ISTIO_MUTUAL")}}),
        ),
        (
            Kind::DestinationRule,
            json!({"metadata": {"name": "local", "namespace": "istio-system"},
                "spec": {"host": "*.local", "trafficPolicy": tls("DISABLE")}}),
        ),
    ]
}

#[test]
fn large_mesh_takes_time_in_proportion() {
    let count = 3000;
    let workloads = (0..count).flat_map(|number| workload(number).into_iter().chain(surroundings(number)));
    let mesh = mesh_of(workloads.chain(infrastructure(count)).chain(common()));
    assert!(mesh.len() > 13 * count);
    check(&mesh);
}

#[test]
fn conflicts_of_everything_with_everything_take_bounded_time() {
    check(&mesh_of(conflicting(3000)));
}
