//! Routes that no request reaches, because earlier ones take them all: IST0130 and IST0131.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::super::fields::{Fields, number, whole_number};
use super::super::message::Type;
use super::super::message::virtual_service::{HTTP_MATCH, TCP_MATCH, TLS_MATCH};
use super::super::problem::{Outcome, Problem, ProblemKind};
use super::super::string_match;
use super::super::value::text::{quoted, shortened};

/// Comparisons of prefixes for one object. Within them, hundreds of matches on one path are compared in full.
const MAX_COMPARISONS: usize = 500_000;
/// Findings on overlapping prefixes of one object.
const MAX_OVERLAPS: usize = 1000;

pub(super) fn check(outcome: &mut Outcome, spec: Fields) {
    let http = routes(outcome, spec, "http", &HTTP_MATCH);
    routes(outcome, spec, "tcp", &TCP_MATCH);
    routes(outcome, spec, "tls", &TLS_MATCH);
    prefixes(outcome, &http);
}

/// A match that is used, with the text by which its route and it are named.
struct Used<'a> {
    rule: String,
    name: String,
    fields: Fields<'a>,
}

fn named(kind: &str, name: &str, index: usize) -> String {
    if kind == "http" && !name.is_empty() { quoted(&shortened(name)) } else { format!("#{index}") }
}

fn unused(rule: &str, reason: &str) -> Problem {
    Problem::new(ProblemKind::UnreachableRule, format!("VirtualService rule {rule} not used ({reason})."))
}

fn ineffective(rule: &str, name: &str, by: &str) -> Problem {
    Problem::new(
        ProblemKind::IneffectiveMatch,
        format!("VirtualService rule {rule} match {name} is not used (duplicate/overlapping match in rule {by})."),
    )
}

fn routes<'a>(outcome: &mut Outcome, spec: Fields<'a>, kind: &str, match_type: &Type) -> Vec<Used<'a>> {
    let mut catches_all = false;
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut used = Vec::new();
    for (index, route) in spec.list(kind).enumerate() {
        let Some(route) = route else { continue };
        let path = format!("{{.spec.{kind}[{index}]}}");
        let rule = named(kind, route.text("name"), index);
        if route.count("match") == 0 {
            if catches_all {
                outcome.warnings.push(unused(&rule, "only the last rule can have no matches").at(path));
            }
            catches_all = true;
            continue;
        }
        let mut duplicates = 0;
        for (position, fields) in route.list("match").enumerate() {
            let fields = fields.unwrap_or(Fields::NONE);
            if catches_all {
                outcome.warnings.push(unused(&rule, "route without matches defined before").at(path.clone()));
                continue;
            }
            let name = named(kind, fields.text("name"), position);
            let identity = identity(fields, match_type);
            if let Some(by) = seen.get(&identity) {
                duplicates += 1;
                outcome.warnings.push(ineffective(&rule, &name, by).at(path.clone()));
                continue;
            }
            seen.insert(identity, rule.clone());
            used.push(Used { rule: rule.clone(), name, fields });
        }
        if duplicates == route.count("match") {
            outcome.warnings.push(unused(&rule, "all matches used by prior rules").at(path));
        }
    }
    used
}

/// A text that two matches share exactly when they say the same, whatever their spelling and their name.
fn identity(fields: Fields, of: &Type) -> String {
    let mut out = String::new();
    if let Type::Message(known) = of {
        for (name, field_type) in *known {
            if *name != "name"
                && let Some(value) = fields.value(name)
            {
                canonical(&mut out, name, value, field_type);
            }
        }
    }
    out
}

