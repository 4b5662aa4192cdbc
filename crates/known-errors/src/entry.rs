//! An entry of the catalogue: as the data file writes it, and as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alerts;
use super::surroundings::Needs;
use super::template::Value;

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorSource {
    /// The error table of the [troubleshooting guide of the Istio add-on][guide].
    ///
    /// [guide]: https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting#error-messages
    Guide,
    /// Messages of Azure CLI, the AKS API, admission webhooks, istiod, the proxy, istioctl and client programs.
    Extended,
    /// Added by whoever operates this service.
    Operator,
}

/// How sure the wording of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBasis {
    /// Quoted in documentation.
    Doc,
    /// Read in the program that prints it.
    Source,
    /// Seen in a public report.
    Issue,
    /// Well known; the wording is approximate.
    Knowledge,
}

/// A known error: what it means and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownError {
    /// Stable, and with a slash inside: `guide/1-region-unsupported`.
    pub id: String,
    pub source: ErrorSource,
    /// What one was doing: `create`, `ingress`, `egress`, `plugin-ca`, `upgrade`, `injection`, `validation`, `traffic` …
    pub phase: String,
    /// What printed it: `api`, `cli`, `admission`, `validation`, `event`, `log`, `response`, `client`, `warning`,
    /// `notice`; or `wrapper` for an envelope round another message.
    pub kind: String,
    /// The text as it is published, with its own placeholders.
    pub message: String,
    /// The text with named placeholders: the names of the `parameters` of a match.
    pub template: String,
    /// Other wordings of the same message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    pub reason: String,
    pub recommendation: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub docs: Vec<String>,
    pub basis: ErrorBasis,
    /// Says less than the message that it carries.
    pub envelope: bool,
    /// Entries that often occur in the same text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
}

/// An entry as a data file writes it; `catalogue.yaml` describes the fields.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryText {
    pub(super) id: String,
    #[serde(default = "operator")]
    pub(super) source: ErrorSource,
    #[serde(default = "other")]
    pub(super) phase: String,
    #[serde(default = "other")]
    pub(super) kind: String,
    pub(super) message: Option<String>,
    pub(super) template: String,
    #[serde(default)]
    pub(super) also: Vec<String>,
    #[serde(default, rename = "where")]
    pub(super) conditions: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) needs_mesh_word: bool,
    #[serde(default)]
    pub(super) needs: Needs,
    #[serde(default)]
    pub(super) near_mesh_word: Vec<String>,
    #[serde(default)]
    pub(super) alerts: Vec<String>,
    #[serde(default)]
    pub(super) untranslated: Vec<String>,
    pub(super) caveat: Option<String>,
    #[serde(default)]
    pub(super) structural: bool,
    #[serde(default)]
    pub(super) envelope: bool,
    #[serde(default)]
    pub(super) last_resort: bool,
    #[serde(default)]
    pub(super) alternatives: Vec<String>,
    pub(super) reason: String,
    pub(super) recommendation: String,
    #[serde(default = "knowledge")]
    pub(super) basis: ErrorBasis,
    #[serde(default)]
    pub(super) links: Vec<String>,
}

fn operator() -> ErrorSource {
    ErrorSource::Operator
}

fn other() -> String {
    "other".to_owned()
}

fn knowledge() -> ErrorBasis {
    ErrorBasis::Knowledge
}

/// An entry with what matching needs to know about it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) known: KnownError,
    /// Values that a placeholder must have, `*` standing for anything.
    pub(super) conditions: BTreeMap<String, Vec<String>>,
    pub(super) needs: Needs,
    /// Wordings that are meant only near a word of the mesh.
    pub(super) near_mesh_word: Vec<String>,
    /// What stays as it is when the message is translated.
    pub(super) untranslated: Vec<String>,
    /// Said only where nothing else was recognised.
    pub(super) last_resort: bool,
    pub(super) caveat: Option<String>,
    /// Found by its form, and not by the template.
    pub(super) structural: bool,
}

impl From<EntryText> for Entry {
    fn from(text: EntryText) -> Self {
        let EntryText { id, source, phase, kind, message, template, mut also, conditions, caveat, .. } = text;
        let spelled = text.alerts.iter().flat_map(|alert| alerts::wordings(alert));
        // The template itself may be one of the spellings.
        also.extend(spelled.filter(|wording| !wording.eq_ignore_ascii_case(&template)));
        let needs = if text.needs_mesh_word { Needs::MeshWord } else { text.needs };
        let known = KnownError {
            id,
            source,
            phase,
            kind,
            message: message.unwrap_or_else(|| template.clone()),
            template,
            also,
            reason: text.reason,
            recommendation: text.recommendation,
            docs: text.links,
            basis: text.basis,
            envelope: text.envelope,
            alternatives: text.alternatives,
        };
        Self {
            known,
            conditions,
            needs,
            near_mesh_word: text.near_mesh_word,
            untranslated: text.untranslated,
            last_resort: text.last_resort,
            caveat,
            structural: text.structural,
        }
    }
}

impl Entry {
    /// Whether the values of a wording are ones that the entry speaks of. Other wordings may have other placeholders.
    pub(super) fn accepts(&self, wording: &[Value], parameters: &BTreeMap<String, String>) -> bool {
        self.conditions.iter().filter(|(name, _)| wording.iter().any(|value| value.name == **name)).all(
            |(name, globs)| {
                parameters.get(name).is_some_and(|value| globs.iter().any(|glob| matches_glob(glob, value)))
            },
        )
    }

    /// Whether it says more than that something stands round another message.
    pub(super) fn tells(&self) -> bool {
        !self.known.envelope && !self.last_resort
    }

    /// Whether it only wraps another message, and says nothing without it.
    pub(super) fn is_wrapper(&self) -> bool {
        self.known.envelope && self.known.kind == "wrapper"
    }
}

/// Whether a value fits a pattern in which each `*` stands for anything.
fn matches_glob(glob: &str, value: &str) -> bool {
    let Some((before, rest)) = glob.split_once('*') else { return glob == value };
    let Some(mut value) = value.strip_prefix(before) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = value.find(part) else { return false };
        value = &value[at + part.len()..];
    }
    value.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches_glob("*.istio.io", "rev.validation.istio.io"));
        assert!(matches_glob("rev.*", "rev.namespace.sidecar"));
        assert!(!matches_glob("*.istio.io", "vault.hashicorp.com"));
        assert!(matches_glob("*cacerts*", "data cacerts istio") && matches_glob("*a*b*", "xaxb"));
        assert!(!matches_glob("*a*b*", "xbxa") && !matches_glob("*a*", "b"));
        assert!(!matches_glob("aa*aa", "aaa"));
        assert!(matches_glob("plain", "plain"));
    }
}
