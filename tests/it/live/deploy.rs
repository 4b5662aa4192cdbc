//! The roles of `deploy/` are enough: the service, as its own `ServiceAccount` with exactly these rules, carries out the
//! steps for callers.

use std::sync::OnceLock;

use http::{Request, StatusCode};
use kube::Client;
use meshtriage::{
    auth::{Identify, Keys},
    report::Format,
};
use serde_json::{Value, json};

use crate::support::{
    app::{Answered, TestApp, app},
    checklist::{self, Call},
    lab::{self, Lab},
    needs,
};

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base");

/// Deploys the base in the healthy mesh, where no controller runs: no pod of it starts.
fn apply() {
    static APPLIED: OnceLock<()> = OnceLock::new();
    APPLIED.get_or_init(|| {
        lab::kubectl(Lab::Healthy, &["apply", "--kustomize", BASE]);
    });
}

/// A client of the service's own `ServiceAccount`, with what the base gives it.
async fn own_client() -> Client {
    apply();
    let admin = lab::client(Lab::Healthy).await;
    let token = lab::token_of(&admin, "meshtriage", "meshtriage", &[]).await;
    lab::client_with(Lab::Healthy, &token).await
}

/// The service as it is deployed.
async fn service() -> TestApp {
    let own = own_client().await;
    let identify = Identify::kubernetes(own.clone(), Vec::new(), Keys::default());
    TestApp::new(app(lab::cluster_through(Lab::Healthy, own), identify))
}

async fn get(service: &TestApp, token: &str, path: &str) -> Answered {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    service.send(request.body(axum::body::Body::empty()).unwrap()).await
}

/// Somebody who may do what the checklist needs, everywhere.
async fn operator() -> String {
    let rules = json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create"]},
    ]);
    lab::cluster_token(Lab::Healthy, "operator", "default", rules).await
}

#[tokio::test]
async fn every_folder_is_accepted_by_the_api_server() {
    needs!(Servers);
    // A dry run knows no namespace that it has not made.
    apply();
    for folder in ["base", "overlays/actions", "overlays/postgres", "overlays/tls"] {
        let path = format!("{}/deploy/{folder}", env!("CARGO_MANIFEST_DIR"));
        let objects = lab::kubectl(Lab::Healthy, &["kustomize", &path]);
        let answer =
            lab::kubectl(Lab::Healthy, &["apply", "--dry-run=server", "--output", "name", "--kustomize", &path]);
        assert_eq!(answer.lines().count(), format!("\n{objects}").matches("\nkind: ").count(), "{folder}:\n{answer}");
    }
}

#[tokio::test]
async fn roles_of_components_are_accepted_by_the_api_server() {
    needs!(Servers);
    apply();
    for file in ["actions/role-actions.yaml", "secrets/role-secrets.yaml"] {
        let path = format!("{}/deploy/components/{file}", env!("CARGO_MANIFEST_DIR"));
        let answer =
            lab::kubectl(Lab::Healthy, &["apply", "--dry-run=server", "--output", "name", "--filename", &path]);
        assert_eq!(answer.lines().count(), 2, "{file}:\n{answer}");
    }
}

