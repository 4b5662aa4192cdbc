//! The lines of one container in short: levels, known lines, and the most frequent unknown complaints.
//!
//! Lines go through one by one and nothing is kept but counters and a few samples, so that the length of a log does
//! not matter. Restarts of the container are the caller's to tell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access_log::AccessLogLine;
use super::line::{Level, LineParser, LogLine, bounded, details};
use super::mask::mask;
use super::signatures::{Match, Signature, Source, match_line, table};
use report::{Evidence, Finding, Severity, Subject};

/// Samples kept of each known line.
const SAMPLES: usize = 2;
/// Findings of one signature that are told apart in one log.
const GROUPS: usize = 20;
/// Different unknown lines that are counted, and how many of them are told.
const UNKNOWN: usize = 1000;
const UNKNOWN_TOLD: usize = 10;
const SAMPLE_BYTES: usize = 1000;

/// What the log of one container says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogDigest {
    pub source: Source,
    pub lines: u64,
    /// Lines of Envoy's access log among them; they are summarized apart.
    pub access_lines: u64,
    /// Lines of a proxy that look like an access log in a format of the mesh's own, or too long to be read.
    pub foreign_access_lines: u64,
    /// Lines that belong to the one before them, such as those of a stack.
    pub continuation_lines: u64,
    /// Lines that were longer than we read.
    pub cut_lines: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub levels: LogLevelCounts,
    /// Known lines, the most severe first.
    pub signatures: Vec<SignatureHit>,
    /// The most frequent warnings and errors that no signature knows.
    pub unknown: Vec<UnknownLine>,
    /// All warnings and errors that no signature knows.
    pub unknown_lines: u64,
}

/// Lines by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLevelCounts {
    pub trace: u64,
    pub debug: u64,
    pub info: u64,
    pub warn: u64,
    pub error: u64,
    pub fatal: u64,
    /// Lines without a level.
    pub none: u64,
}

/// A known line and how often it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignatureHit {
    /// Name of the signature, for example `istiod-nack`.
    pub id: String,
    /// Code of the finding it leads to, for example `LOG0001`.
    pub code: String,
    /// As judged: a hit that was recovered from, or is too rare to matter, is only information.
    pub severity: Severity,
    /// A healthy or planned line.
    pub normal: bool,
    /// What the last line says, in words.
    pub message: String,
    pub count: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    /// A later line of the same log says that the trouble is over.
    pub recovered: bool,
    /// It came only after a line that announces it, as the end of a stream comes after a shutdown.
    pub planned: bool,
    /// Values of the last line.
    pub captures: BTreeMap<String, String>,
    /// What tells this hit apart from others of the same signature.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    pub cause: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The problem of the catalogue that the line points to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    pub docs: String,
    /// Other signatures that the line matches, less specific ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    pub samples: Vec<String>,
}

impl SignatureHit {
    fn new(matched: &Match, group: String) -> Self {
        let signature = matched.signature;
        Self {
            id: signature.id.clone(),
            code: signature.code.clone(),
            severity: signature.severity,
            normal: signature.normal,
            message: String::new(),
            count: 0,
            first_at: None,
            last_at: None,
            recovered: false,
            planned: false,
            captures: BTreeMap::new(),
            group,
            cause: signature.cause.clone(),
            remedy: signature.remedy.clone(),
            problem: signature.problem.clone(),
            docs: signature.docs.clone(),
            alternatives: matched.alternatives.iter().map(|other| other.id.clone()).collect(),
            samples: Vec::new(),
        }
    }

    pub(super) fn of_event(matched: &Match, text: &str) -> Self {
        let mut hit = Self::new(matched, group_of(matched));
        hit.count = 1;
        hit.message = matched.signature.message(&matched.captures);
        hit.captures.clone_from(&matched.captures);
        hit.samples.push(bounded(text, SAMPLE_BYTES).to_owned());
        hit
    }
}

/// A warning or error that no signature knows, with numbers and ids replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownLine {
    pub text: String,
    pub level: Level,
    pub count: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub sample: String,
}

/// A hit, and the numbers of its first and last line.
#[derive(Debug)]
struct SeenHit {
    hit: SignatureHit,
    first: u64,
    last: u64,
}

