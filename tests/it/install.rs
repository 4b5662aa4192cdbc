//! Revisions, versions, the installation and injection: against the cases of istioctl's own tests, and against what
//! istioctl printed of the recordings.

use std::{collections::BTreeMap, fs, path::Path};

use meshtriage::{
    cluster::Cluster,
    report::{Finding, Format, Severity},
    steps::{ColouredCell, IstioctlOutput, MeshVersions, coloured_table},
};
use serde_json::{Value, json};

use crate::support::{
    Outcome,
    app::{TestApp, open, recording},
    checklist::{Call, call, line},
    corpus_path, needs, recording_path,
};

fn cases(folder: &str) -> Vec<Value> {
    let text = fs::read_to_string(corpus_path(&format!("{folder}/cases.json"))).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    cases
}

/// Runs every case of a folder; a case answers with what is wrong.
#[expect(clippy::print_stdout, reason = "the counts are what these tests are run for")]
fn check_all(folder: &str, results: Vec<(String, Result<(), String>)>) {
    let total = results.len();
    let failed: Vec<_> =
        results.into_iter().filter_map(|(name, result)| Some(format!("{name}: {}", result.err()?))).collect();
    println!("{folder}: {}/{total} cases", total - failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn name(case: &Value) -> String {
    case["name"].as_str().unwrap().to_owned()
}

fn differs(actual: &str, expected: &str) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("printed\n{actual}\ninstead of\n{expected}")) }
}

/// A folder with these objects, as a cluster.
fn cluster_of(objects: &[Value]) -> (tempfile::TempDir, Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(folder.path().join("objects.yaml"), list.to_string()).unwrap();
    let cluster = open(folder.path());
    (folder, cluster)
}

async fn run(cluster: &Cluster, step: &'static str, inputs: &[(&str, &str)], format: Format) -> Outcome {
    call(cluster, &Call::new(step, inputs), format).await
}

#[tokio::test]
async fn cases_of_tag_list() {
    needs!(Corpus);
    let mut results = Vec::new();
    for case in cases("tag") {
        let inputs = case["inputs"].as_array().unwrap();
        let mut objects: Vec<Value> =
            inputs.iter().flat_map(|input| input["inline"].as_array().unwrap().clone()).collect();
        for (index, object) in objects.iter_mut().enumerate() {
            object["metadata"]["uid"] = json!(format!("uid-{index}"));
        }
        let (_folder, cluster) = cluster_of(&objects);
        let outcome = run(&cluster, "istioctl.tags", &[("output", "json")], Format::Text).await;
        let printed = outcome.printed.unwrap();
        let wanted = case["expected"]["contains"].as_array().unwrap();
        let missing: Vec<_> = wanted.iter().filter(|text| !printed.contains(text.as_str().unwrap())).collect();
        let is_json = serde_json::from_str::<Value>(&printed).is_ok_and(|rows| rows.is_array());
        let result = if missing.is_empty() && is_json { Ok(()) } else { Err(format!("{missing:?} not in {printed}")) };
        results.push((name(&case), result));
    }
    check_all("tag", results);
}

#[tokio::test]
async fn cases_of_version() {
    needs!(Corpus);
    let app = TestApp::over("healthy");
    let mut results = Vec::new();
    for case in cases("version") {
        let args: Vec<&str> = case["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let all = args.join(" ");
        if case["compare"] == "error" {
            // What istioctl refuses as a flag, the API refuses as a parameter.
            let query = if all.contains("--output xyz") { "output=xyz" } else { "typo=" };
            let status = app.get(&format!("/v1/istioctl/version?{query}")).await.status;
            let result = if status == 422 { Ok(()) } else { Err(format!("answered {status}")) };
            results.push((name(&case), result));
            continue;
        }
        let inputs = case["inputs"].as_array().cloned().unwrap_or_default();
        let mesh = inputs.first().map_or(json!([]), |input| input["inline"].clone());
        // The build stamp of istioctl itself is an input of these cases: that of a build without stamps.
        let client = json!({"version": "unknown", "revision": "unknown", "golang_version": "go1.26.8",
            "status": "unknown", "tag": "unknown"});
        let versions: MeshVersions =
            serde_json::from_value(json!({"clientVersion": client, "meshVersion": mesh})).unwrap();
        let output = if all.contains("json") {
            Some(IstioctlOutput::Json)
        } else if all.contains("yaml") {
            Some(IstioctlOutput::Yaml)
        } else {
            None
        };
        // Upstream's printer has the long form as its default; istioctl sets the short one.
        let short = args.contains(&"-s");
        let printed = versions.print(short, output);
        let result = if let Some(file) = case["expectedOutputFile"].as_str() {
            differs(&printed, &fs::read_to_string(corpus_path(&format!("version/{file}"))).unwrap())
        } else {
            // Go reads a brace without a number as itself.
            let pattern = case["expected"]["regexp"].as_str().unwrap().replace('{', r"\{").replace('}', r"\}");
            let matches = regex::Regex::new(&pattern).unwrap().is_match(&printed);
            if matches { Ok(()) } else { Err(format!("{printed}\ndoes not match\n{pattern}")) }
        };
        results.push((name(&case), result));
    }
    check_all("version", results);
}

#[tokio::test]
async fn cases_of_verify_install() {
    needs!(Corpus);
    let mut results = Vec::new();
    for case in cases("verify-install") {
        let mut deployment = case["inputs"][0]["inline"].clone();
        deployment["metadata"] = json!({"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod"}});
        let (_folder, cluster) = cluster_of(&[deployment]);
        let outcome = run(&cluster, "istioctl.verify-install", &[], Format::Json).await;
        let objects = outcome.data["revisions"][0]["objects"].as_array().unwrap();
        let row = objects.iter().find(|row| row["kind"] == "Deployment").unwrap();
        let ok = row["state"] == "present";
        let result = if json!(ok) == case["expected"]["ok"] { Ok(()) } else { Err(row.to_string()) };
        results.push((name(&case), result));
    }
    check_all("verify-install", results);
}

