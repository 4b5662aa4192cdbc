//! Puts it all together: facts, what explains them, who suffers, and the answer.

use jiff::{SignedDuration, Timestamp};
use mesh::Kind;
use report::{Finding, Severity, Subject, fingerprint, formats::place};

use crate::{
    answer::{Cause, Confidence, Diagnosis, Effect, Note, Onset, PossibleCause, Suffering},
    engine::{self, Explained},
    evidence::{Change, Evidence, Scope},
    fact::{self, Fact},
    healthy, onset,
    place::{Place, Scene},
    problems::Problems,
    rank::{self, Weight},
    relations, remedy, suffering, verify, words,
};
use detectors::Certainty;

/// Evidence quoted with a cause.
const QUOTED: usize = 3;
/// Changes named with a cause.
const CHANGES: usize = 5;

/// From what was found to the causes. The cluster's id enters the fingerprints.
pub fn diagnose(evidence: Evidence<'_>, cluster_id: &str) -> Diagnosis {
    let mut evidence = evidence;
    let facts = fact::facts(std::mem::take(&mut evidence.findings), &evidence.logs);
    let scene = Scene::new(evidence.mesh);
    let places: Vec<Place> = facts.iter().map(|fact| scene.place(fact)).collect();
    let problems = Problems::new();
    let explained = engine::explain(&facts, &places, &problems);
    let work =
        Work { evidence: &evidence, scene: &scene, facts: &facts, places: &places, explained: &explained, cluster_id };

    let mut notes = Vec::new();
    let mut weighed: Vec<(bool, Weight, Cause)> = Vec::new();
    for root in work.roots() {
        if work.is_cause(root) {
            let (weight, cause) = work.cause(root, problems.certainty(&facts[root].finding));
            weighed.push((work.is_asked_for(root), weight, cause));
        } else {
            notes.extend(work.group(root).into_iter().map(|fact| note(&facts[fact])));
        }
    }
    weighed.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let (mut causes, mut elsewhere) = (Vec::new(), Vec::new());
    for (rank, (is_asked_for, _, mut cause)) in weighed.into_iter().enumerate() {
        cause.rank = rank + 1;
        if is_asked_for { causes.push(cause) } else { elsewhere.push(cause) }
    }
    remedy::reconcile(&mut causes);
    let healthy = healthy::healthy(&evidence, &scene, &facts);
    let unknown = healthy::unknown(&evidence);
    let mut diagnosis = Diagnosis { headline: String::new(), causes, elsewhere, notes, healthy, unknown };
    diagnosis.headline = words::headline(&diagnosis);
    diagnosis
}

struct Work<'w, 'm> {
    evidence: &'w Evidence<'m>,
    scene: &'w Scene<'m>,
    facts: &'w [Fact],
    places: &'w [Place],
    explained: &'w Explained,
    cluster_id: &'w str,
}

impl Work<'_, '_> {
    fn roots(&self) -> impl Iterator<Item = usize> {
        self.explained.roots.iter().enumerate().filter(|(fact, root)| fact == *root).map(|(fact, _)| fact)
    }

    /// A cause with all that follows from it, itself first.
    fn group(&self, root: usize) -> Vec<usize> {
        let others = self.explained.roots.iter().enumerate().filter(|(fact, it)| **it == root && *fact != root);
        std::iter::once(root).chain(others.map(|(fact, _)| fact)).collect()
    }

    fn is_cause(&self, root: usize) -> bool {
        let fact = &self.facts[root];
        let code = fact.code();
        if relations::is_note(code) {
            return false;
        }
        if relations::is_risk(code) {
            return self.is_target_in_trouble(root);
        }
        fact.finding.severity >= Severity::Warning || relations::is_defect(code)
    }

    /// Whether something else is wrong with what a risk is about.
    fn is_target_in_trouble(&self, risk: usize) -> bool {
        let place = &self.places[risk];
        self.facts.iter().zip(self.places).any(|(fact, other)| {
            fact.finding.severity >= Severity::Warning
                && !relations::is_risk(fact.code())
                && !relations::is_note(fact.code())
                && (fact.finding.subject.kind == "Pod" || crate::place::is_workload(&fact.finding.subject.kind))
                && !place.pods.is_disjoint(&other.pods)
        })
    }