/// Reads the lines of one container, in order.
#[derive(Debug)]
pub struct DigestBuilder {
    parser: LineParser,
    digest: LogDigest,
    hits: BTreeMap<(&'static str, String), SeenHit>,
    /// For each signature the number of the last line that it matched.
    last_seen: BTreeMap<&'static str, u64>,
    unknown: BTreeMap<String, UnknownLine>,
}

impl DigestBuilder {
    pub fn new(source: Source) -> Self {
        Self {
            parser: LineParser::default(),
            digest: LogDigest {
                source,
                lines: 0,
                access_lines: 0,
                foreign_access_lines: 0,
                continuation_lines: 0,
                cut_lines: 0,
                first_at: None,
                last_at: None,
                levels: LogLevelCounts::default(),
                signatures: Vec::new(),
                unknown: Vec::new(),
                unknown_lines: 0,
            },
            hits: BTreeMap::new(),
            last_seen: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// Takes one line, with or without kubectl's timestamp. A line of the access log is given back for a summary and
    /// searched for nothing: a client writes half of it, and could plant any text.
    pub fn push(&mut self, raw: &str) -> Option<AccessLogLine> {
        let line = self.parser.parse(raw);
        let digest = &mut self.digest;
        digest.lines += 1;
        digest.cut_lines += u64::from(line.cut);
        if line.at.is_some() {
            if digest.first_at.is_none() {
                digest.first_at.clone_from(&line.at);
            }
            digest.last_at.clone_from(&line.at);
        }
        if digest.source == Source::Proxy
            && !line.cut
            && let Some(access) = AccessLogLine::parse(&line.raw)
        {
            digest.access_lines += 1;
            return Some(access);
        }
        count_level(&mut digest.levels, line.level);
        // What the agent and Envoy say of themselves in such a form has a level.
        if digest.source == Source::Proxy && line.level.is_none() {
            if !line.cut
                && let Some(access) = AccessLogLine::by_values(&line.raw)
            {
                digest.access_lines += 1;
                return Some(access);
            }
            if line.raw.starts_with(['[', '{']) {
                digest.foreign_access_lines += 1;
                return None;
            }
        }
        digest.continuation_lines += u64::from(line.continuation);
        match match_line(digest.source, &line.searched()).or_else(|| match_line(digest.source, &line.raw)) {
            Some(matched) => self.hit(&matched, &line),
            None => self.complaint(&line),
        }
        None
    }

    fn hit(&mut self, matched: &Match, line: &LogLine) {
        let id = matched.signature.id.as_str();
        self.last_seen.insert(id, self.digest.lines);
        let mut key = (id, group_of(matched));
        if !self.hits.contains_key(&key) && self.hits.keys().filter(|(other, _)| *other == id).count() >= GROUPS {
            "others".clone_into(&mut key.1);
        }
        let number = self.digest.lines;
        let SeenHit { hit, last, .. } = self.hits.entry(key.clone()).or_insert_with(|| SeenHit {
            hit: SignatureHit::new(matched, key.1),
            first: number,
            last: number,
        });
        *last = number;
        hit.count += 1;
        if hit.first_at.is_none() {
            hit.first_at.clone_from(&line.at);
        }
        hit.last_at.clone_from(&line.at);
        hit.captures.clone_from(&matched.captures);
        if hit.samples.len() < SAMPLES {
            hit.samples.push(bounded(&line.raw, SAMPLE_BYTES).to_owned());
        }
    }

    fn complaint(&mut self, line: &LogLine) {
        let Some(level) = line.level.filter(|level| *level >= Level::Warn) else { return };
        self.digest.unknown_lines += 1;
        let scope = line.scope.as_deref().unwrap_or_default();
        let text = mask(&format!("{scope} {}{}", bounded(&line.message, 300), details(&line.raw)));
        let text = text.trim();
        if !self.unknown.contains_key(text) && self.unknown.len() >= UNKNOWN {
            return;
        }
        let entry = self.unknown.entry(text.to_owned()).or_insert_with(|| UnknownLine {
            text: text.to_owned(),
            level,
            count: 0,
            first_at: line.at.clone(),
            last_at: None,
            sample: bounded(&line.raw, SAMPLE_BYTES).to_owned(),
        });
        entry.count += 1;
        entry.level = entry.level.max(level);
        entry.last_at.clone_from(&line.at);
    }

    pub fn finish(self) -> LogDigest {
        let Self { mut digest, hits, last_seen, unknown, .. } = self;
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        for ((id, _), SeenHit { hit, .. }) in &hits {
            *totals.entry(id).or_default() += hit.count;
        }
        for ((id, _), SeenHit { mut hit, first, last }) in hits {
            let Some(signature) = table().find(id) else { continue };
            hit.recovered =
                signature.recovered_by.iter().any(|other| last_seen.get(other.as_str()).is_some_and(|at| *at > last));
            hit.message = signature.message(&hit.captures);
            hit.planned =
                signature.planned_after.iter().any(|other| last_seen.get(other.as_str()).is_some_and(|at| *at < first));
            if signature.normal
                || hit.recovered
                || hit.planned
                || totals.get(id).is_some_and(|total| *total < signature.repeats)
            {
                hit.severity = Severity::Info;
            }
            digest.signatures.push(hit);
        }
        digest
            .signatures
            .sort_by(|a, b| (b.severity, a.normal, &a.code, &a.group).cmp(&(a.severity, b.normal, &b.code, &b.group)));
        digest.unknown = unknown.into_values().collect();
        digest.unknown.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        digest.unknown.truncate(UNKNOWN_TOLD);
        digest
    }
}

/// The digest of a log that is at hand as a whole.
pub fn digest<'a>(source: Source, lines: impl IntoIterator<Item = &'a str>) -> LogDigest {
    let mut builder = DigestBuilder::new(source);
    for line in lines {
        builder.push(line);
    }
    builder.finish()
}

/// One finding for each known line that is a problem. `subject` is the pod, with its container.
pub fn findings(digest: &LogDigest, subject: &Subject) -> Vec<Finding> {
    let from = match (&subject.namespace, &subject.container) {
        (Some(namespace), Some(container)) => format!("log of {namespace}/{} ({container})", subject.name),
        (Some(namespace), None) => format!("log of {namespace}/{}", subject.name),
        (None, _) => format!("log of {}", subject.name),
    };
    digest.signatures.iter().filter(|hit| !hit.normal).map(|hit| finding(hit, subject, &from)).collect()
}

/// The finding of one known line or event; `from` says where it was read.
pub fn finding(hit: &SignatureHit, subject: &Subject, from: &str) -> Finding {
    let mut message = hit.message.clone();
    if hit.count > 1 {
        let _ = write!(message, " ({} times)", hit.count);
    }
    if hit.recovered {
        message.push_str("; it is over, as a later line says");
    }
    if hit.planned {
        message.push_str("; an earlier line announced a shutdown");
    }
    let mut evidence: Vec<Evidence> = hit.samples.iter().map(|sample| Evidence::new(from, sample.clone())).collect();
    if let Some(first) = evidence.first_mut() {
        first.count = Some(hit.count);
        first.last_seen.clone_from(&hit.last_at);
    }
    let remedy = match hit.remedy.as_str() {
        "" => String::new(),
        remedy => format!("{}. {}.", sentence(&hit.cause), sentence(remedy)),
    };
    Finding {
        code: hit.code.clone().into(),
        severity: hit.severity,
        subject: subject.clone(),
        message,
        evidence,
        remedy,
        docs: hit.docs.clone().into(),
        fingerprint: String::new(),
        found_by: Vec::new(),
        discriminator: hit.group.clone(),
    }
}

/// The text with a capital at its start.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What tells hits of one signature apart: the values it names, without numbers and ids that change each time.
fn group_of(matched: &Match) -> String {
    let Signature { group_by, .. } = matched.signature;
    let values = group_by.iter().filter_map(|name| matched.captures.get(name));
    values.map(|value| mask(bounded(value, 200))).collect::<Vec<_>>().join(" ")
}

fn count_level(levels: &mut LogLevelCounts, level: Option<Level>) {
    let counter = match level {
        Some(Level::Trace) => &mut levels.trace,
        Some(Level::Debug) => &mut levels.debug,
        Some(Level::Info) => &mut levels.info,
        Some(Level::Warn) => &mut levels.warn,
        Some(Level::Error) => &mut levels.error,
        Some(Level::Fatal) => &mut levels.fatal,
        None => &mut levels.none,
    };
    *counter += 1;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