#[tokio::test]
async fn cases_of_check_inject() {
    needs!(Corpus);
    let mut results = Vec::new();
    for case in cases("check-inject") {
        let input = |role: &str| case["inputs"].as_array().unwrap().iter().find(|input| input["role"] == role);
        let result = if let Some(labels) = input("pod labels") {
            let folder = tempfile::tempdir().unwrap();
            for input in case["inputs"].as_array().unwrap() {
                if let Some(file) = input["file"].as_str() {
                    let target = folder.path().join(Path::new(file).file_name().unwrap());
                    fs::copy(corpus_path(&format!("check-inject/{file}")), target).unwrap();
                }
            }
            let space = &input("namespace labels").unwrap()["inline"];
            let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": space}},
                {"apiVersion": "v1", "kind": "Pod",
                 "metadata": {"name": "cart", "namespace": "shop", "labels": labels["inline"]}}]});
            fs::write(folder.path().join("objects.yaml"), objects.to_string()).unwrap();
            let inputs = [("namespace", "shop"), ("pod", "cart")];
            let outcome = run(&open(folder.path()), "istioctl.check-inject", &inputs, Format::Json).await;
            let verdicts = &outcome.data["targets"][0]["istioctl"];
            if *verdicts == case["expected"] { Ok(()) } else { Err(verdicts.to_string()) }
        } else {
            let inline = &case["inputs"][0]["inline"];
            let green = inline["green"].as_array().unwrap();
            let mut rows = vec![cells(&inline["header"], &[])];
            rows.extend(inline["rows"].as_array().unwrap().iter().map(|row| cells(row, green)));
            let file = case["expectedOutputFile"].as_str().unwrap();
            let expected = fs::read_to_string(corpus_path(&format!("check-inject/{file}"))).unwrap();
            differs(&coloured_table(&rows), &expected)
        };
        results.push((name(&case), result));
    }
    check_all("check-inject", results);
}

fn cells(row: &Value, green: &[Value]) -> Vec<ColouredCell> {
    let cells = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).enumerate();
    cells
        .map(
            |(index, text)| {
                if green.contains(&json!(index)) { ColouredCell::green(text) } else { ColouredCell::plain(text) }
            },
        )
        .collect()
}

fn printed_by_istioctl(name: &str, file: &str) -> String {
    fs::read_to_string(recording_path(&format!("{name}/istioctl/{file}"))).unwrap()
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts are what this test is run for")]
async fn check_inject_prints_what_istioctl_printed() {
    let mut total = 0;
    for name in ["healthy", "broken", "upstream"] {
        let cluster = recording(name);
        let root = recording_path(&format!("{name}/istioctl/check-inject"));
        let mut failed = Vec::new();
        for namespace in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
            for file in fs::read_dir(&namespace).unwrap().map(|entry| entry.unwrap().path()) {
                let (space, pod) =
                    (namespace.file_name().unwrap().to_str().unwrap(), file.file_stem().unwrap().to_str().unwrap());
                if file.extension().is_none_or(|extension| extension != "txt") {
                    continue;
                }
                let inputs = [("namespace", space), ("pod", pod)];
                let printed = run(&cluster, "istioctl.check-inject", &inputs, Format::Text).await.printed.unwrap();
                total += 1;
                if let Err(why) = differs(&printed, &fs::read_to_string(&file).unwrap()) {
                    failed.push(format!("{space}/{pod}: {why}"));
                }
            }
        }
        assert!(failed.is_empty(), "{name}: {}", failed.join("\n"));
    }
    println!("check-inject: {total}/{total} targets as istioctl printed them");
    assert!(total > 40, "{total}");
}

