//! `istioctl.analyze`: the rules of `istioctl analyze` over the cluster's objects, over proposed YAML on top of them, or
//! over YAML alone.

mod data;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use data::AnalyzeData;

use super::{About, Cost, Invalid, Judgement, Permission, Step, counted, input::check};
use analyzers::{self, Analysis, Options, Outcome, Suppression, analyze};
use cluster::{Cluster, Error};
use mesh::{Kind, Mesh, MeshBuilder, Perspective, Settings};
use report::{Finding, Severity, Skipped};

/// All documents of one call together.
pub const MAX_FILES_BYTES: usize = 10 * 1024 * 1024;

pub struct Analyze;

/// A YAML or JSON file that is proposed, or judged alone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyzedFile {
    /// Shown in references; an ending `.json` means JSON.
    #[schema(max_length = 4096)]
    pub name: String,
    /// The documents. They are not kept with the run.
    #[serde(skip_serializing)]
    #[schema(max_length = 10_485_760)]
    pub content: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AnalyzeInput {
    /// Show findings about these namespaces only. The analysis itself always covers everything.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Show findings about all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only objects of this revision, or of the revision that this tag points to. Default: every revision (in compatible
    /// mode `default`, as istioctl).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Exactly what istioctl 1.30 says, with its oddities.
    pub compatible: bool,
    /// From which severity on the analysis fails (default `error`). It decides `data.failing`, and the exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub failure_threshold: Option<Threshold>,
    /// Findings below are not shown (default `info`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output_threshold: Option<Threshold>,
    /// `CODE=Kind namespace/name` with `*` for any text: such findings are not shown, but counted.
    #[param(max_items = 100)]
    pub suppress: Vec<String>,
    /// Show what is suppressed, by `suppress` or by annotation, apart in `data.suppressed`.
    pub show_suppressed: bool,
    /// Only these analyzers, by istioctl's names (`GET /v1/steps/istioctl.analyze` lists no names; see `data.executed`).
    #[param(max_items = 100)]
    pub analyzer: Vec<String>,
    /// The mesh configuration (YAML) in place of the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1_048_576)]
    pub mesh_config: Option<String>,
    /// The mesh networks (YAML) in place of the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1_048_576)]
    pub mesh_networks: Option<String>,
    /// Files may hold Namespaces, Nodes, Pods, Services and Secrets, which istioctl reads from a cluster only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_kinds: Option<bool>,
    /// Judge the files alone, without the cluster.
    pub alone: bool,
    /// Only what the files would add: findings that the cluster has without them are left out.
    pub only_new: bool,
    /// What `format=raw` prints, as istioctl's `--output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<AnalyzeOutput>,
    /// Proposed objects, which win over those of the cluster.
    #[param(ignore)]
    pub files: Vec<AnalyzedFile>,
}

/// How istioctl writes its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnalyzeOutput {
    Log,
    Json,
    Yaml,
}

/// A severity, in any case, as istioctl takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Threshold {
    #[serde(alias = "Info", alias = "INFO")]
    Info,
    #[serde(alias = "Warning", alias = "WARNING")]
    Warning,
    #[serde(alias = "Error", alias = "ERROR")]
    Error,
}

impl From<Threshold> for Severity {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Info => Self::Info,
            Threshold::Warning => Self::Warning,
            Threshold::Error => Self::Error,
        }
    }
}

/// What was read: the mesh with the proposed objects, and without them where the difference is asked for.
pub struct Evidence {
    mesh: Mesh,
    before: Option<Mesh>,
}

impl AnalyzeInput {
    fn options(&self) -> Options {
        Options {
            analyzers: self.analyzer.clone(),
            namespaces: self.namespace.iter().cloned().collect(),
            suppress: self.suppress.iter().filter_map(|text| text.parse().ok()).collect(),
            output_threshold: self.output_threshold.map_or(Severity::Info, Severity::from),
            failure_threshold: self.failure_threshold(),
        }
    }

