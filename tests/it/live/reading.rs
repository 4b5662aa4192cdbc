//! What is read from a real API server is what the folder of the same recording gives.

use meshtriage::cluster::{
    Cluster, LogQuery, Resource, Scope, Table,
    pod_http::{ENVOY_ADMIN, ISTIOD_DEBUG},
};
use serde_json::Value;

use super::{as_recorded, difference};
use crate::support::{
    app::recording,
    checklist,
    lab::{self, Lab},
    needs, page,
};

const BOTH: [Lab; 2] = [Lab::Broken, Lab::Upstream];

/// Into this one, the server that runs here writes its own certificates.
const OWN: &str = "kube-system/extension-apiserver-authentication";

/// By any of their names. Left out is what the lab changes: nodes.
const RESOURCES: &[&str] = &[
    "pods",
    "deploy",
    "rs",
    "hpa",
    "pdb",
    "cm",
    "ev",
    "endpointslices",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "crd",
    "gateways.networking.istio.io",
    "virtualservices",
    "destinationrules",
    "serviceentries",
    "sidecars",
    "envoyfilters",
    "peerauthentications",
    "authorizationpolicies",
    "telemetries",
];

async fn pair(lab: Lab) -> (Cluster, Cluster) {
    (recording(lab.recording().unwrap()), lab::cluster(lab).await)
}

fn key(object: &Value) -> String {
    let part = |path| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", part("/metadata/namespace"), part("/metadata/name"))
}

async fn listed(cluster: &Cluster, name: &str) -> (Resource, Vec<Value>) {
    let (resource, _) = cluster.resource(name).await.unwrap();
    let listed = cluster.list::<Value>(&resource, &Scope::All, None).await.unwrap();
    assert!(listed.skipped.is_empty(), "{:?}", listed.skipped);
    let mut items: Vec<_> = listed.items.into_iter().map(as_recorded).collect();
    // What is younger than the recording was made by the server that runs here.
    let recorded_at = cluster.now().to_string();
    let created = |item: &Value| item.pointer("/metadata/creationTimestamp").and_then(Value::as_str).map(str::to_owned);
    items.retain(|item| key(item) != OWN && created(item).is_none_or(|created| created <= recorded_at));
    items.sort_by_key(key);
    (resource, items)
}

#[tokio::test]
async fn lists_and_objects_are_the_recorded_ones() {
    needs!(Servers);
    for lab in BOTH {
        let (folder, live) = pair(lab).await;
        for name in RESOURCES {
            let (resource, expected) = listed(&folder, name).await;
            let (same, found) = listed(&live, name).await;
            assert_eq!(same, resource, "{lab:?} {name}");
            let keys = |items: &[Value]| items.iter().map(key).collect::<Vec<_>>();
            assert_eq!(keys(&found), keys(&expected), "{lab:?} {name}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(difference(expected, found), None, "{lab:?} {name} {}", key(expected));
            }
            let Some(first) = expected.first() else { continue };
            let (namespace, name) = (first.pointer("/metadata/namespace"), first.pointer("/metadata/name"));
            let (namespace, name) = (namespace.and_then(Value::as_str), name.unwrap().as_str().unwrap());
            let one: Value = live.get(&resource, namespace, name).await.unwrap();
            let other: Value = folder.get(&resource, namespace, name).await.unwrap();
            let differs = difference(&as_recorded(other), &as_recorded(one));
            assert_eq!(differs, None, "{lab:?} {} {name}", resource.plural);
        }
    }
}

#[tokio::test]
async fn selectors_choose_the_same_pods() {
    needs!(Servers);
    for lab in BOTH {
        let (folder, live) = pair(lab).await;
        for selector in ["app=istiod", "app!=istiod", "app in (cart, frontend)", "!app", "istio.io/rev,app=istiod"] {
            let keys = async |cluster: &Cluster| {
                let pods = cluster.list::<Value>(&Resource::pods(), &Scope::All, Some(selector)).await.unwrap();
                let mut keys: Vec<_> = pods.items.iter().map(key).collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(&live).await, keys(&folder).await, "{lab:?} {selector}");
        }
    }
}

/// Columns with their cells, without what grows with time: `4d2h`, and `3 (2m ago)`.
fn timeless(table: &Table) -> Vec<Vec<String>> {
    let ago = regex::Regex::new(r" \([0-9a-z]+ ago\)|^[0-9]+[smhdy][0-9smhdy]*$|^<unknown>$").unwrap();
    let mut rows: Vec<_> = table
        .rows
        .iter()
        .map(|row| {
            let place = format!("{}/{}", row.namespace().unwrap_or_default(), row.name().unwrap());
            let cells = row.cells.iter().map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned));
            std::iter::once(place).chain(cells.map(|cell| ago.replace_all(&cell, "").into_owned())).collect()
        })
        .collect();
    rows.sort();
    rows.insert(0, table.columns.iter().map(|column| format!("{} {}", column.name, column.priority)).collect());
    rows
}

