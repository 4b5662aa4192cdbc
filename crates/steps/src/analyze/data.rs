//! What an analysis answers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{AnalyzeInput, AnalyzeOutput};

use analyzers::{self, Analysis, Message};
use mesh::Mesh;
use report::Finding;

/// An analysis.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnalyzeData {
    /// A finding, shown or not, reached the failure threshold.
    pub failing: bool,
    /// Some document could not be read.
    pub unparsed: bool,
    /// The messages with istioctl's own fields: `code`, `documentationUrl`, `level`, `message`, `origin`, `reference`.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Value>,
    /// Objects that were looked at.
    pub objects: usize,
    /// Analyzers that ran, by istioctl's names.
    pub executed: Vec<&'static str>,
    /// Revisions of which some part of a control plane was seen.
    pub revisions: Vec<String>,
    /// Findings that an annotation, or the caller, does not want to see.
    pub suppressed: Suppressed,
    /// What istioctl prints.
    #[serde(skip)]
    pub(super) printed: String,
}

/// Findings that are not shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct Suppressed {
    pub count: usize,
    /// Themselves, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl AnalyzeData {
    pub(super) fn new(analysis: &Analysis<'_>, mesh: &Mesh, input: &AnalyzeInput) -> Self {
        let clusters = analysis.several_clusters;
        let format = match input.output {
            None | Some(AnalyzeOutput::Log) => analyzers::Format::Log { color: false },
            Some(AnalyzeOutput::Json) => analyzers::Format::Json,
            Some(AnalyzeOutput::Yaml) => analyzers::Format::Yaml,
        };
        Self {
            failing: analysis.failing,
            unparsed: !analysis.malformed.is_empty(),
            messages: analysis.messages.iter().map(|message| analyzers::to_json(message, clusters)).collect(),
            objects: mesh.len(),
            executed: analysis.executed.clone(),
            revisions: mesh.revisions().into_iter().map(str::to_owned).collect(),
            suppressed: Suppressed {
                count: analysis.suppressed.len(),
                findings: if input.show_suppressed {
                    analysis.suppressed.iter().map(Message::to_finding).collect()
                } else {
                    Vec::new()
                },
            },
            printed: analyzers::print(&analysis.messages, format, clusters),
        }
    }
}
