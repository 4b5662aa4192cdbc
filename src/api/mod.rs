//! The HTTP API: the table of routes, and what surrounds them.

mod artifacts;
mod bug_report;
mod captures;
mod codes;
mod diagnose;
mod error;
mod errors;
mod extract;
mod follow;
mod install;
mod istioctl;
mod kubectl;
mod layers;
mod misc;
mod operations;
mod proxies;
mod range;
mod results;
mod runs;
mod serve;
mod steps;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware, response::Response};
use http::{HeaderValue, header};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, NotForContentType},
    },
    timeout::TimeoutLayer,
};
use utoipa::{
    OpenApi,
    openapi::{
        Content, Object, RefOr, Type,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

pub use codes::{FindingCode, codes};
pub use error::Problem;
pub use extract::AppState;
pub use serve::serve;

use crate::{
    app::App,
    auth,
    report::{Format, State, Verdict},
    runs::{Place, execute, render},
    steps::{AdminPage, AnyStep, Inputs, Invalid, Prepared, ProxyConfigKind},
};

/// Largest body of a request.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Content that is packed already.
const PACKED: &str = "application/gzip";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "meshtriage",
        description = "Istio troubleshooting as an HTTP API. Each step of the checklist is an endpoint that answers with \
            the evidence, what is wrong (findings), what could not be seen, and the command that shows a person the same."
    ),
    servers((url = "/")),
    // Those that only parameters name, which the router does not collect.
    components(schemas(Format, AdminPage, ProxyConfigKind, State, Verdict, Invalid)),
    tags(
        (name = "kubectl", description = "What a person would look up with kubectl"),
        (name = "istioctl", description = "What a person would look up with istioctl"),
        (name = "misc", description = "The guide's miscellaneous issues: what nobody looks up with one command"),
        (name = "mesh", description = "The mesh as a whole: what causes what, and what changed"),
        (name = "errors", description = "Known error messages: reason and recommendation"),
        (name = "runs", description = "History of what was looked at and found"),
        (name = "captures", description = "Recorded clusters that callers upload, for steps to read"),
        (name = "steps", description = "The catalogue of steps"),
        (name = "operations", description = "Health, metrics, and who the caller is")
    )
)]
struct Document;

/// Every route, with its documentation.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(kubectl::routes())
        .merge(istioctl::routes())
        .merge(proxies::routes())
        .merge(install::routes())
        .merge(misc::routes())
        .merge(bug_report::routes())
        .merge(diagnose::routes())
        .routes(routes!(errors::list_errors))
        .routes(routes!(errors::find_error))
        .routes(routes!(errors::find_error_in_group))
        .routes(routes!(errors::lookup_errors))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::find_run, runs::delete_run))
        .merge(captures::routes())
        .routes(routes!(results::run_result))
        .routes(routes!(results::cancel_run))
        .routes(routes!(artifacts::list_artifacts))
        .routes(routes!(artifacts::download_artifact))
        .routes(routes!(steps::list_steps))
        .routes(routes!(steps::find_step))
        .routes(routes!(codes::list_codes))
        .routes(routes!(codes::find_code))
        .routes(routes!(operations::whoami))
        .routes(routes!(operations::version))
        .routes(routes!(operations::livez))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(error::find_problem))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, document) = routes().merge(captures::upload_route()).split_for_parts();
    completed(document)
}

/// The document of the routes, with what no single route knows.
fn completed(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    components.schemas.insert("Problem".to_owned(), error::problem_schema());
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            document_formats(operation);
        }
    }
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    document
}

/// What takes `format` answers in each of them, and only JSON has a schema.
fn document_formats(operation: &mut Operation) {
    let takes_format =
        operation.parameters.iter().flatten().any(|parameter| matches!(parameter, RefOr::T(it) if it.name == "format"));
    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200").filter(|_| takes_format) else { return };
    for format in Format::ALL {
        let media = format.content_type().split(';').next().expect("a split has a first part");
        // YAML is read as what it holds, which is the command's own form.
        let schema = (format != Format::Yaml).then(|| Object::with_type(Type::String));
        let text = || RefOr::T(Content::new(schema));
        answer.content.entry(media.to_owned()).or_insert_with(text);
    }
}

/// The whole service as a router.
pub fn router(app: Arc<App>) -> Router {
    let state = AppState(app);
    let timeout = state.limits.step_timeout + Duration::from_secs(5);
    let (router, _) = routes().split_for_parts();
    let (uploads, _) = captures::upload_route().split_for_parts();
    router
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi()))
        .fallback(operations::no_such_path)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, timeout))
        // Uploads have limits of their own.
        .merge(uploads)
        .layer(CatchPanicLayer::custom(layers::panicked))
        // What is packed already stays as it is: a part of it would be of no use otherwise.
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(NotForContentType::new(PACKED))))
        .layer(middleware::from_fn_with_state(state.clone(), layers::around))
        .with_state(state)
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
        let (format, capture) = (query.format, query.capture.take());
        let prepared = step.prepare(query.inputs())?;
        let place = self.place(caller, capture.as_deref()).await?;
        self.answer_prepared(prepared.as_ref(), &place, format).await
    }

    /// Carries out a step that changes the cluster, whose inputs stand in the body.
    async fn act(
        &self,
        step: &'static dyn AnyStep,
        caller: &Arc<auth::Caller>,
        body: serde_json::Value,
        query: extract::StepQuery,
    ) -> error::ApiResult<Response> {
        let format = query.of_action()?;
        let prepared = step.prepare(Inputs::Json(body))?;
        self.answer_prepared(prepared.as_ref(), &Place::own(&self.0, caller), format).await
    }

    /// Carries out a step in its place, and answers in the format asked for.
    async fn answer_prepared(
        &self,
        prepared: &dyn Prepared,
        place: &Place,
        format: Format,
    ) -> error::ApiResult<Response> {
        // A step's future is large, and would make that of every handler so.
        let answered = Box::pin(execute(&self.0, place, prepared, format)).await?;
        let run = &answered.answer.run;
        let mut text = render(&answered, prepared.about().title, format);
        if text.is_empty() && format == Format::Text {
            // A command that prints nothing has found nothing; an empty answer would not say so.
            text = format!("{}\n", answered.answer.summary);
        }
        let mut response = Response::new(axum::body::Body::from(text));
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
