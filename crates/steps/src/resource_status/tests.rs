//! Judges the cases of `tests/fixtures/resource_status`: a list of objects each, and every finding that they give.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::{Evidence, ResourceStatus, ResourceStatusInput, codes};
use crate::Step as _;
use cluster::{Resource, Scope};
use report::Finding;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Kind that was asked for.
    #[serde(default = "pod")]
    of: String,
    #[serde(default)]
    unread: Vec<String>,
    expect: Vec<String>,
    /// Texts that stand somewhere in the findings.
    #[serde(default)]
    says: Vec<String>,
    objects: Vec<Value>,
}

fn pod() -> String {
    "Pod".to_owned()
}

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/resource_status").join(file);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn resource(kind: &str) -> Resource {
    let (group, kind) = match kind {
        "knative.Service" => ("serving.knative.dev", "Service"),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => ("apps", kind),
        "Job" => ("batch", kind),
        "HorizontalPodAutoscaler" => ("autoscaling", kind),
        "PodDisruptionBudget" => ("policy", kind),
        "HTTPRoute" => ("gateway.networking.k8s.io", kind),
        _ => ("", kind),
    };
    Resource::known(
        group,
        "v1",
        &format!("{}s", kind.to_ascii_lowercase()),
        kind,
        !matches!(kind, "Node" | "Namespace"),
    )
}

fn judge(case: &Case) -> Vec<Finding> {
    let asked = resource(&case.of);
    let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    // A kind that nobody wrote down was read, and there is nothing of it.
    for kind in ["Pod", "Event", "EndpointSlice"] {
        lists.entry(kind.to_owned()).or_default();
    }
    for object in &case.objects {
        lists.entry(object["kind"].as_str().unwrap().to_owned()).or_default().push(object.clone());
    }
    lists.retain(|kind, _| !case.unread.contains(kind));
    let objects = lists.get(&asked.kind).cloned().unwrap_or_default();
    let around = lists.into_iter().map(|(kind, list)| (resource(&kind), list)).collect();
    let now = "2026-01-01T12:00:00Z".parse().unwrap();
    let evidence = Evidence::of(asked, Scope::All, objects, around, now);
    ResourceStatus::judge(&ResourceStatusInput { resource: case.of.clone(), ..Default::default() }, evidence).findings
}

fn check(file: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for case in cases(file) {
        let findings = judge(&case);
        let line = |finding: &Finding| {
            let subject = &finding.subject;
            let container = subject.container.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let severity = serde_json::to_value(finding.severity).unwrap();
            format!("{} {} {}/{}{container}", finding.code, severity.as_str().unwrap(), subject.kind, subject.name)
        };
        let mut found: Vec<String> = findings.iter().map(line).collect();
        let mut expected = case.expect.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", case.name);
        let text = serde_json::to_string(&findings).unwrap().replace("\\\"", "\"");
        for words in &case.says {
            assert!(text.contains(words.as_str()), "{}: {words:?} is not said in {text}", case.name);
        }
        for finding in &findings {
            assert!(!finding.remedy.is_empty() && finding.docs.starts_with("https://"), "{}: {finding:?}", case.name);
        }
        seen.extend(findings.iter().map(|finding| finding.code.to_string()));
    }
    seen
}

#[test]
fn every_code_is_found_where_it_is_and_nowhere_else() {
    let mut seen = check("pods.yaml");
    seen.extend(check("workloads.yaml"));
    let ours = codes::CODES.iter().map(|code| code.id).filter(|id| *id < "K8S0050" && id.starts_with("K8S"));
    let (own, elsewhere) = ("K8S0001", ["K8S0030"]);
    let untested: Vec<&str> =
        ours.filter(|id| *id >= own && !elsewhere.contains(id)).filter(|id| !seen.iter().any(|s| s == id)).collect();
    assert!(untested.is_empty(), "no case shows {untested:?}");
}

#[test]
fn a_name_of_several_types_is_reported() {
    let gateways = |group: &str| Resource::known(group, "v1", "gateways", "Gateway", true);
    let now = "2026-01-01T12:00:00Z".parse().unwrap();
    let mut evidence = Evidence::of(gateways("networking.istio.io"), Scope::All, Vec::new(), Vec::new(), now);
    evidence.also = vec![gateways("gateway.networking.k8s.io")];
    let input = ResourceStatusInput { resource: "gateway".to_owned(), ..Default::default() };
    let findings = ResourceStatus::judge(&input, evidence).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "K8S0030");
}

#[test]
fn thousands_of_pods_are_judged_in_no_time() {
    let pod = |index: usize| {
        serde_json::json!({"kind": "Pod",
        "metadata": {"namespace": "shop", "name": format!("p-{index}"), "labels": {"app": "cart"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("r-{}", index / 10), "controller": true}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
    };
    let set = |index: usize| {
        serde_json::json!({"kind": "ReplicaSet", "spec": {"replicas": 10}, "status": {"replicas": 10},
        "metadata": {"namespace": "shop", "name": format!("r-{index}")}})
    };
    let pods: Vec<Value> = (0..20_000).map(pod).collect();
    let sets: Vec<Value> = (0..2_000).map(set).collect();
    let start = std::time::Instant::now();
    let now = "2026-01-01T12:00:00Z".parse().unwrap();
    let evidence = Evidence::of(resource("Pod"), Scope::All, pods, vec![(resource("ReplicaSet"), sets)], now);
    let judgement = ResourceStatus::judge(&ResourceStatusInput::default(), evidence);
    assert_eq!(judgement.data.objects.len(), super::gather::MAX_OBJECTS);
    assert!(judgement.skipped.iter().any(|skipped| skipped.what.contains("19500")), "{:?}", judgement.skipped);
    // Twenty times what it takes on a slow machine: a quadratic step would take minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
