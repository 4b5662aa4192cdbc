//! Lays failed requests beside the findings that explain them, and puts findings under what users see.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    access_logs::{FailedRequests, ProxyLog},
    by_path::ByPath,
    in_force::{self, Setting},
    symptom::Symptom,
    unserved,
};
use detectors::Certainty;
use diagnosis::{hosts, problems::Problems};
use logs::{FailureGroup, Side};
use mesh::{Kind, Mesh, Object, host};
use report::{Evidence, Finding, Severity, formats};

/// Requests shown as the evidence of one finding.
const SAMPLES: usize = 3;

/// One thing that users see, and what causes it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SymptomGroup {
    pub symptom: Symptom,
    /// In a user's words.
    pub title: &'static str,
    /// The worst first, and before others those that failed requests bear out.
    pub findings: Vec<ExplainedFinding>,
}

/// A finding in short; the whole stands among the findings.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplainedFinding {
    pub code: String,
    pub severity: Severity,
    /// `Kind namespace/name`.
    pub subject: String,
    pub message: String,
    /// The problems of the catalogue that it stands for.
    pub problems: Vec<&'static str>,
    /// How far the data prove it; null for messages of `istioctl analyze` that no entry of the catalogue covers.
    pub certainty: Option<Certainty>,
    /// Failed requests that it explains.
    pub requests: Vec<FailedRequests>,
}

/// All findings with what they explain.
pub(super) struct Explained {
    items: Vec<Item>,
    pub(super) groups: Vec<SymptomGroup>,
    pub(super) unexplained: Vec<FailedRequests>,
}

struct Item {
    finding: Finding,
    problems: Vec<(&'static str, Certainty)>,
    hosts: BTreeSet<String>,
    requests: Vec<FailedRequests>,
    symptoms: Vec<Symptom>,
}

/// What was said, each with the object that it is about.
pub(super) fn explain(mesh: &Mesh, said: Vec<(Option<&Object>, Finding)>, logs: &[ProxyLog]) -> Explained {
    let known = Problems::new();
    let mut items: Vec<Item> = said
        .into_iter()
        .map(|(object, finding)| {
            let problems = known.of(&finding);
            let ids: Vec<&str> = problems.iter().map(|(id, _)| *id).collect();
            let symptoms = Symptom::of_problems(&ids);
            let hosts = object.map(|object| hosts::concerned(mesh, object)).unwrap_or_default();
            Item { finding, problems, hosts, requests: Vec::new(), symptoms }
        })
        .collect();
    let (mut unexplained, mut alone) = (Vec::new(), Vec::new());
    let paths = ByPath::new(mesh);
    for log in logs {
        for failure in &log.failures {
            let path = paths.of(log.namespace(), &log.subject.name, failure);
            let requests = FailedRequests { path: Some(path.clone()), ..log.requests(failure) };
            let destinations = destinations(mesh, log, failure);
            let settings = in_force::settings(mesh, log.namespace(), failure);
            let mut is_explained = false;
            for item in items.iter_mut().filter(|item| item.explains(failure, &destinations)) {
                item.requests.push(requests.clone());
                item.quote(&settings);
                is_explained = true;
            }
            if is_explained {
                continue;
            }
            if let Some(finding) = log.finding(failure) {
                let finding = in_force::amended(mesh, &settings, failure, finding);
                let mut finding = unserved::amended(mesh, log.namespace(), failure, finding);
                if path.explains {
                    let by = path.decided_by.as_ref().map(|by| format!(" ({})", by.words())).unwrap_or_default();
                    finding.evidence.push(Evidence::new("path", format!("{}{by}", path.says)));
                    if let Some(remedy) = &path.remedy {
                        finding.remedy.clone_from(remedy);
                    }
                }
                let symptoms = vec![Symptom::of_status(failure.response_code)];
                alone.push(Item {
                    finding,
                    problems: Vec::new(),
                    hosts: destinations,
                    requests: vec![requests.clone()],
                    symptoms,
                });
            }
            if !path.explains {
                unexplained.push(requests);
            }
        }
    }
    for item in &mut items {
        item.quote_requests();
    }
    items.append(&mut alone);
    Explained { items, groups: Vec::new(), unexplained }
}

/// The hosts that a failed request was for. The log of a server names hosts as its clients write them, so there its own
/// Services count.
fn destinations(mesh: &Mesh, log: &ProxyLog, failure: &FailureGroup) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let cluster = failure.sample.upstream_cluster.as_ref().and_then(|cluster| cluster.host.as_deref());
    found.extend(cluster.map(str::to_owned));
    if failure.side == Side::Outbound {
        found.insert(hosts::full_name(mesh, log.namespace(), &failure.destination));
    } else if let Some(pod) = mesh.find(Kind::Pod, log.namespace(), &log.subject.name) {
        let services = mesh.services_selecting(log.namespace(), pod.labels());
        found.extend(services.into_iter().map(|service| host::fqdn(service.namespace(), service.name())));
    }
    found
}

