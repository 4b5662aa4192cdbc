//! A recording with secrets in it, through every step, in every format, to the history, to a stream and to an archive.

use std::{fs, path::Path};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures::StreamExt as _;
use http::{Request, StatusCode};
use meshtriage::{auth::Identify, cluster::Cluster, report::Format, steps};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::planted::{TEXTS, secret, text};
use crate::{
    bug_report::unpacked,
    support::{
        app::{TestApp, app, open},
        checklist::{Call, calls},
        recording_path, say,
    },
};

/// Those that only a structure tells, after those of texts.
const IN_FIELDS: usize = TEXTS.len();

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

fn items(list: &mut Value) -> &mut Vec<Value> {
    list["items"].as_array_mut().unwrap()
}

/// Fields whose names tell what they hold.
fn fields() -> Value {
    let of = |number: usize| secret(IN_FIELDS + number);
    json!({
        "headers": [
            {"header": {"key": "x-api-key", "value": of(0)}}, {"header": {"value": of(1), "key": "Authorization"}},
            {"header": {"key": "x-auth-token", "raw_value": BASE64.encode(of(2))}},
        ],
        "match": [{"name": "authorization", "string_match": {"exact": of(3)}}],
        "vs": {"request": {"set": {"x-api-key": of(4), "Authorization": of(5)}}},
        "tls": {"private_key": {"inline_string": of(6)}, "password": {"inline_bytes": BASE64.encode(of(7))}},
        "wasm": {"configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": json!({"client_secret": of(8), "nested": {"apiKey": of(9)}}).to_string()}},
        "args": ["serve", "--password", of(10), "--token", of(11)],
        "jwk": {"kty": "RSA", "n": "public", "d": of(12)},
        "docker": {"auths": {"registry": {"auth": BASE64.encode(format!("user:{}", of(13)))}}},
        "kubectl.kubernetes.io/last-applied-configuration": json!({"apiVersion": "v1", "kind": "Secret",
            "data": {"anything": BASE64.encode(of(14))}, "stringData": {"other": of(15)}}).to_string(),
        "apiKeys": [of(16)],
        "lines": ["-----BEGIN PRIVATE KEY-----", of(17), of(18), "-----END PRIVATE KEY-----"],
    })
}

fn environment() -> Vec<Value> {
    let names = ["DB_PASSWORD", "db_password", "dbPassword", "AZURE_CLIENT_SECRET", "apiToken"];
    let of = |(index, name): (usize, &&str)| json!({"name": name, "value": secret(IN_FIELDS + 20 + index)});
    names.iter().enumerate().map(of).collect()
}

/// A copy of a recording, with secrets.
fn planted() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for part in ["cluster", "envoy", "istiod", "logs", "ports"] {
        copy(&recording_path(&format!("healthy/{part}")), &root.join(part));
    }
    let core = root.join("cluster/resources/api/v1");
    let all = (0..TEXTS.len()).map(|number| (format!("text-{number}"), Value::from(text(number))));
    let texts: serde_json::Map<_, _> = all.collect();
    let whole: Vec<_> = (0..TEXTS.len()).map(text).collect();
    edit(&core.join("secrets.json"), |list| {
        let certificate = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";
        let data = json!({"anything": BASE64.encode(secret(IN_FIELDS + 30)),
            "tls.crt": BASE64.encode(format!("{certificate}password: {}\n", secret(IN_FIELDS + 31)))});
        items(list).push(json!({"metadata": {"name": "planted", "namespace": "shop",
            "annotations": fields()}, "type": "Opaque", "data": data}));
    });
    edit(&core.join("configmaps.json"), |list| {
        items(list).push(json!({"metadata": {"name": "planted", "namespace": "shop"}, "data": texts}));
    });
    edit(&core.join("pods.json"), |list| {
        for pod in items(list) {
            if !pod["metadata"]["annotations"].is_object() {
                pod["metadata"]["annotations"] = json!({});
            }
            let annotations = pod["metadata"]["annotations"].as_object_mut().unwrap();
            for (name, value) in fields().as_object().unwrap() {
                if value.is_string() {
                    annotations.insert(name.clone(), value.clone());
                }
            }
            annotations.insert("notes".to_owned(), whole.join("\n").into());
            for container in pod["spec"]["containers"].as_array_mut().unwrap() {
                let variables = container["env"].take();
                let mut variables = variables.as_array().cloned().unwrap_or_default();
                variables.extend(environment());
                container["env"] = variables.into();
                container["args"] = fields()["args"].clone();
            }
        }
    });
    edit(&core.join("events.json"), |list| {
        let event = items(list).first().cloned().unwrap();
        for number in 0..TEXTS.len() {
            let mut event = event.clone();
            event["metadata"]["name"] = format!("planted-{number}").into();
            event["message"] = text(number).into();
            event["type"] = "Warning".into();
            items(list).push(event);
        }
    });
    let services = root.join("cluster/resources/apis/networking.istio.io/v1/virtualservices.json");
    edit(&services, |list| {
        for service in items(list) {
            service["metadata"]["annotations"] = json!({"notes": whole.join("\n")});
            service["spec"]["http"][0]["headers"] = fields()["vs"].clone();
        }
    });
    plant_in_logs(&root.join("logs"), &whole);
    plant_in_dumps(&root.join("envoy"), &whole);
    folder
}