    fn cause(&self, root: usize, certainty: Certainty) -> (Weight, Cause) {
        let (fact, place) = (&self.facts[root], &self.places[root]);
        let group = self.group(root);
        let together = || group.iter().map(|it| (&self.facts[*it], &self.places[*it]));
        let suffering = suffering::of(self.scene, together());
        let logs_begin = self.evidence.logs.iter().filter_map(|log| log.first_at.as_deref()).max();
        let onset = onset::of(self.scene, logs_begin, together());
        let weight = rank::weight(self.scene, fact, place, &suffering, certainty, onset.as_ref());
        let mut effects: Vec<Effect> = group[1..].iter().map(|it| self.effect(*it)).collect();
        effects.sort_by(|a, b| (b.severity, &a.code, &a.subject).cmp(&(a.severity, &b.code, &b.subject)));
        let finding = self.quoted(fact);
        let possible_causes = self.possible_causes(fact, place);
        let title = words::title(fact);
        let why = words::why(&suffering, &effects, &possible_causes);
        let changes = self.changes(&group, onset.as_ref());
        let cause = Cause {
            rank: 0,
            also: fact.subjects.iter().filter(|subject| **subject != fact.finding.subject).cloned().collect(),
            title,
            why,
            remedy: words::remedy(fact, &possible_causes),
            verify: verify::verify(&fact.finding, &suffering),
            confidence: confidence(fact, &suffering, certainty, &effects),
            finding,
            suffering,
            onset,
            changes,
            effects,
            possible_causes,
        };
        (weight, cause)
    }

    fn quoted(&self, fact: &Fact) -> Finding {
        let mut finding = fact.finding.clone();
        finding.evidence.truncate(QUOTED);
        finding.fingerprint = fingerprint(self.cluster_id, &finding);
        finding
    }

    fn effect(&self, fact: usize) -> Effect {
        let (it, edge) = (&self.facts[fact], self.explained.edge(fact));
        let named = |fact: usize| format!("{} {}", self.facts[fact].code(), place(&self.facts[fact].finding.subject));
        Effect {
            code: it.code().to_owned(),
            severity: it.finding.severity,
            subject: it.finding.subject.clone(),
            also: it.subjects.iter().filter(|subject| **subject != it.finding.subject).cloned().collect(),
            message: words::shortened(&it.finding.message, 240),
            fingerprint: fingerprint(self.cluster_id, &it.finding),
            follows_from: edge.map(|edge| named(edge.cause)).unwrap_or_default(),
            relation: edge.map_or(crate::tie::Tie::Mesh, |edge| edge.strength.tie),
            because: edge.map(|edge| edge.because.to_owned()).unwrap_or_default(),
            or_from: self.explained.others(fact).into_iter().map(named).collect(),
        }
    }

    /// What is in force where something fails that nothing explains: objects that could do this, for a person to look at.
    fn possible_causes(&self, fact: &Fact, place: &Place) -> Vec<PossibleCause> {
        let mut found = Vec::new();
        let mut add = |subject: Subject, why: &str| {
            if found.len() < CHANGES {
                found.push(PossibleCause { subject, why: why.to_owned() });
            }
        };
        let mesh = self.scene.mesh;
        if matches!(fact.code(), "ENV0010" | "LOG0001" | "LOG0102" | "LOG0047") {
            for filter in mesh.each(Kind::EnvoyFilter).chain(mesh.each(Kind::WasmPlugin)) {
                let selected = mesh.pods_under(filter);
                let here =
                    |pod: &&mesh::Object| place.pods.iter().any(|at| std::ptr::eq(*pod, self.scene.pods[*at as usize]));
                if selected.iter().any(here) {
                    add(subject(filter), "it patches the proxy that refuses its configuration");
                }
            }
        }
        if fact.failure.is_some() {
            for kind in [Kind::VirtualService, Kind::DestinationRule, Kind::ServiceEntry] {
                for object in mesh.each(kind) {
                    let hosts = crate::hosts::concerned(mesh, object);
                    if place.hosts.iter().any(|host| crate::hosts::is_among(&hosts, host)) {
                        add(subject(object), "it decides over requests to this host");
                    }
                }
            }
        }
        found
    }