#[tokio::test]
async fn tags_are_printed_as_istioctl_prints_them() {
    for name in ["healthy", "broken", "upstream"] {
        let cluster = recording(name);
        let text = run(&cluster, "istioctl.tags", &[], Format::Text).await.printed.unwrap();
        assert_eq!(text, printed_by_istioctl(name, "tag-list.txt"), "{name}");
        let json = run(&cluster, "istioctl.tags", &[("output", "json")], Format::Text).await.printed.unwrap();
        assert_eq!(json, printed_by_istioctl(name, "tag-list.json"), "{name}");
    }
}

#[tokio::test]
async fn versions_are_printed_as_istioctl_prints_them() {
    let own = env!("CARGO_PKG_VERSION");
    for (name, revision) in [("healthy", "asm-1-30"), ("broken", "asm-1-30"), ("upstream", "default")] {
        let cluster = recording(name);
        let inputs = [("revision", revision)];
        let text = run(&cluster, "istioctl.version", &inputs, Format::Text).await.printed.unwrap();
        // The client is this service, and not istioctl.
        let expected = printed_by_istioctl(name, "version.txt").replacen(
            "client version: 1.30.3",
            &format!("client version: {own}"),
            1,
        );
        assert_eq!(text, expected, "{name}");

        let inputs = [("revision", revision), ("output", "json")];
        let json = run(&cluster, "istioctl.version", &inputs, Format::Text).await.printed.unwrap();
        let (_, mesh) = json.split_once("\"meshVersion\"").unwrap();
        let expected = printed_by_istioctl(name, "version.json");
        assert_eq!(mesh, expected.split_once("\"meshVersion\"").unwrap().1, "{name}");
        let inputs = [("revision", revision), ("output", "yaml")];
        let yaml = run(&cluster, "istioctl.version", &inputs, Format::Raw).await.printed.unwrap();
        assert!(yaml.contains("\nmeshVersion:\n- Component: "), "{yaml}");
    }
}

/// Where istioctl without `--revision` finds nothing on a mesh of named revisions, all revisions are shown.
#[tokio::test]
async fn versions_of_all_revisions_need_no_revision() {
    for name in ["healthy", "broken"] {
        let outcome = run(&recording(name), "istioctl.version", &[], Format::Text).await;
        assert_eq!(printed_by_istioctl(name, "version-norev.txt"), "client version: 1.30.3\n");
        let printed = outcome.printed.unwrap();
        let proxies = if name == "healthy" {
            "1.29.6 (2 proxies), 1.30.3 (7 proxies)"
        } else {
            "1.29.6 (2 proxies), 1.30.3 (9 proxies)"
        };
        assert!(printed.contains(&format!("data plane version: {proxies}\n")), "{printed}");
        assert!(
            printed.contains("istiod version: 1.29.6\n") && printed.contains("istiod version: 1.30.3\n"),
            "{printed}"
        );
    }
    let outcome = run(&recording("upstream"), "istioctl.version", &[], Format::Text).await;
    let expected = printed_by_istioctl("upstream", "version-norev.txt");
    assert_eq!(outcome.printed.unwrap().split_once('\n').unwrap().1, expected.split_once('\n').unwrap().1);
}

/// Every call of these steps over a recording, with its findings.
async fn findings(name: &str) -> BTreeMap<String, Vec<Finding>> {
    let cluster = recording(name);
    let mut found = BTreeMap::new();
    for step in ["istioctl.tags", "istioctl.version", "istioctl.verify-install"] {
        found.insert(step.to_owned(), run(&cluster, step, &[], Format::Json).await.findings);
    }
    let text = fs::read_to_string(recording_path(&format!("{name}/cluster/resources/api/v1/namespaces.json"))).unwrap();
    let namespaces: Value = serde_json::from_str(&text).unwrap();
    for namespace in namespaces["items"].as_array().unwrap() {
        let namespace = namespace["metadata"]["name"].as_str().unwrap();
        let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", namespace)], Format::Json).await;
        found.insert(format!("istioctl.check-inject {namespace}"), outcome.findings);
    }
    found
}

fn serious(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| finding.severity >= Severity::Warning).map(line).collect()
}

