//! `istioctl.proxy-status` and `istioctl.proxy-config` against what istioctl prints, and against the faults of the
//! recordings.

use std::{collections::BTreeMap, fs, path::Path};

use http::StatusCode;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use meshtriage::{
    capture::{self, Capture},
    clock::Clock,
    cluster::{Cluster, Resource, Scope, Settings, Source},
    envoy::comparison,
    report::{Finding, Format, Severity},
    steps::{
        Inputs,
        proxy_status::{self, DocumentFormat, ProxyStatus, ProxyStatusColumns, SyncStatus, TypeStatus},
    },
};
use serde_json::{Value, json};

use crate::support::{
    Outcome,
    app::TestApp,
    checklist::{Call, call, line, proxies},
    corpus_path, needs, recording_path, say,
};

const STATUS: &str = "istioctl.proxy-status";
const CONFIG: &str = "istioctl.proxy-config";

/// A recording whose clock stands a little after it was made, so that its certificates stay as valid as they were.
fn recorded(name: &str) -> Cluster {
    let time = if name == "upstream" { "2026-11-25T11:30:00Z" } else { "2026-11-25T11:00:00Z" };
    opened(&recording_path(name), time)
}

fn opened(path: &Path, time: &str) -> Cluster {
    let capture = Capture::open(path, &capture::Limits::default()).unwrap();
    let source = Source::Recording { name: "test".to_owned(), skipped: Vec::new() };
    let clock = Clock::Fixed(time.parse::<Timestamp>().unwrap());
    Cluster::new(capture.client(), "test".to_owned(), source, clock, Settings::default())
}

async fn status(cluster: &Cluster, inputs: &[(&str, &str)], format: Format) -> Outcome {
    call(cluster, &Call::new(STATUS, inputs), format).await
}

fn serious(outcome: &Outcome) -> Vec<String> {
    outcome.findings.iter().filter(|finding| finding.severity >= Severity::Warning).map(line).collect()
}

#[track_caller]
fn has(findings: &[Finding], code: &str, words: &[&str]) {
    let lines: Vec<_> = findings.iter().map(line).collect();
    let found = lines.iter().any(|line| line.starts_with(code) && words.iter().all(|word| line.contains(word)));
    assert!(found, "no {code} with {words:?} in {lines:#?}");
}

// --- istioctl's own test data ---------------------------------------------------------------------------------------

