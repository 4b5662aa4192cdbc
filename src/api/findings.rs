//! Findings over time, and what somebody has decided to live with.

use std::str::FromStr as _;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, JsonBody, NoParameters, PathOf, StepQuery},
};
use crate::{
    auth,
    history::{
        Access, FindingChange, FindingFilter, FindingState, KnownFinding, MOST_SUPPRESSIONS, Place, Suppression,
    },
    report::Severity,
    steps::{Inputs, Invalid},
};

const PAGE: u32 = 50;
const MAX_PAGE: u32 = 500;
/// Pages that are looked through for findings that the caller may see.
const MAX_SCANS: usize = 20;
const LONGEST_REASON: usize = 500;
const LONGEST_FIELD: usize = 253;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_findings))
        .routes(routes!(find_finding))
        .routes(routes!(list_suppressions, add_suppression))
        .routes(routes!(delete_suppression))
}

/// Which findings to list. Of the values of one parameter, repeated or with commas between, any will do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindingsQuery {
    #[param(max_items = 100)]
    code: Vec<String>,
    #[param(max_items = 3)]
    severity: Vec<Severity>,
    /// Default: all that are not resolved.
    #[param(max_items = 4)]
    state: Vec<FindingState>,
    #[param(max_items = 100)]
    namespace: Vec<String>,
    /// Kind of the object; of the workload, where it is about a pod.
    #[param(max_items = 50)]
    kind: Vec<String>,
    /// Name of the object or workload.
    #[param(max_items = 50)]
    name: Vec<String>,
    /// Whose state has changed then or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<jiff::Timestamp>,
    /// Findings that somebody has decided to live with: `true` lists only these, `false` leaves them out.
    suppressed: Option<bool>,
    /// Findings on a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400)]
    cursor: Option<String>,
}

/// A finding, and whether somebody has decided to live with it.
#[derive(Debug, Serialize, ToSchema)]
struct ListedFinding {
    #[serde(flatten)]
    finding: KnownFinding,
    /// The suppression that it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed_by: Option<Uuid>,
}

/// A page of findings, those first whose state has changed last.
#[derive(Debug, Serialize, ToSchema)]
struct FindingList {
    items: Vec<ListedFinding>,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A finding with all that has become of it.
#[derive(Debug, Serialize, ToSchema)]
struct FindingTimeline {
    #[serde(flatten)]
    finding: ListedFinding,
    /// The oldest first.
    timeline: Vec<FindingChange>,
}

/// List findings over time
///
/// Each thing that was found, once, with when it was seen first and last: new, persisting, reopened or resolved. A finding is
/// resolved when the same step, asked for the same, has looked there again, has seen as much and has not found it. What was
/// found by reading what the caller may not read is left out.
#[utoipa::path(get, path = "/v1/findings", tag = "findings", params(FindingsQuery),
    responses((status = 200, body = FindingList), ApiError))]
