//! Findings in words, for terminals and for chats.

use std::fmt::Write as _;

use super::{Finding, Severity, Skipped, Subject};

/// The parts of an answer that a renderer shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub findings: &'a [Finding],
    pub skipped: &'a [Skipped],
    pub commands: &'a [String],
}

/// Plain text: what is wrong, where, why and what to do, in that order.
pub fn text(shown: &Shown) -> String {
    text_around(shown, "")
}

/// The same with something more to read after what is wrong, such as tables.
pub fn text_around(shown: &Shown, more: &str) -> String {
    let mut out = format!("{}\n", shown.summary);
    for finding in shown.findings {
        let _ = writeln!(
            out,
            "\n{} [{}] {}: {}",
            label(finding.severity),
            finding.code,
            place(&finding.subject),
            finding.message
        );
        for evidence in finding.evidence.iter().take(3) {
            let _ = writeln!(out, "  {}: {}", evidence.from, evidence.text);
        }
        if !finding.remedy.is_empty() {
            let _ = writeln!(out, "  do: {}", finding.remedy);
        }
        if !finding.docs.is_empty() {
            let _ = writeln!(out, "  see: {}", finding.docs);
        }
    }
    out.push_str(more);
    if !shown.skipped.is_empty() {
        out.push_str("\nNot seen:\n");
        for skipped in shown.skipped {
            let _ = writeln!(out, "  {}: {}", skipped.what, skipped.why);
        }
    }
    if !shown.commands.is_empty() {
        out.push_str("\nCheck by hand:\n");
        for command in shown.commands {
            let _ = writeln!(out, "  {command}");
        }
    }
    out
}

/// Markdown with the same parts.
pub fn markdown(shown: &Shown) -> String {
    let mut out = format!("## {}\n\n{}\n", shown.title, shown.summary);
    for finding in shown.findings {
        let _ = writeln!(
            out,
            "\n- **{}** `{}` {}: {}",
            label(finding.severity),
            finding.code,
            place(&finding.subject),
            escaped(&finding.message)
        );
        for evidence in finding.evidence.iter().take(2) {
            let _ = writeln!(out, "  - {}: `{}`", evidence.from, evidence.text.replace('`', "'"));
        }
        if !finding.remedy.is_empty() {
            let _ = writeln!(out, "  - Do: {}", escaped(&finding.remedy));
        }
        if !finding.docs.is_empty() {
            let _ = writeln!(out, "  - See <{}>", finding.docs);
        }
    }
    if !shown.skipped.is_empty() {
        out.push_str("\nNot seen:\n\n");
        for skipped in shown.skipped {
            let _ = writeln!(out, "- {}: {}", skipped.what, escaped(&skipped.why));
        }
    }
    if !shown.commands.is_empty() {
        let _ = write!(out, "\n```sh\n{}\n```\n", shown.commands.join("\n"));
    }
    out
}

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

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    }
}

fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('*', "\\*").replace('\n', " ")
}