#[tokio::test]
async fn healthy_meshes_are_quiet() {
    for name in ["healthy", "upstream"] {
        for (step, findings) in findings(name).await {
            assert!(serious(&findings).is_empty(), "{name} {step}: {:#?}", serious(&findings));
        }
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the counts are what this test is run for")]
async fn faults_of_the_broken_mesh_are_named() {
    let found = findings("broken").await;
    let faults: &[(&str, &str, &[&str])] = &[
        ("4", "istioctl.check-inject promo", &["INJ0001", "promo"]),
        ("4", "istioctl.tags", &["INJ0001", "promo"]),
        ("11", "istioctl.version", &["CPL0008", "istiod-asm-1-29-65666dfbbb-4tcnb"]),
        ("11", "istioctl.verify-install", &["CPL0003", "istiod-asm-1-29", "1 of 2 replicas"]),
        ("12", "istioctl.check-inject legacy", &["INJ0005", "asm-1-29", "asm-1-30"]),
        ("12", "istioctl.tags", &["INJ0005", "legacy", "asm-1-29"]),
        ("19", "istioctl.check-inject archive", &["INJ0009", "asm-1-28", "does not exist"]),
        ("19", "istioctl.verify-install", &["CPL0005", "asm-1-28", "archive"]),
        ("19", "istioctl.tags", &["CPL0005", "asm-1-28", "archive"]),
        ("21", "istioctl.version", &["CPL0010", "catalog-v1"]),
        ("26", "istioctl.check-inject shop", &["INJ0006", "node-agent", "istioctl says"]),
    ];
    let mut missed = Vec::new();
    for (fault, step, words) in faults {
        let lines = serious(&found[*step]);
        if !lines.iter().any(|line| words.iter().all(|word| line.contains(word))) {
            missed.push(format!("fault {fault} in {step}: {lines:#?}"));
        }
    }
    println!("{}/{} sights of faults", faults.len() - missed.len(), faults.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    // And nothing else that is not among the faults.
    for (step, count) in [("istioctl.verify-install", 2), ("istioctl.tags", 3), ("istioctl.check-inject shop", 1)] {
        assert_eq!(serious(&found[step]).len(), count, "{step}: {:#?}", serious(&found[step]));
    }
    for step in ["bank", "tools", "aks-istio-ingress", "aks-istio-system", "kube-system"] {
        let lines = serious(&found[&format!("istioctl.check-inject {step}")]);
        assert!(lines.is_empty(), "{step}: {lines:#?}");
    }
}

/// Where istioctl's verdict is wrong, ours stands beside it.
#[tokio::test]
async fn istioctl_is_corrected_where_it_is_wrong() {
    let cluster = recording("broken");
    let pod = fs::read_dir(recording_path("broken/istioctl/check-inject/shop"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .find(|name| name.starts_with("node-agent"))
        .unwrap();
    // The host's network (fault 26): labels alone say that it is injected.
    let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", "shop"), ("pod", &pod)], Format::Json).await;
    let target = &outcome.data["targets"][0];
    assert_eq!(target["istioctl"][2]["injected"], true);
    assert_eq!(target["fate"], "refused");
    // A webhook without its istiod (fault 19): labels alone say that it injects.
    let outcome =
        run(&cluster, "istioctl.check-inject", &[("namespace", "archive"), ("deployment", "batch")], Format::Json)
            .await;
    let target = &outcome.data["targets"][0];
    assert_eq!(target["istioctl"][0]["injected"], true);
    assert_eq!(target["fate"], "cannot_be_created");
    // The trap of AKS (fault 4): the label to set is named.
    let outcome =
        run(&cluster, "istioctl.check-inject", &[("namespace", "promo"), ("labels", "app=banner")], Format::Json).await;
    let remedy = &outcome.findings.iter().find(|finding| finding.code == "INJ0001").unwrap().remedy;
    assert!(remedy.contains("kubectl label namespace promo istio-injection- istio.io/rev=asm-1-30"), "{remedy}");
}

#[tokio::test]
async fn the_dead_replica_does_not_hide_the_others() {
    let outcome = run(&recording("broken"), "istioctl.version", &[("revision", "asm-1-29")], Format::Json).await;
    assert_eq!(outcome.data["revisions"][0]["replicas"], 2);
    assert_eq!(outcome.data["revisions"][0]["ready_replicas"], 1);
    assert_eq!(outcome.data["revisions"][0]["versions"], json!(["1.29.6"]));
    assert!(outcome.skipped.iter().any(|part| part.what.contains("4tcnb")), "{:?}", outcome.skipped);
}

#[tokio::test]
async fn native_sidecars_are_sidecars() {
    let outcome = run(&recording("healthy"), "istioctl.check-inject", &[("namespace", "shop")], Format::Json).await;
    let targets = outcome.data["targets"].as_array().unwrap();
    let cart = targets.iter().find(|target| target["name"].as_str().unwrap().starts_with("cart-")).unwrap();
    assert_eq!(cart["proxy"]["native"], true);
    assert_eq!(cart["proxy"]["revision"], "asm-1-30");
    assert_eq!(cart["restart"], Value::Null);
}

#[tokio::test]
async fn a_tag_stands_for_its_revision() {
    let cluster = recording("upstream");
    for step in ["istioctl.version", "istioctl.verify-install", "istioctl.tags"] {
        let by_tag = run(&cluster, step, &[("revision", "prod")], Format::Json).await;
        let by_name = run(&cluster, step, &[("revision", "default")], Format::Json).await;
        assert_eq!(by_tag.data, by_name.data, "{step}");
        assert_eq!(by_name.data["revisions"].as_array().unwrap().len(), 1, "{step}");
    }
}

#[tokio::test]
async fn objects_of_an_installation_are_missed() {
    let source = recording_path("healthy");
    let folder = tempfile::tempdir().unwrap();
    copy(&source.join("cluster"), &folder.path().join("cluster"));
    let resources = folder.path().join("cluster/resources");
    let drop = |path: &str, name: &str| {
        let path = resources.join(path);
        let mut list: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let items = list["items"].as_array_mut().unwrap();
        let before = items.len();
        items.retain(|item| item["metadata"]["name"] != name);
        assert_eq!(items.len() + 1, before, "{name}");
        fs::write(path, list.to_string()).unwrap();
    };
    drop("api/v1/configmaps.json", "istio-asm-1-30");
    drop("api/v1/services.json", "istiod-asm-1-30");
    drop("api/v1/serviceaccounts.json", "istiod-asm-1-29");
    drop("apis/apiextensions.k8s.io/v1/customresourcedefinitions.json", "sidecars.networking.istio.io");
    drop("apis/rbac.authorization.k8s.io/v1/clusterroles.json", "istiod-clusterrole-asm-1-29-aks-istio-system");
    drop("apis/policy/v1/poddisruptionbudgets.json", "istiod-asm-1-29");
    let webhooks = "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations.json";
    drop(webhooks, "istio-validator-asm-1-29-aks-istio-system");
    let outcome = run(&open(folder.path()), "istioctl.verify-install", &[], Format::Text).await;
    let lines: Vec<_> = outcome.findings.iter().map(line).collect();
    for words in [
        ["CPL0002", "ConfigMap aks-istio-system/istio-asm-1-30"],
        ["CPL0002", "Service aks-istio-system/istiod-asm-1-30"],
        ["CPL0002", "ServiceAccount aks-istio-system/istiod-asm-1-29"],
        ["CPL0002", "sidecars.networking.istio.io"],
        ["CPL0002", "istiod-clusterrole-asm-1-29"],
        ["CPL0002", "PodDisruptionBudget aks-istio-system/istiod-asm-1-29"],
        ["CPL0002", "istio-validator-asm-1-29"],
        ["CPL0003", "istio-sidecar-injector-asm-1-30"],
    ] {
        assert!(lines.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {lines:#?}");
    }
    assert_eq!(outcome.data["installation"], "broken");
    assert!(outcome.printed.unwrap().ends_with("✘ Istio installation failed, incomplete or does not match\n"));
}

#[tokio::test]
async fn an_empty_cluster_has_no_installation() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cart", "namespace": "shop"}});
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"}});
    let (_folder, cluster) = cluster_of(&[namespace, pod, deployment]);
    let outcome = run(&cluster, "istioctl.verify-install", &[], Format::Json).await;
    assert_eq!(outcome.data["installation"], "not_installed");
    assert_eq!(outcome.findings.iter().map(|finding| finding.code.as_ref()).collect::<Vec<_>>(), ["CPL0001"]);
}

#[tokio::test]
async fn the_api_answers_and_refuses() {
    let app = TestApp::over("healthy");
    for path in ["tags", "version", "verify-install", "check-inject?namespace=shop"] {
        let answer = app.get(&format!("/v1/istioctl/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        // That two revisions are installed is worth knowing, and no more.
        let verdict = if path == "verify-install" { "info" } else { "ok" };
        assert_eq!(answer.json()["run"]["verdict"], verdict, "{path}");
    }
    for path in
        ["check-inject", "check-inject?namespace=shop&pod=a&labels=b%3Dc", "tags?output=xml", "version?namespace=A"]
    {
        assert_eq!(app.get(&format!("/v1/istioctl/{path}")).await.status, 422, "{path}");
    }
    let missing = app.get("/v1/istioctl/check-inject?namespace=nowhere").await;
    assert_eq!(missing.status, 404, "{}", missing.text);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A mesh with the revisions `a-1` and `a-2`, whose webhooks answer, and the tag `prod` for `a-2`.
fn mesh() -> Vec<Value> {
    let mut objects = Vec::new();
    for (name, revision, tag) in [("a-1", "a-1", None), ("a-2", "a-2", None), ("prod", "a-2", Some("prod"))] {
        let client = json!({"service": {"name": format!("istiod-{revision}"), "namespace": "istio-system"}, "caBundle": bundle()});
        let expression =
            |key: &str, operator: &str, values: &[&str]| json!({"key": key, "operator": operator, "values": values});
        let free = expression("istio-injection", "DoesNotExist", &[]);
        let willing = expression("sidecar.istio.io/inject", "NotIn", &["false"]);
        let named = expression("istio.io/rev", "In", &[name]);
        let unnamed = expression("istio.io/rev", "DoesNotExist", &[]);
        objects.push(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": format!("injector-{name}"), "labels": {"istio.io/rev": revision, "istio.io/tag": tag.unwrap_or_default()}},
            "webhooks": [
                {"name": "rev.namespace.sidecar-injector.istio.io", "failurePolicy": "Fail", "clientConfig": client,
                 "namespaceSelector": {"matchExpressions": [named, free]}, "objectSelector": {"matchExpressions": [willing]}},
                {"name": "rev.object.sidecar-injector.istio.io", "failurePolicy": "Fail", "clientConfig": client,
                 "namespaceSelector": {"matchExpressions": [unnamed, free]}, "objectSelector": {"matchExpressions": [willing, named]}}]}));
    }
    for revision in ["a-1", "a-2"] {
        let meta = |name: &str| {
            json!({"name": name, "namespace": "istio-system", "uid": name,
            "labels": {"app": "istiod", "istio.io/rev": revision, "kubernetes.io/service-name": format!("istiod-{revision}")}})
        };
        objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&format!("istiod-{revision}"))}));
        objects.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta(&format!("istiod-{revision}-x")),
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]}));
        objects.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta(&format!("istiod-{revision}-pod")),
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
        objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": format!("istio-sidecar-injector-{revision}"), "namespace": "istio-system", "labels": {"istio.io/rev": revision}},
            "data": {"config": "policy: enabled\nneverInjectSelector:\n- matchLabels: {job: nightly}\ntemplates:\n  sidecar: '{{'\n"}}));
    }
    objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-ca-root-cert", "namespace": "istio-system"},
        "data": {"root-cert.pem": PEM}}));
    objects
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\ncm9vdA==\n-----END CERTIFICATE-----\n";

