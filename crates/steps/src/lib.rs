//! The steps of the guide. A step has two halves: `gather` does all the reading and returns evidence, `judge` is pure
//! and holds all the reasoning. The table `STEPS` lists them all.

mod about;
mod access_logging;
mod analyze;
mod bug_report;
mod check_inject;
mod codes;
mod coredns;
mod crds;
mod custom_resources;
mod envoy_page;
mod http_proxy;
mod injection;
mod input;
mod istiod_logs;
mod istiod_pods;
mod lean_pod;
mod mesh_pod;
mod misconfiguration;
mod named;
mod no_endpoint;
mod pod_usage;
pub mod prometheus;
pub mod proxy_config;
mod proxy_sample;
pub mod proxy_status;
mod rejected;
mod request_findings;
mod requests;
mod resource_status;
mod resource_usage;
mod restart;
mod sidecar_logs;
mod startup_race;
mod tags;
mod target;
mod two_roots;
mod verify_install;
mod version;

use std::future::Future;

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};

pub use about::{About, Cost, Permission};
pub use access_logging::{AccessLogs, AccessLogsData, AccessLogsInput, LoggingCounts, WorkloadLogging};
pub use analyze::{Analyze, AnalyzeData, AnalyzeInput, AnalyzeOutput, AnalyzedFile, MAX_FILES_BYTES};
pub use bug_report::{
    BugReport, BugReportArchive, BugReportData, BugReportInput, BugReportPlan, ConfigFile, ReportLayout, ReportedStep,
    Wanted, WeighedLog,
};
pub use check_inject::{CheckInject, CheckInjectData, CheckInjectInput};
pub use coredns::{Coredns, CorednsData, CorednsInput};
pub use crds::{Crds, CrdsData, CrdsInput};
pub use custom_resources::{CustomResources, CustomResourcesData, CustomResourcesInput};
pub use envoy_page::{AdminPage, EnvoyPage, EnvoyPageData, EnvoyPageInput};
pub use http_proxy::{HttpProxies, HttpProxiesData, HttpProxiesInput, ProxyServiceEntry, UsedProxy};
pub use injection::table::{Cell as ColouredCell, text as coloured_table};
pub use input::{Inputs, Invalid};
pub use istiod_logs::{IstiodLogs, IstiodLogsData, IstiodLogsInput};
pub use istiod_pods::{IstiodPods, IstiodPodsData, IstiodPodsInput};
pub use misconfiguration::{
    FailedPath, FailedRequests, Misconfiguration, MisconfigurationData, MisconfigurationInput, Symptom, SymptomGroup,
};
pub use proxy_config::{ProxyConfig, ProxyConfigData, ProxyConfigInput, ProxyConfigKind, ProxyOutput};
pub use proxy_status::{ProxyStatusData, ProxyStatusInput, ProxyStatusStep};
pub use requests::{
    AskedRequest, CallerRow, MeshCallers, MeshCallersData, MeshCallersInput, MeshImpact, MeshImpactData,
    MeshImpactInput, MeshPath, MeshPathData, MeshPathInput, ObservedRequests, PathAnswer, RequestDifference,
    RequestEnd, proxy_facts,
};
pub use resource_status::{Include, KubectlOutput, ResourceStatus, ResourceStatusData, ResourceStatusInput};
pub use resource_usage::{ResourceUsage, ResourceUsageData, ResourceUsageInput};
pub use restart::{
    BouncePod, BouncePodData, BouncePodInput, RestartDeployment, RestartDeploymentData, RestartDeploymentInput,
};
pub use sidecar_logs::{SidecarLogs, SidecarLogsData, SidecarLogsInput};
pub use startup_race::{
    EarlyExit, HoldSetting, Protection, ProtectionCounts, RevisionStart, StartupRace, StartupRaceData,
    StartupRaceInput, WorkloadStart,
};
pub use tags::{IstioctlOutput, Tags, TagsData, TagsInput};
pub use target::PodTarget;
pub use verify_install::{VerifyInstall, VerifyInstallData, VerifyInstallInput};
pub use version::{BuildInfo, IstiodBuild, MeshVersions, ProxyBuild, Version, VersionData, VersionInput};

use cluster::{self, Cluster};
use report::{self, Code, Finding, Format, Skipped};

/// Every step there is, in the guide's order.
pub static STEPS: &[&dyn AnyStep] = &[
    &IstiodLogs,
    &BouncePod,
    &RestartDeployment,
    &ResourceStatus,
    &Crds,
    &CustomResources,
    &IstiodPods,
    &EnvoyPage,
    &SidecarLogs,
    &Analyze,
    &ProxyStatusStep,
    &ProxyConfig,
    &Tags,
    &Version,
    &VerifyInstall,
    &CheckInject,
    &BugReport,
    &ResourceUsage,
    &Misconfiguration,
    &Coredns,
    &StartupRace,
    &HttpProxies,
    &AccessLogs,
    &MeshPath,
    &MeshCallers,
    &MeshImpact,
];

/// The step of that id.
pub fn find(id: &str) -> Option<&'static dyn AnyStep> {
    STEPS.iter().copied().find(|step| step.about().id == id)
}

/// Every code that a step reports, besides those of log lines and of the analyzers.
pub fn codes() -> impl Iterator<Item = &'static Code> {
    let all = [
        istiod_logs::CODES,
        restart::CODES,
        resource_status::codes::CODES,
        envoy_page::clusters::CODES,
        envoy_page::CODES,
        sidecar_logs::CODES,
        proxy_status::CODES,
        proxy_config::CODES,
        injection::codes::CODES,
        verify_install::codes::CODES,
        verify_install::support::CODES,
        startup_race::CODES,
        access_logging::CODES,
        resource_usage::CODES,
        coredns::CODES,
        requests::CODES,
    ];
    all.into_iter().flatten().copied()
}

