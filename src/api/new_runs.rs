//! Runs that are carried out in the background: what can be asked for, and asking for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    callbacks::NewCallback,
    captures,
    error::{self, ApiError, ApiResult},
    extract::{Caller, JsonBody, NoParameters, PathOf, StepQuery},
    results::{self, RunStatus, Wait},
    runs::visible,
};
use crate::{
    auth,
    history::{RequestKey, capture_of},
    redact::REDACTED,
    report::Format,
    runs::{self, Asked, Kind, Plan, PlanStep, Ready, Start, Started, Wanted, checklists, scoped},
    steps::{self, Inputs, Invalid},
};

/// For a run of several steps, unless the caller says otherwise.
const TIMEOUT_S: u32 = 900;
const LONGEST_TIMEOUT_S: u32 = 3600;
const MOST_LABELS: usize = 20;
const LONGEST_LABEL: usize = 100;
const LONGEST_REASON: usize = 500;
const LONGEST_KEY: usize = 255;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(start_run)).routes(routes!(rerun)).routes(routes!(list_checklists))
}

/// What to carry out: one step, several, or a checklist.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewRun {
    /// Name of a checklist: `quick`, `kubectl`, `istioctl`, `misc` or `full`.
    checklist: Option<String>,
    /// Steps, where it is no checklist.
    #[schema(max_items = 50)]
    steps: Vec<NewStep>,
    scope: RunScope,
    /// Id of an uploaded capture to read instead of the cluster.
    capture: Option<Uuid>,
    limits: RunLimits,
    /// For the caller to find the run again.
    pub(super) labels: BTreeMap<String, String>,
    /// Why the run is asked for; kept with it.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Who is told when the run has ended.
    callback: Option<NewCallback>,
    /// Only checks the plan, and says what would be carried out.
    dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStep {
    /// Id of the step, for example `istioctl.analyze`.
    step: String,
    /// As the step's own endpoint takes them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    inputs: Value,
}

/// Where to look: for each step that has such an input and is not told otherwise.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunScope {
    #[schema(max_items = 100)]
    namespace: Vec<String>,
    all_namespaces: Option<bool>,
    /// Revision or tag of the control plane.
    revision: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunLimits {
    /// For the run as a whole, in seconds. What there is by then is the answer.
    #[schema(minimum = 1, maximum = 3600, default = 900)]
    timeout_s: Option<u32>,
}

/// What would be carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunPlan {
    dry_run: bool,
    /// What the run would count as in lists.
    step: &'static str,
    #[schema(value_type = Object)]
    inputs: Value,
    /// Whether it changes the cluster.
    mutating: bool,
    /// Whether it waits for the one place that a cluster has for runs that ask all proxies.
    heavy: bool,
    /// The Kubernetes permissions that the caller needs, where the steps look.
    permissions: Vec<steps::Permission>,
}

/// Start a run
///
/// Carries out one step, several, or a checklist in the background. Answers 202 at once: `Location` is where the result will
/// be (202 until the end), `Operation-Location` the run itself (always 200, with `state` and `done`). With `wait=N`, or
/// `Prefer: wait=N`, it waits up to N seconds for the end, at most 50, and answers 200 with the result. A caller who asks
/// again for what they have under way gets that run.
#[utoipa::path(post, path = "/v1/runs", tag = "runs", request_body = NewRun,
    params(
        ("wait" = Option<u32>, Query, description = "Seconds to wait for the end, at most 50."),
        ("format" = Option<Format>, Query, description = "Form of the result."),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255,
            description = "The same request with the same key begins no second run.")),
    responses((status = 200, body = runs::Answer<Value>), (status = 202, body = RunStatus), ApiError))]
