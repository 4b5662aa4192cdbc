//! The answer in words: a headline, a title and a reason for each cause, and the forms for a terminal and a phone.

use std::fmt::Write as _;

use report::{Severity, formats::place};

use crate::{
    answer::{Diagnosis, Effect, PossibleCause, Suffering},
    fact::Fact,
};

/// Of the headline, in characters.
const HEADLINE: usize = 200;
/// Causes shown in a terminal, and lines of the whole.
const SHOWN: usize = 5;
const LINES: usize = 25;
/// Of one line.
const WIDTH: usize = 160;

/// A text cut at the end of a word.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    let end = cut.rfind(' ').filter(|end| *end > most / 2).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches([',', ';', ':', '(', '.', ' ']))
}

/// `VirtualService shop/checkout: Referenced host not found: …`.
pub(crate) fn title(fact: &Fact) -> String {
    let mut at = place(&fact.finding.subject);
    match fact.subjects.len() {
        0 | 1 => {}
        2 => {
            let other = fact.subjects.iter().find(|subject| **subject != fact.finding.subject);
            at = format!("{at} and {}", other.map(|it| it.name.clone()).unwrap_or_default());
        }
        more => at = format!("{at} and {} more", more - 1),
    }
    // A pod's name says little at night; its workload does.
    if fact.finding.subject.kind == "Pod"
        && let (Some(owner), Some(namespace)) = (&fact.finding.subject.owner, &fact.finding.subject.namespace)
    {
        at = format!("{} {namespace}/{}", owner.kind, owner.name);
    }
    shortened(&format!("{at}: {}", fact.finding.message), WIDTH)
}

/// `53 of 53 requests to cart.shop fail; 2 pods are not ready; it explains 4 other findings`.
pub(crate) fn why(suffering: &Suffering, effects: &[Effect], possible: &[PossibleCause]) -> String {
    let mut parts = Vec::new();
    if let Some(felt) = felt(suffering) {
        parts.push(felt);
    }
    match effects {
        [] => {}
        [one] => parts.push(format!("it explains {} at {}", one.code, place(&one.subject))),
        many => parts.push(format!("it explains {} other findings", many.len())),
    }
    if let Some(first) = possible.first() {
        parts.push(format!("look at {} first: {}", place(&first.subject), first.why));
    }
    if parts.is_empty() { "Nobody is seen to suffer from it yet.".to_owned() } else { sentence(&parts.join("; ")) }
}

