//! Callbacks: where messages go, and what has become of them. What opens a callback is never shown.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, JsonBody, NoParameters, PathOf},
    results::is_done,
};
use crate::{
    auth::{self, Rights},
    callbacks::{Callbacks, Interest, MessageForm, Target, tell_of_run},
    history::{Callback, Delivery, Subscription},
    runs::RunsAs,
    steps::{Inputs, Invalid},
};
use std::{collections::BTreeMap, sync::Arc};

const LONGEST_NAME: usize = 120;
const LONGEST_URL: usize = 2000;
const LONGEST_SECRET: usize = 500;
const MOST_HEADERS: usize = 10;
const LONGEST_HEADER: usize = 1000;
const SHOWN_DELIVERIES: u32 = 100;
const MOST_VALUES: usize = 100;
/// Headers that are the service's own to set.
const OWN_HEADERS: &[&str] =
    &["host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent"];

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_callbacks, add_callback))
        .routes(routes!(delete_callback))
        .routes(routes!(list_deliveries))
        .routes(routes!(redeliver))
        .routes(routes!(list_subscriptions, add_subscription))
        .routes(routes!(delete_subscription))
}

/// Where messages go.
#[derive(Debug, Default, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewCallback {
    /// For people. Default: the host.
    #[schema(max_length = 120)]
    name: Option<String>,
    /// `https` and a public host, unless the service allows another one. Kept sealed and never shown.
    #[schema(max_length = 2000, write_only)]
    url: String,
    /// Signs messages: `webhook-signature` (Standard Webhooks) and `x-hub-signature-256`.
    #[schema(max_length = 500, write_only)]
    secret: Option<String>,
    /// More headers, such as `Authorization`. Kept sealed and never shown.
    #[schema(write_only)]
    headers: BTreeMap<String, String>,
    form: MessageForm,
}

/// A callback, without what opens it.
#[derive(Debug, Serialize, ToSchema)]
struct ListedCallback {
    id: Uuid,
    name: String,
    /// Host and port of the URL.
    host: String,
    form: MessageForm,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    /// Messages given up since the last that arrived.
    failures: u32,
    /// Switched off after too many of them, until a message is delivered again by hand.
    disabled: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct CallbackList {
    items: Vec<ListedCallback>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

/// A message, and what has become of it.
#[derive(Debug, Serialize, ToSchema)]
struct ListedDelivery {
    id: Uuid,
    event: String,
    /// `waiting`, `delivered` or `failed`.
    state: String,
    attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DeliveryList {
    items: Vec<ListedDelivery>,
    /// Always null: older messages are not listed.
    next_cursor: Option<String>,
}

impl From<Callback> for ListedCallback {
    fn from(callback: Callback) -> Self {
        Self {
            id: callback.id,
            name: callback.name,
            host: callback.host,
            form: MessageForm::named(&callback.kind),
            created_by: callback.created_by,
            created_at: callback.created_at,
            failures: callback.failures,
            disabled: callback.disabled,
        }
    }
}

fn sending(state: &AppState) -> ApiResult<&Callbacks> {
    state.callbacks.as_ref().ok_or_else(|| ApiError::new(error::CALLBACKS_DISABLED, error::CALLBACKS_DISABLED.about))
}

impl NewCallback {
    /// Checks it, and seals what opens it. `pointer` is where it stands in the request.
    pub(super) fn sealed(
        self,
        state: &AppState,
        caller: &auth::Caller,
        run: Option<Uuid>,
        pointer: &str,
    ) -> ApiResult<Callback> {
        let sending = sending(state)?;
        let mut invalid = Vec::new();
        let mut wrong = |field: &str, code, message: String| {
            invalid.push(Invalid::new(&format!("{pointer}{field}"), code, message));
        };
        let url = match sending.check(&self.url) {
            _ if self.url.len() > LONGEST_URL => {
                wrong("url", "range", format!("may have up to {LONGEST_URL} bytes"));
                None
            }
            Ok(url) => Some(url),
            Err(refused) => {
                wrong("url", "pattern", refused.to_string());
                None
            }
        };
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > LONGEST_NAME) {
            wrong("name", "range", format!("must have from 1 to {LONGEST_NAME} bytes"));
        }
        if self.secret.as_ref().is_some_and(|secret| secret.is_empty() || secret.len() > LONGEST_SECRET) {
            wrong("secret", "range", format!("must have from 1 to {LONGEST_SECRET} bytes"));
        }
        if self.headers.len() > MOST_HEADERS {
            wrong("headers", "range", format!("at most {MOST_HEADERS} headers can be given"));
        }
        for (name, value) in &self.headers {
            let good = HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
            let own = OWN_HEADERS.contains(&name.to_lowercase().as_str());
            if !good || own || value.len() > LONGEST_HEADER {
                wrong("headers", "pattern", format!("{name:?} cannot be sent"));
            }
        }
        let Some(url) = url.filter(|_| invalid.is_empty()) else { return Err(invalid.into()) };
        let id = Uuid::now_v7();
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let target = Target { url: self.url, secret: self.secret, headers: self.headers.into_iter().collect() };
        let target = sending.seal(id, &target);
        Ok(Callback {
            id,
            cluster: state.cluster.id().to_owned(),
            name: self.name.unwrap_or_else(|| host.clone()),
            run,
            host,
            target: target.ok_or_else(|| ApiError::new(error::INTERNAL, "the callback could not be sealed"))?,
            kind: self.form.name().to_owned(),
            created_by: caller.user.clone(),
            created_at: state.clock.now(),
            failures: 0,
            disabled: false,
        })
    }
}

fn is_own(caller: &auth::Caller, created_by: &str) -> bool {
    caller.rights == Rights::All || caller.user == created_by
}

async fn own(state: &AppState, caller: &auth::Caller, id: &str) -> ApiResult<Callback> {
    let none = || ApiError::new(error::NOT_FOUND, "there is no callback of that id, or it is not yours");
    let id = Uuid::parse_str(id).map_err(|_| none())?;
    let callback = state.history.callback(state.cluster.id(), id).await?;
    callback.filter(|callback| is_own(caller, &callback.created_by)).ok_or_else(none)
}

/// List callbacks
///
/// The caller's callbacks, the newest first, without what opens them.
#[utoipa::path(get, path = "/v1/callbacks", tag = "callbacks", responses((status = 200, body = CallbackList), ApiError))]
async fn list_callbacks(state: AppState, Caller(caller): Caller, _: NoParameters) -> ApiResult<Json<CallbackList>> {
    let mut items = state.history.callbacks(state.cluster.id()).await?;
    items.retain(|callback| is_own(&caller, &callback.created_by));
    Ok(Json(CallbackList { items: items.into_iter().map(ListedCallback::from).collect(), next_cursor: None }))
}

/// Add a callback
///
/// Where messages of subscriptions go: CloudEvents 1.0, or a message for Slack. They are signed where there is a secret, tried
/// again over a day, and never sent to an address that is not public, unless the service allows it.
#[utoipa::path(post, path = "/v1/callbacks", tag = "callbacks", request_body = NewCallback,
    responses((status = 201, body = ListedCallback), ApiError))]
