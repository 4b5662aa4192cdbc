//! `GET /v1/misc/coredns`.

use http::StatusCode;
use serde_json::Value;

use super::{of_code, row, serious, skipped};
use crate::support::app::TestApp;

async fn answer(name: &str, query: &str) -> Value {
    let answer = TestApp::over(name).get(&format!("/v1/misc/coredns{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn recording_is_read_once_and_says_so() {
    let answer = answer("broken", "").await;
    let data = &answer["data"];
    let pods = data["pods"].as_array().unwrap();
    assert_eq!(pods.len(), 2);
    let read: Vec<_> = pods.iter().filter(|pod| pod["load"].is_object()).collect();
    assert_eq!(read.len(), 1, "the metrics of the other were not recorded");
    assert!(skipped(&answer).contains("port 9153"), "{}", skipped(&answer));
    assert_eq!(read[0]["version"], "1.12.4");
    assert_eq!(read[0]["memory_bytes"]["used"], 74_063_872);
    let load = &data["load"];
    assert_eq!((&load["period"], &load["requests"]), (&"since_start".into(), &1603.0.into()));
    assert_eq!((&load["nxdomain_percent"], &load["servfail_percent"]), (&100.0.into(), &0.0.into()));
    assert!(load["p99_ms"].as_f64().unwrap() < 2.0, "{load}");
    assert!(load["requests_per_s"].as_f64().unwrap() > 0.5, "{load}");
    let not_found = of_code(&answer, "DNS0103");
    assert!(not_found[0]["message"].as_str().unwrap().contains("made 1603 of them"), "{not_found:?}");
    assert_eq!(not_found[0]["severity"], "info");
}

#[tokio::test]
async fn configuration_is_shown() {
    let answer = answer("healthy", "").await;
    let configuration = &answer["data"]["configuration"];
    assert!(configuration["corefile"].as_str().unwrap().contains("kubernetes cluster.local"));
    assert_eq!((&configuration["cache_s"], &configuration["forwards_to"][0]), (&30.into(), &"/etc/resolv.conf".into()));
    assert_eq!((&configuration["replicas_wanted"], &configuration["replicas_ready"]), (&2.into(), &2.into()));
    assert_eq!(configuration["nodes"], 2);
    assert!(configuration["custom"].as_object().unwrap().is_empty());
    assert!(serious(&answer).is_empty(), "{:#?}", serious(&answer));
}

#[tokio::test]
async fn look_ups_of_the_mesh_are_counted() {
    let answer = answer("broken", "?max_proxies=50").await;
    let mesh = &answer["data"]["mesh"];
    let entry = row(&mesh["entries"], "name", "external-api");
    // Sidecars of legacy hide it there.
    let proxies = mesh["proxies"].as_u64().unwrap();
    assert_eq!(entry["proxies"], proxies - 2);
    assert_eq!((&entry["look_ups"], &entry["resolution"]), (&1.into(), &"DNS".into()));
    assert_eq!(mesh["entries"].as_array().unwrap().len(), 1, "partner-tcp is not resolved");
    assert_eq!(entry["asked"], entry["unresolved_in"]);
    let unresolved = of_code(&answer, "DNS0111");
    assert!(unresolved[0]["message"].as_str().unwrap().starts_with("api.example.com did not resolve in 10 of 10"));
    // The recorded proxies prove what the note says: good answers follow their TTL.
    let asked = mesh["asked"].as_array().unwrap();
    let clusters: Vec<_> = asked.iter().flat_map(|proxy| proxy["clusters"].as_array().unwrap()).collect();
    assert_eq!(clusters.len(), 10);
    assert!(clusters.iter().all(|one| one["respects_ttl"] == true && one["refresh_rate"] == "60s"), "{clusters:?}");
    let rates = mesh["refresh_rates"].as_array().unwrap();
    assert!(rates.iter().any(|rate| rate["revision"] == "asm-1-30" && rate["value"] == "60s"), "{rates:?}");
}

#[tokio::test]
async fn captured_look_ups_are_counted_where_the_sidecar_answers_them() {
    let answer = answer("upstream", "").await;
    let asked = answer["data"]["mesh"]["asked"].as_array().unwrap();
    let ui = asked.iter().find(|proxy| proxy["pod"].as_str().unwrap().starts_with("ui-")).unwrap();
    assert_eq!(ui["capture"]["requests"], 14.0);
    assert!(of_code(&answer, "DNS0110").is_empty());
}

#[tokio::test]
async fn inputs_have_bounds() {
    let app = TestApp::over("broken");
    for wrong in ["window_s=46", "ttl_s=0", "max_proxies=201", "p99_ms=0", "uneven=1", "window=10"] {
        let answer = app.get(&format!("/v1/misc/coredns?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", answer.text);
    }
    let answer = answer("broken", "?ttl_s=1&max_proxies=0").await;
    assert_eq!(answer["data"]["mesh"]["queries_per_s"], 10.0);
    assert!(answer["data"]["mesh"]["percent_of_load"].is_null(), "one replica was not read");
    assert!(skipped(&answer).contains("max_proxies is 0"));
}

#[tokio::test]
async fn text_says_what_one_reading_can_tell() {
    let text = TestApp::over("broken").get("/v1/misc/coredns?format=text").await.text;
    for words in
        ["averages since the start", "bank/external-api", "dnsRefreshRate of revision asm-1-30: 60s", "Not seen:"]
    {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}