pub(super) async fn start_run(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let wait = results::wait(&mut query)?;
    let key = query.idempotency_key.take();
    let format = query.only_format()?;
    let new: NewRun = Inputs::Json(body).read()?;
    let invalid = new.check();
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    let (dry_run, labels, reason) = (new.dry_run, new.labels.clone(), new.reason.clone());
    let callback = new.callback.clone();
    let ready = new.plan()?.ready()?;
    if dry_run {
        return Ok(Json(RunPlan::of(&ready)).into_response());
    }
    let request = key.map(|key| request_key(&key, &ready, &caller)).transpose()?;
    if let Some(callback) = &callback {
        callback.clone().sealed(&state, &caller, None, "callback/")?;
    }
    let place = state.place(&caller, ready.plan.capture.map(|id| id.to_string()).as_deref()).await?;
    let started = runs::enqueue(&state.0, &place, Asked { ready, labels, reason, request }).await?;
    if let Some(callback) = callback
        && started.how != Start::Replayed
    {
        state.tell_at_end(&caller, started.run, callback).await?;
    }
    begun(&state, started, wait, format).await
}

impl NewRun {
    pub(super) fn check(&self) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        match (&self.checklist, self.steps.is_empty()) {
            (None, true) => invalid.push(Invalid::new("steps", "required", "name a checklist, or steps")),
            (Some(_), false) => {
                invalid.push(Invalid::new("checklist", "conflict", "name a checklist or steps, not both"));
            }
            (Some(name), true) if checklists::find(name).is_none() => {
                let known: Vec<_> = checklists::CHECKLISTS.iter().map(|checklist| checklist.name).collect();
                let message = format!("must be one of {}", known.join(", "));
                invalid.push(Invalid::new("checklist", "unknown_value", message));
            }
            _ => {}
        }
        if self.limits.timeout_s.is_some_and(|seconds| !(1..=LONGEST_TIMEOUT_S).contains(&seconds)) {
            let message = format!("must be from 1 to {LONGEST_TIMEOUT_S}");
            invalid.push(Invalid::new("limits/timeout_s", "range", message));
        }
        if self.labels.len() > MOST_LABELS {
            invalid.push(Invalid::new("labels", "range", format!("at most {MOST_LABELS} labels can be put on a run")));
        }
        for (name, value) in &self.labels {
            let plain = |text: &str| text.len() <= LONGEST_LABEL && !text.chars().any(char::is_control);
            if name.is_empty() || name.contains('=') || !plain(name) || !plain(value) {
                let message =
                    format!("names and values are plain text of up to {LONGEST_LABEL} bytes, names without `=`");
                invalid.push(Invalid::new("labels", "pattern", message));
            }
        }
        if self.reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
            invalid.push(Invalid::new("reason", "range", format!("may have up to {LONGEST_REASON} bytes")));
        }
        invalid
    }

    /// The steps with their inputs, each in the scope of all.
    pub(super) fn plan(self) -> ApiResult<Plan> {
        let mut scope = Map::new();
        if !self.scope.namespace.is_empty() {
            scope.insert("namespace".to_owned(), self.scope.namespace.clone().into());
        }
        scope.extend(self.scope.all_namespaces.map(|all| ("all_namespaces".to_owned(), all.into())));
        scope.extend(self.scope.revision.map(|revision| ("revision".to_owned(), revision.into())));
        let of_checklist = self.checklist.as_deref().and_then(checklists::find);
        let steps = match of_checklist {
            None => self.steps,
            Some(checklist) => checklist
                .steps()
                .into_iter()
                .map(|listed| {
                    let mut inputs: Map<String, Value> = Map::new();
                    for (name, value) in listed.inputs {
                        // Where the scope says something else.
                        if name == "all_namespaces" && scope.contains_key("namespace") {
                            continue;
                        }
                        let value = if value == "true" { Value::Bool(true) } else { value.into() };
                        inputs.insert(name.to_owned(), value);
                    }
                    NewStep { step: listed.step.to_owned(), inputs: Value::Object(inputs) }
                })
                .collect(),
        };
        let steps = steps.into_iter().map(|NewStep { step, inputs }| {
            let inputs = match steps::find(&step) {
                Some(known) => scoped(known, inputs, &scope),
                None => inputs,
            };
            PlanStep { step, inputs }
        });
        Ok(Plan {
            checklist: self.checklist,
            steps: steps.collect(),
            capture: self.capture,
            timeout_s: self.limits.timeout_s.unwrap_or(TIMEOUT_S),
        })
    }
}