async fn add_callback(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let new: NewCallback = Inputs::Json(body).read()?;
    let callback = new.sealed(&state, &caller, None, "")?;
    if !state.history.add_callback(&callback).await? {
        return Err(ApiError::new(error::CONFLICT, "there are as many callbacks as may be: delete some first"));
    }
    let (id, host) = (callback.id, &callback.host);
    tracing::info!(user = %caller.user, callback = %id, "{} added callback {id} to {host}", caller.user);
    Ok((StatusCode::CREATED, Json(ListedCallback::from(callback))).into_response())
}

/// Delete a callback
///
/// With its subscriptions and messages.
#[utoipa::path(delete, path = "/v1/callbacks/{id}", tag = "callbacks", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The callback is gone"), ApiError))]
async fn delete_callback(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let callback = own(&state, &caller, &id).await?;
    state.history.delete_callback(state.cluster.id(), callback.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List messages of a callback
///
/// The last hundred, the newest first, with what the receiver answered.
#[utoipa::path(get, path = "/v1/callbacks/{id}/deliveries", tag = "callbacks", params(("id" = Uuid, Path)),
    responses((status = 200, body = DeliveryList), ApiError))]
async fn list_deliveries(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<DeliveryList>> {
    let callback = own(&state, &caller, &id).await?;
    let listed = |delivery: Delivery| ListedDelivery {
        id: delivery.id,
        event: delivery.event,
        state: delivery.state,
        attempts: delivery.attempts,
        created_at: delivery.created_at,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
    };
    let items = state.history.deliveries(callback.id, SHOWN_DELIVERIES).await?;
    Ok(Json(DeliveryList { items: items.into_iter().map(listed).collect(), next_cursor: None }))
}

/// Send a message again
///
/// At once, whatever has become of it. Switches the callback on again.
#[utoipa::path(post, path = "/v1/callbacks/{id}/deliveries/{delivery}/redeliver", tag = "callbacks",
    params(("id" = Uuid, Path), ("delivery" = Uuid, Path)),
    responses((status = 202, description = "It is on its way"), ApiError))]
