//! The steps that stand for `kubectl get`, over the recordings: their text is kubectl's, and they name the faults that
//! are known to be there.

use std::fs;

use meshtriage::{
    report::{Finding, Format, Severity},
    steps::{self, Inputs},
};

use crate::support::{Outcome, app::recording, recording_path};

async fn run(recorded: &str, step: &str, inputs: &[(&str, &str)], format: Format) -> Outcome {
    let pairs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let prepared = steps::find(step).unwrap().prepare(Inputs::Pairs(pairs)).unwrap_or_else(|e| panic!("{e:?}"));
    prepared
        .execute(&recording(recorded), format)
        .await
        .unwrap_or_else(|error| panic!("{step} {inputs:?}: {error}"))
        .into()
}

const RECORDINGS: [&str; 3] = ["healthy", "broken", "upstream"];

/// The columns of a printed table by their headers: where each begins.
fn columns(header: &str) -> Vec<(usize, &str)> {
    let mut columns = Vec::new();
    let mut at = 0;
    for part in header.split("   ") {
        let name = part.trim_start();
        if !name.is_empty() {
            columns.push((at + (part.len() - name.len()), name));
        }
        at += part.len() + 3;
    }
    columns
}

/// The cells of a printed table, row by row. Recordings are of ASCII only.
fn cells(text: &str) -> Vec<Vec<String>> {
    let header = text.lines().next().unwrap();
    let starts: Vec<usize> = columns(header).iter().map(|(at, _)| *at).collect();
    let cell = |line: &str, index: usize| {
        let from = starts[index].min(line.len());
        let to = starts.get(index + 1).map_or(line.len(), |to| (*to).min(line.len()));
        line[from..to].trim_end().to_owned()
    };
    text.lines().map(|line| (0..starts.len()).map(|index| cell(line, index)).collect()).collect()
}

/// Lays a table out as kubectl does, written independently of the printer that is tested: three spaces after the widest.
fn laid_out(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap() + 3).collect();
    let line = |row: &Vec<String>| {
        let (last, others) = row.split_last().unwrap();
        let padded: Vec<String> = others.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}{last}\n", padded.concat())
    };
    rows.iter().map(line).collect()
}

/// The recorded text, the ages in it replaced by those of the recorded table, which was asked for minutes earlier.
fn with_ages_of(recorded: &str, printed: &str) -> String {
    let mut rows = cells(recorded);
    let ours = cells(printed);
    let aged: Vec<usize> = rows[0]
        .iter()
        .enumerate()
        .filter(|(_, name)| ["AGE", "LAST SEEN", "RESTARTS"].contains(&name.as_str()))
        .map(|(index, _)| index)
        .collect();
    for (row, our) in rows.iter_mut().zip(&ours) {
        for column in &aged {
            row[*column].clone_from(&our[*column]);
        }
    }
    laid_out(&rows)
}

async fn check_text(file: &str, step: &str, inputs: &[(&str, &str)]) {
    for recorded in RECORDINGS {
        let expected = fs::read_to_string(recording_path(&format!("{recorded}/kubectl/{file}"))).unwrap();
        let outcome = run(recorded, step, inputs, Format::Text).await;
        let printed = outcome.printed.unwrap();
        // The tool that simulated the nodes had types of its own, which the recording leaves out.
        let expected: String =
            expected.lines().filter(|l| !l.contains(".kwok.x-k8s.io")).fold(String::new(), |all, l| all + l + "\n");
        assert_eq!(laid_out(&cells(&expected)), expected, "the test reads {recorded}/{file} wrongly");
        assert_eq!(printed.lines().count(), expected.lines().count(), "{recorded}/{file}");
        assert_eq!(printed, with_ages_of(&expected, &printed), "{recorded}/{file}");
    }
}

const STATUS: &str = "kubectl.resource-status";

#[tokio::test]
async fn pods_print_as_kubectl_does() {
    check_text("pods-wide.txt", STATUS, &[("resource", "pods"), ("all_namespaces", "true"), ("output", "wide")]).await;
}

#[tokio::test]
async fn deployments_of_istiod_print_as_kubectl_does() {
    check_text("istiod-deploy.txt", STATUS, &[("resource", "deploy"), ("selector", "app=istiod")]).await;
}