    /// What was changed at the objects of a cause and on the way to its effects within the hour before it began, the last
    /// first. Where nothing says when it began, within the last day.
    fn changes(&self, group: &[usize], onset: Option<&Onset>) -> Vec<Change> {
        let begun = onset.filter(|onset| !onset.or_earlier).and_then(|onset| onset.at.parse::<Timestamp>().ok());
        let taken_at = self.scene.mesh.taken_at();
        let (until, hours) = begun.map_or((taken_at, 24), |begun| (begun, 1));
        let from = until.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(until);
        let (from, until) = (onset::written(from), onset::written(until));
        let own = |change: &&Change| {
            let subject = &change.subject;
            let workload =
                format!("{}/{}/{}", subject.namespace.as_deref().unwrap_or_default(), subject.kind, subject.name);
            let object = place(subject);
            group
                .iter()
                .map(|fact| &self.places[*fact])
                .any(|it| it.objects.contains(&object) || it.workloads.contains(&workload))
        };
        let within = |change: &&Change| from <= change.at && change.at <= until;
        let mut changes: Vec<Change> = self.evidence.changes.iter().filter(within).filter(own).cloned().collect();
        changes.sort_by(|a, b| b.cmp(a));
        changes.truncate(CHANGES);
        changes
    }

    /// Whether a cause concerns what was asked for.
    fn is_asked_for(&self, root: usize) -> bool {
        let scope = &self.evidence.scope;
        if scope.is_everything() {
            return true;
        }
        self.group(root).into_iter().any(|fact| concerns(scope, &self.facts[fact], &self.places[fact]))
    }
}

fn concerns(scope: &Scope, fact: &Fact, place: &Place) -> bool {
    let namespaces = scope.namespaces.is_empty()
        || !scope.namespaces.is_disjoint(&place.namespaces)
        || !place.revisions.is_empty()
        || place.hosts.iter().any(|host| scope.namespaces.iter().any(|it| host.contains(&format!(".{it}.svc"))));
    let ends: Vec<&String> = [&scope.from, &scope.to].into_iter().flatten().chain(&scope.names).collect();
    let is_named = |name: &&String| {
        place.known_as.contains(*name)
            || place.mentions.contains(*name)
            || place.workloads.iter().any(|it| {
                let mut parts = it.splitn(3, '/');
                let (namespace, _, workload) = (parts.next(), parts.next(), parts.next());
                let full = format!("{}/{}", namespace.unwrap_or_default(), workload.unwrap_or_default());
                full == **name || workload == Some(name.as_str())
            })
            || place.hosts.iter().any(|host| {
                let (service, namespace) = name.split_once('/').map_or((name.as_str(), ""), |(ns, it)| (it, ns));
                host == *name || host.starts_with(&format!("{service}.{namespace}"))
            })
    };
    let named = ends.is_empty() || ends.iter().any(is_named);
    let symptom = scope.statuses.is_empty() && scope.problems.is_empty()
        || fact.failure.as_ref().is_some_and(|failure| {
            scope.statuses.contains(&failure.response_code)
                || failure.explanation.candidates.iter().any(|id| scope.problems.contains(id))
        })
        || fact.failure.is_none() && Problems::new().ids(&fact.finding).iter().any(|id| scope.problems.contains(*id));
    namespaces && named && symptom
}

fn subject(object: &mesh::Object) -> Subject {
    match object.namespace() {
        "" => Subject::cluster_wide(object.kind().name(), object.name()),
        namespace => Subject::namespaced(object.kind().name(), namespace, object.name()),
    }
}

fn note(fact: &Fact) -> Note {
    Note {
        code: fact.code().to_owned(),
        subject: fact.finding.subject.clone(),
        message: words::shortened(&fact.finding.message, 240),
    }
}

/// How sure it is that this is a cause, and not itself an effect of what was not found.
fn confidence(fact: &Fact, suffering: &Suffering, certainty: Certainty, effects: &[Effect]) -> Confidence {
    let is_symptom = fact.failure.is_some() || fact.code().starts_with("LOG");
    let is_borne_out = suffering.failed_requests > 0 || suffering.pods_not_ready > 0 || !effects.is_empty();
    match certainty {
        _ if is_symptom => Confidence::Low,
        Certainty::Certain => Confidence::High,
        Certainty::Likely if is_borne_out => Confidence::High,
        Certainty::Likely => Confidence::Medium,
        Certainty::Hint if is_borne_out => Confidence::Medium,
        Certainty::Hint => Confidence::Low,
    }
}
