//! One page that needs nothing from other hosts, runs no script, and reads on a phone, on a screen and on paper: the verdict
//! first, then the findings with their evidence folded, then what was not seen and what the command would print.

use std::fmt::Write as _;

use super::{
    Shown,
    words::{self, is_url, label, place},
};
use crate::{Finding, Severity, Verdict};

/// Looks of the page. It stands in the page itself, so that a saved copy looks the same.
const STYLE: &str = include_str!("html.css");
/// Of what the command would print; a browser gets slow with more.
const OUTPUT: usize = 200_000;

pub(super) fn html(shown: &Shown) -> String {
    let (title, verdict, at) = (escaped(shown.title), words::verdict(shown.verdict), escaped(shown.at));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}: {verdict}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<main>\n<header>\n<h1>{title} <span class=\"verdict {}\">{verdict}</span></h1>\n\
         <p class=\"summary\">{}</p>\n<p class=\"about\">{} · <time datetime=\"{at}\">{at}</time> · {}</p>\n</header>\n",
        class(shown.verdict),
        escaped(shown.summary),
        escaped(shown.step),
        link(shown.link),
    );
    if !shown.findings.is_empty() {
        out.push_str("<section>\n<h2>Findings</h2>\n");
        for one in shown.findings {
            finding(&mut out, one);
        }
        out.push_str("</section>\n");
    }
    if let Some(missing) = words::missing(shown, 0) {
        let _ = writeln!(out, "<p>{missing}.</p>");
    }
    if !shown.skipped.is_empty() {
        out.push_str("<section>\n<h2>Not seen</h2>\n<dl>\n");
        for part in shown.skipped {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(&part.what), escaped(&part.why));
        }
        out.push_str("</dl>\n</section>\n");
    }
    if !shown.commands.is_empty() {
        let commands = escaped(&shown.commands.join("\n"));
        let _ = writeln!(out, "<section>\n<h2>Check by hand</h2>\n<pre tabindex=\"0\">{commands}</pre>\n</section>");
    }
    if let Some(output) = shown.output.filter(|output| !output.trim().is_empty()) {
        let note = if output.chars().count() > OUTPUT { " (its beginning)" } else { "" };
        let output = escaped(&words::cut(output, OUTPUT));
        let _ = writeln!(
            out,
            "<section>\n<h2>Output</h2>\n<details><summary>What the command prints{note}</summary>\n\
             <pre tabindex=\"0\">{output}</pre></details>\n</section>"
        );
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn finding(out: &mut String, finding: &Finding) {
    let class = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let code = if is_url(&finding.docs) {
        format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", escaped(&finding.docs), escaped(&finding.code))
    } else {
        escaped(&finding.code)
    };
    let _ = writeln!(
        out,
        "<article class=\"{class}\">\n<h3><span class=\"severity\">{}</span> {code} \
         <span class=\"subject\">{}</span></h3>\n<p>{}</p>",
        label(finding.severity),
        escaped(&place(&finding.subject)),
        escaped(&finding.message)
    );
    if !finding.remedy.is_empty() {
        let _ = writeln!(out, "<p class=\"remedy\"><strong>Do:</strong> {}</p>", escaped(&finding.remedy));
    }
    if !finding.evidence.is_empty() {
        out.push_str("<details><summary>Evidence</summary>\n<dl>\n");
        for evidence in &finding.evidence {
            let seen = match (evidence.count, &evidence.last_seen) {
                (Some(count), Some(last)) => format!(" ({count} times, last at {last})"),
                (Some(count), None) => format!(" ({count} times)"),
                (None, Some(last)) => format!(" (last at {last})"),
                (None, None) => String::new(),
            };
            let (from, text) = (escaped(&evidence.from), escaped(&evidence.text));
            let _ = writeln!(out, "<dt>{from}{}</dt><dd><pre tabindex=\"0\">{text}</pre></dd>", escaped(&seen));
        }
        out.push_str("</dl></details>\n");
    }
    out.push_str("</article>\n");
}

fn class(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Ok) => "ok",
        Some(Verdict::Info) => "info",
        Some(Verdict::Warning) => "warning",
        Some(Verdict::Error) => "error",
        Some(Verdict::Unknown) | None => "unknown",
    }
}

fn link(link: &str) -> String {
    let text = escaped(link);
    if is_url(link) { format!("<a href=\"{text}\">{text}</a>") } else { format!("<code>{text}</code>") }
}

/// For text and for values in quotation marks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
