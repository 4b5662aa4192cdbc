//! Named lists of steps: what to look at when nobody knows yet where the trouble is.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::steps::{AnyStep, Inputs, Prepared, STEPS};

/// A named list of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Checklist {
    pub name: &'static str,
    /// What its runs count as in the list of runs, as a step does.
    pub id: &'static str,
    /// Above its reports.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
}

pub const CHECKLISTS: &[Checklist] = &[
    Checklist {
        name: "quick",
        id: "checklist.quick",
        title: "Quick checks",
        description: "The control plane, the state of pods, every rule over the configuration, and which proxies have it. \
            Seconds for a mesh of some hundred pods.",
    },
    Checklist {
        name: "kubectl",
        id: "checklist.kubectl",
        title: "Checks with kubectl",
        description: "What a person would look up with kubectl.",
    },
    Checklist {
        name: "istioctl",
        id: "checklist.istioctl",
        title: "Checks with istioctl",
        description: "What a person would look up with istioctl.",
    },
    Checklist {
        name: "misc",
        id: "checklist.misc",
        title: "Checks of miscellaneous issues",
        description: "The guide's miscellaneous issues.",
    },
    Checklist {
        name: "full",
        id: "checklist.full",
        title: "All checks",
        description: "Every step that only reads and need not be told what to look at.",
    },
];

/// The steps of `quick`.
const QUICK: &[&str] =
    &["kubectl.istiod-pods", "kubectl.resource-status", "istioctl.tags", "istioctl.analyze", "istioctl.proxy-status"];

/// A step that needs to be told what to look at, and what of a mesh is worth it.
const STATUS_OF: &[&str] = &["pods", "deployments", "daemonsets", "services", "horizontalpodautoscalers"];
const STATUS: &str = "kubectl.resource-status";
/// Its inputs say which proxy; for a whole mesh there are others.
const TOLD: &[&str] =
    &["kubectl.envoy-clusters", "kubectl.sidecar-logs", "istioctl.proxy-config", "istioctl.check-inject"];

/// A step of a checklist with its inputs, before a scope is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub step: &'static str,
    pub inputs: Vec<(&'static str, &'static str)>,
}

pub fn find(name: &str) -> Option<&'static Checklist> {
    CHECKLISTS.iter().find(|checklist| checklist.name == name)
}

impl Checklist {
    /// Its steps, in the guide's order.
    pub fn steps(&self) -> Vec<Listed> {
        let listed = |step: &&&dyn AnyStep| {
            let about = step.about();
            // What looks at all that the others find is asked for by itself.
            let is_of_mesh = about.id.starts_with("mesh.");
            about.method == "GET" && !is_of_mesh && !TOLD.contains(&about.id) && self.has(about.id)
        };
        let mut steps = Vec::new();
        for step in STEPS.iter().filter(listed) {
            let id = step.about().id;
            if id == STATUS {
                let most = if self.name == "quick" { 1 } else { STATUS_OF.len() };
                let inputs = |resource| vec![("resource", resource), ("all_namespaces", "true")];
                steps.extend(STATUS_OF[..most].iter().map(|resource| Listed { step: id, inputs: inputs(*resource) }));
            } else if step.prepare(Inputs::Pairs(Vec::new())).is_ok() {
                steps.push(Listed { step: id, inputs: Vec::new() });
            }
        }
        steps
    }

    fn has(&self, step: &str) -> bool {
        match self.name {
            "full" => true,
            "quick" => QUICK.contains(&step),
            group => step.split_once('.').is_some_and(|(of, _)| of == group),
        }
    }
}

impl Listed {
    /// Ready to be carried out over the whole mesh.
    pub fn prepared(&self) -> Arc<dyn Prepared> {
        let step = crate::steps::find(self.step).expect("checklists name steps that there are");
        let pairs = self.inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Arc::from(step.prepare(Inputs::Pairs(pairs)).expect("their inputs are good"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_a_checklist_can_be_carried_out_as_it_is() {
        let full = CHECKLISTS[CHECKLISTS.len() - 1].steps();
        let mut parts = 0;
        for checklist in CHECKLISTS {
            let steps = checklist.steps();
            assert!(!steps.is_empty(), "{checklist:?}");
            for step in &steps {
                assert!(!step.prepared().about().mutating && full.contains(step), "{step:?}");
            }
            if ["kubectl", "istioctl", "misc"].contains(&checklist.name) {
                parts += steps.len();
            }
        }
        assert_eq!(parts, full.len());
        assert_eq!(find("quick").map(|quick| quick.steps().len()), Some(QUICK.len()));
        assert_eq!(find("slow"), None);
    }
}