/// A recording of these files.
fn folder(files: &[(String, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn list(path: &str, kind: &str, items: &[Value]) -> (String, String) {
    let list = json!({"kind": format!("{kind}List"), "apiVersion": "v1", "items": items});
    (format!("cluster/resources/{path}.json"), list.to_string())
}

/// A pod whose proxy has been running for an hour.
fn proxy_pod(namespace: &str, name: &str, revision: &str) -> Value {
    let running = json!({"name": "istio-proxy", "ready": true, "restartCount": 0, "image": "", "imageID": "",
        "state": {"running": {"startedAt": "2025-12-31T23:00:00Z"}}});
    json!({"metadata": {"name": name, "namespace": namespace, "annotations": {"istio.io/rev": revision}},
        "spec": {"containers": [{"name": "istio-proxy"}]}, "status": {"phase": "Running", "containerStatuses": [running]}})
}

/// When the small recordings were made.
const NEW_YEAR: &str = "2026-01-01T00:00:00Z";

/// A cluster of replicas of istiod with what they answer, and of some pods.
fn istiods(
    revision: &str,
    pages: &BTreeMap<String, Value>,
    version: &str,
    more: &[Value],
) -> (tempfile::TempDir, Cluster) {
    let istiod = |name: &String| {
        let labels = json!({"app": "istiod", "istio.io/rev": revision});
        json!({"metadata": {"name": name, "namespace": "istio-system", "labels": labels},
            "spec": {"containers": [{"name": "discovery"}]}, "status": {"phase": "Running"}})
    };
    let pods: Vec<Value> = pages.keys().map(istiod).chain(more.iter().cloned()).collect();
    let mut files = vec![
        list("api/v1/pods", "Pod", &pods),
        list("api/v1/namespaces", "Namespace", &[]),
        list("api/v1/serviceaccounts", "ServiceAccount", &[]),
        list("apis/apps/v1/deployments", "Deployment", &[]),
        list("apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", "MutatingWebhookConfiguration", &[]),
    ];
    for (name, page) in pages {
        files.push((format!("istiod/istio-system/{name}/debug/syncz"), page.to_string()));
        files.push((format!("istiod/istio-system/{name}/version"), version.to_owned()));
    }
    let folder = folder(&files);
    let cluster = opened(folder.path(), NEW_YEAR);
    (folder, cluster)
}

/// The rows of istiod's answers over xDS, from which istioctl makes its tables.
fn rows(answers: &Value) -> Vec<ProxyStatus> {
    let mut rows = Vec::new();
    for (istiod, answer) in answers.as_object().unwrap() {
        for config in answer["resources"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let types = config["genericXdsConfigs"].as_array().into_iter().flatten().map(|one| {
                let type_url = text(&one["typeUrl"]);
                let status = serde_json::from_value(one["configStatus"].clone()).unwrap_or(SyncStatus::Ignored);
                let name = match type_url.rsplit('.').next().unwrap() {
                    "Cluster" => "CDS",
                    "Listener" => "LDS",
                    "RouteConfiguration" => "RDS",
                    "ClusterLoadAssignment" => "EDS",
                    "TypedExtensionConfig" => "ECDS",
                    other => other,
                };
                let (sent, acked) = (String::new(), String::new());
                TypeStatus {
                    name: name.to_owned().into(),
                    type_url: type_url.into(),
                    status,
                    sent,
                    acked,
                    last_sent: None,
                    age_s: None,
                    error: None,
                }
            });
            let node = &config["node"];
            rows.push(ProxyStatus {
                proxy: text(&node["id"]),
                namespace: text(&node["metadata"]["NAMESPACE"]),
                pod: text(&node["id"]),
                cluster: text(&node["metadata"]["CLUSTER_ID"]),
                proxy_type: String::new(),
                istiod: istiod.clone(),
                revision: String::new(),
                version: text(&node["metadata"]["ISTIO_VERSION"]),
                types: types.collect(),
                also_in: Vec::new(),
            });
        }
    }
    rows
}

fn file(path: &str) -> String {
    fs::read_to_string(corpus_path(&format!("proxy-status/{path}"))).unwrap()
}

fn input(case: &Value, index: usize) -> Value {
    match case["inputs"][index]["file"].as_str() {
        Some(path) => serde_json::from_str(&file(path)).unwrap(),
        None => case["inputs"][index]["inline"].clone(),
    }
}

/// What a case gives; an error where the command would fail.
async fn given(case: &Value) -> Result<String, String> {
    let name = case["name"].as_str().unwrap();
    if name.contains("TestXdsStatusWriter") {
        let answers = input(case, 0);
        let (text, namespace) = (case["args"].to_string(), case["filters"]["namespace"].as_str());
        let format = match text.as_str() {
            text if text.contains("json") => DocumentFormat::Json,
            text if text.contains("yaml") => DocumentFormat::Yaml,
            _ => {
                let columns = match case["filters"]["verbosity"].as_u64() {
                    Some(1) => ProxyStatusColumns::Types,
                    _ if name.contains("1.24.6") => ProxyStatusColumns::FiveTypes,
                    _ => ProxyStatusColumns::Subscribed,
                };
                return Ok(proxy_status::text(&rows(&answers), columns));
            }
        };
        let mut text = String::new();
        for answer in answers.as_object().unwrap().values() {
            let mut answer = answer.clone();
            if let (Some(namespace), Some(resources)) = (namespace, answer["resources"].as_array_mut()) {
                resources.retain(|resource| resource["node"]["metadata"]["NAMESPACE"] == namespace);
            }
            text.push_str(&proxy_status::written(&answer, format));
        }
        return Ok(text);
    }
    if name.contains("Comparator") {
        let [istiod, envoy] = [0, 1].map(|index| file(case["inputs"][index]["file"].as_str().unwrap()));
        return comparison::compare(istiod.as_bytes(), envoy.as_bytes())
            .map(|diff| diff.text())
            .map_err(|error| error.to_string());
    }
    if name.contains("syncz.") {
        let pages = input(case, 0);
        let pod = case["filters"]["pod"].as_str();
        let pages: BTreeMap<String, Value> = pages
            .as_object()
            .unwrap()
            .iter()
            .map(|(istiod, page)| {
                let clients = page.as_array().unwrap().iter();
                let wanted = clients.filter(|client| pod.is_none_or(|pod| client["proxy"] == pod)).cloned();
                (istiod.clone(), wanted.collect())
            })
            .collect();
        let (_folder, cluster) = istiods("default", &pages, "", &[]);
        return run(&cluster, vec![("columns", "five_types")]).await;
    }
    let pod = &case["inputs"][0]["inline"][0]["metadata"];
    let pages = BTreeMap::from([(pod["name"].as_str().unwrap().to_owned(), json!([]))]);
    let (_folder, cluster) = istiods(pod["labels"]["istio.io/rev"].as_str().unwrap(), &pages, "", &[]);
    let args: Vec<&str> = case["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match args[..] {
        [] => run(&cluster, Vec::new()).await,
        ["--revision", revision] => run(&cluster, vec![("revision", revision)]).await,
        // The mock answers with an empty message, which no page of istiod stands for.
        ["-o", "json"] => Ok(proxy_status::written(&case["inputs"][1]["inline"], DocumentFormat::Json)),
        ["-o", format] => run(&cluster, vec![("output", format)]).await,
        [target] => {
            let (pod, namespace) = target.rsplit_once('.').unwrap_or((target, "default"));
            run(&cluster, vec![("namespace", namespace), ("pod", pod)]).await
        }
        _ => panic!("{name}: {args:?}"),
    }
}

/// The text of the step, or why there is none.
async fn run(cluster: &Cluster, inputs: Vec<(&str, &str)>) -> Result<String, String> {
    let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let step = meshtriage::steps::find(STATUS).unwrap();
    let prepared = step.prepare(Inputs::Pairs(inputs)).map_err(|invalid| format!("{invalid:?}"))?;
    let outcome = prepared.execute(cluster, Format::Text).await.map_err(|error| error.to_string())?;
    outcome.printed.ok_or_else(|| format!("{:?}", outcome.skipped))
}

#[tokio::test]
async fn istioctls_own_cases() {
    needs!(Corpus);
    let cases: Vec<Value> = serde_json::from_str(&file("cases.json")).unwrap();
    let (mut passed, mut failed) = (0, Vec::new());
    for case in &cases {
        let given = given(case).await;
        let expected = case["expectedOutputFile"].as_str().map(file).unwrap_or_default();
        let good = match (case["compare"].as_str().unwrap(), &given) {
            ("error", given) => given.is_err(),
            ("exact", Ok(text)) => text.trim_end_matches('\n') == expected.trim_end_matches('\n'),
            ("json", Ok(text)) => {
                let [is, expected] = [text, &expected].map(|text| serde_json::from_str::<Value>(text).unwrap());
                is == expected
            }
            ("yaml", Ok(text)) => {
                let [is, expected] = [text, &expected].map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
                is == expected
            }
            ("contains", Ok(text)) => case["expected"]["contains"]
                .as_array()
                .unwrap()
                .iter()
                .all(|part| text.contains(part.as_str().unwrap())),
            _ => false,
        };
        if good {
            passed += 1;
        } else {
            failed.push(format!("{}: {given:?}\ninstead of {expected}", case["name"]));
        }
    }
    say(&format!("proxy-status: {passed}/{} of istioctl's own cases", cases.len()));
    assert_eq!(cases.len(), 19);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

// --- What istioctl printed of the recorded meshes --------------------------------------------------------------------

/// File, exit status and arguments of the recorded commands whose file begins so.
fn commands(capture: &str, prefix: &str) -> Vec<(String, bool, Vec<String>)> {
    let commands = fs::read_to_string(recording_path(&format!("{capture}/commands.tsv"))).unwrap();
    let columns = commands.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let wanted = columns.filter(|columns| columns[0].starts_with(prefix));
    wanted.map(|c| (c[0].clone(), c[1] == "0", c[2].split_whitespace().map(str::to_owned).collect())).collect()
}

fn after<'a>(args: &'a [String], flag: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == flag)?;
    args.get(at + 1).map(String::as_str)
}

/// Without ages, which depend on the moment of the command, and without the width that they give to their columns.
fn without_ages(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let words =
            line.split_whitespace().filter(|word| !(word.starts_with('(') && word.ends_with(')') && word.len() < 9));
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}

/// Documents without the nonce and the version of that answer and the Go version, which the page does not have.
fn documents(text: &str, is_yaml: bool) -> Vec<Value> {
    let parts: Vec<Value> = if is_yaml {
        text.split("\n\n")
            .filter(|part| !part.trim().is_empty())
            .map(|part| serde_saphyr::from_str(part).unwrap())
            .collect()
    } else {
        serde_json::Deserializer::from_str(text).into_iter().map(Result::unwrap).collect()
    };
    let cut = |mut document: Value| {
        let fields = document.as_object_mut().unwrap();
        fields.shift_remove("nonce");
        fields.shift_remove("versionInfo");
        let mut identifier: Value =
            serde_json::from_str(document["controlPlane"]["identifier"].as_str().unwrap()).unwrap();
        identifier["Info"]["golang_version"] = "".into();
        document["controlPlane"]["identifier"] = identifier;
        // A replica without proxies has none.
        let mut none = Vec::new();
        let resources = document.get_mut("resources").map_or(&mut none, |list| list.as_array_mut().unwrap());
        resources.sort_by_key(|resource| resource["node"]["id"].as_str().unwrap().to_owned());
        document.sort_all_objects();
        document
    };
    parts.into_iter().map(cut).collect()
}

/// Lists that istioctl failed to print, and why.
const FAILED_LISTS: &[(&str, &str)] = &[
    ("norev", "istioctl looks for the revision `default` only, and there is none"),
    ("proxy-status-29", "one replica of asm-1-29 is dead, and istioctl stops at it"),
];

#[tokio::test]
async fn lists_are_those_that_istioctl_printed() {
    let (mut same, mut total, mut better, mut different) = (0, 0, 0, Vec::new());
    for capture in ["healthy", "broken", "upstream"] {
        let cluster = recorded(capture);
        for (file, succeeded, args) in commands(capture, "istioctl/proxy-status-") {
            if file.contains("proxy-status-diff") {
                continue;
            }
            let output = after(&args, "-o").unwrap_or("table");
            let columns = if args.iter().any(|arg| arg == "-v") { "types" } else { "subscribed" };
            let mut inputs = vec![("output", output), ("columns", columns)];
            inputs.extend(after(&args, "--revision").map(|revision| ("revision", revision)));
            let printed = status(&cluster, &inputs, Format::Text).await.printed.unwrap();
            if !succeeded {
                assert!(FAILED_LISTS.iter().any(|(part, _)| file.contains(part)), "{capture}/{file}");
                assert!(printed.lines().count() > 2, "{capture}/{file}: {printed}");
                better += 1;
                continue;
            }
            total += 1;
            let expected = fs::read_to_string(recording_path(&format!("{capture}/{file}"))).unwrap();
            let good = match (output, columns) {
                ("table", "subscribed") => printed == expected,
                ("table", _) => without_ages(&printed) == without_ages(&expected),
                _ => documents(&printed, output == "yaml") == documents(&expected, output == "yaml"),
            };
            if good {
                same += 1;
            } else {
                different.push(format!("{capture}/{file}:\n{printed}\ninstead of\n{expected}"));
            }
        }
    }
    say(&format!("proxy-status: {same}/{total} lists as istioctl's; {better} more where istioctl failed"));
    assert!(total >= 15 && better >= 8, "{total} {better}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Where the recorded moments of istioctl and of the dumps differ, no diff can be compared; none does.
#[tokio::test]
async fn diffs_are_those_that_istioctl_printed() {
    let (mut same, mut total, mut better, mut none, mut different) = (0, 0, 0, 0, Vec::new());
    for capture in ["healthy", "broken", "upstream"] {
        let cluster = recorded(capture);
        for (file, succeeded, args) in commands(capture, "istioctl/proxy-status-diff/") {
            let (pod, namespace) = args.last().unwrap().rsplit_once('.').unwrap();
            let outcome = status(&cluster, &[("namespace", namespace), ("pod", pod)], Format::Text).await;
            match (&outcome.printed, succeeded) {
                (Some(printed), true) => {
                    total += 1;
                    let expected = fs::read_to_string(recording_path(&format!("{capture}/{file}"))).unwrap();
                    if *printed == expected {
                        same += 1;
                    } else {
                        let at = printed.lines().zip(expected.lines()).position(|(is, expected)| is != expected);
                        let part: Vec<_> =
                            printed.lines().skip(at.unwrap_or_default().saturating_sub(3)).take(20).collect();
                        different.push(format!("{capture}/{file} at line {at:?}:\n{}", part.join("\n")));
                    }
                }
                // istioctl asked a replica that the pod is not connected to, or another revision.
                (Some(_), false) => better += 1,
                // Not connected, or not running: there is no configuration to compare with.
                (None, false) => {
                    assert!(!outcome.skipped.is_empty(), "{capture}/{file} says no reason");
                    none += 1;
                }
                (None, true) => different.push(format!("{capture}/{file}: {:?}", outcome.skipped)),
            }
        }
    }
    say(&format!(
        "proxy-status of a pod: {same}/{total} as istioctl's; {better} more where istioctl failed, {none} neither"
    ));
    assert!(total >= 10 && better >= 10 && none >= 3, "{total} {better} {none}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[tokio::test]
async fn tables_and_dumps_are_those_that_istioctl_printed() {
    let (mut same, mut total, mut different) = (0, 0, Vec::new());
    for capture in ["broken", "upstream"] {
        let cluster = recorded(capture);
        let running = proxies(&cluster).await;
        for (file, succeeded, args) in commands(capture, "istioctl/proxy-config/") {
            let at = args.iter().position(|arg| arg == "proxy-config").unwrap();
            let (kind, target) = (args[at + 1].as_str(), args[at + 2].as_str());
            let (pod, namespace) = target.rsplit_once('.').unwrap();
            let is_listed = running.contains(&(namespace.to_owned(), pod.to_owned()));
            // Routes in JSON have no order in istioctl, and endpoints have counters; both are compared elsewhere.
            let has_counters = kind == "endpoint" && after(&args, "-o").is_some_and(|output| output != "short");
            let is_fixed = !has_counters && !matches!(kind, "route" | "all" | "eds");
            if !succeeded || !is_listed || !is_fixed {
                continue;
            }
            let mut inputs = vec![("namespace", namespace), ("pod", pod), ("kind", kind)];
            inputs.extend(after(&args, "-o").filter(|output| *output != "short").map(|output| ("output", output)));
            if kind == "bootstrap" && after(&args, "-o").is_none() {
                inputs.push(("output", "json"));
            }
            for filter in ["direction", "port", "name"] {
                inputs.extend(after(&args, &format!("--{filter}")).map(|value| (filter, value)));
            }
            if args.iter().any(|arg| arg == "--verbose=false") {
                inputs.push(("verbose", "false"));
            }
            let printed = call(&cluster, &Call::new(CONFIG, &inputs), Format::Text).await.printed;
            let expected = fs::read_to_string(recording_path(&format!("{capture}/{file}"))).unwrap();
            total += 1;
            let lines = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            let data =
                |text: &str| -> Value { serde_json::from_str(text).or_else(|_| serde_saphyr::from_str(text)).unwrap() };
            let good = printed.as_ref().is_some_and(|printed| {
                let structured = after(&args, "-o").is_some_and(|output| output != "short") || kind == "bootstrap";
                lines(printed) == lines(&expected) || (structured && data(printed) == data(&expected))
            });
            if good {
                same += 1;
            } else {
                different.push(format!("{capture}/{file}: {inputs:?}"));
            }
        }
    }
    say(&format!("proxy-config: {same}/{total} outputs as istioctl's, through the step"));
    assert!(total > 200, "{total}");
    assert!(different.is_empty(), "{}", different.join("\n"));
}

// --- Faults ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn faults_of_the_broken_mesh_show_in_the_list() {
    let outcome = status(&recorded("broken"), &[], Format::Json).await;
    let data = &outcome.data;
    // 6: an EnvoyFilter that Envoy rejects.
    has(&outcome.findings, "ENV0010", &["catalog-v2", "LDS", "terminal filter named envoy.filters.http.router"]);
    // 11: a dead replica hides neither the other of its revision nor those of others.
    let dead = outcome.skipped.iter().find(|one| one.what.contains("istiod-asm-1-29")).unwrap();
    assert!(dead.why.contains("refused"), "{dead:?}");
    assert_eq!(data["proxies"].as_array().unwrap().len(), 11);
    assert_eq!(data["istiods"].as_array().unwrap().len(), 4);
    // 12: a namespace that was relabelled while its pods still run.
    has(&outcome.findings, "ENV0015", &["legacy", "asm-1-30", "asm-1-29", "orders"]);
    // 21: a proxy that no istiod knows.
    has(&outcome.findings, "ENV0013", &["catalog-v1", "is connected to no istiod, though it has been running"]);
    assert_eq!(data["unconnected"].as_array().unwrap().len(), 1, "{}", data["unconnected"]);
    assert_eq!(data["versions"], json!({"1.29.6": 2, "1.30.3": 9}));
    assert_eq!(serious(&outcome).len(), 3, "{:#?}", serious(&outcome));
}

async fn pod_named(cluster: &Cluster, namespace: &str, prefix: &str) -> String {
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let pods = cluster.list::<Pod>(&Resource::pods(), &scope, None).await.unwrap().items;
    let names = pods.into_iter().filter_map(|pod| pod.metadata.name);
    names.into_iter().find(|name| name.starts_with(prefix)).unwrap()
}

async fn config(cluster: &Cluster, namespace: &str, prefix: &str, kind: &str) -> Outcome {
    let pod = pod_named(cluster, namespace, prefix).await;
    let inputs = [("namespace", namespace), ("pod", pod.as_str()), ("kind", kind)];
    call(cluster, &Call::new(CONFIG, &inputs), Format::Json).await
}

#[tokio::test]
async fn faults_of_the_broken_mesh_show_in_dumps() {
    let cluster = recorded("broken");
    let gateway = config(&cluster, "aks-istio-ingress", "aks-istio-ingressgateway", "secret").await;
    has(&gateway.findings, "ENV0018", &["kubernetes://pay-tls"]);
    has(&gateway.findings, "ENV0006", &["kubernetes://shop-tls", "expired at 2026-04-01"]);
    let listeners = config(&cluster, "shop", "catalog-v2", "listener").await;
    has(&listeners.findings, "ENV0010", &["virtualInbound", "terminal filter"]);
    let routes = config(&cluster, "shop", "frontend", "route").await;
    has(&routes.findings, "ENV0019", &["chekout.shop"]);
    has(&routes.findings, "ENV0019", &["catalog.shop.svc.cluster.local:8080 subset \"v3\""]);
    let all = config(&cluster, "shop", "frontend", "all").await;
    has(&all.findings, "ENV0019", &["chekout.shop"]);
    let endpoints = config(&cluster, "legacy", "orders", "endpoint").await;
    assert!(endpoints.data["rows"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn refused_listener_shows_in_the_diff() {
    let cluster = recorded("broken");
    let pod = pod_named(&cluster, "shop", "catalog-v2").await;
    let outcome = status(&cluster, &[("namespace", "shop"), ("pod", &pod)], Format::Json).await;
    has(&outcome.findings, "ENV0016", &["1 listener", "missing in Envoy: virtualInbound"]);
    has(&outcome.findings, "ENV0010", &["LDS"]);
    let change = &outcome.data["diff"]["listeners"]["changes"][0];
    assert_eq!((&change["resource"], &change["change"]), (&json!("virtualInbound"), &json!("only_in_istiod")));
    assert_eq!(outcome.data["proxies"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn healthy_mesh_is_quiet() {
    let cluster = recorded("healthy");
    let list = status(&cluster, &[], Format::Json).await;
    assert_eq!((serious(&list), list.skipped), (Vec::new(), Vec::new()));
    let kinds = ["all", "cluster", "ecds", "eds", "endpoint", "listener", "route", "secret", "bootstrap", "log"];
    for (namespace, pod) in proxies(&cluster).await {
        let place = [("namespace", namespace.as_str()), ("pod", pod.as_str())];
        let diff = status(&cluster, &place, Format::Json).await;
        assert_eq!((serious(&diff), diff.skipped), (Vec::new(), Vec::new()), "{namespace}/{pod}");
        assert!(diff.data["diff"].is_object());
        for kind in kinds {
            let inputs = [place[0], place[1], ("kind", kind)];
            let outcome = call(&cluster, &Call::new(CONFIG, &inputs), Format::Json).await;
            assert_eq!(serious(&outcome), Vec::<String>::new(), "{kind} of {namespace}/{pod}");
            // Envoy has no section for extensions that nobody asked for.
            assert!(outcome.skipped.is_empty() || kind == "ecds", "{kind} of {namespace}/{pod}: {:?}", outcome.skipped);
        }
    }
}

// --- Inputs ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn filters_leave_what_was_asked_for() {
    let cluster = recorded("broken");
    let ids = |outcome: &Outcome| -> Vec<String> {
        let proxies = outcome.data["proxies"].as_array().unwrap().iter();
        proxies.map(|proxy| proxy["pod"].as_str().unwrap().split('-').next().unwrap().to_owned()).collect()
    };
    let one = status(&cluster, &[("namespace", "bank")], Format::Json).await;
    assert_eq!(ids(&one), ["ledger", "payments"]);
    assert_eq!(one.data["unconnected"], json!([]));
    assert_eq!(ids(&status(&cluster, &[("revision", "asm-1-29")], Format::Json).await), ["inventory", "orders"]);
    assert_eq!(ids(&status(&cluster, &[("status", "ERROR")], Format::Json).await), ["catalog"]);
    let secrets = status(&cluster, &[("type", "sds"), ("status", "SYNCED")], Format::Json).await;
    assert_eq!(ids(&secrets), ["aks"]);
    assert_eq!(secrets.data["proxies"][0]["types"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn endpoints_answer_and_refuse() {
    let app = TestApp::over("healthy");
    let ok = app.get("/v1/istioctl/proxy-status?namespace=bank").await;
    assert_eq!(ok.status, StatusCode::OK, "{}", ok.text);
    assert_eq!(ok.json()["data"]["proxies"][0]["namespace"], "bank");
    let text = app.get("/v1/istioctl/proxy-status/bank/deployment%2Fpayments?format=raw").await.text;
    assert!(text.starts_with("Clusters Match\nListeners Match\nRoutes Match"), "{text}");
    let path = "/v1/istioctl/proxy-config/bank/service%2Fpayments/cluster";
    let dump = app.get(&format!("{path}?dump=true&direction=inbound")).await.json();
    assert_eq!(dump["data"]["kind"], "cluster");
    assert_eq!(dump["data"]["rows"].as_array().unwrap().len(), dump["data"]["dump"].as_array().unwrap().len());
    assert!(dump["data"]["dump"][0]["name"].as_str().unwrap().starts_with("inbound|"), "{dump}");
    let yaml = app.get(&format!("{path}?format=raw&output=yaml&direction=inbound")).await.text;
    assert!(yaml.contains("  name: inbound|"), "{yaml}");
    for (path, status, code) in [
        ("proxy-config/bank/no-such-pod/cluster", 404, "not_found"),
        ("proxy-config/bank/deployment%2Fno-such/cluster", 404, "not_found"),
        ("proxy-config/bank/serviceaccount%2Fdefault/cluster", 422, "validation_failed"),
        ("proxy-config/bank/payments/unknown", 422, "validation_failed"),
        ("proxy-config/bank/payments/secret?port=80", 422, "validation_failed"),
        ("proxy-config/bank/payments/cluster?port=70000", 422, "validation_failed"),
        ("proxy-config/bank/a%2Fb%2Fc/cluster", 422, "validation_failed"),
        ("proxy-config/bank/..%2Fsecrets/cluster", 422, "validation_failed"),
        ("proxy-status/bank/no-such-pod", 404, "not_found"),
        ("proxy-status?pod=payments", 422, "validation_failed"),
        ("proxy-status?revision=none", 404, "not_found"),
        ("proxy-status?output=invalid-format", 422, "validation_failed"),
        ("proxy-status?unknown=1", 422, "validation_failed"),
    ] {
        let answered = app.get(&format!("/v1/istioctl/{path}")).await;
        assert_eq!(
            (answered.status.as_u16(), answered.problem().as_str()),
            (status, code),
            "{path}: {}",
            answered.text
        );
    }
}

#[tokio::test]
async fn istiod_with_the_fault_of_gateway_keys_is_not_asked() {
    let page = json!([{"cluster_id": "Kubernetes", "proxy": "cart-1.shop", "istio_version": "1.26.4", "cluster_sent": "a", "cluster_acked": "a"}]);
    let pages = BTreeMap::from([("istiod-1".to_owned(), page)]);
    let pods = [proxy_pod("shop", "cart-1", "default")];
    let (_folder, cluster) = istiods("default", &pages, "1.26.4-abc-Clean", &pods);
    let outcome = status(&cluster, &[("namespace", "shop"), ("pod", "cart-1")], Format::Json).await;
    assert!(outcome.data["diff"].is_null());
    assert!(
        outcome.skipped.iter().any(|one| one.why.contains("57789") && one.why.contains("1.26.4")),
        "{:?}",
        outcome.skipped
    );
    assert_eq!(outcome.data["proxies"][0]["types"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn page_that_cannot_be_read_hides_no_other() {
    let client = json!({"cluster_id": "Kubernetes", "proxy": "cart-1.shop", "resources": {}});
    let pages = [("istiod-1", json!({"not": "a list"})), ("istiod-2", json!([client, null, 7]))];
    let pages = pages.map(|(name, page)| (name.to_owned(), page));
    let (_folder, cluster) = istiods("default", &BTreeMap::from(pages), "", &[]);
    let outcome = status(&cluster, &[], Format::Json).await;
    assert_eq!(outcome.data["proxies"][0]["istiod"], "istiod-2");
    assert!(outcome.data["istiods"][0]["error"].as_str().unwrap().contains("cannot be read"), "{}", outcome.data);
    assert!(outcome.skipped.iter().any(|one| one.what.contains("istiod-1")), "{:?}", outcome.skipped);
}

fn client(proxy: &str, version: &str, types: &Value) -> Value {
    json!({"cluster_id": "Kubernetes", "proxy": proxy, "proxy_type": "sidecar", "istio_version": version, "resources": types})
}

#[tokio::test]
async fn slow_old_and_moved_proxies_are_named() {
    let cds = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    let eds = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    let synced = |time: &str| json!({cds: {"sent": "1", "acked": "1", "sentTime": time}});
    let earlier = "2025-12-31T23:50:00Z";
    let first = json!([
        client("slow.shop", "1.30.1", &json!({cds: {"sent": "2", "acked": "1", "sentTime": earlier}})),
        client("quick.shop", "1.30.1", &json!({cds: {"sent": "2", "acked": "1", "sentTime": "2025-12-31T23:59:55Z"}})),
        client("new.shop", "1.30.1", &json!({cds: {}, eds: {"sentTime": "0001-01-01T00:00:00Z"}})),
        client("moved.shop", "1.30.1", &synced(earlier)),
        client("ahead.shop", "1.31.0", &synced(earlier)),
    ]);
    let second = json!([
        client("moved.shop", "1.30.1", &synced("2025-12-31T23:55:00Z")),
        client("behind.shop", "1.29.0", &synced(earlier)),
        client("ancient.shop", "1.27.0", &synced(earlier)),
    ]);
    let pages = BTreeMap::from([
        ("istiod-1".to_owned(), first),
        ("istiod-2".to_owned(), second),
        ("istiod-3".to_owned(), json!({})),
    ]);
    let pods = [proxy_pod("shop", "lost", "default"), proxy_pod("shop", "elsewhere", "other")];
    let (_folder, cluster) = istiods("default", &pages, "1.30.3-abc-Clean", &pods);
    let outcome = status(&cluster, &[], Format::Json).await;
    let found: Vec<_> = outcome.findings.iter().map(|f| (f.severity, f.code.as_ref(), f.message.as_str())).collect();
    let expect = |severity: Severity, code: &str, words: &str| {
        let one = found.iter().find(|(_, known, message)| *known == code && message.contains(words));
        assert_eq!(one.map(|(known, ..)| *known), Some(severity), "{code} {words}: {found:#?}");
    };
    expect(Severity::Warning, "ENV0011", "slow.shop has not acknowledged its CDS sent 10m ago");
    expect(Severity::Info, "ENV0011", "quick.shop");
    expect(Severity::Warning, "ENV0012", "no CDS to proxy new.shop");
    // The third replica did not answer, and may have the one that is of its revision.
    expect(Severity::Warning, "ENV0013", "lost.shop is connected to no istiod that answered");
    expect(Severity::Error, "ENV0013", "of revision other cannot connect: no istiod of that revision is installed");
    expect(Severity::Warning, "ENV0014", "1.31 in namespace shop, on istiod of 1.30");
    expect(Severity::Info, "ENV0014", "1.29 in namespace shop, on istiod of 1.30");
    expect(Severity::Warning, "ENV0014", "1.27 in namespace shop, on istiod of 1.30");
    assert_eq!(found.len(), 8, "{found:#?}");
    let moved = outcome.data["proxies"].as_array().unwrap().iter().find(|proxy| proxy["pod"] == "moved").unwrap();
    assert_eq!((&moved["istiod"], &moved["also_in"]), (&json!("istiod-2"), &json!(["istiod-1"])));
}

/// A root certificate in PEM.
fn root(name: &str) -> String {
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, name);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[tokio::test]
async fn what_waits_and_another_root_are_named() {
    use base64::Engine as _;

    let (own, other) = (root("old"), root("new"));
    let section = |kind: &str, mut fields: Value| {
        fields["@type"] = format!("type.googleapis.com/envoy.admin.v3.{kind}ConfigDump").into();
        fields
    };
    let encoded = base64::engine::general_purpose::STANDARD.encode(&own);
    let (old, fresh) = ("2025-12-31T23:00:00Z", "2025-12-31T23:59:55Z");
    let warming = |name: &str, since: &str| json!({"last_updated": since, "cluster": {"name": name}});
    let page = json!({"configs": [
        section("Clusters", json!({"dynamic_warming_clusters": [warming("slow", old), warming("quick", fresh)]})),
        section("Listeners", json!({"dynamic_listeners": [{"name": "waits", "warming_state": {"last_updated": old}}]})),
        section("Secrets", json!({
            "dynamic_active_secrets": [{"name": "ROOTCA", "secret": {"validation_context": {"trusted_ca": {"inline_bytes": encoded}}}}],
            "dynamic_warming_secrets": [{"name": "kubernetes://late", "last_updated": fresh, "secret": {}}],
        })),
    ]});
    for (given, differs) in [(format!("{own}{other}"), false), (other.clone(), true)] {
        let given =
            json!({"metadata": {"name": "istio-ca-root-cert", "namespace": "shop"}, "data": {"root-cert.pem": given}});
        let folder = folder(&[
            list("api/v1/pods", "Pod", &[proxy_pod("shop", "cart-1", "default")]),
            list("api/v1/configmaps", "ConfigMap", &[given]),
            ("envoy/shop/cart-1/config_dump_include_eds.json".to_owned(), page.to_string()),
        ]);
        let cluster = opened(folder.path(), NEW_YEAR);
        let inputs = [("namespace", "shop"), ("pod", "cart-1"), ("kind", "all")];
        let outcome = call(&cluster, &Call::new(CONFIG, &inputs), Format::Json).await;
        let of = |code: &str| -> Vec<Severity> {
            outcome.findings.iter().filter(|finding| finding.code == code).map(|finding| finding.severity).collect()
        };
        assert_eq!(of("ENV0017"), [Severity::Warning, Severity::Info, Severity::Warning], "{:#?}", outcome.findings);
        assert_eq!(of("ENV0018"), [Severity::Info]);
        assert_eq!(of("ENV0021").len(), usize::from(differs), "{:#?}", outcome.findings);
        // The page has no bootstrap, so there is no table; what is wrong in the rest is told all the same.
        assert!(outcome.data["rows"].is_null() && !outcome.skipped.is_empty());
    }
}