    fn failure_threshold(&self) -> Severity {
        self.failure_threshold.map_or(Severity::Error, Severity::from)
    }

    fn perspective(&self) -> Perspective {
        Perspective { compatible: self.compatible, revision: self.revision.clone() }
    }

    /// Not copied: they may be a hundred megabytes.
    fn texts(&self) -> Vec<(&str, &str)> {
        self.files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect()
    }

    fn fill(&self, builder: &mut MeshBuilder) {
        if let Some(config) = &self.mesh_config {
            builder.mesh_config(config.as_str());
        }
        if let Some(networks) = &self.mesh_networks {
            builder.mesh_networks(networks.as_str());
        }
    }

    /// Where an object of a file belongs that names no namespace: where `kubectl apply` with the same words would put it.
    fn default_namespace(&self) -> String {
        match self.namespace.as_slice() {
            [one] => one.clone(),
            _ if self.all_namespaces => String::new(),
            _ => "default".to_owned(),
        }
    }

    /// Without the Services of files there would be nothing to resolve a host to, and half of the rules would be silent:
    /// only for istioctl's own answer are they left out.
    fn reads_runtime_kinds(&self) -> bool {
        self.runtime_kinds.unwrap_or(!self.compatible)
    }

    /// The mesh of the files alone, as `istioctl analyze --use-kube=false` sees them.
    fn alone(&self, now: jiff::Timestamp, istio_namespace: String) -> Mesh {
        let (default_namespace, runtime_kinds) = (self.default_namespace(), self.reads_runtime_kinds());
        let settings =
            Settings { istio_namespace, default_namespace, runtime_kinds, live: false, ..Settings::new(now) };
        let mut builder = MeshBuilder::new(settings);
        self.fill(&mut builder);
        builder.add_files(&self.texts());
        builder.add_default_ingress();
        builder.build()
    }
}

