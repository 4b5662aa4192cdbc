//! A caller sees what his own permissions let him see, whatever the service may do.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use meshtriage::{
    auth::{Authority, Caller, Identify, Keys, Trail},
    cluster::{Cluster, Error, LogQuery, Resource, Scope, pod_http::ENVOY_ADMIN},
};
use serde_json::{Value, json};

use crate::support::{
    checklist,
    lab::{self, Lab},
    needs, page,
};

/// The mesh as this caller sees it through the service, which itself may do everything.
async fn seen_by(token: &str) -> Cluster {
    let own = lab::client(Lab::Healthy).await;
    let caller: Arc<Caller> =
        Identify::kubernetes(own.clone(), Vec::new(), Keys::default()).caller(Some(token), None).await.unwrap();
    let cluster = lab::cluster_through(Lab::Healthy, own.clone());
    cluster.through(Authority::new(own).client_for(caller, Trail::default()))
}

/// A pod with a proxy in each of the two namespaces.
async fn proxies_of_shop_and_bank() -> [String; 2] {
    let proxies = checklist::proxies(&lab::cluster(Lab::Healthy).await).await;
    ["shop", "bank"].map(|wanted| {
        let found = proxies.iter().find(|(namespace, _)| namespace == wanted);
        found.unwrap_or_else(|| panic!("no proxy in {wanted}")).1.clone()
    })
}

fn read_only() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    ])
}

#[tokio::test]
async fn list_of_all_namespaces_is_that_of_the_allowed_ones() {
    needs!(Servers);
    let token = lab::token(Lab::Healthy, "lists-shop", "shop", read_only()).await;
    let cluster = seen_by(&token).await;
    let listed = cluster.list::<Pod>(&Resource::pods(), &Scope::All, None).await.unwrap();
    let shop = Scope::Namespaces(vec!["shop".to_owned()]);
    let expected = lab::cluster(Lab::Healthy).await.list::<Pod>(&Resource::pods(), &shop, None).await.unwrap();
    assert!(!expected.items.is_empty());
    assert_eq!(listed.items, expected.items);
    assert_eq!(listed.skipped.len(), 1, "{:?}", listed.skipped);
    assert!(listed.skipped[0].why.starts_with("forbidden"), "{:?}", listed.skipped);
    // The names of the other namespaces are not his to know.
    let told = format!("{:?}", listed.skipped);
    assert!(!told.contains("bank") && !told.contains("legacy"), "{told}");
}

#[tokio::test]
async fn other_namespaces_are_closed() {
    needs!(Servers);
    let token = lab::token(Lab::Healthy, "reads-shop", "shop", read_only()).await;
    let cluster = seen_by(&token).await;
    let [shop, bank] = proxies_of_shop_and_bank().await;
    let query = LogQuery { tail: Some(5), ..LogQuery::default() };

    let log = cluster.log("shop", &shop, "istio-proxy", &query).await.unwrap();
    assert_eq!(log.lines().count(), 5);
    assert!(!page(&cluster, "shop", &shop, ENVOY_ADMIN, "/clusters").await.unwrap().is_empty());

    let forbidden = |error: Error| match error {
        Error::Forbidden { why, .. } => why,
        other => panic!("{other:?}"),
    };
    let pods = Scope::Namespaces(vec!["bank".to_owned()]);
    let why = forbidden(cluster.list::<Pod>(&Resource::pods(), &pods, None).await.unwrap_err());
    assert!(why.contains("may not list pods in namespace bank"), "{why}");
    forbidden(cluster.get::<Pod>(&Resource::pods(), Some("bank"), &bank).await.unwrap_err());
    let why = forbidden(cluster.log("bank", &bank, "istio-proxy", &query).await.unwrap_err());
    assert!(why.contains("may not get pods/log in namespace bank"), "{why}");
    let error = page(&cluster, "bank", &bank, ENVOY_ADMIN, "/clusters").await.unwrap_err();
    assert!(error.to_string().contains("pods/portforward in namespace bank"), "{error}");
}

#[tokio::test]
async fn each_capability_is_a_permission_of_its_own() {
    needs!(Servers);
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]);
    let token = lab::token(Lab::Healthy, "pods-only", "shop", rules).await;
    let cluster = seen_by(&token).await;
    let [shop, _] = proxies_of_shop_and_bank().await;
    assert!(cluster.get::<Pod>(&Resource::pods(), Some("shop"), &shop).await.is_ok());
    let log = cluster.log("shop", &shop, "istio-proxy", &LogQuery::default()).await;
    assert!(matches!(log, Err(Error::Forbidden { .. })), "{log:?}");
    let page = page(&cluster, "shop", &shop, ENVOY_ADMIN, "/clusters").await.unwrap_err();
    assert!(page.to_string().contains("portforward"), "{page}");
    let secrets = Resource::known("", "v1", "secrets", "Secret", true);
    let secrets = cluster.list::<Value>(&secrets, &Scope::Namespaces(vec!["shop".to_owned()]), None).await;
    assert!(matches!(secrets, Err(Error::Forbidden { .. })), "{secrets:?}");
}

#[tokio::test]
async fn nobody_sees_nothing() {
    needs!(Servers);
    let token = lab::token(Lab::Healthy, "no-rights", "shop", json!([])).await;
    let cluster = seen_by(&token).await;
    let listed = cluster.list::<Pod>(&Resource::pods(), &Scope::All, None).await;
    assert!(matches!(listed, Err(Error::Forbidden { .. })), "{listed:?}");
    // What every authenticated caller may: discovery and the version.
    assert!(cluster.version().await.unwrap().starts_with('v'));
    assert!(cluster.resource("virtualservices").await.is_ok());
}

/// The reviews say what the API server itself does with the caller's own token.
#[tokio::test]
async fn reviews_agree_with_the_api_server() {
    needs!(Servers);
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["istio-ca-root-cert"], "verbs": ["get"]},
    ]);
    let token = lab::token(Lab::Healthy, "agreement", "shop", rules).await;
    let ours = seen_by(&token).await;
    let theirs = lab::cluster_through(Lab::Healthy, lab::client_with(Lab::Healthy, &token).await);
    let mut answers = [0, 0];
    for path in [
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/bank/pods",
        "/api/v1/pods",
        "/api/v1/namespaces",
        "/api/v1/namespaces/shop",
        "/api/v1/namespaces/shop/configmaps/istio-ca-root-cert",
        "/api/v1/namespaces/shop/configmaps/kube-root-ca.crt",
        "/api/v1/namespaces/shop/configmaps",
        "/apis/networking.istio.io/v1/namespaces/shop/virtualservices",
        "/apis/networking.istio.io/v1/virtualservices",
        "/apis/security.istio.io/v1/namespaces/shop/peerauthentications",
        "/apis/apps/v1/namespaces/shop/deployments",
        "/apis/apps/v1",
        "/version",
    ] {
        let allowed = |result: Result<Value, kube::Error>| match result {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 403 => false,
            Err(kube::Error::Api(status)) if status.code == 404 => true,
            Err(error) => panic!("{path}: {error}"),
        };
        let request = || http::Request::get(path).body(Vec::new()).unwrap();
        let expected = allowed(theirs.client().request(request()).await);
        assert_eq!(allowed(ours.client().request(request()).await), expected, "{path}");
        answers[usize::from(expected)] += 1;
    }
    assert!(answers.iter().all(|&count| count >= 4), "{answers:?}");
}