fn bundle() -> &'static str {
    // Base64 of the text above.
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmNtOXZkQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
}

fn pod(labels: &Value, proxy_of: Option<&str>) -> Value {
    let mut containers = vec![json!({"name": "app"})];
    let mut annotations = json!({});
    if let Some(revision) = proxy_of {
        containers.push(json!({"name": "istio-proxy", "image": "proxyv2"}));
        annotations = json!({"sidecar.istio.io/status": json!({"revision": revision}).to_string()});
    }
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}, "status": {"phase": "Running"},
        "metadata": {"name": "cart", "namespace": "shop", "labels": labels, "annotations": annotations}})
}

fn space(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// What it is, the namespace's labels, the pod's, the revision of its proxy, and the codes.
type State = (&'static str, Value, Value, Option<&'static str>, &'static [&'static str]);
/// What is changed in the mesh.
type Edit = fn(&mut Value);

#[tokio::test]
async fn each_state_of_injection_has_its_code() {
    let cases: &[State] = &[
        ("as it should be", json!({"istio.io/rev": "a-1"}), json!({}), Some("a-1"), &[]),
        ("by a tag", json!({"istio.io/rev": "prod"}), json!({}), Some("a-2"), &[]),
        ("by the pod's label", json!({}), json!({"istio.io/rev": "a-1"}), Some("a-1"), &[]),
        ("the label of another installation", json!({"istio-injection": "enabled"}), json!({}), None, &["INJ0001"]),
        ("both labels", json!({"istio-injection": "enabled", "istio.io/rev": "a-1"}), json!({}), None, &["INJ0002"]),
        ("a revision that is not there", json!({"istio.io/rev": "a-3"}), json!({}), None, &["INJ0003"]),
        (
            "a pod's revision that is not there",
            json!({}),
            json!({"istio.io/rev": "a-3"}),
            None,
            &["INJ0003", "INJ0016"],
        ),
        ("created before the label", json!({"istio.io/rev": "a-1"}), json!({}), None, &["INJ0004"]),
        ("of the old revision", json!({"istio.io/rev": "a-2"}), json!({}), Some("a-1"), &["INJ0005"]),
        ("opted out", json!({"istio.io/rev": "a-1"}), json!({"sidecar.istio.io/inject": "false"}), None, &["INJ0008"]),
        (
            "opted out otherwise",
            json!({"istio.io/rev": "a-1"}),
            json!({"sidecar.istio.io/inject": "no"}),
            None,
            &["INJ0008"],
        ),
        (
            "asks without a revision",
            json!({}),
            json!({"sidecar.istio.io/inject": "true"}),
            None,
            &["INJ0012", "INJ0016"],
        ),
        ("left alone by the injector", json!({"istio.io/rev": "a-1"}), json!({"job": "nightly"}), None, &["INJ0013"]),
        ("of a revision that is gone", json!({"istio.io/rev": "a-1"}), json!({}), Some("a-0"), &["INJ0014"]),
        ("outside", json!({}), json!({}), None, &["INJ0016"]),
        ("no longer labelled", json!({}), json!({}), Some("a-1"), &["INJ0017", "INJ0016"]),
    ];
    for (what, labels, pod_labels, proxy_of, expected) in cases {
        let mut objects = mesh();
        objects.extend([space("shop", labels), pod(pod_labels, *proxy_of)]);
        let (_folder, cluster) = cluster_of(&objects);
        let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", "shop")], Format::Json).await;
        let codes: Vec<_> = outcome.findings.iter().map(|finding| finding.code.as_ref()).collect();
        assert_eq!(codes, *expected, "{what}: {:?} {:?}", outcome.findings, outcome.skipped);
    }
}

