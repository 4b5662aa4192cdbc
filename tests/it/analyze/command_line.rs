//! Whole runs of the command: arguments in, messages, exit code and words out.

use std::path::Path;

use meshtriage::analyzers::remarks::{self, Target};
use meshtriage::analyzers::{Format, Message, Options, Outcome, Suppression, analyze, exit_code, print};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, MeshBuilder, Perspective, Settings};
use meshtriage::report::Severity;
use serde_json::{Value, json};

use super::cases::{now, read_json};
use crate::support::{corpus_path, needs, say};

/// The namespace that the cases call `NS`.
const NAMESPACE: &str = "test-ns";

/// What `istioctl analyze` was called with.
#[derive(Default)]
struct Arguments {
    files: Vec<String>,
    namespace: Option<String>,
    all_namespaces: bool,
    use_kube: bool,
    json: bool,
    options: Options,
}

fn arguments(case: &Value) -> Arguments {
    let mut arguments = Arguments { use_kube: true, ..Arguments::default() };
    let words: Vec<String> =
        case["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().replace("NS", NAMESPACE)).collect();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
        let mut value = || value.map_or_else(|| words.next().unwrap().to_owned(), str::to_owned);
        match flag {
            "-A" => arguments.all_namespaces = true,
            "--namespace" => arguments.namespace = Some(value()),
            "--use-kube" => arguments.use_kube = value() == "true",
            "--analyzer" => arguments.options.analyzers.push(value()),
            "--suppress" => {
                let suppression: Suppression = value().parse().unwrap();
                arguments.options.suppress.push(suppression);
            }
            "--failure-threshold" => {
                assert_eq!(value(), "ERROR");
                arguments.options.failure_threshold = Severity::Error;
            }
            "-ojson" => arguments.json = true,
            file => {
                assert!(!file.starts_with('-'), "{file}");
                arguments.files.push(file.to_owned());
            }
        }
    }
    arguments
}

/// The files of a name: itself, or everything below it.
fn walk(folder: &Path, name: &str, found: &mut Vec<String>) {
    let path = folder.join(name);
    if path.is_file() {
        found.push(name.to_owned());
        return;
    }
    let mut below: Vec<String> =
        path.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    below.sort();
    for entry in below {
        walk(folder, &format!("{}/{entry}", name.trim_end_matches('/')), found);
    }
}

/// Adds a clean installation: a control plane, an ingress gateway, and a namespace that is injected.
fn add_clean_cluster(builder: &mut MeshBuilder) {
    let mut add = |kind: Kind, object: Value| builder.add(kind, LOCAL_CLUSTER, &object);
    add(Kind::Namespace, json!({"metadata": {"name": NAMESPACE, "labels": {"istio-injection": "enabled"}}}));
    add(Kind::Namespace, json!({"metadata": {"name": "istio-system"}}));
    let labels = json!({"app": "istio-ingressgateway", "istio": "ingressgateway"});
    add(
        Kind::Pod,
        json!({"metadata": {"name": "ingress", "namespace": "istio-system", "labels": labels},
               "spec": {"containers": [{"name": "istio-proxy", "image": "proxyv2"}]}}),
    );
    add(
        Kind::Service,
        json!({"metadata": {"name": "ingress", "namespace": "istio-system"},
               "spec": {"selector": labels, "ports": [{"name": "http2", "port": 80, "protocol": "TCP"}]}}),
    );
    // Istio's own tests run these cases beside their echo workloads, and a subset matches pods of any namespace.
    add(Kind::Pod, json!({"metadata": {"name": "echo", "namespace": "echo", "labels": {"app": "a", "version": "v1"}}}));
    let metadata = json!({"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod"}});
    add(Kind::Deployment, json!({"metadata": metadata, "spec": {"template": {"spec": {"containers": []}}}}));
}

fn read(folder: &Path, name: &str) -> (String, String) {
    (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap())
}

