//! istioctl's own cases for filters, log ranges and settings.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use jiff::Timestamp;
use meshtriage::{
    config::{Cli, Command},
    logs::time_range::TimeRange,
    selection::{Candidate, Owners, Selection, Spec, istioctl},
    steps::ConfigFile,
};
use serde_json::{Value, json};

use crate::support::{corpus_path, needs, say};

#[test]
fn istioctls_cases_pass() {
    needs!(Corpus);
    let cases: Vec<Value> =
        serde_json::from_slice(&std::fs::read(corpus_path("bug-report/cases.json")).unwrap()).unwrap();
    let mut failed = Vec::new();
    for case in &cases {
        let (found, expected) = (answer(case), expected(case));
        if found != expected {
            failed.push(format!("{}: {found} and not {expected}", case["name"]));
        }
    }
    say(&format!("bug-report: {} of {} cases of istioctl", cases.len() - failed.len(), cases.len()));
    assert!(cases.len() >= 63, "only {} cases", cases.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn expected(case: &Value) -> Value {
    match case["expectedOutputFile"].as_str() {
        Some(file) => json!(read(file)),
        None if case["compare"] == "set" => {
            let (name, items) = case["expected"].as_object().unwrap().iter().next().unwrap();
            let items: BTreeSet<_> = texts(items).into_iter().collect();
            json!({ name: items })
        }
        None => case["expected"].clone(),
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(corpus_path(&format!("bug-report/{file}"))).unwrap()
}

fn answer(case: &Value) -> Value {
    let name = case["name"].as_str().unwrap();
    let test = name.split('/').nth(1).unwrap();
    match test {
        "TestGetMatchingPaths" | "TestGetMatchingPathsMultiple" | "TestGetMatchingPathsExclude" => paths(case),
        "TestShouldSkipPod" => {
            let (candidate, containers) = pod(input(case, "pod"), &Owners::default());
            let containers: Vec<_> = containers.iter().map(String::as_str).collect();
            json!({ "skip": istioctl::skips_pod(&selection(case), &candidate, &containers) })
        }
        "TestShouldSkipDeployment" | "TestShouldSkipDaemonSet" => {
            let owner = input(case, "owner name").as_str().unwrap();
            let lists = |specs: &str| {
                let of = |spec: &Value| [texts(&spec["deployments"]), texts(&spec["daemonsets"])].concat();
                items(&case["filters"][specs]).iter().map(of).collect::<Vec<_>>()
            };
            json!({ "skip": istioctl::skips_owner(owner, &lists("include"), &lists("exclude")) })
        }
        "TestExtractIncludedNamespaces" => {
            let control_plane = case["filters"]["istioNamespace"].as_str().unwrap_or_default().to_owned();
            let names = istioctl::queried_namespaces(&selection(case), &[control_plane]);
            json!({ "namespaces": names.unwrap_or_else(|| vec![String::new()]) })
        }
        "TestUnmarshalSelectionSpec" => described(&input(case, "spec").as_str().unwrap().parse().unwrap()),
        "TestUnmarshalKubeCaptureConfig" => config_file(input(case, "config file").as_str().unwrap()),
        "TestProcessLogsFormat" | "TestTimeRangeFilter" => {
            let time = |name: &str| case["filters"][name].as_str().map(|time| time.parse::<Timestamp>().unwrap());
            let range = TimeRange { start: time("startTime"), end: time("endTime") };
            json!(range.of_log(&read(input(case, "log").as_str().unwrap())))
        }
        "TestIncludeFlagCommaHandling" => flags(case),
        "TestGetOwnerDeployment" => json!({ "owner": owner(case, "Deployment") }),
        "TestGetOwnerDaemonSet" => json!({ "owner": owner(case, "DaemonSet") }),
        "TestGetClusterResources" => tree(case),
        other => panic!("no such test: {other}"),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<String> {
    items(value).iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn input<'a>(case: &'a Value, role: &str) -> &'a Value {
    let input = items(&case["inputs"]).iter().find(|input| input["role"] == role);
    let input = input.unwrap_or_else(|| panic!("{} has no {role}", case["name"]));
    ["inline", "text", "file"].iter().find_map(|form| input.get(form)).unwrap()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// Specs stand in the cases as text, or already read.
fn selection(case: &Value) -> Selection {
    let specs = |name: &str| {
        let read = |spec: &Value| match spec {
            Value::String(text) => text.parse().unwrap(),
            parts => Spec {
                namespaces: texts(&parts["namespaces"]),
                workloads: texts(&parts["deployments"]),
                pods: texts(&parts["pods"]),
                labels: map(&parts["labels"]),
                annotations: map(&parts["annotations"]),
                containers: texts(&parts["containers"]),
            },
        };
        items(&case["filters"][name]).iter().map(read).collect()
    };
    Selection { include: specs("include"), exclude: specs("exclude") }
}

fn described(spec: &Spec) -> Value {
    json!({
        "namespaces": spec.namespaces, "deployments": spec.workloads, "pods": spec.pods, "labels": spec.labels,
        "annotations": spec.annotations, "containers": spec.containers,
    })
}

fn named(spec: &Spec) -> Value {
    let mut all = described(spec);
    all.as_object_mut().unwrap().retain(|_, value| value != &json!([]) && value != &json!({}));
    all
}

fn paths(case: &Value) -> Value {
    let selection = selection(case);
    let of = |role: &str, place: &str| map(input(case, role).get(place).unwrap_or(&Value::Null));
    let mut paths = BTreeSet::new();
    for (namespace, workloads) in input(case, "namespace/deployment/pod/container tree").as_object().unwrap() {
        for (workload, pods) in workloads.as_object().unwrap() {
            for (pod, containers) in pods.as_object().unwrap() {
                let place = format!("{namespace}/{pod}");
                let candidate = Candidate {
                    namespace: namespace.clone(),
                    workload: Some(workload.clone()),
                    pod: pod.clone(),
                    labels: of("pod labels", &place),
                    annotations: of("pod annotations", &place),
                };
                let taken = containers.as_object().unwrap().keys().filter(|name| selection.takes(&candidate, name));
                paths.extend(taken.map(|container| format!("{namespace}/{workload}/{pod}/{container}")));
            }
        }
    }
    json!({ "paths": paths })
}

fn pod(object: &Value, owners: &Owners) -> (Candidate, Vec<String>) {
    let metadata = &object["metadata"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
    let candidate = Candidate {
        namespace: text("namespace"),
        workload: owners.workload(object).map(|workload| workload.name),
        pod: text("name"),
        labels: map(&metadata["labels"]),
        annotations: map(&metadata["annotations"]),
    };
    let containers = items(&object["spec"]["containers"]).iter();
    (candidate, containers.map(|container| container["name"].as_str().unwrap().to_owned()).collect())
}

fn owner(case: &Value, kind: &str) -> String {
    let mut owners = Owners::default();
    let inputs = items(&case["inputs"]).iter();
    for sets in inputs.filter(|input| input["role"] == "replica set -> deployment") {
        for (place, deployment) in sets["inline"].as_object().unwrap() {
            let (namespace, name) = place.split_once('/').unwrap();
            owners.learn(&json!({"metadata": {"namespace": namespace, "name": name,
                "ownerReferences": [{"kind": "Deployment", "name": deployment}]}}));
        }
    }
    let workload = owners.workload(input(case, "pod")).filter(|workload| workload.kind == kind);
    workload.map(|workload| workload.name).unwrap_or_default()
}

fn tree(case: &Value) -> Value {
    let objects = items(input(case, "objects"));
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let mut owners = Owners::default();
    of_kind("ReplicaSet").for_each(|replica_set| owners.learn(replica_set));
    let mut tree: BTreeMap<String, BTreeMap<String, BTreeMap<String, BTreeSet<String>>>> = BTreeMap::new();
    let (mut cni, mut outside) = (Vec::new(), Vec::new());
    for object in of_kind("Pod") {
        let (candidate, containers) = pod(object, &owners);
        let names: Vec<_> = containers.iter().map(String::as_str).collect();
        let owner = owners.workload(object);
        let taken = istioctl::taken(&selection(case), &candidate, owner.as_ref(), &names);
        let place = format!("{}/{}", candidate.namespace, candidate.pod);
        if istioctl::is_cni(&candidate) {
            cni.push(place);
        } else if taken.is_empty() {
            outside.push(place);
        } else {
            let workloads = tree.entry(candidate.namespace).or_default();
            let pods = workloads.entry(owner.unwrap().name).or_default();
            pods.entry(candidate.pod).or_default().extend(taken.into_iter().map(str::to_owned));
        }
    }
    json!({ "tree": tree, "cniPods": cni, "notInTree": outside })
}

fn flags(case: &Value) -> Value {
    let own = ["meshtriage", "capture", "--out", "bug-report.tar.gz"].map(str::to_owned);
    let cli = Cli::try_parse_from(own.into_iter().chain(texts(&case["args"]))).unwrap();
    let Command::Capture(capture) = cli.command else { panic!("it is another command") };
    let selection = Selection::parse(&capture.include, &capture.exclude).unwrap();
    json!({ "include": selection.include.iter().map(named).collect::<Vec<_>>() })
}

fn config_file(yaml: &str) -> Value {
    let file = ConfigFile::parse(yaml).unwrap();
    let specs = Selection::parse(&file.include, &file.exclude).unwrap();
    // As the file writes it, five hours west.
    let time = |at: Option<Timestamp>| at.unwrap().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(-5)));
    let time = |at| time(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    json!({
        "kubeConfigPath": file.kube_config_path, "context": file.context, "istioNamespace": file.istio_namespace,
        "dryRun": file.dry_run, "fullSecrets": file.full_secrets, "commandTimeout": file.command_timeout,
        "since": file.since, "startTime": time(file.start_time), "endTime": time(file.end_time),
        "criticalErrors": file.critical_errors, "ignoredErrors": file.ignored_errors,
        "include": specs.include.iter().map(described).collect::<Vec<_>>(),
        "exclude": specs.exclude.iter().map(described).collect::<Vec<_>>(),
    })
}
