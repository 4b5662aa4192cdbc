//! `GET /v1/misc/resource-usage`.

use std::fs;

use http::StatusCode;
use meshtriage::auth::Identify;
use serde_json::{Value, json};

use super::{of_code, row, serious, skipped};
use crate::support::app::{TestApp, app, open};

async fn answer(name: &str, query: &str) -> Value {
    let answer = TestApp::over(name).get(&format!("/v1/misc/resource-usage{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[tokio::test]
async fn proxies_and_istiods_tell_their_memory_themselves() {
    let answer = answer("broken", "").await;
    let data = &answer["data"];
    assert_eq!(data["metrics_api"], false);
    assert!(skipped(&answer).contains("no metrics API"), "{}", skipped(&answer));
    let cart = data["proxies"].as_array().unwrap().iter().find(|row| row["workload"]["name"] == "cart").unwrap();
    // 1 GiB is the limit; 19,852,094 bytes or so are what Envoy has.
    assert_eq!(cart["memory_bytes"]["from"], "envoy");
    assert_eq!(cart["memory_bytes"]["limit"], 1 << 30);
    assert!((10_u64 << 20..64 << 20).contains(&cart["memory_bytes"]["used"].as_u64().unwrap()), "{cart}");
    assert!(cart["cpu_millicores"]["used"].is_null());
    assert_eq!(cart["cpu_millicores"]["limit"], 2000);
    assert_eq!(cart["workers"]["running"], 2);
    assert_eq!(cart["workers"]["by_cpu"], 2);
    assert_eq!(cart["size"]["clusters"], 37);
    assert_eq!(cart["size"]["outbound_clusters"], 29);
    assert_eq!(cart["size"]["used_clusters"], 1);
    assert_eq!(cart["uptime_s"].as_u64().map(|seconds| seconds > 60), Some(true));
    assert!(cart["statistics"]["total"].as_u64().unwrap() > 100, "{cart}");
    assert!(cart["statistics"]["included"].is_null(), "only Istio's own: {cart}");

    let istiods = data["istiods"].as_array().unwrap();
    assert_eq!(istiods.len(), 4);
    let told: Vec<_> = istiods.iter().filter(|row| row["memory_bytes"]["from"] == "process").collect();
    assert_eq!(told.len(), 3, "one is dead");
    assert!(told.iter().all(|row| row["services"] == 18), "{told:?}");
    let killed = of_code(&answer, "K8S0004");
    assert_eq!(killed.len(), 1);
    assert_eq!(killed[0]["subject"]["container"], "discovery");
    assert!(skipped(&answer).contains("15014"), "{}", skipped(&answer));
}

#[tokio::test]
async fn sidecar_is_made_of_what_is_called() {
    let answer = answer("broken", "").await;
    let data = &answer["data"];
    let shop = row(&data["namespaces"], "namespace", "shop");
    assert_eq!(shop["outbound_clusters"], 29);
    let called = &shop["called"];
    let payments = row(called, "host", "payments.bank.svc.cluster.local");
    assert_eq!((&payments["namespace"], &payments["callers"][0]), (&"bank".into(), &"cart".into()));
    assert_eq!(payments["requests"], 58);
    assert!(payments["log_lines"].as_u64().unwrap() > 50, "{payments}");
    row(called, "host", "catalog.shop.svc.cluster.local");
    let proposal = &shop["proposal"];
    let manifest = proposal["manifest"].as_str().unwrap();
    for entry in ["\"./*\"", "\"aks-istio-system/*\"", "\"bank/payments.bank.svc.cluster.local\""] {
        assert!(manifest.contains(entry), "{manifest}");
    }
    assert!(proposal["cuts_off"].as_array().unwrap().is_empty());
    assert!(proposal["clusters_left"].as_u64().unwrap() < 29);

    // Nobody calls from bank; legacy has its own Sidecars, so that the mesh-wide one does not reach it.
    let bank = row(&data["namespaces"], "namespace", "bank");
    assert_eq!(texts(&bank["sidecars"]), ["bank/default"]);
    assert!(bank["proposal"].is_null() && bank["no_proposal_because"].as_str().unwrap().contains("no call"));
    let wide = &data["mesh_wide"];
    assert_eq!(wide["root_namespace"], "aks-istio-system");
    let names: Vec<_> = wide["namespaces"].as_array().unwrap().iter().map(|row| &row["namespace"]).collect();
    assert_eq!(names, ["shop"]);
    let cut = &wide["namespaces"][0]["cuts_off"];
    assert_eq!((cut.as_array().unwrap().len(), &cut[0]["host"]), (1, &"payments.bank.svc.cluster.local".into()));
}

#[tokio::test]
async fn namespaces_that_the_mesh_needs_are_selected() {
    let answer = answer("healthy", "").await;
    let scope = &answer["data"]["discovery_selectors"];
    let unneeded: Vec<_> = scope["not_needed"].as_array().unwrap().iter().map(|row| &row["namespace"]).collect();
    assert!(unneeded.contains(&&Value::from("tools")), "{scope}");
    let manifest = scope["manifest"].as_str().unwrap();
    for needed in ["aks-istio-system", "aks-istio-ingress", "shop", "bank", "legacy"] {
        assert!(manifest.contains(&format!("    - {needed}\n")), "{manifest}");
        assert!(!unneeded.contains(&&Value::from(needed)));
    }
    assert!(scope["cuts_off"].as_array().unwrap().is_empty());
    let maps = ["29", "30"].map(|minor| format!("aks-istio-system/istio-shared-configmap-asm-1-{minor}"));
    assert_eq!(texts(&scope["apply_to"]), maps);
}

#[tokio::test]
async fn healthy_mesh_has_nothing_serious() {
    let answer = answer("healthy", "").await;
    assert!(serious(&answer).is_empty(), "{:#?}", serious(&answer));
}

#[tokio::test]
async fn one_proxy_of_each_workload_is_asked_and_the_others_are_said_to_be_skipped() {
    let one = answer("upstream", "?namespace=web").await;
    assert!(skipped(&one).contains("1 more proxy of 1 workload"), "{}", skipped(&one));
    assert_eq!(one["data"]["proxies"].as_array().unwrap().len(), 2);
    let both = answer("upstream", "?namespace=web&per_workload=2").await;
    assert!(!skipped(&both).contains("more proxy"), "{}", skipped(&both));
    assert_eq!(both["data"]["proxies"].as_array().unwrap().len(), 3);
    // What is said of the mesh as a whole needs all of it.
    assert!(both["data"]["mesh_wide"].is_null());
    let ui = both["data"]["proxies"].as_array().unwrap().iter().find(|row| row["workload"]["name"] == "ui").unwrap();
    assert_eq!(ui["workers"]["running"], 1);
    assert_eq!(ui["workers"]["configured"], 1);
    assert_eq!(ui["workers"]["configured_by"], "ProxyConfig web/ui");
    let few = answer("upstream", "?max_proxies=1").await;
    assert!(skipped(&few).contains("max_proxies asks more"), "{}", skipped(&few));
}

#[tokio::test]
async fn thresholds_decide_what_is_reported() {
    let answer = answer("broken", "?namespace=shop&clusters=30&saved_clusters=1&stats=100&memory_mib=1").await;
    assert!(of_code(&answer, "RES0103").iter().all(|finding| finding["subject"]["namespace"] == "shop"));
    assert!(of_code(&answer, "RES0103").len() >= 7, "{}", answer["findings"]);
    assert_eq!(of_code(&answer, "RES0104")[0]["subject"]["name"], "shop");
    assert!(!of_code(&answer, "RES0106").is_empty());
    assert!(!of_code(&answer, "RES0100").is_empty());
    let app = TestApp::over("broken");
    for wrong in ["per_workload=0", "max_proxies=501", "memory_percent=101", "deadline_s=x", "no=1"] {
        let answer = app.get(&format!("/v1/misc/resource-usage?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", answer.text);
    }
}

#[tokio::test]
async fn text_tells_the_worst_first() {
    let answer = TestApp::over("broken").get("/v1/misc/resource-usage?format=text").await;
    let text = answer.text;
    let lines = ["[K8S0004]", "\nNot seen:\n", "\nistiod\n", "\nProxies, most memory first\n", "kind: Sidecar"];
    let at: Vec<_> =
        lines.iter().map(|line| text.find(line).unwrap_or_else(|| panic!("no {line:?} in {text}"))).collect();
    assert!(at.is_sorted(), "{text}");
    assert!(text.contains("shop: payments.bank.svc.cluster.local"), "{text}");
}

/// A recording of a cluster with a metrics API, where nothing else answers.
fn with_metrics_api() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let list = |path: &str, kind: &str, version: &str, items: &[Value]| {
        let path = folder.path().join(format!("cluster/resources/{path}.json"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, json!({"kind": format!("{kind}List"), "apiVersion": version, "items": items}).to_string())
            .unwrap();
    };
    let resources = json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "200Mi"}});
    let running = json!({"name": "istio-proxy", "state": {"running": {}}});
    let pod = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "shop", "labels": {"pod-template-hash": "7"}, "ownerReferences":
                [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-7", "uid": "u", "controller": true}]},
            "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy", "image": "p", "resources": resources}]},
            "status": {"phase": "Running", "containerStatuses": [running]}})
    };
    let usage = |name: &str, cpu: &str, memory: &str| {
        json!({"metadata": {"name": name, "namespace": "shop"}, "containers": [
            {"name": "istio-proxy", "usage": {"cpu": cpu, "memory": memory}}]})
    };
    list("api/v1/pods", "Pod", "v1", &[pod("cart-7-a"), pod("cart-7-b"), pod("cart-7-c")]);
    list("api/v1/namespaces", "Namespace", "v1", &[json!({"metadata": {"name": "shop"}})]);
    let used = [
        usage("cart-7-a", "250000000n", "40000Ki"),
        usage("cart-7-b", "950m", "40Mi"),
        usage("cart-7-c", "10m", "190Mi"),
    ];
    list("apis/metrics.k8s.io/v1beta1/pods", "PodMetrics", "metrics.k8s.io/v1beta1", &used);
    folder
}

#[tokio::test]
async fn metrics_api_tells_the_use_of_every_replica() {
    let folder = with_metrics_api();
    let app = TestApp::new(app(open(folder.path()), Identify::Nobody));
    let answer = app.get("/v1/misc/resource-usage").await.json();
    let data = &answer["data"];
    assert_eq!(data["metrics_api"], true, "{}", skipped(&answer));
    let first = row(&data["proxies"], "pod", "cart-7-a");
    assert_eq!(first["memory_bytes"]["from"], "metrics_api");
    assert_eq!(
        (&first["memory_bytes"]["percent_of_limit"], &first["cpu_millicores"]["used"]),
        (&20.into(), &250.into())
    );
    // Only one of the replicas is asked for its pages, and does not answer; the others are shown since they stand out.
    assert_eq!(of_code(&answer, "RES0101")[0]["subject"]["name"], "cart-7-b");
    assert_eq!(of_code(&answer, "RES0100")[0]["subject"]["name"], "cart-7-c");
    assert_eq!((of_code(&answer, "RES0100").len(), of_code(&answer, "RES0101").len()), (1, 1));
    assert!(skipped(&answer).contains("15000"), "{}", skipped(&answer));
    assert!(data["namespaces"].as_array().unwrap().is_empty());
}
