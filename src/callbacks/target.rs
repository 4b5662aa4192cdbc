//! Where a message goes and in which form.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The form of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageForm {
    /// A [CloudEvent](https://cloudevents.io) in binary mode: the data as `application/json`, the rest as headers `ce-…`.
    #[default]
    CloudEvent,
    /// The whole CloudEvent as one JSON document, `application/cloudevents+json`.
    StructuredCloudEvent,
    /// The whole CloudEvent as one JSON document that says it is `application/json`, for receivers that read nothing else.
    Json,
    /// A message for the `response_url` of a Slack command, or for an incoming webhook.
    Slack,
}

/// What opens a callback; sealed in the database, and never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub url: String,
    pub secret: Option<String>,
    /// Such as `Authorization` for Rundeck and `St2-Api-Key` for StackStorm.
    pub headers: Vec<(String, String)>,
}

impl MessageForm {
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEvent => "cloud_event",
            Self::StructuredCloudEvent => "structured_cloud_event",
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }

    pub fn named(name: &str) -> Self {
        serde_json::from_value(name.into()).unwrap_or_default()
    }
}
