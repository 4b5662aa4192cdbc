//! What the codes of findings mean.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf},
};
use crate::{
    analyzers, detectors, logs,
    report::{Code, Severity},
    steps,
};

/// A kind of finding.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingCode {
    pub code: &'static str,
    pub severity: Severity,
    /// Where the rule comes from.
    pub docs: &'static str,
    /// What it means, why it matters, what to do (Markdown).
    pub page: String,
}

/// Every kind of finding.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingCodeList {
    items: Vec<FindingCode>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

/// Every code there is, in order.
pub fn codes() -> Vec<FindingCode> {
    let of_rules = analyzers::ANALYZERS.iter().flat_map(|analyzer| analyzer.reports).copied();
    let of_rules = of_rules.chain([&analyzers::K8S0100]);
    let of_rules = of_rules.chain(detectors::all().flat_map(|detector| detector.rule.reports).copied());
    let of_steps = steps::codes();
    let described = |code: &'static Code| FindingCode {
        code: code.id,
        severity: code.severity,
        docs: code.docs,
        page: code.page.to_owned(),
    };
    let of_logs = logs::codes().into_iter().map(|code| FindingCode {
        code: code.id,
        severity: code.severity,
        docs: code.docs,
        page: format!("{}\n\n## What to do\n{}\n", code.cause, code.remedy),
    });
    let mut codes: Vec<_> = of_rules.chain(of_steps).map(described).chain(of_logs).collect();
    codes.sort_by_key(|code| code.code);
    // One code may be reported by several analyzers.
    codes.dedup_by_key(|code| code.code);
    codes
}

/// List the codes of findings
///
/// Every kind of finding with its meaning. Codes are stable and never reused; `IST…` means the same as Istio's own.
#[utoipa::path(get, path = "/v1/codes", tag = "steps", responses((status = 200, body = FindingCodeList), ApiError))]
pub(super) async fn list_codes(_: Caller, _: NoParameters) -> Json<FindingCodeList> {
    Json(FindingCodeList { items: codes(), next_cursor: None })
}

/// Explain a code
///
/// What it means, why it matters, what to do.
#[utoipa::path(get, path = "/v1/codes/{code}", tag = "steps", params(("code" = String, Path, max_length = 16)),
    responses((status = 200, body = FindingCode), ApiError))]
pub(super) async fn find_code(
    _: Caller,
    _: NoParameters,
    PathOf(code): PathOf<String>,
) -> ApiResult<Json<FindingCode>> {
    let found = codes().into_iter().find(|known| known.code == code);
    found.map(Json).ok_or_else(|| ApiError::new(error::NOT_FOUND, "there is no such code"))
}
