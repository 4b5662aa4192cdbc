//! `misc.misconfiguration`: what is wrong with the configuration of traffic and security, by what users see of it.
//!
//! The rules of `istioctl analyze` and the detectors say what is wrong; access logs say whether somebody suffers from it.
//! Failed requests are laid beside the findings that explain them, and those that nothing explains are findings of their
//! own.

pub(crate) mod access_logs;
mod by_path;
mod explain;
mod in_force;
pub(crate) mod symptom;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod unserved;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use access_logs::FailedRequests;
pub use by_path::FailedPath;
pub use explain::SymptomGroup;
pub use symptom::Symptom;

use super::{About, Cost, Invalid, Judgement, Permission, Step, counted, input::check, requests};
use analyzers::{ANALYZERS, Options, analyze};
use cluster::{Cluster, Error};
use detectors::{self, Area, detect};
use mesh::{Extent, KindSet, Mesh, Perspective};
use report::{Finding, Skipped};

/// Proxies whose logs are read, and lines of each, unless the caller says otherwise.
const PROXIES: u32 = 50;
const TAIL: u32 = 1000;
/// Areas that have a step of their own, so they are left out unless they are asked for.
const ELSEWHERE: [Area; 2] = [Area::Resources, Area::Dns];

/// The step.
pub struct Misconfiguration;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MisconfigurationInput {
    /// Show findings about these namespaces, about the control plane's, and about what has no namespace. The rules
    /// themselves always see everything.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Show findings about all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only objects of this revision, or of the revision that this tag points to. Default: every revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Areas of the detectors. Default: all but `resources` and `dns`, which have steps of their own.
    #[param(max_items = 15, inline)]
    pub area: Vec<Area>,
    /// Only what users see so.
    #[param(max_items = 30, inline)]
    pub symptom: Vec<Symptom>,
    /// Only what concerns this host: a full name, or `service.namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub host: Option<String>,
    /// Leave the access logs alone.
    pub without_logs: bool,
    /// Proxies whose logs are read (default 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub proxies: Option<u32>,
    /// The last lines of each log (default 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 10_000)]
    pub tail: Option<u32>,
}

/// What is wrong, by what users see.
#[derive(Debug, Serialize, ToSchema)]
pub struct MisconfigurationData {
    /// The gravest first.
    pub symptoms: Vec<SymptomGroup>,
    /// Failed requests that neither a finding nor their path explains, with the reason.
    pub unexplained: Vec<FailedRequests>,
    pub looked_at: LookedAt,
}

/// What the answer rests on.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LookedAt {
    pub objects: usize,
    pub analyzers: usize,
    pub detectors: usize,
    /// Proxies whose log was read, and how many of them log requests.
    pub proxies: usize,
    pub proxies_that_log: usize,
    pub requests: u64,
}

pub struct Evidence {
    /// Everything, for the detectors.
    whole: Mesh,
    /// What `istioctl analyze` looks at.
    analyzed: Mesh,
    logs: access_logs::ProxyLogs,
}

impl MisconfigurationInput {
    fn areas(&self) -> Vec<Area> {
        let all = Area::ALL.into_iter().map(|(area, _)| area);
        if self.area.is_empty() { all.filter(|area| !ELSEWHERE.contains(area)).collect() } else { self.area.clone() }
    }

    fn namespaces(&self) -> BTreeSet<String> {
        self.namespace.iter().cloned().collect()
    }

    fn options(&self, mesh: &Mesh) -> Options {
        let mut namespaces = self.namespaces();
        if !namespaces.is_empty() {
            // Policies there hold for all.
            namespaces.insert(mesh.istio_namespace().to_owned());
        }
        Options { namespaces, ..Options::default() }
    }
}

