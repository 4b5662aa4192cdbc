//! What the rules found in one object.

use super::value::Check;

/// What kind of fault a problem is; each has its code of Istio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The object cannot be read as its kind at all; nothing else of it was checked. `istioctl` reports the file.
    Decode,
    /// A rule of the kind is broken: [IST0106](https://istio.io/latest/docs/reference/config/analysis/ist0106/).
    Error,
    /// Allowed, but suspicious: [IST0133](https://istio.io/latest/docs/reference/config/analysis/ist0133/).
    Warning,
    /// A route is never reached: [IST0130](https://istio.io/latest/docs/reference/config/analysis/ist0130/).
    UnreachableRule,
    /// A match is never used: [IST0131](https://istio.io/latest/docs/reference/config/analysis/ist0131/).
    IneffectiveMatch,
    /// The schema of the CRD refuses the object; Istio has no code for it.
    Crd,
}

impl ProblemKind {
    /// Istio's code, where it has one.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Decode | Self::Error => Some("IST0106"),
            Self::Warning => Some("IST0133"),
            Self::UnreachableRule => Some("IST0130"),
            Self::IneffectiveMatch => Some("IST0131"),
            Self::Crd => None,
        }
    }
}

/// One fault of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// What the rule says, without the words that `istioctl` puts before it.
    pub text: String,
    /// JSON path of the value, such as `{.spec.hosts[0]}`, where it is known.
    pub path: Option<String>,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), path: None }
    }

    #[must_use]
    pub(super) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The message as `istioctl analyze` prints it.
    pub fn message(&self) -> String {
        match self.kind {
            ProblemKind::Decode | ProblemKind::Error => format!("Schema validation error: {}", self.text),
            ProblemKind::Warning => format!("Schema validation warning: {}", self.text),
            ProblemKind::UnreachableRule | ProblemKind::IneffectiveMatch | ProblemKind::Crd => self.text.clone(),
        }
    }
}

/// What is wrong with an object. Both lists are in the order in which the rules were applied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub errors: Vec<Problem>,
    /// What does not make the object invalid, unreachable routes and ineffective matches among it.
    pub warnings: Vec<Problem>,
    /// Rules that were not applied to this object, and why: it is too large, or we cannot.
    pub skipped: Vec<String>,
}

impl Outcome {
    pub(super) fn error(&mut self, text: impl Into<String>) {
        self.errors.push(Problem::new(ProblemKind::Error, text));
    }

    pub(super) fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(Problem::new(ProblemKind::Warning, text));
    }

    /// Keeps what a rule on a single value says.
    pub(super) fn check(&mut self, result: Check) {
        if let Err(text) = result {
            self.error(text);
        }
    }

    pub(super) fn errors(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.error(text);
        }
    }

    /// Applies rules whose warnings nobody sees, because upstream calls them in a way that drops those.
    pub(super) fn without_warnings(&mut self, rules: impl FnOnce(&mut Self)) {
        let before = self.warnings.len();
        rules(self);
        self.warnings.truncate(before);
    }

    /// Replaces everything found so far: some rules end the check and leave only their own word.
    pub(super) fn only(error: impl Into<String>) -> Self {
        let mut outcome = Self::default();
        outcome.error(error);
        outcome
    }

    pub(super) fn skip(&mut self, what: &str) {
        if !self.skipped.iter().any(|skipped| skipped == what) {
            self.skipped.push(what.to_owned());
        }
    }
}