#[tokio::test]
async fn replica_sets_of_istiod_print_as_kubectl_does() {
    check_text("istiod-rs.txt", STATUS, &[("resource", "rs"), ("selector", "app=istiod")]).await;
}

#[tokio::test]
async fn autoscalers_print_as_kubectl_does() {
    check_text("hpa.txt", STATUS, &[("resource", "hpa"), ("all_namespaces", "true")]).await;
}

#[tokio::test]
async fn events_print_as_kubectl_does() {
    check_text("events.txt", STATUS, &[("resource", "events"), ("all_namespaces", "true")]).await;
}

#[tokio::test]
async fn definitions_print_as_kubectl_does() {
    check_text("crds.txt", STATUS, &[("resource", "crd")]).await;
    check_text("crds.txt", "kubectl.crds", &[("filter", ".")]).await;
}

#[tokio::test]
async fn custom_resources_print_as_kubectl_does() {
    check_text("virtualservices.txt", "kubectl.custom-resources", &[("crd", "virtualservices")]).await;
    check_text("destinationrules.txt", "kubectl.custom-resources", &[("crd", "dr")]).await;
    check_text("virtualservices.txt", STATUS, &[("resource", "VirtualService"), ("all_namespaces", "true")]).await;
}

#[tokio::test]
async fn pods_of_istiod_print_as_kubectls_yaml() {
    for recorded in RECORDINGS {
        let expected = fs::read_to_string(recording_path(&format!("{recorded}/kubectl/istiod-pods-yaml.txt"))).unwrap();
        let outcome = run(recorded, "kubectl.istiod-pods", &[], Format::Raw).await;
        similar_lines(&expected, &outcome.printed.unwrap(), recorded);
    }
}

#[track_caller]
fn similar_lines(expected: &str, printed: &str, recorded: &str) {
    for (number, (expected, printed)) in expected.lines().zip(printed.lines()).enumerate() {
        assert_eq!(printed, expected, "{recorded}: line {}", number + 1);
    }
    assert_eq!(printed.len(), expected.len(), "{recorded}");
}

fn serious(outcome: &Outcome) -> Vec<&Finding> {
    outcome.findings.iter().filter(|finding| finding.severity > Severity::Info).collect()
}

fn listed(outcome: &Outcome) -> Vec<String> {
    let line = |finding: &&Finding| {
        let namespace = finding.subject.namespace.as_deref().unwrap_or_default();
        format!("{} {} {namespace}/{}: {}", finding.code, finding.subject.kind, finding.subject.name, finding.message)
    };
    serious(outcome).iter().map(line).collect()
}

/// Code, kind, namespace and beginning of the name of a finding, and words that its message or evidence must hold.
type Fault<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

fn assert_found(outcome: &Outcome, (code, kind, namespace, name, words): Fault) {
    let found = outcome.findings.iter().find(|finding| {
        finding.code == code
            && finding.subject.kind == kind
            && finding.subject.namespace.as_deref() == Some(namespace)
            && finding.subject.name.starts_with(name)
    });
    let found = found.unwrap_or_else(|| panic!("{code} of {namespace}/{name} is missing in {:#?}", listed(outcome)));
    let evidence: Vec<&str> = found.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    let text = format!("{} {} {}", found.message, evidence.join(" "), found.remedy);
    for word in words {
        assert!(text.contains(word), "{code} does not say {word:?}: {text}");
    }
    assert!(!found.evidence.is_empty() && !found.remedy.is_empty(), "{code} has no evidence or remedy");
}

