//! The forms an answer can be sent in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The envelope, with typed data.
    #[default]
    Json,
    /// What the command would print; for steps without a command of that kind, the findings in words.
    Text,
    /// As the command's `--output yaml`; for others, the data.
    Yaml,
    /// Findings for a chat or a ticket.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI.
    Junit,
}

impl Format {
    pub const ALL: [Self; 6] = [Self::Json, Self::Text, Self::Yaml, Self::Markdown, Self::Sarif, Self::Junit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Yaml => "yaml",
            Self::Markdown => "markdown",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            // Success bodies are plain JSON: some clients parse nothing else.
            Self::Json | Self::Sarif => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Yaml => "application/yaml; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Junit => "application/xml; charset=utf-8",
        }
    }
}
