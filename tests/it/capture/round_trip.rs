//! What the writer records, the reader serves: the same objects, logs and pages.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kube::Client;
use meshtriage::capture::{Capture, Cut, Error, Limits, WriteOptions, write};
use meshtriage::redact::redact_text;
use serde_json::Value;

use super::{get, json, names, open, page, recording};

fn options() -> WriteOptions {
    WriteOptions { concurrency: 4, ..WriteOptions::new("2026-11-25T12:00:00Z".parse().unwrap()) }
}

/// The files of an archive.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[tokio::test]
async fn an_archive_has_what_the_recording_has() {
    for name in ["healthy", "broken", "upstream"] {
        let original = recording(name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.tar.gz");
        let options = WriteOptions { logs_outside_mesh: true, ..options() };
        let written = write(&original.client(), &path, &options).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the archive");
        assert_eq!(written.bytes, std::fs::metadata(&path).unwrap().len());
        let copy = open(&path);
        assert_eq!(copy.recorded_at(), Some(options.now));
        assert_eq!(copy.cluster_id(), original.cluster_id());
        assert_eq!(copy.skipped(), written.skipped);
        let (original, copy) = (original.client(), copy.client());
        same_objects(name, &original, &copy).await;
        let files = files(&path);
        same_files(name, &files);
        same_answers_about_proxies(name, &copy).await;
        let (_, table) = get(&copy, "/api/v1/pods", "application/json;as=Table;v=v1;g=meta.k8s.io").await;
        let (_, expected) = get(&original, "/api/v1/pods", "application/json;as=Table;v=v1;g=meta.k8s.io").await;
        assert_eq!(table["rows"], expected["rows"]);
    }
}

async fn same_objects(name: &str, original: &Client, copy: &Client) {
    let discovery = kube::Discovery::new(original.clone()).run().await.unwrap();
    let mut lists = 0;
    for group in discovery.groups() {
        for version in group.versions() {
            for (resource, _) in group.versioned_resources(version) {
                let root = if resource.group.is_empty() { "api" } else { "apis" };
                let path = format!("/{root}/{}/{}", resource.api_version, resource.plural);
                let (status, expected) = get(original, &path, "application/json").await;
                if status != 200 {
                    continue;
                }
                let found = json(copy, &path).await;
                assert_eq!(names(&found), names(&expected), "{name} {path}");
                assert_eq!(found["items"], expected["items"], "{name} {path}");
                lists += 1;
            }
        }
    }
    assert!(lists > 80, "only {lists} lists");
}

/// Each log and page of the archive is a file of the recording, and none is missing.
fn same_files(name: &str, files: &BTreeMap<String, Vec<u8>>) {
    let root = crate::support::recording_path(name);
    let mut same = 0;
    for (path, content) in files {
        let folder = path.split('/').next().unwrap();
        if ["logs", "istiod", "envoy", "ports"].contains(&folder) {
            // What could not be had says why; and a pod without a node has an empty log, which a recording may leave out.
            let is_absent = path.strip_suffix(".error").is_some() || (folder == "logs" && content.is_empty());
            if is_absent {
                continue;
            }
            let expected = std::fs::read(root.join(path)).unwrap_or_else(|error| panic!("{name} {path}: {error}"));
            let expected = String::from_utf8_lossy(&expected).into_owned();
            assert!(String::from_utf8_lossy(content) == redact_text(&expected), "{name} {path} differs");
            same += 1;
        }
    }
    assert!(same > 100, "only {same} logs and pages");
    for folder in ["logs", "envoy", "istiod", "ports"] {
        let mut missing = Vec::new();
        walk(&root.join(folder), &mut |file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
            // What other replicas said of a proxy is asked of its own istiod alone.
            if !files.contains_key(path) && !path.ends_with(".json.status") {
                missing.push(path.to_owned());
            }
        });
        assert!(missing.is_empty(), "{name}: {missing:#?}");
    }
}

/// istiod answers about proxies of other replicas as it did, although that is not written down for each.
async fn same_answers_about_proxies(name: &str, copy: &Client) {
    let root = crate::support::recording_path(&format!("{name}/istiod"));
    let mut answers = Vec::new();
    walk(&root, &mut |file| {
        let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
        if let [namespace, pod, "debug", page, proxy] = path.split('/').collect::<Vec<_>>()[..]
            && let Some(proxy) = proxy.strip_suffix(".json.status")
        {
            let page = page.trim_end_matches("_by_proxy");
            let target = format!("/debug/{page}?proxyID={proxy}");
            answers.push((namespace.to_owned(), pod.to_owned(), target, std::fs::read_to_string(file).unwrap()));
        }
    });
    for (namespace, pod, target, expected) in answers {
        let (status, body) = page(copy, &namespace, &pod, 15014, &target).await.unwrap();
        assert_eq!(format!("{status}\n{}", body.trim()), expected.trim(), "{name} {pod} {target}");
    }
}