fn plant_in_logs(folder: &Path, texts: &[String]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            plant_in_logs(&path, texts);
            continue;
        }
        let mut log = fs::read_to_string(&path).unwrap();
        let last = log.lines().last().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        for line in texts.iter().flat_map(|text| text.lines()) {
            log.push_str(&format!("{last} 2026-11-25T10:00:00.000000Z\twarn\tplanted\t{line}\n"));
        }
        fs::write(path, log).unwrap();
    }
}

fn plant_in_dumps(folder: &Path, texts: &[String]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            plant_in_dumps(&path, texts);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("config_dump")) {
            edit(&path, |dump| {
                dump["configs"][0]["bootstrap"]["node"]["metadata"]["planted"] =
                    json!([fields(), texts, environment()]);
            });
        }
    }
}

/// The secrets that stand in a text, plain or as base64.
fn found(text: &str) -> Vec<usize> {
    let stands = |number: &usize| {
        let secret = secret(*number);
        text.contains(&secret) || text.contains(&BASE64.encode(&secret))
    };
    // All have a beginning in common; most texts have none.
    let all = ["hUnt3r", "aFVudDNy"].iter().any(|start| text.contains(start));
    if all { (0..IN_FIELDS + 40).filter(stands).collect() } else { Vec::new() }
}

/// The path and query that carry out a call.
fn path(call: &Call, format: Format) -> String {
    let about = steps::find(call.step).unwrap().about();
    let mut path = about.endpoint.to_owned();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &call.inputs {
        let place = format!("{{{name}}}");
        if path.contains(&place) {
            path = path.replace(&place, value);
        } else {
            query.append_pair(name, value);
        }
    }
    query.append_pair("format", format.name());
    // A diff of one proxy has its own path.
    let inputs: std::collections::BTreeMap<_, _> = call.inputs.iter().cloned().collect();
    if call.step == "istioctl.proxy-status" && inputs.contains_key("pod") {
        return format!("{path}/{}/{}?format={}", inputs["namespace"], inputs["pod"], format.name());
    }
    format!("{path}?{}", query.finish())
}

