//! A recording answers as the API server that it was recorded from.

use futures::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, LogParams, PostParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use meshtriage::capture::Kind;
use serde_json::{Value, json};

use super::{get, json, names, page, recorded, recording};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

#[tokio::test]
async fn recordings_are_served_as_a_cluster() {
    for name in ["healthy", "broken", "upstream"] {
        let capture = recording(name);
        assert_eq!(capture.kind(), Kind::Own);
        assert!(capture.recorded_at().is_some(), "{name}");
        assert!(capture.cluster_id().is_some(), "{name}");
        let client = capture.client();
        assert_eq!(client.apiserver_version().await.unwrap().major, "1");
        let expected: Value =
            serde_json::from_slice(&recorded(&format!("{name}/cluster/resources/api/v1/pods.json"))).unwrap();
        let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.unwrap();
        assert_eq!(pods.items.len(), expected["items"].as_array().unwrap().len(), "{name}");
        for pod in &pods.items {
            let of_namespace = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap());
            assert_eq!(of_namespace.get(&pod.name_any()).await.unwrap().uid(), pod.uid());
        }
        let kind = GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService");
        let services: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
        assert!(!services.list(&ListParams::default()).await.unwrap().items.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn every_recorded_list_is_served_as_it_was() {
    let client = recording("broken").client();
    let discovery = kube::Discovery::new(client.clone()).run().await.unwrap();
    let mut lists = 0;
    for group in discovery.groups() {
        for version in group.versions() {
            for (resource, _) in group.versioned_resources(version) {
                let root = if resource.group.is_empty() { "api" } else { "apis" };
                let path = format!("{root}/{}/{}", resource.api_version, resource.plural);
                let file = crate::support::recording_path("broken").join(format!("cluster/resources/{path}.json"));
                let Ok(expected) = std::fs::read(file) else { continue };
                let expected: Value = serde_json::from_slice(&expected).unwrap();
                let served = json(&client, &format!("/{path}")).await;
                assert_eq!(served["items"], expected["items"], "{path}");
                assert_eq!(served["kind"], expected["kind"], "{path}");
                lists += 1;
            }
        }
    }
    assert!(lists > 50, "only {lists} lists");
}

#[tokio::test]
async fn lists_are_narrowed_by_selectors_and_pages() {
    let client = recording("broken").client();
    let pods = Api::<Pod>::namespaced(client.clone(), "shop");
    let all = pods.list(&ListParams::default()).await.unwrap().items;
    assert!(all.iter().all(|pod| pod.namespace().as_deref() == Some("shop")));
    let by_hand =
        |keep: &dyn Fn(&Pod) -> bool| all.iter().filter(|pod| keep(pod)).map(ResourceExt::name_any).collect::<Vec<_>>();
    for (labels, keep) in [
        ("app=cart", (&|pod: &Pod| pod.labels().get("app").is_some_and(|app| app == "cart")) as &dyn Fn(&Pod) -> bool),
        ("app in (cart,frontend)", &|pod| {
            pod.labels().get("app").is_some_and(|app| app == "cart" || app == "frontend")
        }),
        ("app notin (cart)", &|pod| pod.labels().get("app").is_none_or(|app| app != "cart")),
        ("!version", &|pod| !pod.labels().contains_key("version")),
    ] {
        let found = pods.list(&ListParams::default().labels(labels)).await.unwrap();
        assert_eq!(found.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), by_hand(keep), "{labels}");
    }
    let pending = pods.list(&ListParams::default().fields("status.phase!=Running")).await.unwrap();
    assert!(!pending.items.is_empty() && pending.items.len() < all.len());
    let events = Api::<Event>::all(client.clone());
    let failed = events.list(&ListParams::default().fields("type=Warning,involvedObject.kind=Pod")).await.unwrap();
    assert!(!failed.items.is_empty());
    assert!(failed.iter().all(|event| event.type_.as_deref() == Some("Warning")));
    let (mut paged, mut parameters) = (Vec::new(), ListParams::default().limit(3));
    loop {
        let page = pods.list(&parameters).await.unwrap();
        assert!(page.items.len() <= 3);
        let next = page.metadata.continue_.clone().filter(|token| !token.is_empty());
        paged.extend(page.items.iter().map(ResourceExt::name_any));
        let Some(next) = next else { break };
        parameters = parameters.continue_token(&next);
    }
    assert_eq!(paged, by_hand(&|_| true));
    assert_eq!(get(&client, "/api/v1/pods?labelSelector=a%20in%20b)", "*/*").await.0, 400);
}

#[tokio::test]
async fn tables_are_those_of_the_recording() {
    let client = recording("broken").client();
    let expected: Value = serde_json::from_slice(&recorded("broken/cluster/tables/api/v1/pods.json")).unwrap();
    let (status, table) = get(&client, "/api/v1/pods", TABLE).await;
    assert_eq!((status, table["kind"].as_str()), (200, Some("Table")));
    assert_eq!(table["columnDefinitions"], expected["columnDefinitions"]);
    let cells =
        |table: &Value| table["rows"].as_array().unwrap().iter().map(|row| row["cells"].clone()).collect::<Vec<_>>();
    assert_eq!(cells(&table), cells(&expected));
    let (_, one) = get(&client, "/api/v1/namespaces/shop/pods?labelSelector=app%3Dcart", TABLE).await;
    let list = json(&client, "/api/v1/namespaces/shop/pods?labelSelector=app%3Dcart").await;
    assert_eq!(cells(&one).iter().map(|cells| cells[0].as_str().unwrap()).collect::<Vec<_>>(), names(&list));
    assert_eq!(one["rows"][0]["object"]["metadata"]["labels"]["app"], "cart");
    // Not recorded as a table: built from the definition's columns.
    let (_, built) = get(&client, "/apis/security.istio.io/v1/peerauthentications", TABLE).await;
    let columns =
        built["columnDefinitions"].as_array().unwrap().iter().map(|column| column["name"].clone()).collect::<Vec<_>>();
    assert_eq!(columns, ["Name", "Mode", "Age"]);
    assert!(!cells(&built).is_empty());
}

#[tokio::test]
async fn what_is_absent_is_said() {
    let client = recording("healthy").client();
    let (status, body) = get(&client, "/api/v1/namespaces/shop/pods/none", "*/*").await;
    assert_eq!((status, body["reason"].as_str()), (404, Some("NotFound")));
    assert_eq!(body["message"], "pods \"none\" not found");
    let (status, body) = get(&client, "/apis/nobody.example/v1/things", "*/*").await;
    assert_eq!((status, body["message"].as_str()), (404, Some("the server could not find the requested resource")));
    // The cluster serves it and had none: the recording leaves empty lists out.
    assert!(names(&json(&client, "/apis/apps/v1/daemonsets").await).is_empty());
}

#[tokio::test]
async fn what_was_not_recorded_does_not_look_empty() {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::support::recording_path("healthy/cluster");
    copy(&from, &folder.path().join("cluster"));
    std::fs::remove_file(folder.path().join("cluster/resources/api/v1/secrets.json")).unwrap();
    std::fs::write(folder.path().join("cluster/resources/api/v1/services.json"), b"{\"items\": [").unwrap();
    let capture = super::open(folder.path());
    for (plural, why) in [("secrets", "not recorded"), ("services", "damaged")] {
        let (status, body) = get(&capture.client(), &format!("/api/v1/{plural}"), "*/*").await;
        assert_eq!((status, body["reason"].as_str()), (503, Some("NotRecorded")), "{body}");
        assert!(body["message"].as_str().unwrap().starts_with("not recorded in this capture"), "{body}");
        assert!(capture.skipped().iter().any(|skipped| skipped.what.contains(plural) && skipped.why.contains(why)));
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::write(target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn list_whose_file_is_gone_or_cut_is_an_error_and_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster/resources/api/v1/pods.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let pod = |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"containers": []}});
    let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod("a"), pod("b")]});
    std::fs::write(&file, list.to_string()).unwrap();
    let client = meshtriage::capture::Capture::open(folder.path(), &meshtriage::capture::Limits::default());
    let client = client.unwrap().client();
    let pods = Api::<Pod>::namespaced(client, "shop");
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 2);
    for spoil in
        [|file: &std::path::Path| std::fs::write(file, "{}"), |file: &std::path::Path| std::fs::remove_file(file)]
    {
        spoil(&file).unwrap();
        let lists = [ListParams::default(), ListParams::default().fields("spec.nodeName=")];
        for parameters in lists {
            assert!(pods.list(&parameters).await.is_err(), "{parameters:?}");
        }
        let error = pods.get("a").await.unwrap_err();
        assert!(error.to_string().contains("cannot read the recording"), "{error}");
    }
}

