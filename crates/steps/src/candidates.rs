//! From a symptom to the problems that it may come from, without a cluster: which they are, and which steps tell them apart.

use std::collections::{BTreeMap, BTreeSet};

use detectors::{Area, COVERED, Certainty};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{misconfiguration::Symptom, symptoms::understand};

/// What a symptom may come from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problems {
    /// As it was understood, in users' words.
    pub symptoms: Vec<UnderstoodSymptom>,
    pub statuses: Vec<u16>,
    /// The likely ones first.
    pub candidates: Vec<ProblemCandidate>,
    /// The steps that tell them apart, the one that knows most of them first.
    pub steps: Vec<String>,
    /// The call that ranks them, where there is a cluster.
    pub diagnose: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UnderstoodSymptom {
    pub symptom: Symptom,
    pub title: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemCandidate {
    /// Of the catalogue, such as `net/subset-missing`.
    pub id: String,
    pub title: &'static str,
    pub area: Area,
    /// How far the data prove it, where it is found.
    pub certainty: Option<Certainty>,
    /// Codes of the findings that say it.
    pub codes: Vec<String>,
    /// Steps that report them.
    pub steps: Vec<String>,
}

/// The candidates for a status, a response flag, a symptom's name, or an error message.
pub fn problems(symptom: &str) -> Problems {
    let mut understood = understand(symptom);
    if let Ok(named) = serde_json::from_value::<Symptom>(serde_json::Value::String(symptom.trim().to_lowercase())) {
        understood.symptoms.insert(named);
        let (_, _, problems) = named.row();
        understood.problems.extend(problems.iter().map(|problem| problem.id.to_owned()));
    }
    let known = known();
    let mut candidates: Vec<ProblemCandidate> = understood
        .problems
        .into_iter()
        .filter_map(|id| {
            let (certainty, codes) = known.get(id.as_str())?.clone();
            let steps: BTreeSet<&str> = codes.iter().map(|code| step_of(code)).collect();
            Some(ProblemCandidate {
                title: problems::find(&id).map_or("", |problem| problem.title),
                area: Area::of(&id),
                certainty: Some(certainty),
                codes: codes.into_iter().map(str::to_owned).collect(),
                steps: steps.into_iter().map(str::to_owned).collect(),
                id,
            })
        })
        .collect();
    let rank = |it: &ProblemCandidate| match it.certainty {
        Some(Certainty::Certain) => 0,
        Some(Certainty::Likely) => 1,
        Some(Certainty::Hint) | None => 2,
    };
    candidates.sort_by(|a, b| (rank(a), &a.id).cmp(&(rank(b), &b.id)));
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    for step in candidates.iter().flat_map(|candidate| &candidate.steps) {
        *steps.entry(step).or_default() += 1;
    }
    let mut steps: Vec<(usize, &str)> = steps.into_iter().map(|(step, count)| (count, step)).collect();
    steps.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let steps = steps.into_iter().map(|(_, step)| step.to_owned()).collect();
    let symptoms = understood.symptoms.into_iter();
    let symptoms = symptoms.map(|symptom| UnderstoodSymptom { symptom, title: symptom.title() }).collect();
    let diagnose = format!("POST /v1/diagnose {}", serde_json::json!({ "symptom": [symptom] }));
    Problems { symptoms, statuses: understood.statuses.into_iter().collect(), candidates, steps, diagnose }
}

type Known = BTreeMap<&'static str, (Certainty, BTreeSet<&'static str>)>;

/// Every problem of the catalogue that has an answer, with the codes that say it.
fn known() -> Known {
    let mut known = Known::new();
    for detector in detectors::all() {
        let codes = detector.rule.reports.iter().map(|code| code.id);
        known.entry(detector.id()).or_insert((detector.certainty, BTreeSet::new())).1.extend(codes);
    }
    for covered in COVERED {
        known.entry(covered.problem.id).or_insert((covered.certainty, BTreeSet::new())).1.extend(covered.codes);
    }
    known
}

/// The step that reports a code.
fn step_of(code: &str) -> &'static str {
    let by_prefix: &[(&str, &str)] = &[
        ("K8S007", "kubectl.istiod-pods"),
        ("K8S009", "kubectl.istiod-logs"),
        ("K8S005", "kubectl.crds"),
        ("K8S", "kubectl.resource-status"),
        ("ENV", "istioctl.proxy-status"),
        ("CPL00", "istioctl.verify-install"),
        ("INJ00", "istioctl.tags"),
        ("LOG1", "kubectl.sidecar-logs"),
        ("LOG", "kubectl.istiod-logs"),
        ("DNS01", "misc.coredns"),
        ("RES", "misc.resource-usage"),
        ("IST", "istioctl.analyze"),
    ];
    by_prefix.iter().find(|(prefix, _)| code.starts_with(prefix)).map_or("misc.misconfiguration", |(_, step)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symptoms_lead_to_problems_and_steps() {
        for symptom in ["503", "404", "RBAC: access denied", "curl: (56) Recv failure", "UH", "no-sidecar"] {
            let found = problems(symptom);
            assert!(!found.candidates.is_empty() && !found.steps.is_empty(), "{symptom}: {found:?}");
            assert!(found.candidates.iter().all(|it| crate::find(&it.steps[0]).is_some()), "{symptom}");
        }
        assert!(problems("hello").candidates.is_empty());
        assert!(problems("403").candidates.iter().any(|it| it.id == "sec/authz-unknown-source"));
    }
}