#[tokio::test]
async fn tables_are_the_recorded_ones_but_for_ages() {
    needs!(Servers);
    for lab in BOTH {
        let (folder, live) = pair(lab).await;
        for name in ["pods", "deploy", "rs", "hpa", "svc", "virtualservices", "gateways.networking.istio.io"] {
            let (resource, _) = folder.resource(name).await.unwrap();
            let expected = folder.table(&resource, &Scope::All, None, None).await.unwrap();
            let found = live.table(&resource, &Scope::All, None, None).await.unwrap();
            assert_eq!(timeless(&found), timeless(&expected), "{lab:?} {name}");
        }
    }
}

#[tokio::test]
async fn logs_are_the_recorded_ones() {
    needs!(Servers);
    let (folder, live) = pair(Lab::Broken).await;
    let istiods = folder.control_plane(&[]).await.unwrap().istiods;
    let istiods = istiods.into_iter().map(|istiod| {
        let meta = istiod.pod.metadata;
        (meta.namespace.unwrap(), meta.name.unwrap(), "discovery")
    });
    let proxies = checklist::proxies(&folder).await.into_iter().map(|(namespace, pod)| (namespace, pod, "istio-proxy"));
    let mut compared = 0;
    for (namespace, pod, container) in istiods.chain(proxies) {
        for tail in [Some(20), None] {
            let query = LogQuery { tail, ..LogQuery::default() };
            let log = async |cluster: &Cluster| match cluster.log(&namespace, &pod, container, &query).await {
                Ok(log) => Some(log.text),
                // A container that never started has none.
                Err(meshtriage::cluster::Error::NotRecorded { .. }) => None,
                Err(error) => panic!("{namespace}/{pod}: {error}"),
            };
            let Some(expected) = log(&folder).await else { continue };
            assert_eq!(log(&live).await.unwrap(), expected, "{namespace}/{pod} {container} {tail:?}");
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} logs");
}

#[tokio::test]
async fn pages_of_pods_are_the_recorded_ones() {
    needs!(Servers);
    for lab in BOTH {
        let (folder, live) = pair(lab).await;
        let (namespace, pod) = checklist::proxies(&folder).await.remove(0);
        for path in ["/clusters?format=json", "/config_dump?include_eds", "/server_info", "/stats", "/ready"] {
            let expected = page(&folder, &namespace, &pod, ENVOY_ADMIN, path).await.unwrap();
            let found = page(&live, &namespace, &pod, ENVOY_ADMIN, path).await.unwrap();
            assert!(
                found == expected,
                "{lab:?} {namespace}/{pod} {path}: {} and {} bytes",
                found.len(),
                expected.len()
            );
        }
        let istiod = folder.control_plane(&[]).await.unwrap().istiods.remove(0).pod.metadata;
        let (namespace, pod) = (istiod.namespace.unwrap(), istiod.name.unwrap());
        let expected = page(&folder, &namespace, &pod, ISTIOD_DEBUG, "/debug/syncz").await.map_err(|e| e.to_string());
        let found = page(&live, &namespace, &pod, ISTIOD_DEBUG, "/debug/syncz").await.map_err(|e| e.to_string());
        assert_eq!(found.is_ok(), expected.is_ok(), "{lab:?} {namespace}/{pod}: {found:?}");
        assert!(found == expected || found.is_err(), "{lab:?} {namespace}/{pod}");
    }
}

#[tokio::test]
async fn page_that_is_not_there_and_port_that_is_closed_are_told_apart() {
    needs!(Servers);
    let live = lab::cluster(Lab::Broken).await;
    let (namespace, pod) = checklist::proxies(&live).await.remove(0);
    let missing = page(&live, &namespace, &pod, ENVOY_ADMIN, "/nothing").await.unwrap_err();
    assert!(missing.to_string().contains("answered 404"), "{missing}");
    let closed = page(&live, &namespace, &pod, 9, "/").await.unwrap_err();
    assert!(closed.to_string().starts_with(&format!("port 9 of {namespace}/{pod}")), "{closed}");
    let unknown = page(&live, &namespace, "no-such-pod", ENVOY_ADMIN, "/ready").await.unwrap_err();
    assert!(unknown.to_string().contains("no-such-pod"), "{unknown}");
    assert!(!closed.is_fatal() && !unknown.is_fatal());
}