async fn list_findings(state: AppState, Caller(caller): Caller, mut query: StepQuery) -> ApiResult<Response> {
    let lists = ["code", "severity", "state", "namespace", "kind", "name"];
    let pairs = std::mem::take(&mut query.pairs).into_iter();
    query.pairs = pairs
        .flat_map(|(name, value)| {
            if lists.contains(&name.as_str()) {
                value.split(',').map(|one| (name.clone(), one.to_owned())).collect()
            } else {
                vec![(name, value)]
            }
        })
        .collect();
    let query: FindingsQuery = query.read()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(vec![Invalid::new("limit", "range", format!("must be from 1 to {MAX_PAGE}"))].into());
    }
    let cursor = query.cursor.as_deref().map(Place::from_str).transpose();
    let mut after = cursor.map_err(|error| vec![Invalid::new("cursor", "pattern", error.to_string())])?;
    let open = [FindingState::New, FindingState::Persisting, FindingState::Reopened];
    let filter = FindingFilter {
        code: query.code,
        severity: query.severity,
        state: if query.state.is_empty() { open.to_vec() } else { query.state },
        namespace: query.namespace,
        kind: query.kind,
        name: query.name,
        since: query.since,
    };
    let cluster = state.cluster.id();
    let suppressions = state.history.suppressions_in_force(cluster, state.clock.now()).await?;
    let mut items = Vec::new();
    let mut more = true;
    'pages: for _ in 0..MAX_SCANS {
        let page = state.history.findings(cluster, &filter, after.as_ref(), limit).await?;
        let full = page.len() == limit as usize;
        for finding in page {
            if items.len() == limit as usize {
                break 'pages;
            }
            after = Some(Place { at: finding.changed_at.as_millisecond(), id: finding.fingerprint.clone() });
            let listed = listed(finding, &suppressions);
            let wanted = query.suppressed.is_none_or(|wanted| wanted == listed.suppressed_by.is_some());
            if wanted && may_do(&state, &caller, &listed.finding.access).await? {
                items.push(listed);
            }
        }
        if !full {
            more = false;
            break;
        }
        if items.len() == limit as usize {
            break;
        }
    }
    let next_cursor = after.filter(|_| more).map(|place| place.to_string());
    let link = next_cursor.as_ref().map(|cursor| format!("</v1/findings?cursor={cursor}>; rel=\"next\""));
    let mut response = Json(FindingList { items, next_cursor }).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn listed(finding: KnownFinding, suppressions: &[Suppression]) -> ListedFinding {
    let fits = |suppression: &&Suppression| {
        let KnownFinding { code, kind, namespace, name, fingerprint, .. } = &finding;
        suppression.fits(code, kind, namespace.as_deref(), name, fingerprint)
    };
    let suppressed_by = suppressions.iter().find(fits).map(|suppression| suppression.id);
    ListedFinding { finding, suppressed_by }
}

async fn may_do(state: &AppState, caller: &std::sync::Arc<auth::Caller>, access: &[Access]) -> ApiResult<bool> {
    for access in access {
        if !state.authority.may(caller, access).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Read a finding
///
/// A finding with its timeline: when it was new, resolved and reopened, and by which runs.
#[utoipa::path(get, path = "/v1/findings/{fingerprint}", tag = "findings",
    params(("fingerprint" = String, Path, max_length = 100)),
    responses((status = 200, body = FindingTimeline), ApiError))]
async fn find_finding(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(fingerprint): PathOf<String>,
) -> ApiResult<Response> {
    let none = || ApiError::new(error::NOT_FOUND, "there is no finding of that fingerprint, or you may not see it");
    let cluster = state.cluster.id();
    let finding = state.history.finding(cluster, &fingerprint).await?.ok_or_else(none)?;
    if !may_do(&state, &caller, &finding.access).await? {
        return Err(none());
    }
    let suppressions = state.history.suppressions_in_force(cluster, state.clock.now()).await?;
    let timeline = state.history.finding_changes(cluster, &fingerprint).await?;
    Ok(Json(FindingTimeline { finding: listed(finding, &suppressions), timeline }).into_response())
}

/// What to live with. Each field that is given must fit a finding; one at least besides the reason is needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct NewSuppression {
    /// Code of the findings.
    #[schema(max_length = 253)]
    code: Option<String>,
    #[schema(max_length = 253)]
    kind: Option<String>,
    #[schema(max_length = 253)]
    namespace: Option<String>,
    #[schema(max_length = 253)]
    name: Option<String>,
    /// One finding.
    #[schema(max_length = 253)]
    fingerprint: Option<String>,
    /// Why it is all right.
    #[schema(max_length = 500)]
    reason: String,
    /// When it has to be decided again (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<jiff::Timestamp>,
}

/// A suppression, and how `istioctl analyze` is told the same.
#[derive(Debug, Serialize, ToSchema)]
struct ListedSuppression {
    #[serde(flatten)]
    suppression: Suppression,
    /// The annotation that says the same to `istioctl analyze`, where it is about one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    annotate: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SuppressionList {
    items: Vec<ListedSuppression>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

impl From<Suppression> for ListedSuppression {
    fn from(suppression: Suppression) -> Self {
        let Suppression { code, kind, namespace, name, .. } = &suppression;
        let annotate = match (code, kind, namespace, name) {
            (Some(code), Some(kind), Some(namespace), Some(name)) if code.starts_with("IST") => Some(format!(
                "kubectl annotate {} {name} --namespace {namespace} galley.istio.io/analyze-suppress={code}",
                kind.to_lowercase()
            )),
            _ => None,
        };
        Self { suppression, annotate }
    }
}

/// List suppressions
///
/// What somebody has decided to live with, the newest first; those that have expired as well.
#[utoipa::path(get, path = "/v1/suppressions", tag = "findings",
    responses((status = 200, body = SuppressionList), ApiError))]
