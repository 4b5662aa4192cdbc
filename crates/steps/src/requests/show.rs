//! A path as people read it: a chain of at most twelve lines, Markdown, and a sequence for Mermaid.

use std::fmt::Write as _;

use super::PathAnswer;
use paths::{Answerer, Confidence, Outcome};

/// Lines of one chain, so that it can be read in a chat.
pub(super) const LINES: usize = 12;

fn who(answerer: Answerer) -> &'static str {
    match answerer {
        Answerer::Resolver => "DNS",
        Answerer::ClientProxy => "the client's proxy",
        Answerer::Gateway => "the gateway",
        Answerer::ServerProxy => "the server's proxy",
        Answerer::Application => "the application",
        Answerer::Outside => "the host outside",
        Answerer::Nobody => "nobody",
    }
}

/// How it ends, in a sentence.
pub(crate) fn sentence(outcome: &Outcome) -> String {
    let mut text = match (outcome.status, outcome.answered_by) {
        (None, Answerer::Application) => {
            format!("delivered to {}", outcome.reaches.as_deref().unwrap_or("the application"))
        }
        (None, Answerer::Outside) => "delivered to a host outside of the mesh".to_owned(),
        (Some(status), answerer) => format!("{status} from {}", who(answerer)),
        (None, answerer) => format!("{} ({})", outcome.result, who(answerer)),
    };
    if let Some(flag) = outcome.flag {
        let _ = write!(text, ", flag {flag}");
    }
    match outcome.confidence {
        Confidence::Certain => {}
        Confidence::Likely => text.push_str(", likely"),
        Confidence::Unknown => text = format!("not known: {}", outcome.why.as_deref().unwrap_or_default()),
    }
    text
}

fn share(answer: &PathAnswer, outcome: &Outcome) -> String {
    match answer.outcomes.len() {
        1 => String::new(),
        _ if outcome.percent == 0.0 => "later: ".to_owned(),
        _ => format!("{} %: ", outcome.percent),
    }
}

/// The chain, in at most [`LINES`] lines.
pub(super) fn text(answer: &PathAnswer) -> String {
    let mut lines = vec![format!("{} -> {}", answer.from, answer.to)];
    for outcome in answer.outcomes.iter().take(3) {
        lines.push(format!("{}{}", share(answer, outcome), sentence(outcome)));
    }
    let shown = answer.outcomes.iter().find(|outcome| !outcome.ending.is_good()).or(answer.outcomes.first());
    let mut closing = Vec::new();
    if let Some(decided) = shown.and_then(|outcome| outcome.decided_by.as_ref()).filter(|_| !answer.works) {
        closing.push(format!("Decided by {}", decided.words()));
    }
    if let Some(remedy) = shown.and_then(|outcome| outcome.remedy.as_ref()).filter(|_| !answer.works) {
        closing.push(format!("Remedy: {remedy}"));
    }
    if let Some(seen) = answer.observed.first() {
        closing.push(format!(
            "Seen: {} {} ({} times, {})",
            seen.response_code, seen.response_flags, seen.count, seen.proxy
        ));
    }
    if let Some(contradiction) = &answer.contradiction {
        closing.push(format!("Not as foretold: {contradiction}"));
    }
    let room = LINES.saturating_sub(lines.len() + closing.len());
    let hops: Vec<String> =
        shown.iter().flat_map(|outcome| &outcome.hops).map(|hop| format!("  {:<11} {}", hop.at, hop.says)).collect();
    // The end of the way says more than its beginning.
    let skipped = hops.len().saturating_sub(room);
    let first = usize::from(skipped > 0);
    lines.extend(hops.iter().skip(skipped + first).cloned().collect::<Vec<_>>());
    if skipped > 0 {
        lines.insert(
            lines.len() - hops.len().saturating_sub(skipped + first),
            format!("  … {} hops before", skipped + first),
        );
    }
    lines.extend(closing);
    lines.join("\n")
}

/// For documents and tickets: the chain, each object with its kind and field.
pub(super) fn markdown(answer: &PathAnswer) -> String {
    let mut text = format!("### `{}` → `{}`\n\n", answer.from, answer.to);
    for outcome in &answer.outcomes {
        let _ = writeln!(text, "- **{}{}**", share(answer, outcome), sentence(outcome));
    }
    for outcome in answer.outcomes.iter().take(3) {
        text.push('\n');
        for (index, hop) in outcome.hops.iter().enumerate() {
            let by = hop.by.as_ref().map(|by| format!(" (`{}`)", by.words())).unwrap_or_default();
            let _ = writeln!(text, "{}. {}: {}{by}", index + 1, hop.at, hop.says);
        }
        if let Some(decided) = outcome.decided_by.as_ref().filter(|_| !outcome.ending.is_good()) {
            let _ =
                writeln!(text, "\nDecided by `{}`. {}", decided.words(), outcome.remedy.as_deref().unwrap_or_default());
        }
    }
    let _ = write!(text, "\n```mermaid\n{}```\n", answer.mermaid);
    text
}

/// A sequence diagram (<https://mermaid.js.org/syntax/sequenceDiagram.html>).
pub(super) fn mermaid(from: &str, to: &str, outcomes: &[Outcome]) -> String {
    let plain = |text: &str| text.replace([';', '#', '\n'], " ");
    let mut text = format!("sequenceDiagram\n  participant C as {}\n", plain(from));
    let Some(outcome) = outcomes.iter().find(|outcome| !outcome.ending.is_good()).or(outcomes.first()) else {
        return text;
    };
    let gateway = outcome.hops.iter().any(|hop| hop.at == "gateway");
    let captured = outcome.hops.iter().any(|hop| matches!(hop.at, "listener" | "route" | "passthrough")) && !gateway;
    let mut stations = vec![("C", "client")];
    if captured {
        stations.push(("P", "client's proxy"));
    }
    if gateway {
        stations.push(("G", "gateway"));
    }
    if outcome.hops.iter().any(|hop| hop.at == "server") || outcome.answered_by == Answerer::ServerProxy {
        stations.push(("S", "server's proxy"));
    }
    if matches!(outcome.answered_by, Answerer::Application | Answerer::Outside) {
        stations.push(("A", outcome.reaches.as_deref().unwrap_or("outside")));
    }
    for (id, name) in stations.iter().skip(1) {
        let _ = writeln!(text, "  participant {id} as {}", plain(name));
    }
    for pair in stations.windows(2) {
        let _ = writeln!(text, "  {}->>{}: {}", pair[0].0, pair[1].0, plain(to));
    }
    let arrow = if outcome.ending.is_good() { "-->>" } else { "--x" };
    let last = stations.last().map_or("C", |station| station.0);
    let _ = writeln!(text, "  {last}{arrow}C: {}", plain(&sentence(outcome)));
    if let Some(decided) = outcome.decided_by.as_ref().filter(|_| !outcome.ending.is_good()) {
        let _ = writeln!(text, "  Note over {last}: {}", plain(&decided.words()));
    }
    text
}