/// Differences between what a run should give and what it gave.
fn check(case: &Value) -> Vec<String> {
    let folder = corpus_path("analyze");
    let arguments = arguments(case);
    let namespace = arguments.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let default_namespace = if arguments.all_namespaces { String::new() } else { namespace.clone() };
    let settings = Settings { default_namespace, live: arguments.use_kube, ..Settings::new(now()) };
    let mut builder = MeshBuilder::new(settings);
    if arguments.use_kube {
        add_clean_cluster(&mut builder);
        for name in case["clusterFiles"].as_array().into_iter().flatten() {
            add_to_cluster(&mut builder, &read(&folder, name.as_str().unwrap()).1);
        }
    }
    let mut names = Vec::new();
    arguments.files.iter().for_each(|name| walk(&folder, name, &mut names));
    let (read_names, skipped): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| remarks::is_recognized(name));
    let files: Vec<_> = read_names.iter().map(|name| read(&folder, name)).collect();
    builder.add_files(&files);
    let mesh = builder.build().seen_from(Perspective { compatible: true, revision: None });

    let mut options = arguments.options.clone();
    if !arguments.all_namespaces {
        options.namespaces.insert(namespace.clone());
    }
    let analysis = analyze(&mesh, &options).unwrap();
    let unparsed = !analysis.malformed.is_empty();
    let outcome = Outcome { structured: arguments.json, failing: analysis.failing, unparsed, ..Outcome::default() };
    let format = if arguments.json { Format::Json } else { Format::Log { color: false } };
    let output = print(&analysis.messages, format, false);
    let target = if arguments.all_namespaces { Target::AllNamespaces } else { Target::Namespace(namespace) };
    let mut stderr: Vec<String> = skipped.iter().map(|name| remarks::skipped_file(name)).collect();
    stderr.extend(remarks::parse_errors(&analysis.malformed));
    stderr.extend(remarks::closing(&target, analysis.messages.is_empty(), analysis.failing, unparsed));
    let stderr = stderr.join("\n");

    let expected = &case["expected"];
    let mut differences = Vec::new();
    let mut differ = |what: &str, found: String| differences.push(format!("{what}: {found}"));
    if expected["exitCode"] != exit_code(outcome) {
        differ("exit code", format!("{} with\n{output}", exit_code(outcome)));
    }
    if let Some(messages) = expected["messages"].as_array() {
        let codes = |message: &Message<'_>| message.code.id.to_owned();
        let found: Vec<String> = analysis.messages.iter().map(codes).collect();
        let wanted: Vec<&str> = messages.iter().map(|message| message["code"].as_str().unwrap()).collect();
        if found != wanted {
            differ("messages", output.clone());
        }
    }
    let texts = |key: &str| -> Vec<String> {
        expected[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for text in texts("outputContains").iter().filter(|text| !output.contains(text.as_str())) {
        differ(&format!("output without {text:?}"), output.clone());
    }
    for text in texts("stderrContains").iter().filter(|text| !stderr.contains(text.as_str())) {
        differ(&format!("stderr without {text:?}"), stderr.clone());
    }
    if !expected["stdoutJson"].is_null() && serde_json::from_str::<Value>(&output).unwrap() != expected["stdoutJson"] {
        differ("standard output", output);
    }
    differences
}

/// Applies a file to the cluster, as `kubectl apply --namespace NS` would.
fn add_to_cluster(builder: &mut MeshBuilder, text: &str) {
    for document in serde_saphyr::from_multiple::<Value>(text).unwrap() {
        let mut document = document;
        let kind = Kind::of_document(document["apiVersion"].as_str().unwrap(), document["kind"].as_str().unwrap());
        document["metadata"]["namespace"] = NAMESPACE.into();
        builder.add(kind.unwrap(), LOCAL_CLUSTER, &document);
    }
}

#[test]
fn command_line_cases() {
    needs!(Corpus);
    let cases = read_json("cases.json");
    let cases = cases["commandLineCases"].as_array().unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let differences = check(case);
        if !differences.is_empty() {
            failures.push(format!("{}\n  {}", case["name"], differences.join("\n  ")));
        }
    }
    let (passed, total) = (cases.len() - failures.len(), cases.len());
    say(&format!("commandLineCases: {passed} of {total}"));
    assert!(total > 0 && failures.is_empty(), "{passed} of {total}\n{}", failures.join("\n"));
}