#[tokio::test]
async fn writing_is_refused() {
    let client = recording("healthy").client();
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "x"}})).unwrap();
    let refused = [
        namespaces.create(&PostParams::default(), &namespace).await.map(|_| ()),
        namespaces.delete("shop", &DeleteParams::default()).await.map(|_| ()),
        namespaces.replace("shop", &PostParams::default(), &namespace).await.map(|_| ()),
    ];
    for result in refused {
        let Err(kube::Error::Api(status)) = result else { panic!("{result:?}") };
        assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
        assert!(status.message.contains("capture_is_read_only"), "{}", status.message);
    }
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_stays_open() {
    let client = recording("healthy").client();
    let namespaces = Api::<Namespace>::all(client);
    let expected = namespaces.list(&ListParams::default()).await.unwrap().items.len();
    let mut watch = namespaces.watch(&WatchParams::default().timeout(60), "0").await.unwrap().boxed();
    for _ in 0..expected {
        assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Added(_)))));
    }
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), watch.next()).await.is_err());
    let mut over = namespaces.watch(&WatchParams::default().timeout(1), "7").await.unwrap().boxed();
    assert!(over.next().await.is_none(), "nothing happens after a known version, then the time is over");
}

#[tokio::test]
async fn logs_are_cut_as_the_kubelet_cuts_them() {
    let capture = recording("broken");
    let client = capture.client();
    let pods = Api::<Pod>::namespaced(client.clone(), "shop");
    let cart = pods.list(&ListParams::default().labels("app=cart")).await.unwrap().items.remove(0).name_any();
    let recorded = String::from_utf8(recorded(&format!("broken/logs/shop/{cart}/istio-proxy.log"))).unwrap();
    let stamped = recorded.lines().collect::<Vec<_>>();
    let proxy = LogParams { container: Some("istio-proxy".into()), ..LogParams::default() };
    let log = pods.logs(&cart, &proxy).await.unwrap();
    assert!(stamped.iter().map(|line| line.split_once(' ').unwrap().1).eq(log.lines()));
    let tail = pods.logs(&cart, &LogParams { tail_lines: Some(5), timestamps: true, ..proxy.clone() }).await.unwrap();
    assert_eq!(tail.lines().collect::<Vec<_>>(), stamped[stamped.len() - 5..]);
    let since = capture.recorded_at().unwrap() - jiff::SignedDuration::from_secs(60);
    let recent = pods.logs(&cart, &LogParams { since_seconds: Some(60), ..proxy.clone() }).await.unwrap();
    let expected = stamped.iter().filter(|line| line[..30].parse::<jiff::Timestamp>().unwrap() >= since).count();
    assert_eq!(recent.lines().count(), expected);
    assert!(expected > 0 && expected < stamped.len(), "{expected} of {}", stamped.len());
    let few = pods.logs(&cart, &LogParams { limit_bytes: Some(10), ..proxy.clone() }).await.unwrap();
    assert_eq!(few, log[..10]);
    let mut follow = pods.log_stream(&cart, &LogParams { follow: true, ..proxy.clone() }).await.unwrap().lines();
    for line in log.lines() {
        assert_eq!(follow.next().await.unwrap().unwrap(), line);
    }
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), follow.next()).await.is_err());
    for (parameters, code, message) in [
        (
            LogParams { container: Some("none".into()), ..LogParams::default() },
            400,
            "container none is not valid for pod",
        ),
        (LogParams { previous: true, ..proxy }, 400, "previous terminated container \"istio-proxy\""),
    ] {
        let Err(kube::Error::Api(status)) = pods.logs(&cart, &parameters).await else { panic!("{message}") };
        assert_eq!(status.code, code);
        assert!(status.message.contains(message), "{}", status.message);
    }
    let pending = pods.list(&ListParams::default().labels("app=cart").fields("spec.nodeName=")).await.unwrap();
    assert_eq!(pods.logs(&pending.items[0].name_any(), &LogParams::default()).await.unwrap(), "");
    let Err(kube::Error::Api(status)) = pods.logs("none", &LogParams::default()).await else { panic!("no such pod") };
    assert_eq!(status.code, 404);
}