/// What users feel, in words.
fn felt(suffering: &Suffering) -> Option<String> {
    let mut parts = Vec::new();
    if suffering.failed_requests > 0 {
        let to = match suffering.hosts.as_slice() {
            [] => String::new(),
            [one] => format!(" to {}", short_host(one)),
            [first, second] => format!(" to {} and {}", short_host(first), short_host(second)),
            [first, others @ ..] => format!(" to {} and {} other hosts", short_host(first), others.len()),
        };
        parts.push(format!("{} of {} requests{to} failed", suffering.failed_requests, suffering.of_requests));
    }
    match suffering.pods_not_ready {
        0 => {}
        1 => parts.push("1 pod is not ready".to_owned()),
        more => parts.push(format!("{more} pods are not ready")),
    }
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn short_host(host: &str) -> &str {
    host.strip_suffix(".svc.cluster.local").unwrap_or(host)
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

/// The finding's own remedy; where nothing is behind it that was found, where to look.
pub(crate) fn remedy(fact: &Fact, possible: &[PossibleCause]) -> String {
    let own = fact.finding.remedy.trim();
    let named: Vec<String> = possible.iter().map(|it| place(&it.subject)).collect();
    match (own.is_empty(), named.is_empty()) {
        (true, true) => "Read the evidence, and ask for the path of one such request.".to_owned(),
        (true, false) => format!("Look at {}.", named.join(", ")),
        _ => own.to_owned(),
    }
}

/// One sentence for the whole.
pub(crate) fn headline(diagnosis: &Diagnosis) -> String {
    let Some(first) = diagnosis.causes.first() else {
        let unseen = match diagnosis.unknown.len() {
            0 => String::new(),
            1 => ", but 1 part could not be seen".to_owned(),
            more => format!(", but {more} parts could not be seen"),
        };
        let elsewhere = match diagnosis.elsewhere.len() {
            0 => String::new(),
            more => format!(" here; {more} elsewhere"),
        };
        return format!("No cause of trouble found{elsewhere}{unseen}.");
    };
    let count = match diagnosis.causes.len() {
        1 => "1 cause".to_owned(),
        more => format!("{more} causes, the gravest first"),
    };
    let felt = felt(&first.suffering).map(|felt| format!(" ({felt})")).unwrap_or_default();
    let room = HEADLINE.saturating_sub(count.chars().count() + felt.chars().count() + 3);
    shortened(&format!("{count}: {}{felt}", shortened(&first.title, room)), HEADLINE)
}

/// At most 25 lines for a terminal.
pub fn text(diagnosis: &Diagnosis) -> String {
    let mut lines = vec![diagnosis.headline.clone()];
    for cause in diagnosis.causes.iter().take(SHOWN) {
        lines.push(shortened(
            &format!("{}. {} [{}] {}", cause.rank, label(cause.finding.severity), cause.finding.code, cause.title),
            WIDTH,
        ));
        let since = cause.onset.as_ref().map(|onset| {
            let before = if onset.or_earlier { " or earlier" } else { "" };
            format!(" Since {}{before}.", onset.at)
        });
        lines.push(shortened(&format!("   {}{}", cause.why, since.unwrap_or_default()), WIDTH + 3));
        if let Some(change) = cause.changes.first() {
            lines.push(shortened(&format!("   Changed: {}", said(change)), WIDTH + 3));
        }
        lines.push(format!("   Do: {}", shortened(&cause.remedy, WIDTH)));
    }
    if diagnosis.causes.len() > SHOWN {
        let rest = diagnosis.causes.len() - SHOWN;
        let codes: Vec<String> = diagnosis
            .causes
            .iter()
            .skip(SHOWN)
            .map(|it| format!("{} {}", it.finding.code, it.finding.subject.name))
            .collect();
        lines.push(shortened(&format!("And {rest} more: {}", codes.join(", ")), WIDTH));
    }
    if !diagnosis.elsewhere.is_empty() {
        let first = &diagnosis.elsewhere[0].title;
        lines.push(shortened(
            &format!("Elsewhere, and not asked for: {} more, first {first}", diagnosis.elsewhere.len()),
            WIDTH,
        ));
    }
    if !diagnosis.healthy.is_empty() {
        lines.push(shortened(&format!("Well: {}", diagnosis.healthy.join("; ")), WIDTH));
    }
    for unknown in diagnosis.unknown.iter().take(2) {
        lines.push(shortened(&format!("Not seen: {}: {}", unknown.what, unknown.why), WIDTH));
    }
    if let Some(first) = diagnosis.causes.first() {
        lines.push(format!("Then check cause 1: {}", first.verify.command));
    }
    lines.truncate(LINES);
    lines.join("\n") + "\n"
}

/// Three lines for a phone: what, what to do, what else.
pub fn three_lines(diagnosis: &Diagnosis) -> String {
    let mut lines = vec![diagnosis.headline.clone()];
    if let Some(first) = diagnosis.causes.first() {
        lines.push(shortened(&format!("Do: {}", first.remedy), HEADLINE));
        let others: Vec<String> =
            diagnosis.causes.iter().skip(1).take(3).map(|cause| shortened(&cause.title, 70)).collect();
        lines.push(if others.is_empty() {
            shortened(&format!("Then: {}", first.verify.command), HEADLINE)
        } else {
            shortened(&format!("Next: {}", others.join("; ")), HEADLINE)
        });
    }
    lines.join("\n")
}

pub(crate) fn said(change: &crate::evidence::Change) -> String {
    let mut text = format!("{} was {} at {}", place(&change.subject), change.what, change.at);
    if !change.by.is_empty() {
        let _ = write!(text, " by {}", change.by);
    }
    if !change.fields.is_empty() {
        let _ = write!(text, " ({})", change.fields.join(", "));
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