async fn redeliver(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf((id, delivery)): PathOf<(String, String)>,
) -> ApiResult<StatusCode> {
    sending(&state)?;
    let callback = own(&state, &caller, &id).await?;
    let none = || ApiError::new(error::NOT_FOUND, "the callback has no message of that id");
    let delivery = Uuid::parse_str(&delivery).map_err(|_| none())?;
    if !state.history.redeliver(callback.id, delivery).await? {
        return Err(none());
    }
    Ok(StatusCode::ACCEPTED)
}

/// Who wants to hear of what.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSubscription {
    /// Id of the callback to which messages go.
    callback: Uuid,
    wanted: Interest,
}

#[derive(Debug, Serialize, ToSchema)]
struct ListedSubscription {
    id: Uuid,
    callback: Uuid,
    wanted: Interest,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct SubscriptionList {
    items: Vec<ListedSubscription>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

fn listed(subscription: Subscription) -> Option<ListedSubscription> {
    Some(ListedSubscription {
        id: subscription.id,
        callback: subscription.callback,
        wanted: serde_json::from_str(&subscription.wanted).ok()?,
        created_by: subscription.created_by,
        created_at: subscription.created_at,
    })
}

/// List subscriptions
///
/// The caller's subscriptions, the newest first.
#[utoipa::path(get, path = "/v1/subscriptions", tag = "callbacks",
    responses((status = 200, body = SubscriptionList), ApiError))]
async fn list_subscriptions(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
) -> ApiResult<Json<SubscriptionList>> {
    let mut items = state.history.subscriptions(state.cluster.id()).await?;
    items.retain(|subscription| is_own(&caller, &subscription.created_by));
    Ok(Json(SubscriptionList { items: items.into_iter().filter_map(listed).collect(), next_cursor: None }))
}

/// Subscribe
///
/// Sends messages to a callback when runs end, findings are new or resolved, or a verdict changes: only of what the caller
/// may read, of each cause once an hour, and not in quiet hours, after which they arrive.
#[utoipa::path(post, path = "/v1/subscriptions", tag = "callbacks", request_body = NewSubscription,
    responses((status = 201, body = ListedSubscription), ApiError))]
async fn add_subscription(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    sending(&state)?;
    let new: NewSubscription = Inputs::Json(body).read()?;
    let mut invalid = Vec::new();
    if new.wanted.events.is_empty() {
        invalid.push(Invalid::new("wanted/events", "required", "name one kind of event at least"));
    }
    let values = new.wanted.namespace.len() + new.wanted.code.len() + new.wanted.step.len() + new.wanted.events.len();
    if values > MOST_VALUES {
        invalid.push(Invalid::new("wanted", "range", format!("at most {MOST_VALUES} values can be given in all")));
    }
    if let Some(Err(why)) = new.wanted.quiet_hours.as_ref().map(|hours| hours.check()) {
        invalid.push(Invalid::new("wanted/quiet_hours", "pattern", why));
    }
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    let callback = own(&state, &caller, &new.callback.to_string()).await?;
    let subscription = Subscription {
        id: Uuid::now_v7(),
        cluster: state.cluster.id().to_owned(),
        callback: callback.id,
        caller: RunsAs::of(&caller).text(),
        wanted: serde_json::to_string(&new.wanted).expect("an interest is JSON"),
        created_by: caller.user.clone(),
        created_at: state.clock.now(),
    };
    if !state.history.add_subscription(&subscription).await? {
        return Err(ApiError::new(error::CONFLICT, "there are as many subscriptions as may be: delete some first"));
    }
    Ok((StatusCode::CREATED, Json(listed(subscription))).into_response())
}

/// Delete a subscription
#[utoipa::path(delete, path = "/v1/subscriptions/{id}", tag = "callbacks", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The subscription is gone"), ApiError))]
async fn delete_subscription(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let none = || ApiError::new(error::NOT_FOUND, "there is no subscription of that id, or it is not yours");
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let known = state.history.subscriptions(state.cluster.id()).await?;
    known.iter().find(|known| known.id == id && is_own(&caller, &known.created_by)).ok_or_else(none)?;
    state.history.delete_subscription(state.cluster.id(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl AppState {
    /// Adds the callback that a run is to tell of its end.
    pub(super) async fn tell_at_end(&self, caller: &Arc<auth::Caller>, run: Uuid, new: NewCallback) -> ApiResult<()> {
        let callback = new.sealed(self, caller, Some(run), "callback/")?;
        self.history.add_callback(&callback).await?;
        // One that ended before its callback was there has told nobody.
        if let Some(run) = self.history.run(self.cluster.id(), run).await?
            && is_done(&run.header)
        {
            tell_of_run(self, &run.header).await?;
        }
        Ok(())
    }
}