#[tokio::test]
async fn pages_are_those_of_the_recording() {
    let client = recording("broken").client();
    let pods = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.unwrap().items;
    let find = |namespace: &str, app: &str| {
        let of_app = |pod: &&Pod| {
            pod.namespace().as_deref() == Some(namespace) && pod.labels().get("app").is_some_and(|found| found == app)
        };
        pods.iter().find(of_app).unwrap().name_any()
    };
    let cart = find("shop", "cart");
    let envoy = format!("broken/envoy/shop/{cart}");
    for (port, target, file) in [
        (15000, "/config_dump", "config_dump.json"),
        (15000, "/config_dump?include_eds", "config_dump_include_eds.json"),
        (15000, "/config_dump?include_eds=true&mask=x", "config_dump_include_eds.json"),
        (15000, "/config_dump?resource=dynamic_listeners", "config_dump.json"),
        (15000, "/clusters", "clusters.txt"),
        (15000, "/clusters?format=json", "clusters.json"),
        (15000, "/stats/prometheus", "stats_prometheus.txt"),
        (15090, "/stats/prometheus", "stats_prometheus.txt"),
        (15020, "/stats/prometheus", "agent_stats_prometheus.txt"),
        (15021, "/healthz/ready", "healthz_ready.txt"),
    ] {
        let (status, body) = page(&client, "shop", &cart, port, target).await.unwrap();
        let expected = recorded(&format!("{envoy}/{file}"));
        assert_eq!((status, body.as_bytes()), (200, expected.as_slice()), "{port}{target}");
    }
    let (status, body) = page(&client, "shop", &cart, 15000, "/../../../manifest").await.unwrap();
    assert_eq!((status, body.as_str()), (404, "not recorded\n"));
    assert_eq!(page(&client, "shop", &cart, 15020, "/debug/ndsz").await.unwrap(), (404, "{}".to_owned()));
    let refused = page(&client, "shop", &cart, 9999, "/").await.unwrap_err();
    assert!(refused.contains("error forwarding port 9999"), "{refused}");
    let istiods = pods.iter().filter(|pod| pod.labels().get("app").is_some_and(|app| app == "istiod"));
    let mut answers = Vec::new();
    for istiod in istiods {
        answers.push(page(&client, "aks-istio-system", &istiod.name_any(), 15014, "/debug/syncz").await);
    }
    // One istiod of four is in CrashLoopBackOff: nothing listens there.
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert!(
        answers.iter().any(|answer| answer.as_ref().is_err_and(|error| error.contains("connection refused"))),
        "{answers:?}"
    );
    let dns =
        pods.iter().find(|pod| pod.labels().get("k8s-app").is_some_and(|app| app == "kube-dns")).unwrap().name_any();
    assert_eq!(page(&client, "kube-system", &dns, 9153, "/metrics").await.unwrap().0, 200);
}