impl RunPlan {
    fn of(ready: &Ready) -> Self {
        let mut permissions = Vec::new();
        for permission in ready.steps.iter().flat_map(|step| step.prepared.about().permissions) {
            if !permissions.contains(permission) {
                permissions.push(*permission);
            }
        }
        Self {
            dry_run: true,
            step: ready.name(),
            inputs: ready.inputs(),
            mutating: ready.is_mutating(),
            heavy: ready.is_heavy(),
            permissions,
        }
    }
}

/// Repeat a run
///
/// Starts a run that asks for the same, now, as the caller. What changes the cluster is not repeated.
#[utoipa::path(post, path = "/v1/runs/{id}/rerun", tag = "runs",
    params(("id" = Uuid, Path), ("wait" = Option<u32>, Query, description = "Seconds to wait for the end, at most 50."),
        ("format" = Option<Format>, Query, description = "Form of the result."),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255,
            description = "The same request with the same key begins no second run.")),
    responses((status = 200, body = runs::Answer<Value>), (status = 202, body = RunStatus), ApiError))]
pub(super) async fn rerun(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let wait = results::wait(&mut query)?;
    let key = query.idempotency_key.take();
    let format = query.only_format()?;
    let header = visible(&state, &caller, &id).await?.header;
    let cannot = |detail: &str| ApiError::new(error::CONFLICT, detail);
    if header.inputs.to_string().contains(REDACTED) {
        return Err(cannot("its inputs held secrets, which were not kept: ask for it anew"));
    }
    let capture = capture_of(&header.cluster);
    let several = header.inputs.get("steps").filter(|_| steps::find(&header.step).is_none());
    let plan = match several {
        Some(steps) => Plan {
            checklist: header.inputs.get("checklist").and_then(Value::as_str).map(str::to_owned),
            steps: serde_json::from_value(steps.clone())
                .map_err(|_| cannot("it was recorded by a version that kept its inputs otherwise"))?,
            capture,
            timeout_s: TIMEOUT_S,
        },
        None => Plan {
            checklist: None,
            steps: vec![PlanStep { step: header.step.clone(), inputs: header.inputs.clone() }],
            capture,
            timeout_s: LONGEST_TIMEOUT_S,
        },
    };
    let ready = plan.ready()?;
    if ready.is_mutating() {
        return Err(cannot("it changes the cluster: ask for it anew, with a reason"));
    }
    let request = key.map(|key| request_key(&key, &ready, &caller)).transpose()?;
    let place = state.place(&caller, capture.map(|id| id.to_string()).as_deref()).await?;
    let wanted = Asked { ready, labels: header.labels, reason: header.reason, request };
    let started = runs::enqueue(&state.0, &place, wanted).await?;
    begun(&state, started, wait, format).await
}

/// The caller's key for this request, and what it stands for.
pub(super) fn request_key(key: &HeaderValue, ready: &Ready, caller: &auth::Caller) -> ApiResult<RequestKey> {
    let key = key.to_str().map(|key| key.trim().trim_matches('"').to_owned());
    let Some(key) = key.ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len())) else {
        let detail = format!("Idempotency-Key must have from 1 to {LONGEST_KEY} characters of ASCII");
        return Err(ApiError::new(error::INVALID_REQUEST, detail));
    };
    Ok(RequestKey { key, fingerprint: ready.fingerprint(&caller.user) })
}