fn canonical(out: &mut String, name: &str, value: &Value, of: &Type) {
    const WRITES: &str = "a String takes every text";
    match of {
        Type::Text | Type::Bytes | Type::Duration => {
            let text = value.as_str().unwrap_or_default();
            // A form of a match counts as set even when it is empty.
            if !text.is_empty() || matches!(name, "exact" | "prefix" | "regex") {
                write!(out, "{name}={text:?};").expect(WRITES);
            }
        }
        Type::Flag => {
            if value.as_bool() == Some(true) {
                write!(out, "{name};").expect(WRITES);
            }
        }
        Type::I32 | Type::U32 | Type::U64 => {
            let number = whole_number(value).unwrap_or_default();
            if number != 0 {
                write!(out, "{name}={number};").expect(WRITES);
            }
        }
        Type::Double => write!(out, "{name}={:?};", number(value)).expect(WRITES),
        Type::Choice(_) | Type::Struct => write!(out, "{name}={value};").expect(WRITES),
        Type::Message(_) => {
            let form = string_match::form(Fields::of(value));
            write!(out, "{name}={{").expect(WRITES);
            if let Some((form, text)) = form {
                canonical(out, form, &Value::String(text.to_owned()), &Type::Text);
            }
            out.push_str("};");
        }
        Type::List(item) => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            if !items.is_empty() {
                write!(out, "{name}=[").expect(WRITES);
                for value in items {
                    canonical(out, "exact", value, item);
                }
                out.push_str("];");
            }
        }
        Type::Map(item) | Type::NumberMap(item) => {
            let mut entries: Vec<_> = value.as_object().into_iter().flatten().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            if !entries.is_empty() {
                write!(out, "{name}=<").expect(WRITES);
                for (key, value) in entries {
                    write!(out, "{key:?}:").expect(WRITES);
                    canonical(out, "exact", value, item);
                }
                out.push_str(">;");
            }
        }
    }
}

/// A match on a path prefix, as far as it decides whether another one hides it.
struct Prefix<'a> {
    path: &'a str,
    port: i64,
    method: String,
    authority: String,
    maps: [Vec<(&'a str, String)>; 3],
}

impl<'a> Prefix<'a> {
    fn of(fields: Fields<'a>) -> Option<Self> {
        let Some(("prefix", prefix)) = fields.message("uri").and_then(string_match::form) else { return None };
        if prefix.is_empty() {
            return None;
        }
        let text = |name| fields.message(name).map(form_text).unwrap_or_default();
        let method = text("method");
        let map = |name| fields.map(name).into_iter().map(|(key, value)| (key, form_text(Fields::of(value)))).collect();
        Some(Self {
            path: prefix,
            port: fields.int("port"),
            // Upstream reads a missing method as GET.
            method: if method.is_empty() { "exact:GET".to_owned() } else { method },
            authority: text("authority"),
            maps: [map("headers"), map("queryParams"), map("withoutHeaders")],
        })
    }

    /// Whether every request of `other` is one of ours, prefixes apart.
    fn covers(&self, other: &Self) -> bool {
        self.port == other.port
            && self.method.starts_with(&other.method)
            && self.authority.starts_with(&other.authority)
            && self.maps.iter().zip(&other.maps).all(|(ours, theirs)| {
                ours.len() == theirs.len()
                    && ours.iter().zip(theirs).all(|((key, text), (other_key, other_text))| {
                        key == other_key && text.starts_with(other_text.as_str())
                    })
            })
    }
}

fn form_text(fields: Fields) -> String {
    match string_match::form(fields) {
        Some((form @ ("exact" | "prefix"), text)) => format!("{form}:{text}"),
        _ => String::new(),
    }
}

/// Matches on a prefix that an earlier match on a shorter one hides.
fn prefixes(outcome: &mut Outcome, used: &[Used]) {
    let all: Vec<(&Used, Prefix)> =
        used.iter().filter_map(|used| Prefix::of(used.fields).map(|prefix| (used, prefix))).collect();
    let mut by_prefix: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut lengths = BTreeSet::new();
    let (mut comparisons, mut found) = (0, 0);
    for (index, (later, prefix)) in all.iter().enumerate() {
        for length in lengths.range(..prefix.path.len()) {
            comparisons += 1;
            let earlier = prefix.path.get(..*length).and_then(|head| by_prefix.get(head)).into_iter().flatten();
            for (earlier, hiding) in earlier.map(|index| &all[*index]) {
                comparisons += 1;
                if !hiding.covers(prefix) {
                    continue;
                }
                found += 1;
                if found <= MAX_OVERLAPS {
                    outcome.warnings.push(ineffective(
                        &later.rule,
                        &format!("{} of prefix {}", later.name, shortened(prefix.path)),
                        &format!("{} of prefix {} on {}", earlier.name, shortened(hiding.path), earlier.rule),
                    ));
                }
            }
            if comparisons > MAX_COMPARISONS || found > MAX_OVERLAPS {
                outcome.skip("too many matches on path prefixes: not all of them were compared");
                return;
            }
        }
        by_prefix.entry(prefix.path).or_default().push(index);
        lengths.insert(prefix.path.len());
    }
}
