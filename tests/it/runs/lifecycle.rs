//! Findings over time, from a mesh that is well to one that is broken and back, and what two runs have in common.

use std::{collections::BTreeSet, time::Duration};

use http::{Method, StatusCode};
use jiff::Timestamp;
use meshtriage::{
    auth::Identify,
    cluster::Cluster,
    history::{Change, Check, FindingFilter, FindingState, History, Sighting},
    report::Severity,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    history::{Database, run_at},
    support::{
        app::{TestApp, app, recording},
        needs,
    },
};

/// The service over one of two recordings of one mesh.
async fn service(name: &str, url: &str, id: &str) -> TestApp {
    let recorded = recording(name);
    let client = recorded.own_client().clone();
    let settings = recorded.settings().clone();
    let clock = meshtriage::clock::Clock::Fixed(recorded.now());
    let cluster = Cluster::new(client, id.to_owned(), recorded.source().clone(), clock, settings);
    let mut parts = app(cluster, Identify::Nobody);
    parts.history = History::open(url, Duration::from_secs(20)).unwrap();
    TestApp::new(parts)
}

async fn full(app: &TestApp) -> Value {
    let answer = app.post("/v1/runs?wait=50", &json!({"checklist": "full"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

fn fingerprints(findings: &Value) -> BTreeSet<String> {
    let findings = findings.as_array().unwrap().iter();
    let all: Vec<_> = findings.map(|finding| finding["fingerprint"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "each stands once");
    distinct
}

async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut path = format!("/v1/findings?limit=20&{query}");
    loop {
        let page = app.get(&path).await.json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/findings?limit=20&{query}&cursor={cursor}"),
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_is_new_once_and_resolved_when_it_is_well_again() {
    let database = Database::sqlite();
    let id = "one-mesh";
    let healthy = service("healthy", &database.url(), id).await;
    let broken = service("broken", &database.url(), id).await;
    let first = full(&healthy).await;
    let before = listed(&healthy, "").await;
    let second = full(&broken).await;
    let path = |run: &Value| run["run"]["links"]["self"].as_str().unwrap().to_owned();
    let diff = broken.get(&format!("{}/diff/previous", path(&second))).await.json();
    assert_eq!(diff["earlier"], first["run"]["id"]);
    let known: BTreeSet<String> =
        first["findings"].as_array().unwrap().iter().map(|it| it["fingerprint"].as_str().unwrap().to_owned()).collect();
    let found: BTreeSet<String> = second["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["fingerprint"].as_str().unwrap().to_owned())
        .collect();
    let new = fingerprints(&diff["new"]);
    let unclear: BTreeSet<String> = diff["not_comparable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["finding"]["fingerprint"].as_str().unwrap().to_owned())
        .collect();
    assert!(new.is_disjoint(&known), "nothing that was there before");
    let expected: BTreeSet<String> = found.difference(&known).cloned().collect();
    assert_eq!(new.union(&unclear).filter(|it| found.contains(*it)).cloned().collect::<BTreeSet<_>>(), expected);
    assert!(new.len() > 30, "{}", diff["summary"]);
    crate::support::say(&format!("healthy to broken: {}; before: {}", diff["summary"], before.len()));

    let state_new = listed(&broken, "state=new").await;
    assert!(state_new.iter().any(|finding| finding["code"] == "IST0101"));
    let third = full(&healthy).await;
    let back = healthy.get(&format!("{}/diff/{}", path(&third), second["run"]["id"].as_str().unwrap())).await.json();
    crate::support::say(&format!("broken to healthy: {}", back["summary"]));
    for it in back["not_comparable"].as_array().unwrap() {
        crate::support::say(&format!("not comparable: {} {}", it["why"], it["finding"]["code"]));
    }
    let resolved = fingerprints(&back["resolved"]);
    assert!(new.is_subset(&resolved), "back again, all are resolved: {:?}", new.difference(&resolved));
    let open: BTreeSet<String> =
        listed(&healthy, "").await.iter().map(|it| it["fingerprint"].as_str().unwrap().to_owned()).collect();
    assert!(open.is_disjoint(&new), "{:?}", open.intersection(&new));

    full(&broken).await;
    let one = new.iter().next().unwrap();
    let finding = broken.get(&format!("/v1/findings/{one}")).await.json();
    let states: Vec<_> = finding["timeline"].as_array().unwrap().iter().map(|change| &change["state"]).collect();
    assert_eq!(states, ["new", "resolved", "reopened"]);
    assert_eq!(finding["state"], "reopened");
}

#[tokio::test(flavor = "multi_thread")]
async fn narrower_run_resolves_nothing_elsewhere() {
    let database = Database::sqlite();
    let broken = service("broken", &database.url(), "one-mesh").await;
    let healthy = service("healthy", &database.url(), "one-mesh").await;
    broken.get("/v1/istioctl/analyze").await;
    let open = listed(&broken, "").await.len();
    assert!(open > 10);
    healthy.get("/v1/istioctl/analyze?namespace=tools").await;
    healthy.get("/v1/istioctl/tags").await;
    assert_eq!(listed(&broken, "").await.len(), open);
    healthy.get("/v1/istioctl/analyze").await;
    let left = listed(&broken, "").await;
    assert!(left.len() < open / 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn suppressed_findings_are_found_and_do_not_close_the_gate() {
    let app = TestApp::over("broken");
    let run = app.get("/v1/istioctl/analyze").await.json();
    let path = run["run"]["links"]["self"].as_str().unwrap().to_owned();
    let gate = format!("{path}/gate?allow_partial=true");
    assert_eq!(app.get(&gate).await.status, StatusCode::FAILED_DEPENDENCY);
    let nothing = app.post("/v1/suppressions", &json!({"reason": "known"})).await;
    assert_eq!(nothing.problem(), "validation_failed");
    let codes: BTreeSet<&str> = run["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    let mut ids = Vec::new();
    for code in &codes {
        let added = app.post("/v1/suppressions", &json!({"code": code, "reason": "known"})).await;
        assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
        ids.push(added.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(app.get(&gate).await.status, StatusCode::OK);
    let suppressed = app.get("/v1/findings?suppressed=true").await.json();
    assert!(suppressed["items"].as_array().unwrap().iter().all(|it| codes.contains(it["code"].as_str().unwrap())));
    assert_eq!(app.call(Method::DELETE, &format!("/v1/suppressions/{}", ids[0])).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&gate).await.status, StatusCode::FAILED_DEPENDENCY);
    let one = json!({"code": "IST0101", "kind": "VirtualService", "namespace": "shop", "name": "cart", "reason": "known",
        "expires_at": "2020-01-01T00:00:00Z"});
    assert_eq!(app.post("/v1/suppressions", &one).await.json()["errors"][0]["pointer"], "/expires_at");
}

fn check(second: i64, seen: &[&str], gaps: &[&str]) -> Check {
    let sighting = |name: &&str| Sighting {
        fingerprint: format!("v1:{name}"),
        code: "IST0101".to_owned(),
        severity: Severity::Error,
        kind: "Service".to_owned(),
        namespace: Some("shop".to_owned()),
        name: (*name).to_owned(),
        message: "gone".to_owned(),
    };
    Check {
        run: Uuid::now_v7(),
        cluster: "blue".to_owned(),
        step: "istioctl.analyze".to_owned(),
        inputs: "{}".to_owned(),
        namespaces: None,
        gaps: gaps.iter().map(|gap| (*gap).to_owned()).collect(),
        at: Timestamp::from_second(1_790_000_000 + second).unwrap(),
        access: Vec::new(),
        seen: seen.iter().map(sighting).collect(),
    }
}

async fn changes(history: &History, check: Check) -> Vec<(String, FindingState)> {
    let mut run = run_at(0);
    run.header.id = check.run;
    let recorded = history.record_checked(&run, &[], &[check]).await.unwrap();
    recorded.changes.into_iter().map(|Change { name, state, .. }| (name, state)).collect()
}

/// One body for both databases.
async fn states_of_findings(database: Database) {
    use FindingState::{New, Persisting, Reopened, Resolved};
    let history = History::open(&database.url(), Duration::from_secs(20)).unwrap();
    let is = |name: &str, state| (name.to_owned(), state);
    assert_eq!(changes(&history, check(0, &["a", "b"], &[])).await, [is("a", New), is("b", New)]);
    assert_eq!(changes(&history, check(1, &["a", "b"], &[])).await, []);
    // With a gap that was not there before, what is not found may be there all the same.
    assert_eq!(changes(&history, check(2, &["a"], &["Secrets"])).await, []);
    let mut elsewhere = check(3, &[], &[]);
    elsewhere.namespaces = Some(vec!["bank".to_owned()]);
    assert_eq!(changes(&history, elsewhere).await, []);
    let mut other = check(4, &[], &[]);
    other.inputs = "{\"min_severity\":\"error\"}".to_owned();
    assert_eq!(changes(&history, other).await, [], "it has looked for something else");
    assert_eq!(changes(&history, check(5, &["a"], &[])).await, [is("b", Resolved)]);
    // `a` was seen in spite of the gap.
    assert_eq!(changes(&history, check(6, &["a", "b"], &["Secrets"])).await, [is("b", Reopened)]);
    let mut gone = changes(&history, check(7, &[], &["Secrets"])).await;
    gone.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(gone, [is("a", Resolved), is("b", Resolved)]);
    assert_eq!(changes(&history, check(8, &["a"], &[])).await, [is("a", Reopened)]);
    assert_eq!(changes(&history, check(9, &["a"], &[])).await, []);
    let all = history.findings("blue", &FindingFilter::default(), None, 10).await.unwrap();
    let states: Vec<_> = all.iter().map(|finding| (finding.name.as_str(), finding.state)).collect();
    assert_eq!(states, [("a", Persisting), ("b", Resolved)]);
    assert_eq!(all[0].first_seen.as_second(), 1_790_000_000);
    assert_eq!(all[0].last_seen.as_second(), 1_790_000_009);
    assert_eq!(history.finding_changes("blue", "v1:b").await.unwrap().len(), 4);
    assert_eq!(history.findings("green", &FindingFilter::default(), None, 10).await.unwrap(), []);
    history.close().await;
    database.remove().await;
}

#[tokio::test]
async fn findings_are_new_persist_and_are_resolved_on_sqlite() {
    states_of_findings(Database::sqlite()).await;
}

#[tokio::test]
async fn findings_are_new_persist_and_are_resolved_on_postgres() {
    needs!(Postgres);
    states_of_findings(Database::postgres().await).await;
}
