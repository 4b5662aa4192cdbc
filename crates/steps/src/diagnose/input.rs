//! What a diagnosis is asked for.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::input::{Invalid, check};

/// How much is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Objects, events, and the logs of istiod and of gateways.
    Quick,
    /// Besides, what every proxy has and logs.
    #[default]
    Full,
}

/// The scope: everything, or what somebody has trouble with.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiagnoseInput {
    /// What concerns these namespaces comes first; the control plane always counts.
    #[schema(max_items = 100)]
    pub namespace: Vec<String>,
    /// Everything; the default when no namespace is named.
    pub all_namespaces: bool,
    /// Who calls: `namespace/name` of a workload, pod or Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 317)]
    pub from: Option<String>,
    /// Who is called, the same, or a host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 317)]
    pub to: Option<String>,
    /// What users see: a status such as `503`, or words of an error message.
    #[schema(max_items = 10)]
    pub symptom: Vec<String>,
    /// A sentence in which names and statuses are looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub text: Option<String>,
    pub depth: Depth,
}

impl DiagnoseInput {
    pub(super) fn check(&self) -> Vec<Invalid> {
        let mut invalid = check::place(&self.namespace, self.all_namespaces);
        invalid.extend(check::text("from", self.from.as_deref(), 317));
        invalid.extend(check::text("to", self.to.as_deref(), 317));
        invalid.extend(check::text("text", self.text.as_deref(), 2000));
        if self.symptom.len() > 10 {
            invalid.push(Invalid::new("symptom", "range", "at most 10 symptoms"));
        }
        for (index, symptom) in self.symptom.iter().enumerate().take(10) {
            invalid.extend(check::text(&format!("symptom/{index}"), Some(symptom), 2000));
        }
        invalid
    }
}
