//! The table of known log lines (`table.yaml`), compiled once, and the search for them in a line.
//!
//! One automaton looks for the literal parts of all patterns at once; only the patterns whose literal occurs are then
//! tried. Of those that match, the most specific wins and the others are told as alternatives.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use regex::Regex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::digest::SignatureHit;
use super::line::bounded;
use report::Severity;

/// Whose lines are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Container `discovery` of istiod.
    Istiod,
    /// Container `istio-proxy` of a sidecar or gateway: the agent and Envoy.
    Proxy,
    /// Containers `istio-init` and `istio-validation`.
    Init,
    /// The Istio CNI plug-in and its node agent.
    Cni,
    /// The Secrets Store CSI driver and its Azure provider.
    Csi,
    Coredns,
    /// The proxy of a node in the ambient mode. Its container has the name of a sidecar: whoever reads it says so.
    Ztunnel,
    /// Reason and message of a Kubernetes event.
    Event,
    /// An application's own container.
    Application,
}

impl Source {
    /// The source that a container's name stands for, as Istio, AKS and `CoreDNS` name their containers.
    pub fn of_container(container: &str) -> Self {
        match container {
            "discovery" => Self::Istiod,
            "istio-proxy" => Self::Proxy,
            "istio-init" | "istio-validation" => Self::Init,
            "install-cni" | "istio-cni" | "istio-cni-node" => Self::Cni,
            "secrets-store" | "provider-azure-installer" | "provider-azure" => Self::Csi,
            "coredns" => Self::Coredns,
            _ => Self::Application,
        }
    }
}

/// One entry of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub id: String,
    pub code: String,
    #[serde(rename = "where")]
    pub sources: Vec<Source>,
    /// A healthy or planned line: context, never a finding.
    #[serde(default)]
    pub normal: bool,
    #[serde(default = "info")]
    pub severity: Severity,
    pub pattern: String,
    #[serde(default)]
    pub literals: Vec<String>,
    #[serde(default)]
    pub before: Vec<String>,
    #[serde(default)]
    pub recovered_by: Vec<String>,
    #[serde(default)]
    pub planned_after: Vec<String>,
    #[serde(default)]
    pub repeats: u64,
    #[serde(default)]
    pub group_by: Vec<String>,
    pub message: String,
    pub cause: String,
    #[serde(default)]
    pub remedy: String,
    /// The problem of the catalogue that the line points to.
    #[serde(default)]
    pub problem: String,
    pub docs: String,
    pub samples: Vec<String>,
}

fn info() -> Severity {
    Severity::Info
}

impl Signature {
    /// The message with the captured values; what the line did not say is left out.
    pub fn message(&self, captures: &BTreeMap<String, String>) -> String {
        let mut text = String::with_capacity(self.message.len() + 64);
        let mut rest = self.message.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((name, tail)) = after.split_once('}') else { break };
            text.push_str(captures.get(name).map_or("", |value| value.trim()));
            rest = tail;
        }
        text.push_str(rest);
        text.trim_end_matches([' ', ':']).replace(" ()", "")
    }
}

/// A kind of finding that a log can lead to, for a catalogue of codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCode {
    pub id: &'static str,
    pub severity: Severity,
    pub docs: &'static str,
    pub cause: &'static str,
    pub remedy: &'static str,
}

/// All codes of this module, ordered: log signatures first, then failures in access logs.
pub fn codes() -> Vec<LogCode> {
    let signatures = table().signatures.iter().filter(|signature| !signature.normal).map(|signature| LogCode {
        id: &signature.code,
        severity: signature.severity,
        docs: &signature.docs,
        cause: &signature.cause,
        remedy: &signature.remedy,
    });
    signatures.chain(super::flags::codes()).collect()
}

/// What a line matches: the winner and the signatures that match too, most specific first.
#[derive(Debug, Clone)]
pub struct Match {
    pub signature: &'static Signature,
    pub captures: BTreeMap<String, String>,
    pub alternatives: Vec<&'static Signature>,
}

/// The compiled table.
pub(super) struct Table {
    pub(super) signatures: Vec<Signature>,
    patterns: Vec<Regex>,
    literals: AhoCorasick,
    /// For each literal of the automaton: its signature and its length.
    owners: Vec<(usize, usize)>,
    by_id: BTreeMap<String, usize>,
}

pub(super) fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        let signatures = serde_saphyr::from_str(include_str!("table.yaml")).expect("a test reads the table");
        Table::new(signatures).expect("a test compiles the table")
    });
    &TABLE
}

