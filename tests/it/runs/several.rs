//! Several steps of one run share what they read, and the failure of one is a gap, not the end.

use std::sync::Arc;

use futures::StreamExt as _;
use meshtriage::{
    app::App,
    auth::{Caller, Identify},
    report::Skipped,
    runs::{
        Place, checklists,
        several::{self, Part, Planned},
    },
    steps::{self, Inputs},
};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{
    app::{app, recording},
    say,
};

async fn carried_out(app: &App, steps: Vec<Planned>) -> Vec<Part> {
    let place = Place::own(app, &Arc::new(Caller::anonymous()));
    let parts = several::carry_out(app, &place, Uuid::now_v7(), steps);
    let mut parts: Vec<_> = parts.collect().await;
    parts.sort_by_key(|part| part.place);
    parts
}

fn full() -> Vec<Planned> {
    let steps = checklists::find("full").unwrap().steps();
    steps.iter().enumerate().map(|(place, step)| Planned { place, prepared: step.prepared() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_answers_beside_the_others_as_it_does_alone() {
    for name in ["healthy", "broken"] {
        let app = app(recording(name), Identify::Nobody);
        let together = carried_out(&app, full()).await;
        for (part, planned) in together.iter().zip(full()) {
            let answer = &part.result.as_ref().unwrap().answer;
            for part in &answer.skipped {
                say(&format!("{name}: {}: {} {} {:?}", answer.run.step, part.what, part.why, part.silences));
            }
            let alone = carried_out(&app, vec![planned]).await;
            let alone = &alone[0].result.as_ref().unwrap().answer;
            assert_eq!(alone.findings, answer.findings, "{}", part.step);
            assert_eq!(alone.skipped, answer.skipped, "{}", part.step);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_step_is_a_gap_in_what_is_known() {
    let app = app(recording("healthy"), Identify::Nobody);
    let step = |place, step: &str, inputs: Vec<(&str, &str)>| {
        let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let prepared = steps::find(step).unwrap().prepare(Inputs::Pairs(inputs)).unwrap();
        Planned { place, prepared: Arc::from(prepared) }
    };
    let parts = carried_out(
        &app,
        vec![
            step(0, "kubectl.envoy-clusters", vec![("namespace", "shop"), ("pod", "nobody")]),
            step(1, "istioctl.analyze", vec![]),
            step(2, "istioctl.analyze", vec![("namespace", "shop")]),
        ],
    )
    .await;
    assert!(parts[0].result.is_err() && parts[1].result.is_ok());
    let outcome = several::together(None, Uuid::now_v7(), &parts, Vec::new());
    let gap = Skipped::new("step kubectl.envoy-clusters", "Pod shop/nobody not found");
    assert!(outcome.skipped.contains(&gap), "{:?}", outcome.skipped);
    assert_eq!(outcome.summary, "3 steps, of which 1 failed");
    let data: Value = outcome.data.value();
    let states: Vec<_> = data["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "succeeded", "succeeded"]);
    let findings = outcome.findings.iter().map(|finding| &finding.fingerprint);
    let distinct: std::collections::BTreeSet<_> = findings.clone().collect();
    assert_eq!(distinct.len(), findings.count(), "what two steps found stands once");
}