/// What `judge` makes of the evidence.
#[derive(Debug)]
pub struct Judgement<D> {
    pub data: D,
    pub findings: Vec<Finding>,
    pub skipped: Vec<Skipped>,
    /// The command lines that show a person the same.
    pub commands: Vec<String>,
    /// One line on what was looked at, such as `3 istiod pods in 2 revisions`; what was found is added to it.
    pub summary: String,
}

/// One step of the guide.
pub trait Step: Send + Sync + 'static {
    const ABOUT: About;
    type Input: DeserializeOwned + Serialize + ToSchema + Send + Sync + 'static;
    type Evidence: Send + 'static;
    type Data: Serialize + ToSchema + Send + 'static;

    /// What is wrong with the inputs, beyond their types.
    fn check(_input: &Self::Input) -> Vec<Invalid> {
        Vec::new()
    }

    /// Whether the namespaces and the revision that the inputs name must be in the cluster.
    fn names_what_exists(_input: &Self::Input) -> bool {
        true
    }

    /// Reads what the judgement needs. An error only where there is nothing to judge: the cluster cannot be reached,
    /// or what was asked for does not exist.
    fn gather(
        cluster: &Cluster,
        input: &Self::Input,
    ) -> impl Future<Output = Result<Self::Evidence, cluster::Error>> + Send;

    /// Reasons over the evidence: pure, no clock, no I/O.
    fn judge(input: &Self::Input, evidence: Self::Evidence) -> Judgement<Self::Data>;

    /// What the command would print and nothing else, where there is one. Its `--output` is an input of the step.
    fn raw(_input: &Self::Input, _data: &Self::Data) -> Option<String> {
        None
    }
}

/// A step without its types, for the table, for runs and for the command line.
pub trait AnyStep: Send + Sync {
    fn about(&self) -> About;
    /// JSON Schema of the inputs.
    fn input_schema(&self) -> Value;
    /// Checks the inputs; the answer can be carried out.
    fn prepare(&self, inputs: Inputs) -> Result<Box<dyn Prepared>, Vec<Invalid>>;
}

/// A step with inputs that were found good.
pub trait Prepared: Send + Sync {
    fn about(&self) -> About;
    /// The inputs as they were understood.
    fn inputs(&self) -> Value;
    fn execute<'a>(&'a self, cluster: &'a Cluster, format: Format) -> BoxFuture<'a, Result<Outcome, cluster::Error>>;
}

/// What a step gave, without its types.
#[derive(Debug)]
pub struct Outcome {
    pub data: report::Data,
    pub findings: Vec<Finding>,
    pub skipped: Vec<Skipped>,
    pub commands: Vec<String>,
    pub summary: String,
    /// What the command would print, where there is one and the format shows it.
    pub printed: Option<String>,
}

/// A step with inputs that are typed already.
pub fn prepared<S: Step>(input: S::Input) -> Result<Box<dyn Prepared>, Vec<Invalid>> {
    let invalid = S::check(&input);
    if invalid.is_empty() { Ok(Box::new(Ready::<S>(std::sync::Arc::new(input)))) } else { Err(invalid) }
}

impl<S: Step> AnyStep for S {
    fn about(&self) -> About {
        S::ABOUT
    }

    fn input_schema(&self) -> Value {
        let mut named = Vec::new();
        S::Input::schemas(&mut named);
        let mut schema = serde_json::to_value(S::Input::schema()).expect("a schema is JSON");
        let named =
            named.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).expect("a schema is JSON")));
        let named: serde_json::Map<String, Value> = named.collect();
        if !named.is_empty() {
            schema["$defs"] = Value::Object(named);
        }
        local_references(&mut schema);
        schema
    }

    fn prepare(&self, inputs: Inputs) -> Result<Box<dyn Prepared>, Vec<Invalid>> {
        prepared::<S>(inputs.read()?)
    }
}

/// A schema that stands alone has its parts with it, and not in the document of the API.
fn local_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/$defs/");
            }
            fields.values_mut().for_each(local_references);
        }
        Value::Array(items) => items.iter_mut().for_each(local_references),
        _ => {}
    }
}

struct Ready<S: Step>(std::sync::Arc<S::Input>);

impl<S: Step> Prepared for Ready<S> {
    fn about(&self) -> About {
        S::ABOUT
    }

    fn inputs(&self) -> Value {
        serde_json::to_value(&*self.0).expect("inputs are JSON")
    }

    fn execute<'a>(&'a self, cluster: &'a Cluster, format: Format) -> BoxFuture<'a, Result<Outcome, cluster::Error>> {
        Box::pin(async move {
            if S::names_what_exists(&self.0) {
                named::exists(cluster, &self.inputs()).await?;
            }
            let evidence = S::gather(cluster, &self.0).await?;
            let input = std::sync::Arc::clone(&self.0);
            // A judgement that nobody waits for any more has its room until it ends.
            let claim = cluster.claim().cloned();
            // Judging may take a while over a large mesh, and must not hold up other requests.
            let judged = tokio::task::spawn_blocking(move || {
                let judgement = S::judge(&input, evidence);
                let printed = format.shows_output().then(|| S::raw(&input, &judgement.data)).flatten();
                let _claim = claim;
                Outcome {
                    data: report::Data::of(&judgement.data),
                    findings: judgement.findings,
                    skipped: judgement.skipped,
                    commands: judgement.commands,
                    summary: judgement.summary,
                    printed,
                }
            });
            match judged.await {
                Ok(outcome) => Ok(outcome),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        })
    }
}

/// Writes `1 pod`, `2 pods`, `2 proxies`.
pub fn counted(count: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("1 {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None if noun.ends_with(['s', 'x']) => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}
