//! How much of an answer its caller wants to see. The verdict and the counts stay those of the whole.

use super::{Finding, Severity};

/// Most findings that can be asked for.
pub const MAX_TOP: u32 = 10_000;

/// Which findings, in which order, and whether with all that belongs to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// Only findings that are as bad, or worse.
    pub min_severity: Option<Severity>,
    /// Only so many, after sorting.
    pub top: Option<u32>,
    /// Without the step's data and without evidence.
    pub summary: bool,
    pub sort: Sort,
}

/// What findings are sorted by. The worst come first unless something else is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    pub by: SortKey,
    /// As `severity` without a `-` would: the mildest first.
    pub reversed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    #[default]
    Severity,
    Code,
    Namespace,
    Kind,
}

/// The orders that can be asked for, by their names.
pub const SORTS: [&str; 8] = ["-severity", "severity", "code", "-code", "namespace", "-namespace", "kind", "-kind"];

impl View {
    /// Takes one of the parameters `min_severity`, `top`, `view` and `sort`. `None` where it is none of them, an error that
    /// says what is allowed.
    pub fn take(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        Some(match name {
            "min_severity" => match severity(value) {
                Some(severity) => {
                    self.min_severity = Some(severity);
                    Ok(())
                }
                None => Err("must be one of error, warning, info".to_owned()),
            },
            "top" => match value.parse() {
                Ok(top) if (1..=MAX_TOP).contains(&top) => {
                    self.top = Some(top);
                    Ok(())
                }
                _ => Err(format!("must be from 1 to {MAX_TOP}")),
            },
            "view" => match value {
                "full" | "summary" => {
                    self.summary = value == "summary";
                    Ok(())
                }
                _ => Err("must be one of full, summary".to_owned()),
            },
            "sort" => match sort(value) {
                Some(sort) => {
                    self.sort = sort;
                    Ok(())
                }
                None => Err(format!("must be one of {}", SORTS.join(", "))),
            },
            _ => return None,
        })
    }

    /// Cuts findings, which are sorted with the worst first, to what is wanted; says how many are gone.
    pub fn cut(&self, findings: &mut Vec<Finding>) -> u64 {
        let before = findings.len();
        if let Some(least) = self.min_severity {
            findings.retain(|finding| finding.severity >= least);
        }
        // Stable: findings that are equal stay in the order of their severity.
        match self.sort.by {
            SortKey::Severity => {}
            SortKey::Code => findings.sort_by(|a, b| a.code.cmp(&b.code)),
            SortKey::Namespace => findings.sort_by(|a, b| a.subject.namespace.cmp(&b.subject.namespace)),
            SortKey::Kind => findings.sort_by(|a, b| a.subject.kind.cmp(&b.subject.kind)),
        }
        if self.sort.reversed {
            findings.reverse();
        }
        if let Some(top) = self.top {
            findings.truncate(usize::try_from(top).unwrap_or(usize::MAX));
        }
        if self.summary {
            for finding in &mut *findings {
                finding.evidence.clear();
            }
        }
        u64::try_from(before - findings.len()).unwrap_or(u64::MAX)
    }
}

/// A severity by its name.
pub fn severity(name: &str) -> Option<Severity> {
    match name {
        "error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "info" => Some(Severity::Info),
        _ => None,
    }
}

fn sort(text: &str) -> Option<Sort> {
    let (minus, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    let sort = |by, reversed| Some(Sort { by, reversed });
    match name {
        // Its natural order is from the mildest to the worst.
        "severity" => sort(SortKey::Severity, !minus),
        "code" => sort(SortKey::Code, minus),
        "namespace" => sort(SortKey::Namespace, minus),
        "kind" => sort(SortKey::Kind, minus),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{Code, Subject};

    static ERROR: Code = Code { id: "K8S9998", severity: Severity::Error, docs: "", page: "" };
    static WARNING: Code = Code { id: "K8S9997", severity: Severity::Warning, docs: "", page: "" };
    static INFO: Code = Code { id: "K8S9999", severity: Severity::Info, docs: "", page: "" };

    fn cut(parameters: &[(&str, &str)]) -> (Vec<String>, u64) {
        let mut view = View::default();
        for (name, value) in parameters {
            view.take(name, value).unwrap().unwrap();
        }
        let of = |code, namespace| Finding::new(code, Subject::namespaced("Pod", namespace, "a"), "");
        let mut findings = vec![of(&ERROR, "b"), of(&WARNING, "a"), of(&INFO, "c")];
        let gone = view.cut(&mut findings);
        (findings.into_iter().map(|finding| finding.code.into_owned()).collect(), gone)
    }

    #[test]
    fn findings_are_cut_and_sorted_and_those_that_are_gone_are_counted() {
        let check = |parameters: &[(&str, &str)], expected: &[&str], gone: u64| {
            let (codes, counted) = cut(parameters);
            assert_eq!((codes.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), counted), (expected, gone));
        };
        check(&[], &["K8S9998", "K8S9997", "K8S9999"], 0);
        check(&[("min_severity", "warning")], &["K8S9998", "K8S9997"], 1);
        check(&[("top", "1")], &["K8S9998"], 2);
        check(&[("sort", "namespace")], &["K8S9997", "K8S9998", "K8S9999"], 0);
        check(&[("sort", "severity"), ("top", "1")], &["K8S9999"], 2);
        check(&[("sort", "-code"), ("top", "2")], &["K8S9999", "K8S9998"], 1);
    }

    #[test]
    fn every_sort_that_is_named_is_known_and_others_are_refused() {
        assert!(SORTS.iter().all(|name| sort(name).is_some()));
        let mut view = View::default();
        for (name, value) in [("sort", "name"), ("top", "0"), ("top", "x"), ("view", ""), ("min_severity", "bad")] {
            assert!(view.take(name, value).unwrap().is_err(), "{name}={value}");
        }
        assert!(view.take("namespace", "shop").is_none());
        assert_eq!(view, View::default());
    }
}
