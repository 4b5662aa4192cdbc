//! Messages on their way: sent, tried again over a day, given up. Any replica sends what is due.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use http::StatusCode;

use super::{Callbacks, event::message, signature::headers, target::MessageForm};
use crate::{
    app::App,
    cluster::chain,
    history::{Delivery, Tried},
};

const AT_ONCE: usize = 8;
/// While a message is being sent, no other process sends it. Longer than a message may take.
const LEASE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After each try but the last: together a day.
const AGAIN_AFTER: [Duration; 7] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(15),
];
/// Messages given up one after the other, until the callback is switched off.
const MOST_FAILURES: u32 = 5;

/// Sends what is due, now and then.
pub async fn keep_delivering(app: Arc<App>) {
    if app.callbacks.is_none() {
        return;
    }
    loop {
        match deliver_due(&app).await {
            Ok(0) => tokio::time::sleep(LOOK_EVERY).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("messages could not be looked for: {}", chain(&error));
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Sends what is due, and says how many messages these were.
pub async fn deliver_due(app: &App) -> Result<usize, crate::history::Error> {
    let Some(callbacks) = &app.callbacks else { return Ok(0) };
    let due = app.history.due_deliveries(app.cluster.id(), AT_ONCE as u32, LEASE).await?;
    let count = due.len();
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, |delivery| async move {
            let tried = attempt(app, callbacks, &delivery).await;
            if let Some(why) = &tried.error {
                let (id, again) = (delivery.id, tried.again_after);
                tracing::warn!(message.id = %id, ?again, "message {id} did not arrive: {why}");
            }
            if let Err(error) = app.history.delivery_tried(&delivery, &tried, MOST_FAILURES).await {
                // It is sent once more when its lease ends; its id tells the receiver.
                tracing::warn!("the end of a message was not recorded: {}", chain(&error));
            }
        })
        .await;
    Ok(count)
}

async fn attempt(app: &App, callbacks: &Callbacks, delivery: &Delivery) -> Tried {
    let given_up =
        |error: &str| Tried { status: None, error: Some(error.to_owned()), again_after: None, delivered: false };
    let callback = match app.history.callback(&delivery.cluster, delivery.callback).await {
        Ok(Some(callback)) => callback,
        Ok(None) => return given_up("its callback is gone"),
        Err(error) => return again(delivery, None, chain(&error)),
    };
    if callback.disabled {
        return given_up("its callback is switched off");
    }
    let Some(target) = callbacks.open(callback.id, &callback.target) else {
        return given_up("its callback was sealed with another key: delete it, and make it anew");
    };
    let Ok(document) = serde_json::from_str(&delivery.body) else { return given_up("its event cannot be read") };
    let (body, mut all) = message(&document, MessageForm::named(&callback.kind));
    let id = delivery.id.to_string();
    let signed = headers(target.secret.as_deref(), &id, app.clock.now().as_second(), &body);
    all.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    match callbacks.sender.send(&target, all, body).await {
        Ok(status) if status.is_success() => {
            Tried { status: Some(status.as_u16()), error: None, again_after: None, delivered: true }
        }
        // The receiver says that it will never want it.
        Ok(StatusCode::GONE) => Tried { status: Some(410), ..given_up("the receiver is gone") },
        Ok(status) => again(delivery, Some(status.as_u16()), format!("the receiver answered {status}")),
        Err(error) => again(delivery, None, chain(&error)),
    }
}

fn again(delivery: &Delivery, status: Option<u16>, error: String) -> Tried {
    let tries = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
    let after = AGAIN_AFTER.get(tries.saturating_sub(1));
    // Up to a quarter more, so that what failed together does not come together.
    let jitter = |after: &Duration| after.mul_f64(1.0 + f64::from(delivery.id.as_bytes()[15]) / 1024.0);
    Tried { status, error: Some(error), again_after: after.map(jitter), delivered: false }
}