impl Step for Analyze {
    const ABOUT: About = About {
        id: "istioctl.analyze",
        title: "Analyze the configuration",
        description: "Every rule of `istioctl analyze`, over all revisions at once; over the cluster, over proposed YAML on \
            top of it, or over YAML alone.",
        guide: "istioctl/2-analyze",
        method: "GET",
        endpoint: "/v1/istioctl/analyze",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "services"),
            Permission::core("list", "pods"),
            Permission::core("list", "secrets"),
            Permission::core("list", "configmaps"),
            Permission { verb: "list", group: "networking.istio.io", resource: "*" },
            Permission { verb: "list", group: "security.istio.io", resource: "*" },
            Permission { verb: "list", group: "telemetry.istio.io", resource: "*" },
        ],
        cost: Cost::High,
        command: "istioctl analyze --istioNamespace <namespace> --revision <revision> --all-namespaces",
        docs: "https://istio.io/latest/docs/ops/diagnostic-tools/istioctl-analyze/",
    };
    type Input = AnalyzeInput;
    type Evidence = Evidence;
    type Data = AnalyzeData;

    fn check(input: &AnalyzeInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        for (index, text) in input.suppress.iter().enumerate() {
            if let Err(error) = text.parse::<Suppression>() {
                invalid.push(Invalid::new(&format!("suppress/{index}"), "pattern", error.to_string()));
            }
        }
        for (index, name) in input.analyzer.iter().enumerate() {
            if analyzers::ANALYZERS.iter().all(|analyzer| analyzer.name != name) {
                let message = format!("there is no analyzer {:?}", name.chars().take(80).collect::<String>());
                invalid.push(Invalid::new(&format!("analyzer/{index}"), "unknown_value", message));
            }
        }
        if input.files.is_empty() && (input.alone || input.only_new) {
            let field = if input.alone { "alone" } else { "only_new" };
            invalid.push(Invalid::new(field, "conflict", "needs files to judge: POST them"));
        }
        if input.alone && input.only_new {
            invalid.push(Invalid::new("only_new", "conflict", "compares with the cluster, which alone leaves out"));
        }
        invalid
    }

    /// Files may bring a namespace or a revision with them.
    fn names_what_exists(input: &AnalyzeInput) -> bool {
        input.files.is_empty()
    }

    async fn gather(cluster: &Cluster, input: &AnalyzeInput) -> Result<Evidence, Error> {
        if input.alone {
            let namespace = cluster.settings().istio_namespace.clone().unwrap_or_else(|| "istio-system".to_owned());
            return Ok(Evidence { mesh: input.alone(cluster.now(), namespace), before: None });
        }
        let namespace = cluster.istio_namespace().await?;
        let mut builder = cluster.mesh_builder(namespace).await?;
        input.fill(&mut builder);
        let before = if input.only_new { Some(builder.clone().build()) } else { None };
        if !input.files.is_empty() {
            builder.read_files_as(input.default_namespace(), input.reads_runtime_kinds());
            builder.add_files(&input.texts());
        }
        Ok(Evidence { mesh: builder.build(), before })
    }

    fn judge(input: &AnalyzeInput, evidence: Evidence) -> Judgement<AnalyzeData> {
        let mesh = evidence.mesh.seen_from(input.perspective());
        let mut analysis = analyze(&mesh, &input.options()).expect("the names were checked");
        if let Some(before) = evidence.before {
            let before = before.seen_from(input.perspective());
            let known = analyze(&before, &input.options()).expect("the names were checked");
            only_new(&mut analysis, &known, input.failure_threshold());
        }
        let findings: Vec<Finding> = analysis.findings();
        let mut skipped: Vec<Skipped> = analysis.skipped.clone();
        if mesh.each(Kind::EnvoyFilter).len() > 0 {
            skipped.extend(analyzers::schema::SKIPPED_CHECKS.iter().map(|(what, why)| Skipped::new(*what, *why)));
        }
        if !analysis.malformed.is_empty() {
            let what = counted(analysis.malformed.len(), "document");
            skipped.push(Skipped::new(what, "cannot be read; the findings say why"));
        }
        let (objects, rules) = (counted(mesh.len(), "object"), counted(analysis.executed.len(), "analyzer"));
        let summary = format!("{objects}, {rules}");
        let commands = vec![command(input, &mesh)];
        let data = AnalyzeData::new(&analysis, &mesh, input);
        Judgement { data, findings, skipped, commands, summary }
    }

    fn raw(_: &AnalyzeInput, data: &AnalyzeData) -> Option<String> {
        Some(data.printed.clone())
    }
}

impl Analyze {
    /// The exit code of `istioctl analyze`, in every format: istioctl itself ends with 0 whenever it prints JSON.
    pub fn exit_code(failing: bool, malformed: bool) -> u8 {
        analyzers::exit_code(Outcome { structured: false, failing, unparsed: malformed, ignore_unknown: false })
    }
}

/// Leaves out what was known before.
fn only_new(analysis: &mut Analysis<'_>, known: &Analysis<'_>, threshold: Severity) {
    let key = |message: &analyzers::Message<'_>| (message.code.id, message.origin(), message.text.clone());
    let known: std::collections::BTreeSet<_> = known.messages.iter().map(key).collect();
    analysis.messages.retain(|message| !known.contains(&key(message)));
    analysis.failing = analysis.messages.iter().any(|message| message.severity >= threshold);
}

fn command(input: &AnalyzeInput, mesh: &Mesh) -> String {
    let mut command = format!("istioctl analyze --istioNamespace {}", mesh.istio_namespace());
    let revision = input.revision.clone().or_else(|| mesh.revisions().into_iter().next_back().map(str::to_owned));
    if let Some(revision) = revision.filter(|revision| revision != "default") {
        command = format!("{command} --revision {revision}");
    }
    for file in &input.files {
        command = format!("{command} {}", file.name);
    }
    if input.alone {
        command.push_str(" --use-kube=false");
    }
    match input.namespace.as_slice() {
        [one] => format!("{command} --namespace {one}"),
        _ => format!("{command} --all-namespaces"),
    }
}
