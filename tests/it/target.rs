//! The argument that names a pod, `[<type>/]<name>[.<namespace>]`: istioctl's own cases, every type that has pods, and the
//! same through the API and from a terminal.

use std::{fs, path::Path, process::Command};

use http::StatusCode;
use meshtriage::{
    cluster::{Cluster, Istiod},
    report::Format,
    steps::{self, Inputs, PodTarget},
};
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, open},
    corpus_path, needs, recording_path, say,
};

/// Cases that differ on purpose: since 1.28 istioctl looks at one revision, `default` where none is named, and finds
/// nothing on a cluster that has only others, such as the AKS add-on's. Here all revisions are looked at, and one that
/// does not exist is an error.
const EVERY_REVISION: &str = "common/TestRevisionOrDefault/";

/// A folder with these objects, as a cluster.
fn cluster_of(objects: &[Value]) -> (tempfile::TempDir, Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(folder.path().join("objects.yaml"), list.to_string()).unwrap();
    let cluster = open(folder.path());
    (folder, cluster)
}

/// The pod that a target means, `<namespace>/<name>`, or why there is none: what check-inject looks at.
async fn found(cluster: &Cluster, namespace: &str, target: &str) -> Result<String, String> {
    let inputs = vec![("namespace".to_owned(), namespace.to_owned()), ("pod".to_owned(), target.to_owned())];
    let step = steps::find("istioctl.check-inject").unwrap();
    let prepared = step.prepare(Inputs::Pairs(inputs)).map_err(|invalid| format!("{invalid:?}"))?;
    let outcome = prepared.execute(cluster, Format::Json).await.map_err(|error| error.to_string())?;
    let data = outcome.data.value();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Ok(format!("{}/{}", text(&data["namespace"]), text(&data["targets"][0]["name"])))
}

/// The case's objects, with the namespaces, the selector and the labels that upstream's mock leaves out.
fn objects(case: &Value) -> Vec<Value> {
    let mut objects = case["inputs"][0]["inline"].as_array().unwrap().clone();
    for object in &mut objects {
        if object["kind"] == "Deployment" {
            object["spec"] = json!({"selector": {"matchLabels": {"app": "foo"}}});
        } else {
            object["metadata"]["labels"] = json!({"app": "foo"});
        }
    }
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    objects.extend(["test", "istio-system"].map(namespace));
    objects
}

async fn given(case: &Value) -> Value {
    let argument = case["args"][0].as_str().unwrap_or_default();
    let default_namespace = case["filters"]["defaultNamespace"].as_str().unwrap_or_default();
    if case["command"] == "istiod monitoring port" {
        let pod = serde_json::from_value(case["inputs"][0]["inline"].clone()).unwrap();
        return json!({"port": Istiod { revision: String::new(), pod }.debug_port()});
    }
    if case["name"].as_str().unwrap().contains("FromTypedResource") {
        let (_folder, cluster) = cluster_of(&objects(case));
        let pod = found(&cluster, default_namespace, argument).await.unwrap();
        let (namespace, name) = pod.split_once('/').unwrap();
        return json!({"pod": name, "namespace": namespace});
    }
    let target = PodTarget::parse(argument, default_namespace);
    json!({"name": target.to_string(), "namespace": target.namespace})
}

#[tokio::test]
async fn istioctls_own_cases() {
    needs!(Corpus);
    let cases = fs::read_to_string(corpus_path("common/cases.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    let (mut passed, mut other, mut failed) = (0, 0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        if name.starts_with(EVERY_REVISION) {
            other += 1;
            continue;
        }
        let given = given(case).await;
        if given == case["expected"] {
            passed += 1;
        } else {
            failed.push(format!("{name}: {given} instead of {}", case["expected"]));
        }
    }
    say(&format!("common: {passed}/{} of istioctl's own cases, {other} differ on purpose", cases.len()));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!((passed, other), (16, 2));
}

/// A namespace with one object of each type, each with a pod of its own that carries its label.
fn one_of_each() -> Vec<Value> {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let mut objects = vec![namespace("shop"), namespace("bank")];
    let types = [
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("v1", "Service"),
        ("v1", "ReplicationController"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
    ];
    for (api_version, kind) in types {
        let label = kind.to_lowercase();
        let labels = match kind {
            "Gateway" => json!({"gateway.networking.k8s.io/gateway-name": "web"}),
            _ => json!({"app": label}),
        };
        let spec = match kind {
            "Gateway" => json!({"gatewayClassName": "istio"}),
            "Service" | "ReplicationController" => json!({"selector": labels}),
            _ => json!({"selector": {"matchLabels": labels}}),
        };
        let metadata = json!({"name": "web", "namespace": "shop"});
        objects.push(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}));
        let pod = json!({"name": format!("pod-of-{label}"), "namespace": "shop", "labels": labels});
        objects.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "status": {"phase": "Running"}}));
    }
    let other = |kind: &str, api_version: &str, name: &str, spec: Value| {
        let metadata = json!({"name": name, "namespace": "shop"});
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
    };
    objects.push(other("Gateway", "networking.istio.io/v1", "web", json!({"selector": {"app": "deployment"}})));
    objects.push(other("Service", "v1", "elsewhere", json!({"type": "ExternalName"})));
    objects.push(other("Deployment", "apps/v1", "idle", json!({"selector": {"matchLabels": {"app": "idle"}}})));
    objects.push(other("ServiceAccount", "v1", "web", Value::Null));
    let manual = json!({"addresses": [{"type": "Hostname", "value": "ingress.istio-ingress"}]});
    objects.push(other("Gateway", "gateway.networking.k8s.io/v1", "manual", manual));
    objects.push(other("Pod", "v1", "job-1.2.3-x", json!({})));
    objects
}

