//! Finds rules in which two list items say "or" where "and" may be meant.

use crate::security::rules::{Part, Place, Rule, rules};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "sec/authz-and-or",
        reads: &[Kind::AuthorizationPolicy],
        reports: &[&SEC0020],
        by_default: true,
        run,
    },
};

static SEC0020: Code = Code {
    id: "SEC0020",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/common-problems/security-issues/#authorization-policy-is-too-restrictive-or-permissive",
    page: include_str!("pages/SEC0020.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        for rule in rules(policy) {
            for (place, list) in [(Place::From, "from"), (Place::To, "to")] {
                let Some((one, other)) = lone_parts(&rule, place) else { continue };
                messages.report(either_is_enough(policy, rule.index, list, one, other));
            }
        }
    }
}

/// Two items of a list that have one field each, and not the same one: who wrote them may have meant one item.
fn lone_parts<'r, 'm>(rule: &'r Rule<'m>, place: Place) -> Option<(&'r Part<'m>, &'r Part<'m>)> {
    let of_item = |item: usize| rule.parts.iter().filter(move |part| part.place == place && part.item == item);
    let lone = |item: usize| of_item(item).next().filter(|_| of_item(item).count() == 1);
    let (one, other) = (lone(0)?, lone(1)?);
    let has_two = of_item(2).next().is_none();
    (has_two && is_a_pair(one, other)).then_some((one, other))
}

/// A caller with its token, or a method with a path: what people ask for together.
fn is_a_pair(one: &Part<'_>, other: &Part<'_>) -> bool {
    const PAIRS: [(&str, &str); 6] = [
        ("methods", "paths"),
        ("methods", "hosts"),
        ("methods", "ports"),
        ("paths", "hosts"),
        ("paths", "ports"),
        ("hosts", "ports"),
    ];
    let is_caller_with_token =
        |one: &Part<'_>, other: &Part<'_>| one.is_identity() && other.field == "requestPrincipals";
    is_caller_with_token(one, other)
        || is_caller_with_token(other, one)
        || PAIRS.contains(&(one.field, other.field))
        || PAIRS.contains(&(other.field, one.field))
}

fn either_is_enough<'m>(policy: &'m Object, index: usize, list: &str, one: &Part<'_>, other: &Part<'_>) -> Message<'m> {
    let (a, b) = (said(one), said(other));
    let text = format!("Rule {index} matches where {a}, or where {b}: each item of `{list}` is enough by itself.");
    let inner = if list == "from" { "source" } else { "operation" };
    let remedy = format!(
        "If both are to hold, write them as one item: {list}: [{{{inner}: {{{}: …, {}: …}}}}]. If either is enough, nothing.",
        one.name(),
        other.name()
    );
    let path = Path::spec().key("rules").index(index).key(list.to_owned());
    Message::new(&SEC0020, policy, text).at(path).remedy(remedy)
}

fn said(part: &Part<'_>) -> String {
    format!("{} is {}", part.name(), part.values.join(" or "))
}
