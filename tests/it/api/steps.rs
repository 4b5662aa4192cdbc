//! The catalogue of steps agrees with the routes.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use meshtriage::{api, steps::STEPS};

use crate::support::app::{TestApp, recording};

/// Name of a pod whose name begins so.
pub(super) async fn pod_of(_: &TestApp, namespace: &str, prefix: &str) -> String {
    named("broken", namespace, prefix).await
}

pub(super) async fn some_istiod(_: &TestApp) -> String {
    named("healthy", "aks-istio-system", "istiod-asm-1-30").await
}

async fn named(name: &str, namespace: &str, prefix: &str) -> String {
    let pods: Api<Pod> = Api::namespaced(recording(name).client().clone(), namespace);
    let pods = pods.list(&ListParams::default()).await.unwrap();
    let names = pods.items.into_iter().filter_map(|pod| pod.metadata.name);
    names.into_iter().find(|name| name.starts_with(prefix)).unwrap()
}

#[test]
fn every_step_has_its_endpoint() {
    let document = serde_json::to_value(api::openapi()).unwrap();
    for step in STEPS {
        let about = step.about();
        let method = about.method.to_ascii_lowercase();
        assert!(document["paths"][about.endpoint][&method].is_object(), "{} {}", about.method, about.endpoint);
        assert_eq!(about.mutating, about.id.starts_with("kubectl.bounce") || about.id.starts_with("kubectl.restart"));
    }
}

#[test]
fn step_ids_are_unique() {
    let ids: BTreeSet<_> = STEPS.iter().map(|step| step.about().id).collect();
    assert_eq!(ids.len(), STEPS.len());
}

#[tokio::test]
async fn catalogue_describes_inputs() {
    let app = TestApp::over("healthy");
    let list = app.get("/v1/steps").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), STEPS.len());
    let step = app.get("/v1/steps/kubectl.bounce-pod").await.json();
    assert_eq!(step["mutating"], true);
    assert!(step["inputs"]["properties"]["reason"].is_object(), "{step}");
    assert_eq!(app.get("/v1/steps/kubectl.nothing").await.problem(), "not_found");
}

#[test]
fn every_code_is_explained_once() {
    let codes = api::codes();
    let ids: BTreeSet<_> = codes.iter().map(|code| code.code).collect();
    assert_eq!(ids.len(), codes.len());
    for code in &codes {
        assert!(code.page.trim().len() > 20, "{} has no page", code.code);
    }
    // Two statics of one code with different pages would be told apart here by nothing else.
    let steps: Vec<_> = meshtriage::steps::codes().map(|code| code.id).collect();
    assert_eq!(steps.len(), steps.iter().collect::<BTreeSet<_>>().len());
}