#[tokio::test]
async fn tables_that_are_built_are_as_the_recorded_ones() {
    for name in ["healthy", "broken", "upstream"] {
        let folder = tempfile::tempdir().unwrap();
        for part in ["resources", "discovery"] {
            copy(
                &crate::support::recording_path(&format!("{name}/cluster/{part}")),
                &folder.path().join("cluster").join(part),
            );
        }
        let (built, recorded) = (super::open(folder.path()).client(), recording(name).client());
        for path in [
            "/api/v1/pods",
            "/api/v1/services",
            "/api/v1/namespaces",
            "/api/v1/configmaps",
            "/api/v1/events",
            "/apis/apps/v1/deployments",
            "/apis/apps/v1/replicasets",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "/apis/networking.istio.io/v1/virtualservices",
            "/apis/networking.istio.io/v1/destinationrules",
        ] {
            let (_, built) = get(&built, path, TABLE).await;
            let (_, recorded) = get(&recorded, path, TABLE).await;
            assert_eq!(without_ages(&built), without_ages(&recorded), "{name} {path}");
        }
    }
}

/// Ages depend on the second at which the table was asked for.
fn without_ages(table: &Value) -> Vec<Vec<(String, Value)>> {
    let columns = table["columnDefinitions"].as_array().unwrap();
    let columns = columns.iter().map(|column| column["name"].as_str().unwrap()).collect::<Vec<_>>();
    let row = |row: &Value| {
        let cells = columns.iter().zip(row["cells"].as_array().unwrap());
        let timeless = cells.filter(|(column, _)| !["Age", "Last Seen", "First Seen"].contains(column));
        // `7 (78s ago)`.
        let cell = |(column, cell): (&&str, &Value)| match cell.as_str().filter(|_| *column == "Restarts") {
            Some(restarts) => (column.to_string(), json!(restarts.split(' ').next())),
            None => (column.to_string(), cell.clone()),
        };
        timeless.map(cell).collect()
    };
    table["rows"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn metadata_alone_can_be_asked_for() {
    let client = recording("healthy").client();
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let (_, list) = get(&client, "/api/v1/pods", accept).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["spec"].is_null() && item["metadata"]["uid"].is_string())
    );
    let pods = Api::<Pod>::all(client).list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(pods.items.len(), list["items"].as_array().unwrap().len());
}
