//! Markdown for a ticket or a chat: what was found, where, why and what to do; what was not seen; how to check by hand.

use std::fmt::Write as _;

use super::{
    Shown,
    words::{self, label, place},
};

/// Pieces of evidence of a finding.
const EVIDENCE: usize = 2;

pub(super) fn markdown(shown: &Shown) -> String {
    let mut out = format!("## {}\n\n{}\n", escaped(shown.title), escaped(shown.summary));
    for finding in shown.findings {
        let _ = writeln!(
            out,
            "\n- **{}** `{}` {}: {}",
            label(finding.severity),
            finding.code,
            escaped(&place(&finding.subject)),
            escaped(&finding.message)
        );
        for evidence in finding.evidence.iter().take(EVIDENCE) {
            let _ = writeln!(out, "  - {}: {}", escaped(&evidence.from), code(&evidence.text));
        }
        if !finding.remedy.is_empty() {
            let _ = writeln!(out, "  - Do: {}", remedy(&finding.remedy));
        }
        if !finding.docs.is_empty() {
            let _ = writeln!(out, "  - See <{}>", finding.docs);
        }
    }
    if let Some(missing) = words::missing(shown, 0) {
        let _ = writeln!(out, "\n{missing}.");
    }
    if !shown.skipped.is_empty() {
        out.push_str("\nNot seen:\n\n");
        for skipped in shown.skipped {
            let _ = writeln!(out, "- {}: {}", escaped(&skipped.what), escaped(&skipped.why));
        }
    }
    if !shown.commands.is_empty() {
        let _ = write!(out, "\n```sh\n{}\n```\n", shown.commands.join("\n"));
    }
    if words::is_url(shown.link) {
        let _ = writeln!(out, "\n[The whole answer]({})", shown.link);
    }
    out
}

/// A remedy in one list item: lines that it indents, such as those of a manifest, are code.
fn remedy(text: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for (index, line) in text.trim_end().lines().enumerate() {
        let is_code = index > 0 && (line.starts_with(' ') || (in_code && line.is_empty()));
        if is_code != in_code {
            out.push_str(if is_code { "\n    ```yaml" } else { "\n    ```" });
            in_code = is_code;
        }
        if index > 0 {
            out.push_str("\n    ");
        }
        out.push_str(&if is_code { line.to_owned() } else { escaped(line) });
    }
    if in_code {
        out.push_str("\n    ```");
    }
    out
}

/// A span of code in one line, whatever backticks are in it.
fn code(text: &str) -> String {
    let text = text.replace('\n', " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Escapes what Markdown would take for markup. What stands between backticks is code already, and stays as it can be
/// pasted.
fn escaped(text: &str) -> String {
    let text = text.replace('\n', " ");
    let parts: Vec<&str> = text.split('`').collect();
    let balanced = parts.len() % 2 == 1;
    let mut out = String::with_capacity(text.len());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(if balanced { "`" } else { "\\`" });
        }
        if balanced && index % 2 == 1 {
            out.push_str(part);
            continue;
        }
        for c in part.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '*' | '_' | '[' | ']' | '\\' | '|' => out.extend(['\\', c]),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_can_be_pasted_and_prose_is_no_markup() {
        assert_eq!(escaped("use `--cert=<file>` for <file> *.shop"), "use `--cert=<file>` for &lt;file> \\*.shop");
        assert_eq!(escaped("a ` alone <b>"), "a \\` alone &lt;b>");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a`"), "`` `a` ``");
    }

    #[test]
    fn a_manifest_in_a_remedy_is_a_block_of_code() {
        let written = remedy("apply this:\n  kind: Sidecar\n  a: <b>\nthen wait");
        assert_eq!(written, "apply this:\n    ```yaml\n      kind: Sidecar\n      a: <b>\n    ```\n    then wait");
    }
}
