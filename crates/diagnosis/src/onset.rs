//! Since when: the earliest time that logs, events and conditions give.

use jiff::Timestamp;
use mesh::{Object, is_ready};

use crate::{
    answer::Onset,
    fact::Fact,
    place::{Place, Scene},
};

/// Codes of pods that are not as they should be: since when, their condition says.
const UNREADY: &[&str] = &["K8S0001", "K8S0002", "K8S0003", "K8S0004", "K8S0005", "K8S0007", "K8S0008", "K8S0009"];

/// Of a cause with its effects.
pub(crate) fn of<'f>(
    scene: &Scene<'_>,
    logs_begin: Option<&str>,
    together: impl Iterator<Item = (&'f Fact, &'f Place)>,
) -> Option<Onset> {
    let mut earliest: Option<Onset> = None;
    let mut add = |at: &str, from: String, or_earlier: bool| {
        let Some(at) = time(at) else { return };
        if earliest.as_ref().is_none_or(|known| at < known.at) {
            earliest = Some(Onset { at, from, or_earlier });
        }
    };
    for (fact, place) in together {
        if let Some(failure) = &fact.failure {
            if let Some(at) = &failure.first_at {
                let subject = &fact.finding.subject;
                let namespace = subject.namespace.as_deref().unwrap_or_default();
                // Where every request failed from the first line on, it began before the log does.
                let or_earlier = failure.count == failure.of || logs_begin.is_some_and(|begin| at.as_str() <= begin);
                add(at, format!("access log of {namespace}/{}", subject.name), or_earlier);
            }
            continue;
        }
        if UNREADY.contains(&fact.code()) {
            for pod in place.pods.iter().map(|at| scene.pods[*at as usize]).filter(|pod| !is_ready(pod)) {
                for (kind, at) in unmet(pod) {
                    add(at, format!("condition {kind} of pod {}", pod.full_name()), false);
                }
            }
        }
        for event in events(scene, fact) {
            let at = [
                event.root().get("firstTimestamp"),
                event.root().get("eventTime"),
                event.metadata().get("creationTimestamp"),
            ];
            if let Some(at) = at.into_iter().find_map(mesh::View::text_if_any) {
                add(at, format!("event {}", event.root().get("reason").text()), false);
            }
        }
    }
    earliest
}

fn unmet(pod: &Object) -> impl Iterator<Item = (&str, &str)> {
    let conditions = pod.status().get("conditions").items();
    conditions.filter(|condition| condition.get("status").text() == "False").filter_map(|condition| {
        let at = condition.get("lastTransitionTime").text_if_any()?;
        Some((condition.get("type").text(), at))
    })
}

/// Warnings about the objects of a fact.
fn events<'m>(scene: &Scene<'m>, fact: &Fact) -> Vec<&'m Object> {
    if !fact.code().starts_with("K8S") {
        return Vec::new();
    }
    fact.subjects.iter().flat_map(|subject| scene.events_about(subject)).copied().collect()
}

/// The same time in one way of writing, so that times can be compared as texts.
fn time(text: &str) -> Option<String> {
    text.parse().ok().map(written)
}

/// A time as all of them are written here.
pub(crate) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