#[tokio::test]
async fn known_faults_of_the_broken_mesh_are_named() {
    let deployments = run("broken", STATUS, &[("resource", "deploy"), ("all_namespaces", "true")], Format::Json).await;
    let faults: &[Fault] = &[
        ("K8S0002", "Pod", "shop", "recommendations-", &["registry.example/shop/recommendations:9.9.9", "not found"]),
        ("K8S0003", "Pod", "aks-istio-system", "istiod-asm-1-29-", &["OOMKilled", "137", "7 restarts", "controllers"]),
        ("K8S0004", "Pod", "aks-istio-system", "istiod-asm-1-29-", &["memory", "discoverySelectors"]),
        (
            "K8S0013",
            "ReplicaSet",
            "archive",
            "batch-7789b6f6f8",
            &[
                "istiod-asm-1-28",
                "not found",
                "kubectl delete mutatingwebhookconfiguration",
                "kubectl label namespace archive",
            ],
        ),
        ("K8S0001", "Pod", "shop", "cart-canary-", &["3 Insufficient cpu", "cpu 64"]),
        ("K8S0020", "HorizontalPodAutoscaler", "aks-istio-system", "istiod-asm-1-29", &["FailedGetResourceMetric"]),
        ("K8S0020", "HorizontalPodAutoscaler", "aks-istio-system", "istiod-asm-1-30", &["pods.metrics.k8s.io"]),
        ("K8S0023", "PodDisruptionBudget", "aks-istio-system", "istiod-asm-1-29", &["1 of 2 are healthy"]),
    ];
    for fault in faults {
        assert_found(&deployments, *fault);
    }
    assert_eq!(serious(&deployments).len(), faults.len(), "{:#?}", listed(&deployments));
    assert!(deployments.skipped.is_empty(), "{:?}", deployments.skipped);
}

#[tokio::test]
async fn pods_alone_show_their_own_faults() {
    let pods = run("broken", STATUS, &[("resource", "pods"), ("all_namespaces", "true")], Format::Json).await;
    let mut codes: Vec<&str> = serious(&pods).iter().map(|finding| finding.code.as_ref()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["K8S0001", "K8S0002", "K8S0003", "K8S0004"], "{:#?}", listed(&pods));
    for finding in serious(&pods) {
        assert_eq!(finding.subject.owner.as_ref().unwrap().kind, "Deployment");
    }
}

/// The recordings have no metrics API (nodes are simulated), so the autoscalers of all three say so: nothing else.
#[tokio::test]
async fn sound_meshes_are_quiet_but_for_the_metrics_api() {
    for recorded in ["healthy", "upstream"] {
        for resource in
            ["deploy", "rs", "pods", "svc", "hpa", "nodes", "ns", "httproutes", "gateways.networking.istio.io"]
        {
            let outcome =
                run(recorded, STATUS, &[("resource", resource), ("all_namespaces", "true")], Format::Json).await;
            let other: Vec<_> = serious(&outcome).into_iter().filter(|finding| finding.code != "K8S0020").collect();
            assert!(other.is_empty(), "{recorded} {resource}: {other:#?}");
            assert!(outcome.skipped.is_empty(), "{recorded} {resource}: {:?}", outcome.skipped);
        }
        for step in ["kubectl.crds", "kubectl.istiod-pods"] {
            let outcome = run(recorded, step, &[], Format::Json).await;
            assert!(serious(&outcome).is_empty(), "{recorded} {step}: {:#?}", listed(&outcome));
            assert!(outcome.skipped.is_empty(), "{recorded} {step}: {:?}", outcome.skipped);
        }
    }
}

#[tokio::test]
async fn services_without_endpoints_are_named() {
    let services = run("broken", STATUS, &[("resource", "svc"), ("all_namespaces", "true")], Format::Json).await;
    assert_eq!(listed(&services), ["K8S0024 Service shop/recommendations: none of 1 pod behind it is ready"]);
}

