//! The HTTP API: the table of routes, and what surrounds them.

mod accept;
mod artifacts;
mod body;
mod bug_report;
mod captures;
mod codes;
mod docs;
mod document;
mod entrance;
mod error;
mod errors;
mod extract;
mod follow;
mod install;
mod istioctl;
mod kubectl;
mod layers;
mod mesh;
mod methods;
mod misc;
mod operations;
mod proxies;
mod range;
mod results;
mod runs;
mod serve;
mod steps;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware, response::Response, routing::get};
use http::{HeaderValue, header};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, NotForContentType},
    },
    timeout::TimeoutLayer,
};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use codes::{FindingCode, codes};
pub use document::openapi;
pub use error::Problem;
pub use extract::AppState;
pub use serve::{Bounds, Peer, Tls, TlsError, serve, serve_within};

use crate::{
    app::App,
    auth,
    cluster::aside,
    runs::{Place, Wanted, execute, render},
    steps::{AnyStep, Inputs, Prepared},
};

/// Largest body of a request.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Content that is packed already.
const PACKED: &str = "application/gzip";

/// Every route, with its documentation.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .merge(kubectl::routes())
        .merge(istioctl::routes())
        .merge(proxies::routes())
        .merge(install::routes())
        .merge(mesh::routes())
        .merge(misc::routes())
        .merge(bug_report::routes())
        .routes(routes!(errors::lookup_errors))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::find_run, runs::delete_run))
        .merge(captures::routes())
        .routes(routes!(results::run_result))
        .routes(routes!(results::cancel_run))
        .routes(routes!(artifacts::list_artifacts))
        .routes(routes!(artifacts::download_artifact))
        .merge(catalogues())
        .routes(routes!(operations::whoami))
        .routes(routes!(operations::version))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(error::find_problem))
}

/// What changes with the program or its settings only, so that callers may keep it.
fn catalogues() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(errors::list_errors))
        .routes(routes!(errors::find_error))
        .routes(routes!(errors::find_error_in_group))
        .routes(routes!(steps::list_steps))
        .routes(routes!(steps::find_step))
        .routes(routes!(codes::list_codes))
        .routes(routes!(codes::find_code))
        .route_layer(middleware::from_fn(methods::tagged))
}

/// The whole service as a router.
pub fn router(app: Arc<App>) -> Router {
    let state = AppState(app);
    let timeout = state.limits.step_timeout + Duration::from_secs(5);
    let (router, _) = routes().split_for_parts();
    let (uploads, _) = captures::upload_route().split_for_parts();
    let all = router
        .merge(docs::routes())
        .merge(entrance::routes())
        .fallback(operations::no_such_path)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, timeout))
        // Uploads have limits of their own.
        .merge(uploads)
        .layer(middleware::from_fn_with_state(state.clone(), methods::head))
        .layer(CatchPanicLayer::custom(layers::panicked))
        // What is packed already stays as it is: a part of it would be of no use otherwise.
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(NotForContentType::new(PACKED))))
        .layer(middleware::from_fn_with_state(state.clone(), layers::only_this_machine))
        .layer(tower::util::option_layer(methods::cross_origin(&state.cors_origins)))
        .layer(middleware::from_fn_with_state(state.clone(), layers::around))
        .with_state(state);
    // Around all of it, since which methods a path has is known at its outside only.
    Router::new().fallback_service(all).layer(middleware::from_fn(methods::options))
}

/// What probes and the collector of metrics need, without authentication: for a port that only they can reach.
pub fn operations_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(operations::livez))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::numbers))
        .with_state(AppState(app))
}

impl AppState {
    /// Where a step reads for a caller: in the uploaded capture of that id, or in the cluster. Every step that reads
    /// comes by here.
    async fn place(&self, caller: &Arc<auth::Caller>, capture: Option<&str>) -> error::ApiResult<Place> {
        let Some(capture) = capture else { return Ok(Place::own(&self.0, caller)) };
        let id = captures::parsed(capture)?;
        let opened = self.uploads.open(caller, id).await?;
        Ok(Place::capture(&self.0, caller, id, opened))
    }

    /// Carries out a step that reads, whose inputs stand in the query.
    async fn answer_query(
        &self,
        step: &'static dyn AnyStep,
        caller: &Arc<auth::Caller>,
        mut query: extract::StepQuery,
    ) -> error::ApiResult<Response> {
        let (wanted, capture) = (query.wanted(), query.capture.take());
        let prepared = step.prepare(query.inputs())?;
        let place = self.place(caller, capture.as_deref()).await?;
        self.answer_prepared(prepared.as_ref(), &place, wanted).await
    }

    /// Carries out a step that changes the cluster, whose inputs stand in the body.
    async fn act(
        &self,
        step: &'static dyn AnyStep,
        caller: &Arc<auth::Caller>,
        body: serde_json::Value,
        query: extract::StepQuery,
    ) -> error::ApiResult<Response> {
        let wanted = query.of_action()?;
        let prepared = step.prepare(Inputs::Json(body))?;
        self.answer_prepared(prepared.as_ref(), &Place::own(&self.0, caller), wanted).await
    }

    /// Carries out a step in its place, and answers in the format asked for.
    async fn answer_prepared(
        &self,
        prepared: &dyn Prepared,
        place: &Place,
        wanted: Wanted,
    ) -> error::ApiResult<Response> {
        let format = wanted.format;
        // A step's future is large, and would make that of every handler so.
        let answered = Box::pin(execute(&self.0, place, prepared, format)).await?;
        let run = answered.answer.run.clone();
        let text = aside(|| render(&answered, prepared.about().title, self.public_url.as_deref(), wanted))?;
        // Freed, and not kept until the last byte is sent.
        drop(answered);
        let claim = place.take_claim();
        if let Some(claim) = &claim {
            claim.settle(text.len() as u64);
        }
        let mut response = Response::new(body::held(text, claim));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        // For formats without the envelope.
        let verdict = serde_json::to_value(run.verdict).expect("a verdict is JSON");
        for (name, value) in
            [("meshtriage-run", run.id.to_string()), ("meshtriage-verdict", verdict.as_str().unwrap_or("").to_owned())]
        {
            headers.insert(name, HeaderValue::from_str(&value).expect("ids and verdicts are plain"));
        }
        Ok(response)
    }
}