fn walk(folder: &Path, found: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found(&path) }
    }
}

#[tokio::test]
async fn a_damaged_file_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.tar.gz");
    write(&recording("upstream").client(), &path, &options()).await.unwrap();
    let mut content = files(&path);
    let pods = content.get_mut("cluster/resources/api/v1/pods.json").unwrap();
    let position = pods.windows(7).position(|window| window == b"Running").unwrap();
    pods[position..position + 7].copy_from_slice(b"Runninx");
    content.remove("cluster/resources/api/v1/nodes.json").unwrap();
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in &content {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    std::fs::write(&path, builder.into_inner().unwrap().finish().unwrap()).unwrap();
    let capture = open(&path);
    for (plural, why) in [("pods", "checksum"), ("nodes", "missing")] {
        let what = format!("cluster/resources/api/v1/{plural}.json");
        let skipped = capture.skipped().iter().find(|skipped| skipped.what == what).unwrap();
        assert!(skipped.why.contains(why), "{}", skipped.why);
        let (status, body) = get(&capture.client(), &format!("/api/v1/{plural}"), "*/*").await;
        assert_eq!((status, body["reason"].as_str()), (503, Some("NotRecorded")));
    }
    assert_eq!(get(&capture.client(), "/api/v1/services", "*/*").await.0, 200);
}

#[tokio::test]
async fn a_recording_may_be_narrowed_to_namespaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.tar.gz");
    let options = WriteOptions { namespaces: vec!["bank".into()], ..options() };
    write(&recording("broken").client(), &path, &options).await.unwrap();
    let files = files(&path);
    assert!(
        files
            .keys()
            .filter(|path| path.starts_with("logs/") || path.starts_with("envoy/"))
            .all(|path| path.contains("/bank/"))
    );
    let capture = open(&path);
    assert!(capture.cluster_id().is_some());
    let pods = json(&capture.client(), "/api/v1/pods").await;
    assert!(pods["items"].as_array().unwrap().iter().all(|pod| pod["metadata"]["namespace"] == "bank"));
    assert!(!names(&json(&capture.client(), "/api/v1/nodes").await).is_empty());
}

#[tokio::test]
async fn a_cut_recording_is_small_and_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.tar.gz");
    let options = WriteOptions { cut: Some(Cut { log_lines: 300 }), ..options() };
    let written = write(&recording("broken").client(), &path, &options).await.unwrap();
    assert!(written.bytes < 2 << 20, "{} bytes", written.bytes);
    assert!(written.skipped.iter().any(|skipped| skipped.what.ends_with("pods outside of the mesh")));
    let client = open(&path).client();
    let definitions = json(&client, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await;
    assert!(!definitions.to_string().contains("openAPIV3Schema"));
    let pods = json(&client, "/api/v1/namespaces/shop/pods?labelSelector=app%3Dcart").await;
    let cart = names(&pods)[0].to_owned();
    let (status, dump) = page(&client, "shop", &cart, 15000, "/config_dump").await.unwrap();
    let dump: Value = serde_json::from_str(&dump).unwrap();
    assert_eq!(status, 200);
    assert!(dump["configs"][0]["bootstrap"]["node"]["id"].is_string());
    assert!(dump["configs"][0]["bootstrap"]["node"]["extensions"].is_null());
}

#[tokio::test]
async fn a_recording_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.tar.gz");
    let dead = Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    let options = WriteOptions { call_timeout: Duration::from_secs(2), ..options() };
    let error = write(&dead, &path, &options).await.unwrap_err();
    assert!(matches!(error, Error::Cluster { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let nowhere = folder.path().join("none/capture.tar.gz");
    assert!(matches!(write(&dead, &nowhere, &options).await.unwrap_err(), Error::Io { .. }));
    // Given up in the middle.
    let client = recording("healthy").client();
    let writing = write(&client, &path, &options);
    assert!(tokio::time::timeout(Duration::from_millis(100), writing).await.is_err());
    for _ in 0..100 {
        if std::fs::read_dir(folder.path()).unwrap().count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the unfinished archive is still there");
}

#[test]
fn an_archive_of_nothing_but_a_manifest_opens() {
    // A cluster that refused everything is still a recording: it says what was refused.
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"{"format": 1, "generator": "x", "recorded_at": "2026-01-01T00:00:00Z", "cluster_id": null,
        "skipped": [{"what": "api/v1/pods", "why": "403: forbidden"}]}"#;
    std::fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    let capture = Capture::open(folder.path(), &Limits::default()).unwrap();
    assert!(capture.skipped().iter().any(|skipped| skipped.why == "403: forbidden"));
}