/// What a caller hears who has begun a run: its result, where it ended in time, or where to ask.
pub(super) async fn begun(
    state: &AppState,
    started: Started,
    wait: Option<Wait>,
    wanted: Wanted,
) -> ApiResult<Response> {
    let patience = wait.map_or(Duration::ZERO, |wait| wait.time);
    if !patience.is_zero() {
        results::wait_for_end(state, started.run, patience).await;
    }
    let run = state.history.run(state.cluster.id(), started.run).await?.ok_or_else(ApiError::no_such_run)?;
    let mut response = if !patience.is_zero() && results::is_done(&run.header) {
        results::ended(state, run, wanted)?
    } else {
        results::status(state, run.header, StatusCode::ACCEPTED, wanted.format).await?
    };
    let headers = response.headers_mut();
    let yes = HeaderValue::from_static("true");
    match started.how {
        Start::Added => {}
        Start::Replayed => _ = headers.insert(HeaderName::from_static("idempotency-replayed"), yes),
        Start::Joined => _ = headers.insert(HeaderName::from_static("meshtriage-joined"), yes),
    }
    if let Some(wait) = wait {
        wait.note(headers);
    }
    Ok(response)
}

impl AppState {
    /// Carries out a step at once, in a task that goes on when the caller is gone. One that takes longer than the caller
    /// waits becomes a run in the background.
    pub(super) async fn answer_in_background(
        &self,
        ready: Ready,
        caller: &Arc<auth::Caller>,
        key: Option<HeaderValue>,
        wait: Option<Wait>,
        form: Wanted,
    ) -> ApiResult<Response> {
        let title = ready.steps.first().map_or("", |step| step.prepared.about().title);
        let request = key.map(|key| request_key(&key, &ready, caller)).transpose()?;
        let place = self.place(caller, ready.plan.capture.map(|id| id.to_string()).as_deref()).await?;
        let wanted = Asked { ready, labels: BTreeMap::new(), reason: None, request };
        let (started, told) = Box::pin(runs::begin_now(&self.0, &place, wanted, form.format)).await?;
        let patience = wait.map_or(results::LONGEST_WAIT, |wait| wait.time);
        if let Some(told) = told
            && let Ok(Ok(answered)) = tokio::time::timeout(patience, told).await
        {
            let mut response = self.rendered(answered?, title, form, None)?;
            if let Some(wait) = wait {
                wait.note(response.headers_mut());
            }
            return Ok(response);
        }
        let wait = wait.or((started.how != Start::Added).then_some(Wait { time: patience, preferred: None }));
        begun(self, started, wait.filter(|_| started.how != Start::Added), form).await
    }

    /// A plan of one step that a caller has asked for at its own endpoint.
    pub(super) fn one(&self, prepared: &dyn steps::Prepared, capture: Option<&str>) -> ApiResult<Ready> {
        let capture = capture.map(captures::parsed).transpose()?;
        let mut ready = Plan::one(prepared, capture, LONGEST_TIMEOUT_S).ready()?;
        // The dry run of a bug report is the step itself.
        if ready.work != Kind::BugReport {
            ready.work = Kind::One;
        }
        Ok(ready)
    }
}

/// The checklists.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChecklistList {
    items: Vec<ChecklistItem>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChecklistItem {
    name: &'static str,
    description: &'static str,
    steps: Vec<ChecklistStep>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChecklistStep {
    step: &'static str,
    title: &'static str,
    #[schema(value_type = Object)]
    inputs: Value,
}

/// List the checklists
///
/// Named lists of steps for `POST /v1/runs`.
#[utoipa::path(get, path = "/v1/checklists", tag = "runs", responses((status = 200, body = ChecklistList), ApiError))]
pub(super) async fn list_checklists(_: Caller, _: NoParameters) -> Json<ChecklistList> {
    let item = |checklist: &checklists::Checklist| ChecklistItem {
        name: checklist.name,
        description: checklist.description,
        steps: checklist
            .steps()
            .into_iter()
            .map(|listed| ChecklistStep {
                step: listed.step,
                title: steps::find(listed.step).map_or("", |step| step.about().title),
                inputs: listed.inputs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect(),
            })
            .collect(),
    };
    Json(ChecklistList { items: checklists::CHECKLISTS.iter().map(item).collect(), next_cursor: None })
}
