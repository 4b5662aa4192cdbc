//! What a run is to carry out, as it is asked for and as it waits in the queue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{checklists, several::Planned};
use crate::{
    auth::{Caller, Rights},
    capture::hexadecimal,
    history::Weight,
    redact,
    steps::{self, AnyStep, Cost, Inputs, Invalid, Prepared},
};

/// Steps of one run.
const MOST_STEPS: usize = 50;
/// What waits in the queue must fit there ten thousand times.
const MOST_BYTES: usize = 1 << 20;
const BUG_REPORT: &str = "istioctl.bug-report";
/// The step that a run of several counts as.
pub const SEVERAL: &str = "several";

/// What a run is to carry out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The checklist whose steps these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checklist: Option<String>,
    pub steps: Vec<PlanStep>,
    /// The uploaded capture to read instead of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Uuid>,
    /// For the run as a whole.
    pub timeout_s: u32,
}

/// A step and its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    pub step: String,
    #[serde(default)]
    pub inputs: Value,
}

/// A plan whose inputs were found good.
#[derive(Clone)]
pub struct Ready {
    pub plan: Plan,
    pub steps: Vec<Planned>,
    pub work: Kind,
}

/// How a run is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One step, whose answer is the run's.
    One,
    Several,
    /// The archive is made, which is more than the step itself does.
    BugReport,
}

impl Plan {
    /// One step as it is already prepared.
    pub fn one(prepared: &dyn Prepared, capture: Option<Uuid>, timeout_s: u32) -> Self {
        let step = PlanStep { step: prepared.about().id.to_owned(), inputs: prepared.inputs() };
        Self { checklist: None, steps: vec![step], capture, timeout_s }
    }

    /// Checks the steps and their inputs. What is wrong is pointed at in the list of steps.
    pub fn ready(self) -> Result<Ready, Vec<Invalid>> {
        let mut invalid = Vec::new();
        if self.steps.is_empty() || self.steps.len() > MOST_STEPS {
            return Err(vec![Invalid::new("steps", "range", format!("must have from 1 to {MOST_STEPS} steps"))]);
        }
        let several = self.steps.len() > 1;
        let mut steps = Vec::new();
        for (place, wanted) in self.steps.iter().enumerate() {
            let Some(step) = steps::find(&wanted.step) else {
                let message = "there is no such step; /v1/steps lists them";
                invalid.push(Invalid::new(&format!("steps/{place}/step"), "unknown_value", message));
                continue;
            };
            if several && (step.about().mutating || step.about().id == BUG_REPORT) {
                let message = "changes the cluster or makes an archive, and must be a run of its own";
                invalid.push(Invalid::new(&format!("steps/{place}/step"), "conflict", message));
            }
            match step.prepare(Inputs::Json(wanted.inputs.clone())) {
                Ok(prepared) => steps.push(Planned { place, prepared: Arc::from(prepared) }),
                Err(wrong) => invalid.extend(
                    wrong
                        .into_iter()
                        .map(|wrong| Invalid { pointer: format!("/steps/{place}/inputs{}", wrong.pointer), ..wrong }),
                ),
            }
        }
        if invalid.is_empty() && self.text().len() > MOST_BYTES {
            let message =
                format!("may have up to {MOST_BYTES} bytes together; larger files go to the step's own endpoint");
            invalid.push(Invalid::new("steps", "range", message));
        }
        if !invalid.is_empty() {
            return Err(invalid);
        }
        let work = match steps.as_slice() {
            [one] if one.prepared.about().id == BUG_REPORT && one.prepared.inputs()["dry_run"] != json!(true) => {
                Kind::BugReport
            }
            [_] if self.checklist.is_none() => Kind::One,
            _ => Kind::Several,
        };
        Ok(Ready { plan: self, steps, work })
    }

    /// As it is kept in the queue.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a plan is JSON")
    }
}