#[tokio::test]
async fn every_type_with_pods_is_understood() {
    let (_folder, cluster) = cluster_of(&one_of_each());
    let expected = [
        ("deployment/web", "deployment"),
        ("deploy/web", "deployment"),
        ("deployments.apps/web", "deployment"),
        ("Deployment/web.shop", "deployment"),
        ("rs/web", "replicaset"),
        ("statefulset/web", "statefulset"),
        ("ds/web", "daemonset"),
        ("job/web", "job"),
        ("svc/web", "service"),
        ("rc/web", "replicationcontroller"),
        ("gateway.gateway.networking.k8s.io/web", "gateway"),
        // Istio's own Gateway of that name has no pods.
        ("gateway/web", "gateway"),
    ];
    for (target, kind) in expected {
        assert_eq!(found(&cluster, "shop", target).await, Ok(format!("shop/pod-of-{kind}")), "{target}");
    }
    assert_eq!(found(&cluster, "shop", "pod/pod-of-job").await, Ok("shop/pod-of-job".to_owned()));
    // A name may have dots, and a namespace that is named goes before the one that is given.
    assert_eq!(found(&cluster, "shop", "job-1.2.3-x").await, Ok("shop/job-1.2.3-x".to_owned()));
    assert_eq!(found(&cluster, "bank", "svc/web.shop").await, Ok("shop/pod-of-service".to_owned()));
}

#[tokio::test]
async fn what_means_no_pod_says_why() {
    let (_folder, cluster) = cluster_of(&one_of_each());
    for (target, words) in [
        ("nobody", "there is no pod \"nobody\" in namespace shop"),
        ("nobody.bank", "there is no pod \"nobody.bank\" in namespace shop, nor pod \"nobody\" in namespace bank"),
        ("deployment/nobody", "there is no deployment \"nobody\" in namespace shop; did you mean"),
        ("deployment/idle", "there is no pod of deployment/idle (app=idle) in namespace shop"),
        ("svc/elsewhere", "\"svc/elsewhere\" does not refer to a pod: the Service has no selector"),
        ("serviceaccount/web", "\"serviceaccount/web\" does not refer to a pod: a ServiceAccount selects no pods"),
        ("gateways.networking.istio.io/web", "does not refer to a pod: a Gateway selects no pods"),
        ("gtw/manual", "not a managed gateway"),
        ("deploymnt/web", "no resource type \"deploymnt\"; similar: deployments.apps"),
    ] {
        let error = found(&cluster, "shop", target).await.unwrap_err();
        assert!(error.contains(words), "{target}: {error}");
    }
}

#[tokio::test]
async fn api_takes_targets_in_its_paths() {
    let app = TestApp::over("healthy");
    let same = |answers: [(StatusCode, Value); 2]| {
        let [pod, target] = answers;
        assert_eq!((pod.0, target.0), (StatusCode::OK, StatusCode::OK), "{target:?}");
        assert_eq!(pod.1["data"], target.1["data"]);
    };
    let get = async |path: &str| {
        let answer = app.get(path).await;
        (answer.status, answer.json())
    };
    let listed = get("/v1/istioctl/proxy-config/shop/deployment%2Ffrontend/cluster").await.1;
    let pod = listed["data"]["pod"].as_str().unwrap().to_owned();
    assert!(pod.starts_with("frontend-"), "{pod}");
    for (by_pod, by_target) in [
        ("proxy-config/shop/POD/listener", "proxy-config/shop/svc%2Ffrontend/listener"),
        ("proxy-config/shop/POD/route", "proxy-config/bank/deployment%2Ffrontend.shop/route"),
        ("proxy-status/shop/POD", "proxy-status/shop/replicaset%2FSET"),
        ("check-inject?namespace=shop&pod=POD", "check-inject?namespace=shop&pod=deployment/frontend"),
    ] {
        let (set, _) = pod.rsplit_once('-').unwrap();
        let path = |part: &str| format!("/v1/istioctl/{}", part.replace("POD", &pod).replace("SET", set));
        same([get(&path(by_pod)).await, get(&path(by_target)).await]);
    }
    let by_target = get("/v1/kubectl/envoy/clusters?pod=deployment/frontend.shop").await;
    same([get(&format!("/v1/kubectl/envoy/clusters?namespace=shop&pod={pod}")).await, by_target]);
    let by_type = get("/v1/kubectl/sidecar-logs?source=shop/replicaset/nobody").await;
    assert_eq!(by_type.0, StatusCode::NOT_FOUND, "{}", by_type.1);
    for wrong in ["/v1/kubectl/envoy/clusters?pod=frontend", "/v1/kubectl/envoy/clusters?selector=app%3Dx"] {
        let answer = get(wrong).await;
        assert_eq!(answer.1["errors"][0]["pointer"], "/namespace", "{}", answer.1);
    }
}

fn run(capture: &Path, inputs: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshtriage"));
    command.args(["run", "istioctl.proxy-config", "--format", "raw", "--capture"]).arg(capture);
    for input in inputs {
        command.args(["--input", input]);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn terminal_takes_targets() {
    let capture = recording_path("upstream");
    let (code, table, error) = run(&capture, &["kind=cluster", "namespace=web", "pod=deployment/api"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(table.starts_with("SERVICE FQDN"), "{table}");
    assert_eq!(run(&capture, &["kind=cluster", "pod=svc/api.web"]).1, table);
    let (code, _, error) = run(&capture, &["kind=cluster", "pod=deployment/api"]);
    assert_eq!(code, Some(64));
    assert!(error.contains("deployment/cart.shop"), "{error}");
}