#[tokio::test]
async fn webhooks_that_cannot_answer_are_named() {
    let labels = json!({"istio.io/rev": "a-1"});
    let change = |edit: fn(&mut Value)| {
        let mut objects = mesh();
        objects.iter_mut().for_each(edit);
        objects.extend([space("shop", &labels), pod(&json!({}), None)]);
        objects
    };
    let cases: &[(Edit, &str, &str, &str)] = &[
        (
            |o| {
                if o["kind"] == "EndpointSlice" {
                    o["endpoints"] = json!([]);
                }
            },
            "INJ0009",
            "no ready endpoint",
            "cannot_be_created",
        ),
        (
            |o| {
                if o["kind"] == "Service" {
                    o["metadata"]["name"] = json!(format!("other-{}", o["metadata"]["uid"]));
                }
            },
            "INJ0009",
            "does not exist",
            "cannot_be_created",
        ),
        (
            |o| {
                if o["kind"] == "MutatingWebhookConfiguration" {
                    o["webhooks"][0]["clientConfig"]["caBundle"] = json!("");
                }
            },
            "INJ0010",
            "no CA bundle",
            "cannot_be_created",
        ),
        (
            |o| {
                if o["kind"] == "MutatingWebhookConfiguration" {
                    o["webhooks"][0]["clientConfig"]["caBundle"] = json!("AAAA");
                }
            },
            "INJ0010",
            "holds no certificate",
            "cannot_be_created",
        ),
        (
            |o| {
                if o["kind"] == "EndpointSlice" {
                    o["endpoints"] = json!([]);
                }
                if o["kind"] == "MutatingWebhookConfiguration" {
                    o["webhooks"][0]["failurePolicy"] = json!("Ignore");
                }
            },
            "INJ0009",
            "without a sidecar",
            "created_without_sidecar",
        ),
        (
            |o| {
                if o["metadata"]["name"] == "injector-a-2" {
                    o["webhooks"][0]["namespaceSelector"] = json!({});
                }
            },
            "INJ0011",
            "several",
            "conflict",
        ),
    ];
    for (edit, code, words, fate) in cases {
        let (_folder, cluster) = cluster_of(&change(*edit));
        let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", "shop")], Format::Json).await;
        let lines: Vec<_> = outcome.findings.iter().map(line).collect();
        assert!(lines.iter().any(|line| line.contains(code) && line.contains(words)), "{code} {words}: {lines:#?}");
        assert_eq!(outcome.data["targets"][0]["fate"], *fate, "{code} {words}");
    }
}