impl Ready {
    /// What the run counts as in lists: its step, its checklist, or several.
    pub fn name(&self) -> &'static str {
        match (&self.plan.checklist, self.steps.as_slice()) {
            (Some(checklist), _) => checklists::find(checklist).map_or(SEVERAL, |checklist| checklist.id),
            (None, [one]) => one.prepared.about().id,
            (None, _) => SEVERAL,
        }
    }

    /// Whether it changes the cluster: a dry run of such a step counts as well, as it is not worth to tell them apart.
    pub fn is_mutating(&self) -> bool {
        self.steps.iter().any(|step| step.prepared.about().mutating)
    }

    /// What it costs the cluster, where it waits for its turn or is begun at once for somebody who waits.
    pub fn weight(&self, at_once: bool) -> Weight {
        let dry = |step: &Planned| step.prepared.inputs()["dry_run"] != json!(false);
        if self.is_mutating() && !self.steps.iter().all(dry) {
            Weight::Change
        } else if self.is_heavy() && !at_once {
            Weight::Heavy
        } else {
            Weight::Light
        }
    }

    /// Whether it asks many pods of the cluster, which has one place for such runs. A capture costs the cluster nothing.
    pub fn is_heavy(&self) -> bool {
        let asks_all = |step: &Planned| step.prepared.about().cost == Cost::High;
        self.plan.capture.is_none() && (self.work == Kind::BugReport || self.steps.iter().any(asks_all))
    }

    /// The inputs as they are kept with the run, without secrets.
    pub fn inputs(&self) -> Value {
        let mut inputs = match (self.work, self.steps.as_slice()) {
            (Kind::One | Kind::BugReport, [one]) => one.prepared.inputs(),
            _ => {
                let steps = self
                    .steps
                    .iter()
                    .map(|step| json!({ "step": step.prepared.about().id, "inputs": step.prepared.inputs() }));
                let mut inputs = Map::new();
                inputs.extend(self.plan.checklist.as_ref().map(|name| ("checklist".to_owned(), json!(name))));
                inputs.insert("steps".to_owned(), steps.collect());
                Value::Object(inputs)
            }
        };
        redact::redact_value(&mut inputs);
        inputs
    }

    /// Equal for plans of one caller that would give the same answer. What changes the cluster is never joined.
    pub fn key(&self, caller: &str) -> Option<String> {
        (!self.is_mutating()).then(|| self.fingerprint(caller))
    }

    /// Of what is asked for, and by whom.
    pub fn fingerprint(&self, caller: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(caller);
        hash.update([0]);
        for step in &self.steps {
            hash.update(step.prepared.about().id);
            hash.update([0]);
            hash.update(step.prepared.inputs().to_string());
            hash.update([0]);
        }
        hash.update(json!([self.plan.checklist, self.plan.capture]).to_string());
        hexadecimal(&hash.finalize()[..16])
    }
}

/// A scope for all steps: each gets what it has an input for, unless it was told otherwise.
pub fn scoped(step: &dyn AnyStep, inputs: Value, scope: &Map<String, Value>) -> Value {
    let mut inputs = match inputs {
        Value::Object(inputs) => inputs,
        Value::Null => Map::new(),
        other => return other,
    };
    let schema = step.input_schema();
    let takes = |name: &str| schema["properties"].get(name).is_some();
    let placed = inputs.contains_key("namespace") || inputs.contains_key("all_namespaces");
    for (name, value) in scope {
        let of_place = name == "namespace" || name == "all_namespaces";
        if takes(name) && !(of_place && placed) && !inputs.contains_key(name) {
            inputs.insert(name.clone(), value.clone());
        }
    }
    Value::Object(inputs)
}

/// A caller, as whom a run reads after the request is gone. Not the credentials, which are not needed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsAs {
    user: String,
    uid: Option<String>,
    groups: Vec<String>,
    extra: Vec<(String, Vec<String>)>,
    /// Whether the cluster is asked for each permission.
    reviewed: bool,
}

impl RunsAs {
    pub fn of(caller: &Caller) -> Self {
        Self {
            user: caller.user.clone(),
            uid: caller.uid.clone(),
            groups: caller.groups.clone(),
            extra: caller.extra.clone(),
            reviewed: caller.rights == Rights::Reviewed,
        }
    }

    /// A user of Kubernetes whose permissions the cluster is asked for.
    pub fn user_of_cluster(user: String, groups: Vec<String>) -> Self {
        Self { user, uid: None, groups, extra: Vec::new(), reviewed: true }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a caller is JSON")
    }

    pub fn caller(self) -> Caller {
        let rights = if self.reviewed { Rights::Reviewed } else { Rights::All };
        Caller { user: self.user, uid: self.uid, groups: self.groups, extra: self.extra, rights }
    }
}
