//! `mesh.impact`: which requests would end differently if a change were applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{About, Cost, Invalid, Judgement, PERMISSIONS, PTH0101, PTH0102, PTH0103, Step, counted, kinds, made};
use crate::AnalyzedFile;
use cluster::{Cluster, Error};
use mesh::{Kind, Mesh, Object, Perspective};
use paths::{Cell, Confidence, Decided, Difference, Facts, Network, changes, impact};
use report::{Evidence as Quote, Finding, Skipped, Subject};

/// Documents of one call together.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Differences that are shown.
const MOST_SHOWN: usize = 1000;
/// Callers that one difference names.
const MOST_NAMED: usize = 20;

/// The step.
pub struct MeshImpact;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MeshImpactInput {
    /// The proposed objects, which win over those of the cluster.
    #[schema(max_items = 1000)]
    pub files: Vec<AnalyzedFile>,
    /// Objects that would be deleted: `Kind namespace/name`.
    #[schema(max_items = 1000)]
    pub delete: Vec<String>,
    /// The namespace of objects that name none (default `default`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 63)]
    pub namespace: Option<String>,
    /// Leave the access logs alone, which say which requests are really made.
    pub without_logs: bool,
}

/// Which requests end differently.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshImpactData {
    /// Whether a request that works now would fail.
    pub breaks: bool,
    /// The objects that change: `Kind namespace/name`.
    pub changed: Vec<String>,
    /// Those that would break first, and of these the ones that are really made.
    pub differences: Vec<RequestDifference>,
    pub differences_left_out: usize,
    /// Documents that could not be read.
    pub unparsed: bool,
}

/// Requests that end differently, in the same way for some callers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestDifference {
    /// `breaks`, `mends` or `changes`.
    pub effect: &'static str,
    /// Some of the callers, and how many there are.
    pub from: Vec<String>,
    pub callers: usize,
    pub to: String,
    pub before: RequestEnd,
    pub after: RequestEnd,
    /// How many such requests access logs show.
    pub seen: u64,
    /// The object and field that decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decided>,
    /// The changed object behind it, and where its file has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How requests end.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestEnd {
    pub result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<&'static str>,
    pub good_percent: f32,
    pub confidence: Confidence,
}

impl RequestEnd {
    fn of(cell: &Cell) -> Self {
        Self {
            result: cell.ending.words(),
            flag: cell.flag,
            good_percent: cell.good_percent,
            confidence: cell.confidence,
        }
    }

    fn words(&self) -> String {
        let flag = self.flag.map(|flag| format!(" {flag}")).unwrap_or_default();
        let share = if self.good_percent > 0.0 && self.good_percent < 99.9 {
            format!(", {} % get through", self.good_percent)
        } else {
            String::new()
        };
        format!("{}{flag}{share}", self.result)
    }
}

pub struct Evidence {
    before: Mesh,
    after: Mesh,
    made: made::Made,
}

fn named(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, place) = text.split_once(' ')?;
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    Some((kind, namespace, name))
}

impl Step for MeshImpact {
    const ABOUT: About = About {
        id: "mesh.impact",
        title: "Say which requests a change would end differently",
        description: "Proposed YAML and deletions over the cluster: requests that would break, mend or go elsewhere, those that \
            access logs show first, and the object and field behind each.",
        guide: "mesh/3-impact",
        method: "POST",
        endpoint: "/v1/mesh/impact",
        mutating: false,
        permissions: PERMISSIONS,
        cost: Cost::High,
        command: "kubectl diff -f <file>",
        docs: "https://istio.io/latest/docs/ops/best-practices/traffic-management/",
    };
    type Input = MeshImpactInput;
    type Evidence = Evidence;
    type Data = MeshImpactData;

