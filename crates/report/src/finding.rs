//! A finding and its parts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How bad a finding is. The order is that of urgency: `Info < Warning < Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A risk, or something works only in part.
    Warning,
    /// Something does not work.
    Error,
}

/// A kind of finding. Codes are stable and never reused; `IST…` means the same as Istio's own code.
#[derive(Debug)]
pub struct Code {
    /// For example `IST0101`, `K8S0003`, `ENV0001`, `AKS0001`.
    pub id: &'static str,
    pub severity: Severity,
    /// Where the rule comes from: a page of Istio, Envoy, Kubernetes or AKS.
    pub docs: &'static str,
    /// What it means, why it matters, what to do (Markdown).
    pub page: &'static str,
}

impl Code {
    /// The first paragraph under the page's heading "What to do", in one line.
    pub fn what_to_do(&self) -> String {
        let (_, text) = self.page.split_once("## What to do\n").unwrap_or_default();
        let paragraph = text.trim_start().split("\n\n").next().unwrap_or_default();
        paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim_end().to_owned()
    }
}

/// The object that a finding is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// Kubernetes kind, for example `VirtualService`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    /// The workload that a pod belongs to, so that a restart does not make a new problem of an old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Container of a pod, where the finding is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// JSON path of the field, for example `{.spec.http[0].route[0].destination.host}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// File and line, where the object came from a file: `gateway.yaml:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// The workload at the top of an owner chain: the Deployment of a ReplicaSet of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Owner {
    pub kind: String,
    pub name: String,
}

impl Subject {
    pub fn namespaced(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: Some(namespace.into()), name: name.into(), ..Self::default() }
    }

    pub fn cluster_wide(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into(), ..Self::default() }
    }

    #[must_use]
    pub fn owned_by(mut self, kind: impl Into<String>, name: impl Into<String>) -> Self {
        self.owner = Some(Owner { kind: kind.into(), name: name.into() });
        self
    }

    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// A piece of what was read, quoted so that a person can check the finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Where it was read, for example `log of shop/cart-1 (istio-proxy)` or `event FailedCreate`.
    pub from: String,
    /// The text itself, shortened.
    pub text: String,
    /// How often it was seen, where it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// When it was last seen (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

impl Evidence {
    pub fn new(from: impl Into<String>, text: impl Into<String>) -> Self {
        Self { from: from.into(), text: text.into(), count: None, last_seen: None }
    }
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    #[schema(value_type = String)]
    pub code: Cow<'static, str>,
    pub severity: Severity,
    pub subject: Subject,
    /// What is wrong, with the values.
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What to do about it: for this case, or in general as the code's page has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// Where to read more.
    #[schema(value_type = String)]
    pub docs: Cow<'static, str>,
    /// Stable over runs: the same problem of the same subject has the same fingerprint.
    #[serde(default)]
    pub fingerprint: String,
    /// The steps that found it, where several were carried out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found_by: Vec<String>,
    /// What tells two findings of one code about one subject apart, besides the subject.
    #[serde(skip)]
    pub discriminator: String,
}

impl Finding {
    /// A finding of this code, with the code's severity and link, and what its page says to do.
    pub fn new(code: &'static Code, subject: Subject, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code.id),
            severity: code.severity,
            subject,
            message: message.into(),
            evidence: Vec::new(),
            remedy: code.what_to_do(),
            docs: Cow::Borrowed(code.docs),
            fingerprint: String::new(),
            found_by: Vec::new(),
            discriminator: String::new(),
        }
    }

    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    #[must_use]
    pub fn evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Tells this finding apart from others of the same code and subject (a host, a port, a container). Never a
    /// time, a counter or a pod's hash.
    #[must_use]
    pub fn discriminator(mut self, discriminator: impl Into<String>) -> Self {
        self.discriminator = discriminator.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(page: &'static str) -> Code {
        Code { id: "K8S9999", severity: Severity::Info, docs: "", page }
    }

    #[test]
    fn page_says_what_to_do() {
        assert_eq!(code("# A\n\ntext\n\n## What to do\n\nDo\nit.\n\nMore.").what_to_do(), "Do it.");
        assert_eq!(code("no page").what_to_do(), "");
    }
}
