//! The settings: one clap structure, the only reader of the environment and of the command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::Severity;

/// Istio troubleshooting as an HTTP API.
#[derive(Debug, Parser)]
#[command(name = "meshtriage", version, about, long_about = None)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve(Box<Serve>),
    /// Run one step without a server and print its answer.
    #[command(after_help = EXIT_CODES)]
    Run(Box<Run>),
    /// List the steps, or describe one: inputs, permissions, formats.
    Steps(Steps),
    /// Record a live cluster into an archive.
    Capture(Box<Capture>),
    /// Print the OpenAPI document.
    Openapi,
    /// Print completions for a shell.
    Completions(Completions),
    /// Print the manual page.
    Man,
}

/// What the exit codes of `run` mean.
const EXIT_CODES: &str = "Exit codes:
   0  the step was carried out, and found nothing that --fail-on asks for
   1  it could not be carried out: the cluster cannot be reached, a file cannot be read
  64  wrong call: no such step, input, format, namespace, revision or object
  65  istioctl.analyze: a document cannot be read
  79  findings of the severity that --fail-on asks for, or worse";

#[derive(Debug, Args)]
pub struct Steps {
    /// Id of a step, for example `kubectl.istiod-logs`. Without it, all are listed.
    pub step: Option<String>,
}

#[derive(Debug, Args)]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

/// Which cluster to read.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// A recorded cluster instead of a live one: our archive, one of `istioctl bug-report`, either packed or not, or
    /// YAML files.
    #[arg(long, env = "MESHTRIAGE_CAPTURE", value_name = "PATH", conflicts_with = "demo")]
    pub capture: Option<PathBuf>,
    /// The recording that comes with the program: a small mesh with faults.
    #[arg(long, env = "MESHTRIAGE_DEMO")]
    pub demo: bool,
    /// Kubeconfig of the cluster. Default: `KUBECONFIG`, `~/.kube/config`, or the pod's own service account.
    #[arg(long, env = "MESHTRIAGE_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig. Default: its current context.
    #[arg(long, env = "MESHTRIAGE_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of the control plane. Default: wherever istiod runs.
    #[arg(long, env = "MESHTRIAGE_ISTIO_NAMESPACE", value_name = "NAMESPACE")]
    pub istio_namespace: Option<String>,
    /// Time for one call to the API server, in seconds.
    #[arg(long, env = "MESHTRIAGE_CALL_TIMEOUT", value_name = "SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    pub call_timeout: u64,
}

impl ClusterArgs {
    /// Whether a cluster or recording is named, instead of left to be found.
    pub fn is_given(&self) -> bool {
        self.capture.is_some() || self.demo || self.kubeconfig.is_some() || self.context.is_some()
    }