#[tokio::test]
async fn istiod_pods_name_the_dead_replica() {
    let pods = run("broken", "kubectl.istiod-pods", &[], Format::Json).await;
    assert_found(&pods, ("K8S0003", "Pod", "aks-istio-system", "istiod-asm-1-29-", &["OOMKilled"]));
    assert_found(&pods, ("K8S0070", "Deployment", "aks-istio-system", "istiod-asm-1-29", &["1 of 2 replicas"]));
    let revisions = &pods.data["revisions"];
    assert_eq!(revisions[0]["revision"], "asm-1-29");
    assert_eq!((&revisions[0]["ready"], &revisions[1]["ready"]), (&1.into(), &2.into()));
    let versions: Vec<_> =
        pods.data["pods"].as_array().unwrap().iter().map(|pod| pod["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["1.29.6", "1.29.6", "1.30.3", "1.30.3"]);

    let one = run("broken", "kubectl.istiod-pods", &[("revision", "asm-1-30")], Format::Json).await;
    assert!(serious(&one).is_empty(), "{:#?}", listed(&one));
    assert_eq!(one.data["pods"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_route_with_a_missing_backend_is_named_by_its_status() {
    let routes = run("broken", "kubectl.custom-resources", &[("crd", "httproutes")], Format::Json).await;
    assert_eq!(
        listed(&routes),
        ["K8S0027 HTTPRoute shop/api-search: ResolvedRefs is False for parent api: \
         backend(search.shop.svc.cluster.local) not found"]
    );
}

#[tokio::test]
async fn envoy_filters_are_worth_knowing_on_the_add_on() {
    let crds = run("broken", "kubectl.crds", &[], Format::Json).await;
    let codes: Vec<&str> = crds.findings.iter().map(|finding| finding.code.as_ref()).collect();
    assert_eq!(codes, ["K8S0030", "AKS0002"], "{:#?}", crds.findings);
}

async fn refused(step: &str, inputs: &[(&str, &str)]) -> String {
    let pairs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match steps::find(step).unwrap().prepare(Inputs::Pairs(pairs)) {
        Err(invalid) => format!("{} {}", invalid[0].pointer, invalid[0].code),
        Ok(prepared) => prepared.execute(&recording("broken"), Format::Json).await.unwrap_err().to_string(),
    }
}

#[tokio::test]
async fn wrong_inputs_are_refused_with_the_reason() {
    let both = [("resource", "deploy"), ("name", "x"), ("selector", "app=x")];
    assert_eq!(refused(STATUS, &both).await, "/selector conflict");
    assert_eq!(refused(STATUS, &[("resource", "deploy,rs")]).await, "/resource pattern");
    assert_eq!(refused(STATUS, &[]).await, "/resource required");
    assert_eq!(
        refused(STATUS, &[("resource", "deploy"), ("name", "x"), ("all_namespaces", "true")]).await,
        "/name conflict"
    );
    assert!(refused(STATUS, &[("resource", "deplyments")]).await.contains("similar: deployments.apps"));
    let gateway = refused("kubectl.custom-resources", &[("crd", "gateway")]).await;
    assert!(
        gateway.contains("gateways.networking.istio.io") && gateway.contains("gateways.gateway.networking.k8s.io"),
        "{gateway}"
    );
    assert!(refused("kubectl.custom-resources", &[("crd", "pods")]).await.contains("no custom resource"));
    let missing = refused(STATUS, &[("resource", "deploy"), ("name", "istiod-asm-1-3")]).await;
    assert!(missing.contains("there is no Deployment") && missing.contains("istiod-asm-1-30"), "{missing}");
}

#[tokio::test]
async fn a_deployment_by_name_is_shown_with_its_chain() {
    let one =
        run("broken", STATUS, &[("resource", "deployments.apps"), ("name", "istiod-asm-1-29")], Format::Json).await;
    let object = &one.data["objects"][0];
    assert_eq!(object["state"], "1 of 2 replicas ready");
    let kinds: Vec<_> =
        object["related"].as_array().unwrap().iter().map(|related| related["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ReplicaSet", "Pod", "Pod", "HorizontalPodAutoscaler", "PodDisruptionBudget"]);
    assert!(object["events"].as_array().unwrap().iter().any(|event| event["reason"] == "BackOff"));
    assert_eq!(one.commands[0], "kubectl get deployments.apps istiod-asm-1-29 --namespace aks-istio-system");

    let pod =
        run("broken", STATUS, &[("resource", "po"), ("namespace", "shop"), ("selector", "app=cart")], Format::Json)
            .await;
    let owners: Vec<_> =
        pod.data["objects"][0]["owners"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    assert_eq!(owners, ["ReplicaSet", "Deployment"]);
}

#[tokio::test]
async fn nothing_found_is_said_as_kubectl_says_it() {
    let none = run("healthy", STATUS, &[("resource", "pods"), ("selector", "app=none")], Format::Text).await;
    assert_eq!(none.printed.as_deref(), Some("No resources found in aks-istio-system namespace.\n"));
}

#[tokio::test]
async fn secrets_are_listed_without_their_data() {
    let secrets =
        run("broken", STATUS, &[("resource", "secrets"), ("all_namespaces", "true"), ("output", "yaml")], Format::Raw)
            .await;
    let printed = secrets.printed.unwrap();
    assert!(printed.contains("kind: Secret"));
    assert!(!printed.contains("tls.crt") && !secrets.data.to_string().contains("tls.crt"));
}
