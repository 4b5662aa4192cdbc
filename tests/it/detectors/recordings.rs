//! The detectors over the recorded meshes.

use jiff::Timestamp;
use meshtriage::{
    analyzers::{Options, analyze_by},
    detectors,
    mesh::{Extent, Settings},
    mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder},
    report::{Finding, Severity},
};
use serde_json::Value;

use crate::support::{checklist::line, recording_path, say};

pub(super) const NAMES: [&str; 3] = ["healthy", "broken", "upstream"];

/// Shortly after the last of them was made.
fn recorded_at() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

pub(super) fn mesh(name: &str) -> Mesh {
    let istio_namespace = if name == "upstream" { "istio-system" } else { "aks-istio-system" }.to_owned();
    let settings = Settings { istio_namespace, live: true, extent: Extent::Whole, ..Settings::new(recorded_at()) };
    let mut builder = MeshBuilder::new(settings);
    let resources = recording_path(name).join("cluster/resources");
    for kind in Kind::readable() {
        let group = if kind.group().is_empty() { "api".to_owned() } else { format!("apis/{}", kind.group()) };
        let path = resources.join(group).join(kind.version()).join(format!("{}.json", kind.plural()));
        // A kind that the cluster does not serve has no list.
        if path.exists() {
            let list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for item in list["items"].as_array().unwrap() {
                builder.add(kind, LOCAL_CLUSTER, item);
            }
        }
    }
    builder.build()
}

fn findings(name: &str) -> Vec<Finding> {
    let mesh = mesh(name);
    let rules: Vec<_> = detectors::all().map(|detector| &detector.rule).collect();
    let analysis = analyze_by(&mesh, &rules, &Options::default());
    assert!(!mesh.is_empty() && analysis.executed.len() == rules.len(), "{:?}", analysis.skipped);
    let findings = analysis.findings();
    for finding in &findings {
        say(&format!("{name:9} {:?} {}", finding.severity, line(finding)));
    }
    findings
}

/// What is true of the healthy mesh although nothing is wrong with it. Each with its reason.
pub(crate) const KNOWN: &[&str] = &[
    // Its Gateway API was installed by hand, as there is no AKS behind it.
    "GWA0002 CustomResourceDefinition backendtlspolicies.gateway.networking.k8s.io",
    // So nobody made the settings for Gateways by which AKS directs the health probe.
    "GWY0018 Service shop/api-istio",
];

#[test]
fn healthy_mesh_is_quiet() {
    let serious = findings("healthy").into_iter().filter(|finding| finding.severity >= Severity::Warning);
    let lines: Vec<_> = serious.map(|finding| line(&finding)).collect();
    let unexpected: Vec<_> = lines.iter().filter(|line| !KNOWN.iter().any(|known| line.contains(known))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

/// Faults of `tests/recordings/README.md` that the objects alone show, and words of the finding.
const FAULTS: &[(&str, &str, &[&str])] = &[
    ("broken", "5 TLS off towards a STRICT namespace", &["NET0001", "shop/payments"]),
    ("broken", "16 a Service leads to a port where nothing listens", &["NET0011", "legacy/inventory"]),
    (
        "broken",
        "34 a misspelt field",
        &["CFG0009", "istio-shared-configmap-asm-1-29", "holdApplicationUntilProxyStarts."],
    ),
    (
        "broken",
        "33 REGISTRY_ONLY hides the host that ledger calls",
        &["EGR0001", "bank/ledger-", "api.partner.example", "Sidecar bank/default"],
    ),
    (
        "upstream",
        "REGISTRY_ONLY blocks the host that store calls",
        &["EGR0001", "default-apps/store-", "ext.example.org"],
    ),
    ("broken", "8 Gateway without proxies has no VirtualService either", &["GWY0006", "shop/old-shop"]),
    ("broken", "31 Telemetry names an unknown provider", &["OBS0004", "bank/traces", "otel-collector"]),
    (
        "broken",
        "15 certificate in secret shop-tls has expired",
        &["GWY0008", "aks-istio-ingress/shop-tls", "2026-04-01"],
    ),
    ("broken", "12 pods of the older revision: the upgrade that they belong to", &["UPG0001", "asm-1-29"]),
    ("broken", "13 a policy allows an account that nobody has", &["SEC0009", "shop/cart-only-mobile", "mobile"]),
];

#[test]
fn faults_are_named() {
    let mut missed = Vec::new();
    for name in ["broken", "upstream"] {
        let lines: Vec<_> = findings(name).iter().map(line).collect();
        for (_, fault, words) in FAULTS.iter().filter(|(recording, ..)| *recording == name) {
            if !lines.iter().any(|line| words.iter().all(|word| line.contains(word))) {
                missed.push((name, fault));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}