    pub fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.call_timeout)
    }
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Address to listen on.
    #[arg(long, env = "MESHTRIAGE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of a second port for probes and metrics, without authentication. Let nobody but the cluster reach it.
    #[arg(long, env = "MESHTRIAGE_OPERATIONS_LISTEN", value_name = "ADDR")]
    pub operations_listen: Option<SocketAddr>,
    /// Certificate chain (PEM) of the service; with it, the service speaks TLS. It is read again when it is renewed.
    #[arg(long, env = "MESHTRIAGE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[arg(long, env = "MESHTRIAGE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Connections at once; beyond, one that has been without a request for longest is closed.
    #[arg(long, env = "MESHTRIAGE_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub max_connections: u32,
    /// Of these from one address. Where all calls come through one proxy, give as many as to all.
    #[arg(long, env = "MESHTRIAGE_MAX_PEER_CONNECTIONS", value_name = "COUNT", default_value_t = 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_peer_connections: u32,
    /// Mebibytes that stay free on the disk: beyond, nothing new is kept, and everything can still be read.
    #[arg(long, env = "MESHTRIAGE_FREE_DISK_MIB", value_name = "MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub free_disk_mib: u64,
    /// URL under which callers reach the service, for links in messages and reports: `https://meshtriage.example.com`.
    #[arg(long, env = "MESHTRIAGE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Origin whose pages may call from a browser, such as `https://portal.example.com`; repeat it for several. Default: none.
    #[arg(long, env = "MESHTRIAGE_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<http::HeaderValue>,
    /// Where the history of runs is kept: `sqlite://FILE`, `sqlite::memory:` or `postgres://…`.
    #[arg(long, env = "MESHTRIAGE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    #[arg(default_value = "sqlite://meshtriage.db")]
    pub database_url: String,
    /// How callers are told apart. Default: `none` on a loopback address with a recording, else `kubernetes`.
    #[arg(long, env = "MESHTRIAGE_AUTH", value_name = "MODE")]
    pub auth: Option<AuthMode>,
    /// File of API keys (YAML), mounted from a Secret: `keys: [{name, sha256, user, groups}]`.
    #[arg(long, env = "MESHTRIAGE_KEYS_FILE", value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Audience that a caller's Kubernetes token must have; repeat it for several. Default: the API server's own.
    #[arg(long, env = "MESHTRIAGE_TOKEN_AUDIENCE", value_name = "AUDIENCE", value_delimiter = ',')]
    pub token_audience: Vec<String>,
    /// Allow the steps that change the cluster (restarts of istiod and gateways).
    #[arg(long, env = "MESHTRIAGE_ENABLE_ACTIONS")]
    pub enable_actions: bool,
    /// Folder with error entries of your own (YAML), for example from a `ConfigMap`.
    #[arg(long, env = "MESHTRIAGE_ERRORS_DIR", value_name = "DIR")]
    pub errors_dir: Option<PathBuf>,
    /// Time for one step as a whole, in seconds.
    #[arg(long, env = "MESHTRIAGE_STEP_TIMEOUT", value_name = "SECONDS", default_value_t = 55)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub step_timeout: u64,
    /// Cheap steps that may run at once; one whose cost is medium counts as 2, a high one as 8. More wait some seconds,
    /// and are then refused with 503, or with 429 where one caller has most of them.
    #[arg(long, env = "MESHTRIAGE_MAX_STEPS", value_name = "COUNT", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_steps: u16,
    /// Mebibytes of memory for the large pages that steps read, and for the answers made of them.
    #[arg(long, env = "MESHTRIAGE_MEMORY_MIB", value_name = "MIB", default_value_t = 512)]
    #[arg(value_parser = clap::value_parser!(u64).range(16..=1_000_000))]
    pub memory_mib: u64,
    /// Runs are deleted when they are older than this.
    #[arg(long, env = "MESHTRIAGE_KEEP_DAYS", value_name = "DAYS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub keep_days: u32,
    /// Only so many runs are kept, the newest.
    #[arg(long, env = "MESHTRIAGE_KEEP_RUNS", value_name = "COUNT", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub keep_runs: u64,
    #[command(flatten)]
    pub captures: CapturesArgs,
    /// Folder for the files that runs leave, such as bug reports. Default: beside the database's file, with the ending
    /// `.artifacts`; for PostgreSQL, in the system's folder for temporary files. Replicas may share one.
    #[arg(long, env = "MESHTRIAGE_ARTIFACTS_DIR", value_name = "DIR")]
    pub artifacts_dir: Option<PathBuf>,
    /// Mebibytes of all these files together; beyond that, those of the oldest runs are deleted.
    #[arg(long, env = "MESHTRIAGE_ARTIFACTS_MIB", value_name = "MIB", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub artifacts_mib: u64,
    /// Bug reports that may be made at once; more are refused with 503.
    #[arg(long, env = "MESHTRIAGE_MAX_REPORTS", value_name = "COUNT", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=100))]
    pub max_reports: u16,
    /// What to log, as `tracing` filters: `info`, `meshtriage=debug`.
    #[arg(long, env = "MESHTRIAGE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How to log.
    #[arg(long, env = "MESHTRIAGE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// Captures that callers upload.