impl Item {
    /// Whether a problem that this stands for is a known cause of such a failure, at one of its hosts.
    fn explains(&self, failure: &FailureGroup, destinations: &BTreeSet<String>) -> bool {
        let is_candidate = |id: &str| failure.explanation.candidates.iter().any(|candidate| candidate == id);
        self.problems.iter().any(|(id, _)| is_candidate(id))
            && destinations.iter().any(|destination| hosts::is_among(&self.hosts, destination))
    }

    /// The settings in force behind a failure, each once.
    fn quote(&mut self, settings: &[Setting]) {
        for evidence in settings.iter().map(Setting::evidence) {
            if !self.finding.evidence.contains(&evidence) {
                self.finding.evidence.push(evidence);
            }
        }
    }

    fn quote_requests(&mut self) {
        self.requests.sort_by_key(|requests| std::cmp::Reverse(requests.count));
        for requests in self.requests.iter().take(SAMPLES) {
            let flags = requests.response_flags.join(",");
            let text = format!(
                "{} of {} requests to {} failed: {} {flags}",
                requests.count, requests.of, requests.destination, requests.response_code
            );
            let mut evidence = Evidence::new(format!("access log of {}", requests.proxy), text.trim_end());
            evidence.count = Some(requests.count);
            evidence.last_seen.clone_from(&requests.last_at);
            self.finding.evidence.push(evidence);
        }
    }

    fn is_about(&self, host: &str) -> bool {
        hosts::is_among(&self.hosts, host) || self.hosts.iter().any(|known| host::overlap(known, host))
    }

    fn in_short(&self) -> ExplainedFinding {
        ExplainedFinding {
            code: self.finding.code.to_string(),
            severity: self.finding.severity,
            subject: formats::place(&self.finding.subject),
            message: self.finding.message.clone(),
            problems: self.problems.iter().map(|(id, _)| *id).collect(),
            certainty: self.problems.first().map(|(_, certainty)| *certainty),
            requests: self.requests.clone(),
        }
    }
}

impl Explained {
    /// Keeps what users see so, and what concerns a host; then groups it.
    pub(super) fn only(mut self, symptoms: &[Symptom], host: Option<&str>, mesh: &Mesh) -> Self {
        if !symptoms.is_empty() {
            self.items.retain(|item| item.symptoms.iter().any(|symptom| symptoms.contains(symptom)));
            self.unexplained.retain(|requests| symptoms.contains(&Symptom::of_status(requests.response_code)));
        }
        if let Some(host) = host {
            let host = hosts::full_name(mesh, "", host);
            self.items.retain(|item| item.is_about(&host));
            self.unexplained.retain(|requests| hosts::full_name(mesh, "", &requests.destination) == host);
        }
        let mut groups: BTreeMap<Symptom, Vec<ExplainedFinding>> = BTreeMap::new();
        for item in &self.items {
            for symptom in item.symptoms.iter().filter(|it| symptoms.is_empty() || symptoms.contains(it)) {
                groups.entry(*symptom).or_default().push(item.in_short());
            }
        }
        let group = |(symptom, mut findings): (Symptom, Vec<ExplainedFinding>)| {
            findings.sort_by_key(|it| (std::cmp::Reverse(it.severity), it.requests.is_empty()));
            SymptomGroup { symptom, title: symptom.title(), findings }
        };
        self.groups = groups.into_iter().map(group).collect();
        let worst = |group: &SymptomGroup| group.findings.first().map(|finding| finding.severity);
        self.groups.sort_by_key(|group| std::cmp::Reverse(worst(group)));
        self
    }

    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.items).into_iter().map(|item| item.finding).collect()
    }
}
