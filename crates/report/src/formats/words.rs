//! Words that several forms share.

use std::fmt::Write as _;

use super::Shown;
use crate::{Severity, Subject, Verdict};

/// `Pod shop/cart-1 (istio-proxy)`.
pub fn place(subject: &Subject) -> String {
    let mut text = subject.kind.clone();
    let _ = match &subject.namespace {
        Some(namespace) => write!(text, " {namespace}/{}", subject.name),
        None => write!(text, " {}", subject.name),
    };
    if let Some(container) = &subject.container {
        let _ = write!(text, " ({container})");
    }
    text
}

pub(super) fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    }
}

/// The verdict as a headline says it.
pub(super) fn verdict(verdict: Option<Verdict>) -> &'static str {
    let Some(verdict) = verdict else { return "dry run" };
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Info => "worth knowing",
        Verdict::Warning => "warning",
        Verdict::Error => "error",
        Verdict::Unknown => "unknown",
    }
}

/// `3 more findings are not shown`, with those that did not fit; nothing where all are there.
pub(super) fn missing(shown: &Shown, cut: usize) -> Option<String> {
    let count = shown.not_shown + u64::try_from(cut).unwrap_or(u64::MAX);
    match count {
        0 => None,
        1 => Some("1 more finding is not shown".to_owned()),
        more => Some(format!("{more} more findings are not shown")),
    }
}

/// At most `most` characters; what is cut ends with `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Whether the link can be opened by somebody who has nothing but the message.
pub(super) fn is_url(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}
