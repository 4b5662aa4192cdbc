//! What a step has checked, so that the history can tell which findings are new and which are gone.

use serde_json::Value;
use uuid::Uuid;

use super::{Answered, several::Part};
use crate::{
    auth::Access,
    history::{Check, Sighting, capture_of},
    report::Skipped,
};

/// The inputs that say where to look, and not for what.
const PLACE: &[&str] = &["namespace", "all_namespaces"];

/// What `answered` has checked for a run, or nothing where it read an uploaded capture: that is not the state of the
/// cluster.
pub(super) fn of(
    cluster: &str,
    run: Uuid,
    step: &str,
    inputs: &Value,
    answered: &Answered,
    access: Vec<Access>,
) -> Option<Check> {
    if capture_of(cluster).is_some() {
        return None;
    }
    let answer = &answered.answer;
    let (inputs, namespaces) = place_of(inputs);
    Some(Check {
        run,
        cluster: cluster.to_owned(),
        step: step.to_owned(),
        inputs,
        namespaces,
        gaps: gaps(&answer.skipped),
        at: answer.run.started_at,
        access,
        seen: answer.findings.iter().map(Sighting::of).collect(),
    })
}

/// What could not be seen, each thing once.
pub(super) fn gaps(skipped: &[Skipped]) -> Vec<String> {
    let mut gaps: Vec<_> = skipped.iter().map(|part| part.what.clone()).collect();
    gaps.sort();
    gaps.dedup();
    gaps
}

/// What inputs look for, and where; `None` is everywhere.
pub(super) fn place_of(inputs: &Value) -> (String, Option<Vec<String>>) {
    let mut looked_for = inputs.clone();
    let mut namespaces = None;
    if let Some(fields) = looked_for.as_object_mut() {
        namespaces = fields.get("namespace").and_then(named);
        fields.retain(|name, _| !PLACE.contains(&name.as_str()));
    }
    (looked_for.to_string(), namespaces)
}

pub(super) fn of_part(cluster: &str, run: Uuid, part: &Part) -> Option<Check> {
    let answered = part.result.as_ref().ok()?;
    of(cluster, run, part.step, &part.inputs, answered, part.access.clone())
}

/// The namespaces that an input names; `None` for none, which is everywhere.
fn named(input: &Value) -> Option<Vec<String>> {
    let names: Vec<String> = match input {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    (!names.is_empty()).then_some(names)
}