impl Table {
    fn new(signatures: Vec<Signature>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut patterns = Vec::with_capacity(signatures.len());
        let mut texts = Vec::new();
        let mut owners = Vec::new();
        for (index, signature) in signatures.iter().enumerate() {
            patterns.push(Regex::new(&signature.pattern)?);
            let derived =
                if signature.literals.is_empty() { vec![longest_literal(&signature.pattern)] } else { vec![] };
            for literal in signature.literals.iter().chain(&derived) {
                if literal.len() < 4 {
                    return Err(format!("{} has no literal part", signature.id).into());
                }
                texts.push(literal.clone());
                owners.push((index, literal.len()));
            }
        }
        let literals = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&texts)?;
        let by_id = signatures.iter().enumerate().map(|(index, signature)| (signature.id.clone(), index)).collect();
        Ok(Self { signatures, patterns, literals, owners, by_id })
    }

    pub(super) fn find(&self, id: &str) -> Option<&Signature> {
        self.by_id.get(id).map(|index| &self.signatures[*index])
    }

    fn matches(&'static self, source: Source, text: &str) -> Option<Match> {
        // Signature and the length of its longest literal in this text.
        let mut candidates: BTreeMap<usize, usize> = BTreeMap::new();
        for hit in self.literals.find_overlapping_iter(text) {
            let (index, length) = self.owners[hit.pattern().as_usize()];
            let longest = candidates.entry(index).or_default();
            *longest = length.max(*longest);
        }
        let mut matching: Vec<(usize, usize)> = candidates
            .into_iter()
            .filter(|(index, _)| {
                self.signatures[*index].sources.contains(&source) && self.patterns[*index].is_match(text)
            })
            .collect();
        // The longest literal is the most specific; the table's order decides between equals.
        matching.sort_by_key(|&(index, length)| (std::cmp::Reverse(length), index));
        let beaten = |index: usize| {
            matching.iter().any(|&(other, _)| self.signatures[other].before.contains(&self.signatures[index].id))
        };
        let winner = matching.iter().find(|(index, _)| !beaten(*index)).or(matching.first())?.0;
        let alternatives =
            matching.iter().filter(|(index, _)| *index != winner).map(|(index, _)| &self.signatures[*index]).collect();
        Some(Match { signature: &self.signatures[winner], captures: self.captures(winner, text), alternatives })
    }

    fn captures(&self, index: usize, text: &str) -> BTreeMap<String, String> {
        let pattern = &self.patterns[index];
        let Some(groups) = pattern.captures(text) else { return BTreeMap::new() };
        pattern
            .capture_names()
            .flatten()
            .filter_map(|name| Some((name.to_owned(), value(groups.name(name)?.as_str()))))
            .collect()
    }
}

/// A captured value without the fields that the agent and Istio's logger put behind the message, and bounded.
fn value(text: &str) -> String {
    let text = text.split_once('\t').map_or(text, |(message, _)| message);
    bounded(text, 400).trim().to_owned()
}

/// The signature of one line, if any. `text` is a line without kubectl's timestamp.
pub fn match_line(source: Source, text: &str) -> Option<Match> {
    table().matches(source, text)
}

/// The signature of a Kubernetes event, if any. Whether it still matters is the caller's to judge: events stay for an
/// hour, and a pod that could not be created while istiod started exists by now.
pub fn match_event(reason: &str, message: &str) -> Option<SignatureHit> {
    let text = format!("{} {}", bounded(reason, 200), bounded(message, 8 * 1024)).replace(['\n', '\r'], " ");
    Some(SignatureHit::of_event(&match_line(Source::Event, &text)?, &text))
}

/// The longest text that every match of the pattern contains, as far as it stands outside groups.
fn longest_literal(pattern: &str) -> String {
    let mut longest = String::new();
    let mut run = String::new();
    let mut end_run = |run: &mut String| {
        if run.len() > longest.len() {
            longest.clone_from(run);
        }
        run.clear();
    };
    let mut depth = 0_u32;
    let mut chars = pattern.chars();
    while let Some(character) = chars.next() {
        match character {
            '\\' => match chars.next() {
                // An escaped letter or digit is a class or a boundary; everything else stands for itself.
                Some(escaped) if escaped.is_ascii_alphanumeric() => end_run(&mut run),
                Some(escaped) if depth == 0 => run.push(escaped),
                _ => {}
            },
            '[' => {
                end_run(&mut run);
                skip_class(&mut chars);
            }
            '(' => {
                end_run(&mut run);
                depth += 1;
            }
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return String::new(),
            // The character before it may be absent.
            '?' | '*' | '{' if depth == 0 => {
                run.pop();
                end_run(&mut run);
                if character == '{' {
                    chars.find(|&closing| closing == '}');
                }
            }
            '+' | '.' | '^' | '$' if depth == 0 => end_run(&mut run),
            _ if depth == 0 => run.push(character),
            _ => {}
        }
    }
    end_run(&mut run);
    longest
}

fn skip_class(chars: &mut std::str::Chars<'_>) {
    let mut first = true;
    while let Some(character) = chars.next() {
        match character {
            '\\' => {
                chars.next();
            }
            ']' if !first => return,
            '^' => continue,
            _ => {}
        }
        first = false;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
