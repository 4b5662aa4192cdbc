//! The forms an answer can be sent in. Each has a file of its own, which turns what is `Shown` into text; this one has
//! their table. A form that cannot hold everything says how much is missing and where the rest is.

mod adaptive_card;
mod csv;
mod html;
mod junit;
mod markdown;
mod sarif;
mod slack;
mod text;
mod words;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use text::Style;
pub use words::place;

use super::{Counts, Finding, Severity, Skipped, Verdict};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The envelope, with typed data.
    #[default]
    Json,
    /// For a person in a terminal: the summary, the findings, then what the command would print.
    Text,
    /// What the command would print and nothing else; for steps without such a command, the same as `text`.
    Raw,
    /// The envelope.
    Yaml,
    /// Findings for a chat or a ticket.
    Markdown,
    /// A message of Slack (Block Kit).
    Slack,
    /// A message of Teams with an Adaptive Card.
    AdaptiveCard,
    /// A page to read on a screen or on paper, without anything from other hosts.
    Html,
    /// One row for each finding, and for each part that could not be read.
    Csv,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI.
    Junit,
}

impl Format {
    pub const ALL: [Self; 11] = [
        Self::Json,
        Self::Text,
        Self::Raw,
        Self::Yaml,
        Self::Markdown,
        Self::Slack,
        Self::AdaptiveCard,
        Self::Html,
        Self::Csv,
        Self::Sarif,
        Self::Junit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Raw => "raw",
            Self::Yaml => "yaml",
            Self::Markdown => "markdown",
            Self::Slack => "slack",
            Self::AdaptiveCard => "adaptive-card",
            Self::Html => "html",
            Self::Csv => "csv",
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
            Self::Json | Self::Slack => "application/json",
            // Teams halves the size that it takes where the character set is not named.
            Self::AdaptiveCard => "application/json; charset=utf-8",
            Self::Text | Self::Raw => "text/plain; charset=utf-8",
            Self::Yaml => "application/yaml; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Sarif => "application/sarif+json",
            Self::Junit => "application/xml; charset=utf-8",
        }
    }

    /// The content type without its parameters.
    pub fn media_type(self) -> &'static str {
        self.content_type().split(';').next().expect("a split has a first part")
    }

    /// Whether what the command would print is part of it.
    pub fn shows_output(self) -> bool {
        matches!(self, Self::Text | Self::Raw | Self::Html)
    }
}

/// The parts of an answer that a form shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Id of the step.
    pub step: &'a str,
    pub title: &'a str,
    /// One line.
    pub summary: &'a str,
    /// None of a dry run.
    pub verdict: Option<Verdict>,
    /// Of all findings, shown or not.
    pub counts: Counts,
    pub findings: &'a [Finding],
    /// Findings that the caller did not want to see.
    pub not_shown: u64,
    pub skipped: &'a [Skipped],
    pub commands: &'a [String],
    /// What the command would print.
    pub output: Option<&'a str>,
    /// When it was looked at (RFC 3339).
    pub at: &'a str,
    /// Where the whole answer is: a URL, or a path where the service does not know its own address.
    pub link: &'a str,
    /// A finding of this severity, or a worse one, fails a test in CI.
    pub fail_on: Severity,
}

/// Writes an answer. `envelope` is all of it, for the formats that hold all.
pub fn write(format: Format, shown: &Shown, envelope: &impl Serialize) -> String {
    match format {
        Format::Json => serde_json::to_string_pretty(envelope).expect("an answer is JSON"),
        Format::Yaml => serde_saphyr::to_string(envelope).expect("an answer can be written as YAML"),
        Format::Text => text::text(shown, Style::default()),
        Format::Raw => shown.output.map_or_else(|| text::text(shown, Style::default()), str::to_owned),
        Format::Markdown => markdown::markdown(shown),
        Format::Slack => slack::slack(shown),
        Format::AdaptiveCard => adaptive_card::adaptive_card(shown),
        Format::Html => html::html(shown),
        Format::Csv => csv::csv(shown),
        Format::Sarif => sarif::sarif(shown),
        Format::Junit => junit::junit(shown),
    }
}

/// The text for a terminal.
pub fn write_text(shown: &Shown, style: Style) -> String {
    text::text(shown, style)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