impl Step for Misconfiguration {
    const ABOUT: About = About {
        id: "misc.misconfiguration",
        title: "Find misconfiguration of traffic and security",
        description: "Every rule of `istioctl analyze` and every detector, grouped by what users see (503, 404, 403, \
            resets …), with the failed requests of the access logs that each explains.",
        guide: "misc/2-traffic-security",
        method: "GET",
        endpoint: "/v1/misc/misconfiguration",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "services"),
            Permission::core("list", "pods"),
            Permission::core("get", "pods/log"),
            Permission::core("list", "secrets"),
            Permission::core("list", "configmaps"),
            Permission::core("list", "events"),
            Permission { verb: "list", group: "networking.istio.io", resource: "*" },
            Permission { verb: "list", group: "security.istio.io", resource: "*" },
            Permission { verb: "list", group: "telemetry.istio.io", resource: "*" },
            Permission { verb: "list", group: "gateway.networking.k8s.io", resource: "*" },
        ],
        cost: Cost::High,
        command: "istioctl analyze --istioNamespace <namespace> --revision <revision> --all-namespaces",
        docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/",
    };
    type Input = MisconfigurationInput;
    type Evidence = Evidence;
    type Data = MisconfigurationData;

    fn check(input: &MisconfigurationInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid.extend(check::text("host", input.host.as_deref(), 253));
        invalid.extend(check::range("proxies", input.proxies, 1, 500));
        invalid.extend(check::range("tail", input.tail, 1, 10_000));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &MisconfigurationInput) -> Result<Evidence, Error> {
        let rules = ANALYZERS.iter().flat_map(|analyzer| analyzer.reads).copied();
        let kinds: KindSet = detectors::kinds(&detectors::of_areas(&input.areas()))
            .iter()
            .chain(rules)
            .chain(requests::kinds().iter())
            .collect();
        let builder = cluster.whole_mesh(kinds).await?;
        let perspective = Perspective { compatible: false, revision: input.revision.clone() };
        let analyzed = builder.within(Extent::Analysis).build().seen_from(perspective.clone());
        let whole = builder.build().seen_from(perspective);
        let logs = if input.without_logs {
            access_logs::ProxyLogs::default()
        } else {
            let most = input.proxies.unwrap_or(PROXIES) as usize;
            access_logs::gather(cluster, &whole, &input.namespaces(), most, input.tail.unwrap_or(TAIL)).await?
        };
        Ok(Evidence { whole, analyzed, logs })
    }

    fn judge(input: &MisconfigurationInput, evidence: Evidence) -> Judgement<MisconfigurationData> {
        let Evidence { whole, analyzed, logs } = evidence;
        let options = input.options(&whole);
        let rules = detectors::of_areas(&input.areas());
        let analysis = analyze(&analyzed, &options).expect("no analyzer is named");
        let detection = detect(&whole, &rules, &options);
        let said = analysis.messages.iter().map(|message| (message.object, message.to_finding()));
        let said = said.chain(detection.messages.iter().map(|message| (message.object, message.to_finding())));
        let explained = explain::explain(&whole, said.collect(), &logs.logs);
        let mut explained = explained.only(&input.symptom, input.host.as_deref(), &whole);

        let looked_at = LookedAt {
            objects: whole.len(),
            analyzers: analysis.executed.len(),
            detectors: detection.executed.len(),
            proxies: logs.logs.len(),
            proxies_that_log: logs.logs.iter().filter(|log| log.lines > 0).count(),
            requests: logs.logs.iter().map(|log| log.lines).sum(),
        };
        let mut skipped: Vec<Skipped> = analysis.skipped;
        skipped.extend(detection.skipped);
        skipped.extend(logs.skipped);
        let findings: Vec<Finding> = explained.take_findings();
        let summary = format!(
            "{}, {} and {}, {} in the logs of {}",
            counted(looked_at.objects, "object"),
            counted(looked_at.analyzers, "analyzer"),
            counted(looked_at.detectors, "detector"),
            counted(usize::try_from(looked_at.requests).unwrap_or(usize::MAX), "request"),
            counted(looked_at.proxies, "proxy"),
        );
        let data = MisconfigurationData { symptoms: explained.groups, unexplained: explained.unexplained, looked_at };
        let commands = commands(&whole);
        Judgement { data, findings, skipped, commands, summary }
    }
}

fn commands(mesh: &Mesh) -> Vec<String> {
    let namespace = mesh.istio_namespace();
    let analyze = |revision: &str| {
        let revision = if revision == "default" { String::new() } else { format!(" --revision {revision}") };
        format!("istioctl analyze --istioNamespace {namespace}{revision} --all-namespaces")
    };
    mesh.revisions().into_iter().map(analyze).collect()
}