#[derive(Debug, Clone, Args)]
pub struct CapturesArgs {
    /// Folder for uploaded captures; replicas must share it. Default: `captures` beside the SQLite file, else a folder for
    /// temporary files.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_DIR", value_name = "DIR")]
    pub captures_dir: Option<PathBuf>,
    /// Uploaded captures are deleted when they are older than this.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_KEEP", value_name = "DAYS", default_value_t = 7)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub captures_keep: u32,
    /// Largest upload, in MiB.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_UPLOAD_MIB", value_name = "MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub captures_upload_mib: u32,
    /// What a capture may unpack to, in MiB; twice as much is unpacked at once. Of its JSON and YAML, an eighth of this is
    /// read, and takes some eight times its size in memory.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_UNPACKED_MIB", value_name = "MIB", default_value_t = 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=65536))]
    pub captures_unpacked_mib: u32,
    /// Captures that are kept.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_COUNT", value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub captures_count: u16,
    /// Size of all captures that are kept, in MiB.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_TOTAL_MIB", value_name = "MIB", default_value_t = 2048)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub captures_total_mib: u32,
    /// Captures that are kept for one caller.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_CALLER_COUNT", value_name = "COUNT", default_value_t = 25)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub captures_caller_count: u16,
    /// Size of the captures that are kept for one caller, in MiB.
    #[arg(long, env = "MESHTRIAGE_CAPTURES_CALLER_MIB", value_name = "MIB", default_value_t = 1024)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub captures_caller_mib: u32,
}

/// How callers are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Kubernetes tokens (`TokenReview`), and API keys besides when a keys file is given.
    Kubernetes,
    /// API keys only.
    Keys,
    /// Everybody; only on a loopback address.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub struct Run {
    /// Id of the step, for example `kubectl.istiod-logs`; `meshtriage steps` lists them.
    pub step: String,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// YAML files or folders to read instead of a cluster; `-` is standard input. `istioctl.analyze` takes them as proposed on top of one, if a cluster is
    /// named too.
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    pub files: Vec<PathBuf>,
    /// An input of the step; repeat it for several, or for a list.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub input: Vec<(String, String)>,
    /// Form of the answer: json, text, raw, yaml, markdown, slack, adaptive-card, html, csv, sarif, junit.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub format: String,
    /// Severity of findings that ends with exit code 79. Default: `never`; for `istioctl.analyze` its `failure_threshold`;
    /// for `--format junit` `error`.
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    #[command(flatten)]
    pub colour: Colour,
    /// Allow a step that changes the cluster.
    #[arg(long)]
    pub enable_actions: bool,
    /// Archive that `istioctl.bug-report` writes.
    #[arg(long, value_name = "FILE", default_value = "bug-report.tar.gz")]
    pub out: PathBuf,
}

/// Findings that end a run with an exit code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    Info,
    Never,
}

impl FailOn {
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Never => None,
        }
    }
}

/// Whether the output has colours.
#[derive(Debug, Clone, Args)]
pub struct Colour {
    /// Colours in the text: on a terminal only, always or never.
    #[arg(long, env = "MESHTRIAGE_COLOR", value_name = "WHEN", default_value = "auto")]
    pub color: ColourWhen,
    /// Set by people who want no colours anywhere (<https://no-color.org>).
    #[arg(long, env = "NO_COLOR", hide = true)]
    pub no_color: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColourWhen {
    Auto,
    Always,
    Never,
}

impl Colour {
    pub fn is_wanted(&self, terminal: bool) -> bool {
        let refused = self.no_color.as_ref().is_some_and(|set| !set.is_empty());
        match self.color {
            ColourWhen::Auto => terminal && !refused,
            ColourWhen::Always => true,
            ColourWhen::Never => false,
        }
    }
}

#[derive(Debug, Args)]
pub struct Capture {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Archive to write, `*.tar.gz`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Record only these namespaces, and what has none; repeat it for several.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// Record only what one of these specs matches, as `istioctl bug-report` reads them:
    /// `namespaces/deployments/pods/labels/annotations/containers`, each a list with commas. Repeat it for several.
    #[arg(long, value_name = "SPEC")]
    pub include: Vec<String>,
    /// Leave out what one of these specs matches, whatever the others say.
    #[arg(long, value_name = "SPEC")]
    pub exclude: Vec<String>,
    /// Leave out what the steps do not read: schemas of CRDs, injection templates, long logs.
    #[arg(long)]
    pub small: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not of the form name=value")),
    }
}