#[tokio::test]
async fn service_is_ready_with_its_own_roles() {
    needs!(Servers);
    let service = service().await;
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text);
    let token = operator().await;
    let whoami = get(&service, &token, "/v1/whoami").await;
    assert_eq!(whoami.json()["user"], "system:serviceaccount:default:operator", "{}", whoami.text);
    assert_eq!(get(&service, "nonsense", "/v1/whoami").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn roles_suffice_for_every_call_of_the_checklist() {
    needs!(Servers);
    let cluster = lab::cluster_through(Lab::Healthy, own_client().await);
    let mut refused = Vec::new();
    for one in checklist::calls(&cluster).await {
        let outcome = checklist::call(&cluster, &one, Format::Json).await;
        let forbidden = outcome.skipped.into_iter().filter(|skipped| skipped.why.starts_with("forbidden"));
        refused.extend(forbidden.map(|skipped| format!("{}: {skipped:?}", one.words())));
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[tokio::test]
async fn analysis_lacks_nothing_but_secrets() {
    needs!(Servers);
    let cluster = lab::cluster_through(Lab::Healthy, own_client().await);
    let analyze = Call::new("istioctl.analyze", &[("all_namespaces", "true")]);
    let outcome = checklist::call(&cluster, &analyze, Format::Json).await;
    assert!(!outcome.skipped.is_empty(), "Secrets need the component secrets");
    for skipped in outcome.skipped {
        let what = skipped.what.to_lowercase();
        assert!(what.contains("secret") && skipped.why.contains("forbidden"), "{skipped:?}");
    }
}

#[tokio::test]
async fn steps_answer_callers_by_their_own_rights() {
    needs!(Servers);
    let service = service().await;
    let proxies = checklist::proxies(&lab::cluster(Lab::Healthy).await).await;
    let pod_of = |wanted: &str| &proxies.iter().find(|(namespace, _)| namespace == wanted).unwrap().1;
    let clusters =
        |namespace: &str| format!("/v1/kubectl/envoy/clusters?namespace={namespace}&pod={}", pod_of(namespace));

    let operator = operator().await;
    for namespace in ["shop", "bank"] {
        let answer = get(&service, &operator, &clusters(namespace)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json()["run"]["completeness"], "complete");
    }

    let rules = json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    ]);
    let shop = lab::token(Lab::Healthy, "developer", "shop", rules).await;
    let own = get(&service, &shop, &clusters("shop")).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    let run = format!("/v1/runs/{}", own.json()["run"]["id"].as_str().unwrap());

    // A stored run is shown to those only who may do what it did.
    assert_eq!(get(&service, &operator, &run).await.status, StatusCode::OK);
    let nobody = lab::token(Lab::Healthy, "nobody", "bank", json!([])).await;
    assert_ne!(get(&service, &nobody, &run).await.status, StatusCode::OK);
    let items = get(&service, &nobody, "/v1/runs").await.json();
    assert_eq!(items["items"], Value::Array(Vec::new()));
    let items = get(&service, &shop, "/v1/runs").await.json();
    let namespaces: Vec<_> = items["items"].as_array().unwrap().iter().map(|run| &run["namespaces"]).collect();
    // The operator's run also looked whether the namespace exists, which the developer may not.
    assert_eq!(namespaces, [&json!(["shop"])], "{items}");

    let other = get(&service, &shop, &clusters("bank")).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "{}", other.text);
    // A call that was refused used nothing, and is its caller's own all the same.
    let refused = get(&service, &shop, "/v1/runs?state=failed").await.json();
    assert_eq!(refused["items"].as_array().unwrap().len(), 1, "{refused}");
    let items = get(&service, &nobody, "/v1/runs").await.json();
    assert_eq!(items["items"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn service_may_not_do_more() {
    needs!(Servers);
    let own = own_client().await;
    let admin = lab::cluster(Lab::Healthy).await;
    let (namespace, pod) = checklist::proxies(&admin).await.remove(0);
    for (method, path) in [
        ("GET", "/api/v1/secrets".to_owned()),
        ("DELETE", format!("/api/v1/namespaces/{namespace}/pods/{pod}?dryRun=All")),
        ("GET", format!("/api/v1/namespaces/{namespace}/pods/{pod}/exec?command=id")),
        ("POST", "/api/v1/namespaces?dryRun=All".to_owned()),
    ] {
        let request = Request::builder().method(method).uri(&path).header("content-type", "application/json");
        let answer = own.request::<Value>(request.body(b"{}".to_vec()).unwrap()).await;
        let status = match answer {
            Err(kube::Error::Api(status)) => status.code,
            other => panic!("{method} {path}: {other:?}"),
        };
        assert_eq!(status, 403, "{method} {path}");
    }
}