async fn pages(cluster: &Cluster) -> Vec<Call> {
    let mut calls = calls(cluster).await;
    let proxies = crate::support::checklist::proxies(cluster).await;
    let (namespace, pod) = proxies.first().unwrap();
    let inputs = [("namespace", namespace.as_str()), ("pod", pod.as_str()), ("page", "config_dump")];
    calls.push(Call::new("kubectl.envoy-clusters", &inputs));
    let inputs = [("namespace", namespace.as_str()), ("pod", pod.as_str()), ("kind", "all")];
    calls.push(Call::new("istioctl.proxy-config", &inputs));
    for resource in ["configmaps", "secrets", "events"] {
        let inputs = [("resource", resource), ("namespace", "shop")];
        calls.push(Call::new("kubectl.resource-status", &inputs));
    }
    let place = format!("{namespace}/{pod}");
    calls.push(Call::new("kubectl.sidecar-logs", &[("source", &place), ("tail", "200"), ("application", "true")]));
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn none_comes_out_of_any_step_in_any_format() {
    let folder = planted();
    let cluster = open(folder.path());
    let calls = pages(&cluster).await;
    let app = TestApp::new(app(cluster, Identify::Nobody));
    let (mut leaks, mut answers, mut redacted) = (Vec::new(), 0, 0);
    for (index, call) in calls.iter().enumerate() {
        for (turn, format) in Format::ALL.into_iter().enumerate() {
            // These hold everything; the others are made of the findings, and take turns.
            let holds_all = matches!(format, Format::Json | Format::Yaml | Format::Raw);
            if !holds_all && (index + turn) % 4 != 0 {
                continue;
            }
            let path = path(call, format);
            let answer = app.get(&path).await;
            assert!(!answer.status.is_server_error(), "{path}: {answer:?}");
            answers += 1;
            redacted += answer.text.matches("REDACTED").count();
            let found = found(&answer.text);
            if !found.is_empty() {
                let texts: Vec<_> = found.iter().filter_map(|number| TEXTS.get(*number)).collect();
                leaks.push(format!("{path}: {found:?} {texts:?}"));
            }
        }
    }
    say(&format!("{answers} answers of {} calls, {redacted} times REDACTED", calls.len()));
    assert!(redacted > 1000, "{redacted}");
    let mut runs = 0;
    let mut next = Some("/v1/runs?limit=100".to_owned());
    while let Some(page) = next {
        let list = app.get(&page).await.json();
        for run in list["items"].as_array().unwrap() {
            let kept = app.get(&format!("/v1/runs/{}/result", run["id"].as_str().unwrap())).await;
            runs += usize::from(kept.status == StatusCode::OK);
            let found = found(&format!("{run}{}", kept.text));
            if !found.is_empty() {
                leaks.push(format!("history of {}: {found:?}", run["step"]));
            }
        }
        let cursor = list["next_cursor"].as_str().map(|cursor| format!("/v1/runs?limit=100&cursor={cursor}"));
        next = cursor;
    }
    assert!(runs > 100, "{runs}");
    assert!(leaks.is_empty(), "{} leak:\n{}", leaks.len(), leaks.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn none_comes_out_in_an_archive() {
    let folder = planted();
    let app = TestApp::new(app(open(folder.path()), Identify::Nobody));
    for layout in ["meshtriage", "istioctl"] {
        let started = app.post("/v1/istioctl/bug-report", &json!({"reason": "test", "layout": layout})).await;
        let result = started.headers["location"].to_str().unwrap().to_owned();
        while app.get(&format!("{result}?wait=50")).await.status != StatusCode::OK {}
        let run = started.headers["operation-location"].to_str().unwrap();
        let request = Request::get(format!("{run}/artifacts/bug-report.tar.gz")).body(Body::empty()).unwrap();
        let (head, archive) = app.download(request).await;
        assert_eq!(head.status, StatusCode::OK);
        let (mut leaks, mut redacted) = (Vec::new(), 0);
        for (name, content) in unpacked(archive.as_slice()) {
            let text = String::from_utf8_lossy(&content);
            redacted += text.matches("REDACTED").count();
            let found = found(&text);
            if !found.is_empty() {
                let texts: Vec<_> = found.iter().filter_map(|number| TEXTS.get(*number)).collect();
                leaks.push(format!("{name}: {found:?} {texts:?}"));
            }
        }
        assert!(redacted > 100, "{layout}: {redacted}");
        assert!(leaks.is_empty(), "{layout}: {} leak:\n{}", leaks.len(), leaks.join("\n"));
    }
}

/// What is followed is the end of a log, which a recording repeats.
#[tokio::test]
async fn none_comes_out_of_a_stream() {
    let folder = planted();
    let app = TestApp::new(app(open(folder.path()), Identify::Nobody));
    let request = Request::get("/v1/kubectl/istiod-logs?follow=true&tail=500").body(Body::empty()).unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    let patience = std::time::Duration::from_secs(5);
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(patience, stream.next()).await {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(text.contains("planted") && text.contains("REDACTED"), "{text:.2000}");
    assert_eq!(found(&text), Vec::<usize>::new());
}