    fn check(input: &MeshImpactInput) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        if input.files.is_empty() && input.delete.is_empty() {
            invalid.push(Invalid::new("files", "required", "send the proposed YAML, or name what would be deleted"));
        }
        if input.files.iter().map(|file| file.content.len()).sum::<usize>() > MAX_BYTES {
            invalid.push(Invalid::new("files", "range", format!("at most {MAX_BYTES} bytes together")));
        }
        for (index, text) in input.delete.iter().enumerate() {
            let is_known = named(text).is_some_and(|(kind, ..)| Kind::readable().any(|known| known.name() == kind));
            if !is_known {
                let message = "must be `Kind namespace/name`, such as `VirtualService shop/checkout`";
                invalid.push(Invalid::new(&format!("delete/{index}"), "pattern", message));
            }
        }
        invalid.extend(super::check::name("namespace", input.namespace.as_deref()));
        invalid
    }

    /// The namespace may be one that the change itself brings.
    fn names_what_exists(_: &MeshImpactInput) -> bool {
        false
    }

    async fn gather(cluster: &Cluster, input: &MeshImpactInput) -> Result<Evidence, Error> {
        let builder = cluster.whole_mesh(kinds()).await?;
        let before = builder.clone().build().seen_from(Perspective::default());
        let mut changed = builder;
        for text in &input.delete {
            if named(text).is_none_or(|(kind, namespace, name)| !changed.remove(kind, namespace, name)) {
                return Err(Error::NotFound { what: text.clone() });
            }
        }
        let texts: Vec<(&str, &str)> =
            input.files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect();
        changed.read_files_as(input.namespace.clone().unwrap_or_else(|| "default".to_owned()), true);
        changed.add_files(&texts);
        let after = changed.build().seen_from(Perspective::default());
        let made = if input.without_logs { made::Made::default() } else { made::gather(cluster, &before).await? };
        Ok(Evidence { before, after, made })
    }

    fn judge(_: &MeshImpactInput, evidence: Evidence) -> Judgement<MeshImpactData> {
        let Evidence { before, after, made } = evidence;
        let changed = changes(&before, &after);
        // What replaces an object keeps its age.
        let created = before.each(Kind::VirtualService).map(|service| {
            let key = (service.namespace().to_owned(), service.name().to_owned());
            (key, service.metadata().get("creationTimestamp").text().to_owned())
        });
        let facts = Facts { created: created.collect(), ..Facts::default() };
        let (old, new) = (Network::new(&before, Facts::default()), Network::new(&after, facts));
        let found = impact(&old, &new, &changed, &made.requests());
        let mut differences: Vec<(RequestDifference, Option<&Object>)> =
            found.iter().map(|difference| (shown(difference, &made), difference.changed)).collect();
        differences.sort_by_key(|(it, _)| {
            (it.effect != "breaks", std::cmp::Reverse(it.seen), it.effect != "mends", it.to.clone())
        });
        let breaking: usize = differences.iter().filter(|(it, _)| it.effect == "breaks").count();
        let mut skipped = made.skipped.clone();
        skipped
            .extend(kinds().iter().filter_map(|kind| Some(Skipped::new(kind.plural(), before.why_unreadable(kind)?))));
        let unread: Vec<_> = after.malformed().iter().skip(before.malformed().len()).collect();
        if !unread.is_empty() {
            skipped.push(Skipped::new(counted(unread.len(), "document"), "cannot be read"));
        }
        if changed.iter().any(|it| {
            it.object()
                .is_some_and(|object| matches!(object.kind(), Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet))
        }) {
            skipped.push(Skipped::new("pods of changed workloads", "they do not run yet, so the pods of now count"));
        }
        let findings = findings(&differences);
        let summary = format!(
            "{}: {} would break, {} in all end differently",
            counted(changed.len(), "changed object"),
            counted(breaking, "kind of request").replace("kind of requests", "kinds of requests"),
            differences.len()
        );
        let left_out = differences.len().saturating_sub(MOST_SHOWN);
        let data = MeshImpactData {
            breaks: breaking > 0,
            changed: changed.iter().filter_map(|it| Some(it.object()?.origin())).collect(),
            differences: differences.into_iter().take(MOST_SHOWN).map(|(it, _)| it).collect(),
            differences_left_out: left_out,
            unparsed: !unread.is_empty(),
        };
        Judgement { data, findings, skipped, commands: vec![Self::ABOUT.command.to_owned()], summary }
    }
}

fn shown(difference: &Difference<'_>, made: &made::Made) -> RequestDifference {
    let request = &difference.request;
    let effect = match (difference.breaks(), difference.mends()) {
        (true, _) => "breaks",
        (_, true) => "mends",
        _ => "changes",
    };
    let file = difference
        .changed
        .and_then(Object::source)
        .map(|source| source.line.map_or_else(|| source.file.to_string(), |line| format!("{}:{line}", source.file)));
    RequestDifference {
        effect,
        from: difference.callers.iter().take(MOST_NAMED).cloned().collect(),
        callers: difference.callers.len(),
        to: made::written(request),
        before: RequestEnd::of(&difference.before),
        after: RequestEnd::of(&difference.after),
        seen: difference.callers.iter().map(|caller| made.count(caller, request)).sum(),
        decided_by: difference.decided_by.clone(),
        changed: difference.changed.map(Object::origin),
        file,
    }
}

/// One for each changed object and effect, with the requests as evidence.
fn findings(differences: &[(RequestDifference, Option<&Object>)]) -> Vec<Finding> {
    let mut grouped: BTreeMap<(&str, String), Vec<&(RequestDifference, Option<&Object>)>> = BTreeMap::new();
    for difference in differences {
        grouped
            .entry((difference.0.effect, difference.0.changed.clone().unwrap_or_default()))
            .or_default()
            .push(difference);
    }
    let findings = grouped.into_iter().filter_map(|((effect, _), members)| {
        let (first, object) = members.first()?;
        let code = match effect {
            "breaks" if members.iter().any(|(it, _)| it.after.confidence != Confidence::Unknown) => &PTH0101,
            "breaks" => &PTH0102,
            _ => &PTH0103,
        };
        let object = (*object)?;
        let namespace = object.namespace();
        let mut subject = if namespace.is_empty() {
            Subject::cluster_wide(object.kind().name(), object.name())
        } else {
            Subject::namespaced(object.kind().name(), namespace, object.name())
        };
        subject.file.clone_from(&first.file);
        let callers: usize = members.iter().map(|(it, _)| it.callers).max().unwrap_or_default();
        let verb = match effect {
            "breaks" => "would fail",
            "mends" => "would work",
            _ => "would end differently",
        };
        let message = format!(
            "{} from {} {verb}: {} -> {}.",
            first.to,
            counted(callers, "caller"),
            first.before.words(),
            first.after.words()
        );
        let mut finding = Finding::new(code, subject, message).discriminator(effect);
        for (it, _) in members.iter().take(5) {
            let seen = if it.seen > 0 { format!(", seen {} times", it.seen) } else { String::new() };
            let text =
                format!("{} from {}: {} -> {}{seen}", it.to, it.from.join(", "), it.before.words(), it.after.words());
            finding = finding.evidence(Quote::new("foretold", text));
        }
        if effect == "breaks"
            && let Some(by) = &first.decided_by
        {
            finding = finding.remedy(format!("Change {} in what is proposed.", by.words()));
        }
        Some(finding)
    });
    findings.collect()
}
