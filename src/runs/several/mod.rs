//! Several steps for one caller: each with a time of its own, some at once, and what one reads from the API server the
//! others get from memory. A step that fails is a gap in what is known, and not the end of the others.

mod data;
mod merged;

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

pub use data::{SeveralData, StepLinks, StepOfRun};
pub use merged::Merged;

use super::{Answered, Carried, Error, Place};
use crate::{
    app::App,
    auth::{Access, Trail},
    cluster::{Cluster, chain},
    report::{Data, Format, Skipped},
    steps::{Outcome, Prepared, counted},
};

/// For one step. Longer than that of a request, since nobody waits.
pub const STEP_TIME: Duration = Duration::from_mins(2);

/// Of one run. More would not be faster, as they share the cluster and the processor.
const STEPS_AT_ONCE: usize = 3;

/// A step of a plan, and its place in it.
#[derive(Clone)]
pub struct Planned {
    pub place: usize,
    pub prepared: Arc<dyn Prepared>,
}

/// What came of a step.
#[derive(Debug)]
pub struct Part {
    pub place: usize,
    pub step: &'static str,
    pub inputs: Value,
    /// What it used of the cluster.
    pub access: Vec<Access>,
    pub result: Result<Answered, Error>,
}

/// Carries out steps as one run. Answers each as it comes to its end, and ends those that are under way when it is dropped.
pub fn carry_out<'a>(
    app: &'a App,
    place: &Place,
    run: Uuid,
    steps: Vec<Planned>,
) -> impl Stream<Item = Part> + Send + use<'a> {
    let place = Arc::new(place.sharing_reads());
    stream::iter(steps).map(move |step| one(app, Arc::clone(&place), run, step)).buffer_unordered(STEPS_AT_ONCE)
}

async fn one(app: &App, place: Arc<Place>, run: Uuid, planned: Planned) -> Part {
    let Planned { place: at, prepared } = planned;
    let (step, inputs) = (prepared.about().id, prepared.inputs());
    let _turn = app.places.acquire().await.expect("the places are never closed");
    let carried = Carried::part_of(run, step, &place.caller, app.clock);
    let trail = Trail::default();
    let result = execute(prepared, place.cluster(trail.clone())).await.map(|outcome| {
        let answered = carried.answer(&place.cluster_id, app.clock, outcome);
        app.metrics.step(step, answered.answer.run.verdict);
        answered
    });
    Part { place: at, step, inputs, access: trail.used(), result }
}

/// In a task of its own: a mistake in one step is not the end of the others.
pub(super) async fn execute(prepared: Arc<dyn Prepared>, cluster: Cluster) -> Result<Outcome, Error> {
    let step = tokio::spawn(async move { prepared.execute(&cluster, Format::Json).await });
    match tokio::time::timeout(STEP_TIME, AbortOnDropHandle::new(step)).await {
        Ok(Ok(outcome)) => outcome.map_err(Error::from),
        Ok(Err(_)) => Err(Error::Broken),
        Err(_) => Err(Error::TimedOut(STEP_TIME)),
    }
}

/// The parts as the outcome of one run. `missing` says which steps there should have been besides, and why they are not
/// there.
pub fn together(checklist: Option<&str>, run: Uuid, parts: &[Part], missing: Vec<Skipped>) -> Outcome {
    let mut merged = Merged::default();
    let mut failed = 0;
    for part in parts {
        match &part.result {
            Ok(Answered { answer, .. }) => {
                answer.findings.iter().for_each(|finding| merged.add_finding(part.step, finding));
                answer.skipped.iter().for_each(|skipped| merged.add_skipped(skipped.clone()));
                answer.commands.iter().for_each(|command| merged.add_command(command));
            }
            Err(error) => {
                failed += 1;
                merged.add_skipped(Skipped::new(format!("step {}", part.step), chain(error)));
            }
        }
    }
    missing.into_iter().for_each(|part| merged.add_skipped(part));
    let mut steps: Vec<_> = parts.iter().map(|part| StepOfRun::of(run, part)).collect();
    steps.sort_by_key(|step| step.place);
    let data = SeveralData { checklist: checklist.map(str::to_owned), steps };
    let mut summary = counted(parts.len(), "step");
    if failed > 0 {
        summary = format!("{summary}, of which {failed} failed");
    }
    let Merged { findings, skipped, commands, .. } = merged;
    Outcome { data: Data::of(&data), findings, skipped, commands, summary, printed: None }
}
