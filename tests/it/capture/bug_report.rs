//! Archives that the real `istioctl bug-report` wrote.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, LogParams};
use meshtriage::capture::Kind;
use serde_json::Value;

use super::{get, json, names, open, page, recorded};
use crate::support::recording_path;

#[tokio::test]
async fn archives_of_istioctl_open() {
    for name in ["healthy", "broken", "upstream"] {
        for version in ["1.29.6", "1.30.3"] {
            let capture = open(&recording_path(&format!("{name}/bug-report/istioctl-{version}.tar.gz")));
            assert_eq!(capture.kind(), Kind::BugReport);
            assert!(capture.recorded_at().is_some());
            assert!(capture.cluster_id().is_some());
            let client = capture.client();
            assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.36.3");
            let list: Value =
                serde_json::from_slice(&recorded(&format!("{name}/cluster/resources/api/v1/pods.json"))).unwrap();
            let mut expected = names(&list);
            let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.unwrap().items;
            let mut found = pods.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{name} {version}");
            // In each version that is served, as the API server converts.
            for served in ["v1", "v1beta1", "v1alpha3"] {
                let list = json(&client, &format!("/apis/networking.istio.io/{served}/virtualservices")).await;
                assert!(!names(&list).is_empty());
                assert_eq!(list["items"][0]["apiVersion"], format!("networking.istio.io/{served}"));
            }
            assert!(names(&json(&client, "/apis/extensions.istio.io/v1alpha1/wasmplugins").await).is_empty());
            let events = json(&client, "/api/v1/events").await;
            assert!(
                events["items"].as_array().unwrap().iter().any(|event| event["involvedObject"]["kind"] == "ReplicaSet")
            );
            let (status, secrets) = get(&client, "/api/v1/secrets", "*/*").await;
            assert_eq!((status, secrets["reason"].as_str()), (503, Some("NotRecorded")));
            assert!(capture.skipped().iter().any(|skipped| skipped.what == "api/v1/secrets"));
            assert!(capture.skipped().iter().any(|skipped| skipped.what.starts_with("debug pages of istiod")));
        }
    }
}

#[tokio::test]
async fn logs_and_pages_of_a_bug_report_are_served() {
    let client = open(&recording_path("broken/bug-report/istioctl-1.30.3.tar.gz")).client();
    let pods = Api::<Pod>::namespaced(client.clone(), "shop");
    let cart = pods.list(&ListParams::default().labels("app=cart")).await.unwrap().items.remove(0).name_any();
    let proxy = LogParams { container: Some("istio-proxy".into()), timestamps: true, ..LogParams::default() };
    let log = pods.logs(&cart, &proxy).await.unwrap();
    assert!(log.lines().count() > 100);
    assert!(log.lines().all(|line| line.split(' ').next().unwrap().parse::<jiff::Timestamp>().is_ok()));
    let recent = pods.logs(&cart, &LogParams { since_seconds: Some(60), ..proxy }).await.unwrap();
    assert!(recent.lines().count() < log.lines().count());
    let (status, dump) = page(&client, "shop", &cart, 15000, "/config_dump").await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<Value>(&dump).unwrap()["configs"].is_array());
    assert_eq!(page(&client, "shop", &cart, 15000, "/certs").await.unwrap().0, 200);
    assert_eq!(page(&client, "shop", &cart, 15000, "/clusters?format=json").await.unwrap().0, 404);
    let istiods = Api::<Pod>::namespaced(client.clone(), "aks-istio-system");
    let running = istiods.list(&ListParams::default().labels("app=istiod,istio.io/rev=asm-1-30")).await.unwrap().items;
    let refused = page(&client, "aks-istio-system", &running[0].name_any(), 15014, "/debug/syncz").await.unwrap_err();
    assert!(refused.contains("not recorded in this capture"), "{refused}");
    let istiod = istiods.logs(&running[0].name_any(), &LogParams::default()).await.unwrap();
    assert!(istiod.contains("FLAG"));
}

#[tokio::test]
async fn an_unpacked_bug_report_opens_as_its_archive_does() {
    let folder = tempfile::tempdir().unwrap();
    let archive = std::fs::File::open(recording_path("upstream/bug-report/istioctl-1.30.3.tar.gz")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path().join("bug-report")).unwrap();
    let capture = open(folder.path());
    assert_eq!(capture.kind(), Kind::BugReport);
    assert!(!names(&json(&capture.client(), "/api/v1/pods").await).is_empty());
}

const PODS: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: istiod-1, namespace: istio-system, labels: {app: istiod}, creationTimestamp: '2026-01-02T03:04:05Z'}
  spec: {nodeName: n1, containers: [{name: discovery}]}
  status: {phase: Running, containerStatuses: [{name: discovery, restartCount: 1, state: {running: {}}}]}
";

const LOG: &str = "========= Previous log present (appended at the end) =========

2026-01-02T03:05:00.000000Z\tinfo\tnow

========= Previous log =========

2026-01-02T03:04:00.000000Z\terror\tbefore
";

#[tokio::test]
async fn what_the_recorded_archives_do_not_have_is_read_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("cluster/k8s-resources", PODS);
    write("istio/istio-system/istiod-1/debug/syncz", "[]");
    write("istio/istio-system/istiod-1/discovery.log", LOG);
    let capture = open(folder.path());
    let client = capture.client();
    assert_eq!(page(&client, "istio-system", "istiod-1", 15014, "/debug/syncz").await.unwrap(), (200, "[]".to_owned()));
    assert_eq!(page(&client, "istio-system", "istiod-1", 15014, "/debug/adsz").await.unwrap().0, 404);
    let pods = Api::<Pod>::namespaced(client.clone(), "istio-system");
    let now = pods.logs("istiod-1", &LogParams::default()).await.unwrap();
    assert!(now.contains("now") && !now.contains("before"), "{now}");
    let before = pods.logs("istiod-1", &LogParams { previous: true, ..LogParams::default() }).await.unwrap();
    assert!(before.contains("before") && !before.contains("now"), "{before}");
    // Asked for and empty, and not asked for.
    assert!(names(&json(&client, "/apis/batch/v1/jobs").await).is_empty());
    assert_eq!(get(&client, "/api/v1/nodes", "*/*").await.0, 503);
    assert_eq!(get(&client, "/apis/networking.istio.io/v1/virtualservices", "*/*").await.0, 503);
}
