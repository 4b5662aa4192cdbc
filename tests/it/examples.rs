//! The examples of the API's description are real answers of the demo, shortened: this test makes them anew and compares.

use std::path::Path;

use http::StatusCode;
use meshtriage::{auth::Identify, config::ClusterArgs, start};
use serde_json::{Map, Value, json};

use crate::support::app::{Answered, TestApp, app};

/// Items of a list, and characters of a text, in an example.
const ITEMS: usize = 2;
const TEXT: usize = 240;
/// Fields whose value is another one each time.
const OF_THE_MOMENT: [(&str, &str); 8] = [
    ("id", "01a00000-0000-7000-8000-000000000001"),
    ("self", "/v1/runs/01a00000-0000-7000-8000-000000000001"),
    ("result", "/v1/runs/01a00000-0000-7000-8000-000000000001/result"),
    ("artifacts", "/v1/runs/01a00000-0000-7000-8000-000000000001/artifacts"),
    ("cancel", "/v1/runs/01a00000-0000-7000-8000-000000000001/cancel"),
    ("request_id", "01a00000-0000-7000-8000-000000000002"),
    ("started_at", "2026-11-25T10:00:00Z"),
    ("expires_at", "2026-12-25T10:00:00Z"),
];

/// Operations and a call of each.
const CALLS: [(&str, &str); 33] = [
    ("istiod_logs", "/v1/kubectl/istiod-logs?tail=20"),
    ("resource_status", "/v1/kubectl/resource-status?resource=pods"),
    ("crds", "/v1/kubectl/crds"),
    ("custom_resources", "/v1/kubectl/crds/virtualservices/resources"),
    ("custom_resource", "/v1/kubectl/crds/virtualservices/resources/shop/checkout"),
    ("istiod_pods", "/v1/kubectl/istiod-pods"),
    ("envoy_page", "/v1/kubectl/envoy/clusters?pod=deployment/cart.shop&fqdn=cart"),
    ("envoy_stats_prometheus", "/v1/kubectl/envoy/stats/prometheus?pod=deployment/cart.shop"),
    ("sidecar_logs", "/v1/kubectl/sidecar-logs?source=shop/deployment/frontend&lines=1"),
    ("analyze", "/v1/istioctl/analyze"),
    ("proxy_status", "/v1/istioctl/proxy-status"),
    ("proxy_status_of_pod", "/v1/istioctl/proxy-status/shop/deployment%2Fcart"),
    ("proxy_config", "/v1/istioctl/proxy-config/shop/deployment%2Fcart/cluster?direction=inbound"),
    ("tags", "/v1/istioctl/tags"),
    ("mesh_version", "/v1/istioctl/version"),
    ("verify_install", "/v1/istioctl/verify-install"),
    ("check_inject", "/v1/istioctl/check-inject?namespace=promo"),
    ("resource_usage", "/v1/misc/resource-usage"),
    ("misconfiguration", "/v1/misc/misconfiguration?symptom=503"),
    ("coredns", "/v1/misc/coredns"),
    ("startup_race", "/v1/misc/startup-race"),
    ("http_proxy", "/v1/misc/http-proxy"),
    ("access_logging", "/v1/misc/access-logging"),
    ("list_captures", "/v1/captures"),
    ("list_codes", "/v1/codes"),
    ("find_code", "/v1/codes/IST0101"),
    ("list_errors", "/v1/errors?q=revision"),
    ("list_runs", "/v1/runs?limit=1"),
    ("list_steps", "/v1/steps"),
    ("find_step", "/v1/steps/kubectl.crds"),
    ("version", "/v1/version"),
    ("whoami", "/v1/whoami"),
    ("find_problem", "/problems/not_found"),
];

async fn demo() -> TestApp {
    let args = ClusterArgs { demo: true, call_timeout: 20, ..ClusterArgs::default() };
    TestApp::new(app(start::open_cluster(&args).await.unwrap(), Identify::Nobody))
}

/// What an example shows of an answer.
fn shortened(value: Value, in_run: bool) -> Value {
    match value {
        Value::Array(items) => items.into_iter().take(ITEMS).map(|item| shortened(item, in_run)).collect(),
        Value::Object(fields) => Value::Object(shortened_fields(fields, in_run)),
        Value::String(text) if text.chars().count() > TEXT => {
            json!(text.chars().take(TEXT - 1).chain(['…']).collect::<String>())
        }
        other => other,
    }
}

fn shortened_fields(fields: Map<String, Value>, in_run: bool) -> Map<String, Value> {
    let one = |(name, value): (String, Value)| {
        let fixed = OF_THE_MOMENT.iter().find(|(known, _)| *known == name).filter(|_| in_run && value.is_string());
        let value = match fixed {
            Some((_, fixed)) => json!(fixed),
            None if name == "duration_ms" => json!(41),
            None => {
                let in_run = in_run || matches!(name.as_str(), "run" | "links" | "request_id");
                shortened(value, in_run)
            }
        };
        (name, value)
    };
    // Maps with a key for each name of a cluster are lists in disguise.
    fields.into_iter().map(one).collect()
}

fn example(id: &str, answer: &Answered) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{id}: {}", answer.text);
    shortened(answer.json(), id == "list_runs")
}

#[tokio::test]
async fn examples_are_answers_of_the_demo() {
    let app = demo().await;
    let mut examples = Map::new();
    for (id, path) in CALLS {
        examples.insert(id.to_owned(), example(id, &app.get(path).await));
    }
    let lookup = json!({"message": "Request exceeds maximum allowed number of revisions (2)"});
    examples.insert("lookup_errors".to_owned(), example("lookup", &app.post("/v1/errors/lookup", &lookup).await));
    let planned = app.post("/v1/istioctl/bug-report", &json!({"dry_run": true})).await;
    examples.insert("make_bug_report".to_owned(), example("make_bug_report", &planned));
    let made = serde_json::to_string_pretty(&examples).unwrap() + "\n";
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/examples.json");
    if std::fs::read_to_string(&kept).unwrap_or_default() != made {
        let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/examples.json");
        std::fs::write(&other, made).unwrap();
        panic!("openapi/examples.json is out of date: cp {} openapi/", other.display());
    }
}
