//! `mesh.callers`: the matrix says the same as each path by itself.

use http::StatusCode;
use meshtriage::paths::{Client, Network};
use serde_json::Value;

use super::{MESHES, cluster, facts, mesh, probes};
use crate::support::app::TestApp;

#[tokio::test]
async fn the_matrix_says_what_each_path_says() {
    for name in MESHES {
        let cluster = cluster(name);
        let mesh = mesh(&cluster).await;
        let network = Network::new(&mesh, facts(&cluster, &mesh, &probes(name).0).await);
        let clients: Vec<Client<'_>> = network.callers().into_iter().map(Client::Inside).collect();
        let targets = network.targets();
        let matrix = network.matrix(&clients, &targets);
        assert!(clients.len() > 5 && targets.len() > 5, "{name}");
        for (target, column) in targets.iter().zip(&matrix.columns) {
            for (client, cell) in clients.iter().zip(column) {
                let answer = network.answer(client, &target.request);
                let good: f64 = answer.outcomes.iter().filter(|it| it.ending.is_good()).map(|it| it.percent).sum();
                let place = format!("{name}: {client:?} {:?}", target.request);
                assert!((good - f64::from(cell.good_percent)).abs() < 0.2, "{place}: {good} {cell:?}");
                assert_eq!(answer.confidence(), cell.confidence, "{place}");
                let is_among = answer
                    .outcomes
                    .iter()
                    .any(|it| (it.ending, it.answered_by, it.flag) == (cell.ending, cell.answered_by, cell.flag));
                assert!(is_among, "{place}: {cell:?} {:?}", answer.outcomes);
            }
        }
    }
}

async fn ask(query: &str) -> Value {
    let answer = TestApp::over("broken").get(&format!("/v1/mesh/callers?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn who_reaches_a_service_and_why_not() {
    let answer = ask("to=shop/cart&port=8080").await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    assert_eq!(answer["data"]["allowed"], 0, "{answer:#}");
    let row = |from: &str| rows.iter().find(|row| row["from"] == from).unwrap();
    let frontend = row("shop/frontend");
    assert_eq!((&frontend["result"], &frontend["decided_by"]["name"]), (&"403".into(), &"cart-only-mobile".into()));
    assert_eq!(row("bank/ledger")["decided_by"]["kind"], "Sidecar");
    assert_eq!(row("tools/loadgen")["caller"], "no sidecar");
    assert!(rows.iter().any(|row| row["caller"] == "gateway"), "{rows:?}");
}

#[tokio::test]
async fn what_a_workload_reaches_and_the_whole_as_values() {
    let answer = ask("from=shop/cart").await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["from"] == "shop/cart") && rows.len() > 10, "{rows:?}");
    let text = TestApp::over("broken").get("/v1/mesh/callers?csv=true&format=raw").await.text;
    let pairs = ask("").await["data"]["pairs"].as_u64().unwrap();
    assert_eq!(text.lines().count() as u64, pairs + 1);
    assert!(text.starts_with("from,caller,to,"), "{text}");
    for (query, status) in [
        ("to=shop/nothing", StatusCode::NOT_FOUND),
        ("from=shop/nothing", StatusCode::NOT_FOUND),
        ("path=x", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = TestApp::over("broken").get(&format!("/v1/mesh/callers?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text);
    }
}