/// A kind that is not in the recording is unknown, and never taken for absent.
#[tokio::test]
async fn webhooks_that_cannot_be_read_are_unknown() {
    let (_folder, cluster) = cluster_of(&[space("shop", &json!({})), pod(&json!({}), None)]);
    let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", "shop")], Format::Text).await;
    assert_eq!(outcome.data["targets"][0]["fate"], "unknown");
    assert!(outcome.findings.is_empty() && outcome.printed.is_none());
    assert!(
        outcome.skipped.iter().any(|part| part.what.contains("mutatingwebhookconfigurations")),
        "{:?}",
        outcome.skipped
    );
    let outcome = run(&cluster, "istioctl.tags", &[], Format::Text).await;
    assert!(outcome.printed.is_none(), "{:?}", outcome.printed);
}

#[tokio::test]
async fn drift_of_an_installation_is_named() {
    let source = recording_path("upstream");
    let folder = tempfile::tempdir().unwrap();
    copy(&source.join("cluster"), &folder.path().join("cluster"));
    let edit = |path: &str, name: &str, namespace: Option<&str>, pointer: &str, value: &str| {
        let path = folder.path().join("cluster/resources").join(path);
        let mut list: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let items = list["items"].as_array_mut().unwrap().iter_mut();
        let mut fits = items
            .filter(|item| item["metadata"]["name"] == name && item["metadata"]["namespace"].as_str() == namespace);
        *fits.next().unwrap().pointer_mut(pointer).unwrap() = json!(value);
        fs::write(path, list.to_string()).unwrap();
    };
    let admission = "apis/admissionregistration.k8s.io/v1";
    edit(
        &format!("{admission}/mutatingwebhookconfigurations.json"),
        "istio-revision-tag-prod",
        None,
        "/metadata/labels/istio.io~1rev",
        "1-20",
    );
    edit(
        &format!("{admission}/mutatingwebhookconfigurations.json"),
        "istio-sidecar-injector",
        None,
        "/webhooks/0/clientConfig/caBundle",
        bundle(),
    );
    edit(
        &format!("{admission}/validatingwebhookconfigurations.json"),
        "istio-validator-istio-system",
        None,
        "/webhooks/0/clientConfig/caBundle",
        "",
    );
    edit("api/v1/configmaps.json", "istio-ca-root-cert", Some("web"), "/data/root-cert.pem", PEM);
    edit("api/v1/configmaps.json", "istio", Some("istio-system"), "/data/mesh", "");
    let crds = "apis/apiextensions.k8s.io/v1/customresourcedefinitions.json";
    edit(crds, "sidecars.networking.istio.io", None, "/spec/versions/0/name", "v9");
    let outcome = run(&open(folder.path()), "istioctl.verify-install", &[], Format::Json).await;
    let lines: Vec<_> = outcome.findings.iter().map(line).collect();
    for words in [
        ["CPL0006", "tag prod points to revision 1-20"],
        ["CPL0004", "MutatingWebhookConfiguration istio-sidecar-injector: its CA bundle holds no certificate"],
        ["CPL0004", "ValidatingWebhookConfiguration istio-validator-istio-system: it has no CA bundle"],
        ["CPL0013", "two authorities are in use"],
        ["CPL0004", "ConfigMap istio-system/istio: it has no key mesh"],
        ["CPL0004", "sidecars.networking.istio.io: it serves"],
    ] {
        assert!(lines.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {lines:#?}");
    }
    assert_eq!(lines.len(), 6, "{lines:#?}");
}

/// An archive of `istioctl bug-report` has fewer pages and kinds: what it lacks is skipped, and no fault.
#[tokio::test]
async fn archives_of_bug_report_are_judged_by_what_they_hold() {
    let cluster = open(&recording_path("healthy/bug-report/istioctl-1.30.3.tar.gz"));
    for step in ["istioctl.tags", "istioctl.version", "istioctl.verify-install"] {
        let outcome = run(&cluster, step, &[], Format::Json).await;
        assert!(serious(&outcome.findings).is_empty(), "{step}: {:#?}", serious(&outcome.findings));
        assert!(step == "istioctl.tags" || !outcome.skipped.is_empty(), "{step}");
    }
    let outcome = run(&cluster, "istioctl.check-inject", &[("namespace", "shop")], Format::Json).await;
    assert!(serious(&outcome.findings).is_empty(), "{:#?}", serious(&outcome.findings));
    assert!(outcome.data["targets"].as_array().unwrap().len() > 3);
}

/// Whether asm-1-29 is still supported in the recording of November 2026, no table of August can say.
#[tokio::test]
async fn support_of_the_add_on_is_told() {
    let outcome = run(&recording("healthy"), "istioctl.verify-install", &[], Format::Json).await;
    let ended: Vec<_> = outcome.findings.iter().filter(|finding| finding.code == "AKS0032").collect();
    assert_eq!(ended.len(), 1, "{:?}", outcome.findings);
    assert!(ended[0].subject.name.ends_with("asm-1-29") && ended[0].severity == Severity::Info);
}