async fn list_suppressions(state: AppState, _: Caller, _: NoParameters) -> ApiResult<Response> {
    let items = state.history.suppressions(state.cluster.id()).await?;
    let items = items.into_iter().map(ListedSuppression::from).collect();
    Ok(Json(SuppressionList { items, next_cursor: None }).into_response())
}

/// Suppress findings
///
/// Findings that fit are still found and listed, and no longer fail the gate nor send messages. The caller needs the
/// Kubernetes permission to change the object's kind in that namespace (`patch`), since it could be annotated as well.
#[utoipa::path(post, path = "/v1/suppressions", tag = "findings", request_body = NewSuppression,
    responses((status = 201, body = ListedSuppression), ApiError))]
async fn add_suppression(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let new: NewSuppression = Inputs::Json(body).read()?;
    let now = state.clock.now();
    let invalid = new.check(now);
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    may_decide(&state, &caller, new.namespace.as_deref()).await?;
    let suppression = Suppression {
        id: Uuid::now_v7(),
        cluster: state.cluster.id().to_owned(),
        code: new.code,
        kind: new.kind,
        namespace: new.namespace,
        name: new.name,
        fingerprint: new.fingerprint,
        reason: new.reason,
        created_by: caller.user.clone(),
        created_at: jiff::Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now),
        expires_at: new.expires_at,
    };
    if !state.history.add_suppression(&suppression).await? {
        let detail = format!("there are {MOST_SUPPRESSIONS} suppressions already: delete some first");
        return Err(ApiError::new(error::CONFLICT, detail));
    }
    let id = suppression.id;
    tracing::info!(user = %caller.user, suppression = %id, "{} decided to live with findings", caller.user);
    Ok((StatusCode::CREATED, Json(ListedSuppression::from(suppression))).into_response())
}

impl NewSuppression {
    fn check(&self, now: jiff::Timestamp) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        let fields = [
            ("code", &self.code),
            ("kind", &self.kind),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("fingerprint", &self.fingerprint),
        ];
        if fields.iter().all(|(_, value)| value.is_none()) {
            invalid.push(Invalid::new("code", "required", "say which findings: a code, an object or a fingerprint"));
        }
        for (name, value) in fields {
            if value.as_ref().is_some_and(|value| value.is_empty() || value.len() > LONGEST_FIELD) {
                invalid.push(Invalid::new(name, "range", format!("must have from 1 to {LONGEST_FIELD} bytes")));
            }
        }
        if self.reason.trim().is_empty() || self.reason.len() > LONGEST_REASON {
            let message = format!("say why it is all right, in up to {LONGEST_REASON} characters");
            invalid.push(Invalid::new("reason", "required", message));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            invalid.push(Invalid::new("expires_at", "range", "must be in the future"));
        }
        invalid
    }
}

/// Who could change Istio's configuration there could annotate it.
async fn may_decide(state: &AppState, caller: &std::sync::Arc<auth::Caller>, namespace: Option<&str>) -> ApiResult<()> {
    let access = Access {
        verb: "patch".to_owned(),
        group: "networking.istio.io".to_owned(),
        resource: "virtualservices".to_owned(),
        subresource: String::new(),
        namespace: namespace.map(str::to_owned),
        name: None,
    };
    if state.authority.may(caller, &access).await? {
        return Ok(());
    }
    Err(ApiError::new(error::FORBIDDEN, format!("{:?} may not {}", caller.user, access.words())))
}

/// Delete a suppression
#[utoipa::path(delete, path = "/v1/suppressions/{id}", tag = "findings", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The suppression is gone"), ApiError))]
async fn delete_suppression(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let none = || ApiError::new(error::NOT_FOUND, "there is no suppression of that id");
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let known = state.history.suppressions(state.cluster.id()).await?;
    let known = known.into_iter().find(|suppression| suppression.id == id).ok_or_else(none)?;
    may_decide(&state, &caller, known.namespace.as_deref()).await?;
    if !state.history.delete_suppression(state.cluster.id(), id).await? {
        return Err(none());
    }
    tracing::info!(user = %caller.user, suppression = %id, "{} deleted suppression {id}", caller.user);
    Ok(StatusCode::NO_CONTENT)
}
