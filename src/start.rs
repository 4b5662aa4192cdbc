//! Builds the service's parts from the settings: opens the cluster, live or recorded, and the history.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::{
    api::Tls,
    app::{App, Limits},
    artifacts::Artifacts,
    auth::{Authority, Identify, Keys, Rights},
    capture::{self, Capture},
    clock::Clock,
    cluster::{
        Cluster, Resource, Settings, Source,
        budget::{Budget, Pool},
    },
    config::{AuthMode, ClusterArgs, Serve},
    disk::Disk,
    errors::Catalogue,
    history::{History, TIME_LIMIT},
    runs::Background,
    telemetry::Metrics,
    uploads::{self, Folder, Uploads},
};

/// The recording that comes with the program.
static DEMO: &[u8] = include_bytes!("../crates/recorded-cluster/src/demo.tar.gz");

/// Opens the cluster that the settings name.
pub async fn open_cluster(args: &ClusterArgs) -> anyhow::Result<Cluster> {
    let settings = Settings {
        istio_namespace: args.istio_namespace.clone(),
        call_timeout: args.call_timeout(),
        ..Settings::default()
    };
    if args.demo {
        let folder = tempfile::tempdir().context("cannot make a folder for the demo recording")?;
        let file = folder.path().join("demo.tar.gz");
        tokio::fs::write(&file, DEMO).await.with_context(|| format!("cannot write {}", file.display()))?;
        return open_recording(&file, "demo".to_owned(), settings).await;
    }
    match &args.capture {
        Some(path) => open_recording(path, path.display().to_string(), settings).await,
        None => open_live(args, settings).await,
    }
}

async fn open_recording(path: &Path, name: String, settings: Settings) -> anyhow::Result<Cluster> {
    let path = path.to_owned();
    let capture = spawn_blocking(move || Capture::open(&path, &capture::Limits::default())).await??;
    Ok(recorded(&capture, name, settings))
}

/// Opens YAML files as a cluster of nothing but their objects.
pub async fn open_files(path: &Path, args: &ClusterArgs) -> anyhow::Result<Cluster> {
    let settings = Settings { istio_namespace: args.istio_namespace.clone(), ..Settings::default() };
    open_recording(path, path.display().to_string(), settings).await
}

/// An opened recording as a cluster. Its clock stands at the time of the recording.
pub fn recorded(capture: &Capture, name: String, settings: Settings) -> Cluster {
    // Never that of the cluster that was recorded: whoever may read a recording must not see the history of the cluster.
    let id = format!("recording:{}", capture.cluster_id().unwrap_or(&name));
    capture.cluster(id, name, settings)
}

async fn open_live(args: &ClusterArgs, settings: Settings) -> anyhow::Result<Cluster> {
    let options = KubeConfigOptions { context: args.context.clone(), cluster: None, user: None };
    let mut config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)
                .with_context(|| format!("--kubeconfig {} cannot be read", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.context("the kubeconfig cannot be used")?
        }
        None if args.context.is_some() => {
            Config::from_kubeconfig(&options).await.context("the kubeconfig cannot be used")?
        }
        None => Config::infer()
            .await
            .context("there is no kubeconfig and this is no pod: give --kubeconfig FILE, --capture PATH or --demo")?,
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
    let id = cluster_id(&client, &settings).await?;
    Ok(Cluster::new(client, id, Source::Live, Clock::System, settings))
}

/// The uid of the namespace `kube-system`, which lives as long as the cluster.
async fn cluster_id(client: &Client, settings: &Settings) -> anyhow::Result<String> {
    let cluster = Cluster::new(client.clone(), String::new(), Source::Live, Clock::System, settings.clone());
    let namespace: serde_json::Value =
        cluster.get(&Resource::namespaces(), None, "kube-system").await.context("the cluster cannot be read")?;
    let uid = namespace.pointer("/metadata/uid").and_then(serde_json::Value::as_str);
    Ok(uid.context("the namespace kube-system has no uid")?.to_owned())
}

/// Bytes of a mebibyte.
const MEBIBYTE: u64 = 1 << 20;

/// Where the files of runs go: the folder that is set, else one beside the database.
fn artifacts(serve: &Serve) -> anyhow::Result<Artifacts> {
    let limit_bytes = serve.artifacts_mib.saturating_mul(MEBIBYTE);
    if let Some(folder) = &serve.artifacts_dir {
        let opened = Artifacts::open(folder, limit_bytes);
        return opened.with_context(|| format!("--artifacts-dir {} cannot be used", folder.display()));
    }
    let url = serve.database_url.as_str();
    let file = url.strip_prefix("sqlite://").map(|file| file.split('?').next().unwrap_or(file));
    if let Some(file) = file {
        let folder = Path::new(file).with_extension("artifacts");
        let opened = Artifacts::open(&folder, limit_bytes);
        return opened.with_context(|| format!("{} cannot be used: give --artifacts-dir", folder.display()));
    }
    if url.starts_with("sqlite:") {
        return Artifacts::temporary(limit_bytes).context("there is no folder for temporary files");
    }
    // The same after a restart, and another one for another database.
    let mut database = url::Url::parse(url).context("--database-url")?;
    let _ = database.set_password(None);
    let name = Sha256::digest(database.as_str())[..8].iter().fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    let folder = std::env::temp_dir().join(format!("meshtriage-{name:016x}"));
    let opened = Artifacts::open_shared_place(&folder, limit_bytes);
    opened.with_context(|| format!("{} cannot be used: give --artifacts-dir", folder.display()))
}

/// The service's parts.
pub async fn app(serve: &Serve) -> anyhow::Result<App> {
    let cluster = open_cluster(&serve.cluster).await?;
    let identify = identify(serve, &cluster)?;
    let history = History::open(&serve.database_url, TIME_LIMIT).context("--database-url")?;
    let artifacts = artifacts(serve)?;
    let (catalogue, notes) = catalogue(serve.errors_dir.as_deref())?;
    let uploads = uploads(serve, &cluster)?;
    let disk = Disk::new(
        vec![artifacts.root().to_owned(), uploads.root().to_owned()],
        database_file(&serve.database_url),
        serve.free_disk_mib << 20,
    );
    Ok(App {
        clock: Clock::System,
        uploads,
        authority: Authority::new(cluster.own_client().clone()),
        cluster,
        identify,
        history,
        artifacts,
        background: Background::new(usize::from(serve.max_reports)),
        catalogue,
        metrics: Metrics::default(),
        disk,
        limits: Limits {
            step_timeout: Duration::from_secs(serve.step_timeout),
            keep: Duration::from_hours(u64::from(serve.keep_days) * 24),
            keep_runs: serve.keep_runs,
        },
        budget: Budget::new(u64::from(serve.max_steps), serve.memory_mib << 20),
        followers: Pool::new(16, 0),
        public_url: serve.public_url.clone(),
        cors_origins: serve.cors_origin.clone(),
        actions_enabled: serve.enable_actions,
        notes,
    })
}

fn uploads(serve: &Serve, cluster: &Cluster) -> anyhow::Result<Uploads> {
    let args = &serve.captures;
    let folder = match (&args.captures_dir, folder_of_database(&serve.database_url)) {
        (Some(folder), _) => Folder::at(folder),
        (None, Some(folder)) => Folder::at(folder.join("captures")),
        // Nothing of the history outlives the process either.
        (None, None) if serve.database_url.starts_with("sqlite:") => {
            Folder::temporary().context("cannot make a folder for captures: give --captures-dir")?
        }
        (None, None) => {
            tracing::warn!("uploaded captures stay on this replica: give --captures-dir if there are several");
            Folder::lasting_temporary()
        }
    };
    // A capture has a control plane of its own, wherever this cluster has its.
    let settings = Settings { istio_namespace: None, ..cluster.settings().clone() };
    Ok(Uploads::new(folder, limits_of_uploads(serve), Clock::System, settings))
}

/// The file of SQLite.
fn database_file(url: &str) -> Option<PathBuf> {
    let file = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    file.split('?').next().filter(|file| *file != ":memory:").map(PathBuf::from)
}

/// The folder of a SQLite file.
fn folder_of_database(url: &str) -> Option<PathBuf> {
    database_file(url)?.parent().map(Path::to_path_buf)
}

fn limits_of_uploads(serve: &Serve) -> uploads::Limits {
    let args = &serve.captures;
    let bytes = |mebibytes: u32| u64::from(mebibytes) << 20;
    uploads::Limits {
        upload_bytes: bytes(args.captures_upload_mib),
        unpacked_bytes: bytes(args.captures_unpacked_mib),
        kept: args.captures_count.into(),
        kept_bytes: bytes(args.captures_total_mib),
        kept_per_caller: args.captures_caller_count.into(),
        kept_per_caller_bytes: bytes(args.captures_caller_mib),
        keep: Duration::from_hours(u64::from(args.captures_keep) * 24),
        free_bytes: serve.free_disk_mib << 20,
        ..uploads::Limits::default()
    }
}

/// The certificate of the service, where it has one.
pub fn tls(serve: &Serve) -> anyhow::Result<Option<Arc<Tls>>> {
    let (Some(certificate), Some(key)) = (&serve.tls_cert, &serve.tls_key) else { return Ok(None) };
    Ok(Some(Arc::new(Tls::open(certificate, key).context("--tls-cert")?)))
}

/// Reads the file of keys again. Says whether there are other ones now.
pub fn reload_keys(path: &Path, keys: &Keys) -> anyhow::Result<bool> {
    Ok(keys.reload(&std::fs::read_to_string(path)?)?)
}

fn identify(serve: &Serve, cluster: &Cluster) -> anyhow::Result<Identify> {
    let loopback = serve.listen.ip().is_loopback();
    let recording = cluster.is_recording();
    let default = if recording && loopback { AuthMode::None } else { AuthMode::Kubernetes };
    let keys = match &serve.keys_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("--keys-file {} cannot be read", path.display()))?;
            Some(Keys::parse(&text).with_context(|| format!("--keys-file {}", path.display()))?)
        }
        None => None,
    };
    match serve.auth.unwrap_or(default) {
        AuthMode::None if !loopback => {
            bail!("--auth none is for a loopback address only, and {} is none", serve.listen)
        }
        AuthMode::None => Ok(Identify::Nobody),
        AuthMode::Keys => {
            let rights = if recording { Rights::All } else { Rights::Reviewed };
            Ok(Identify::Keys { keys: keys.context("--auth keys needs --keys-file")?, rights })
        }
        AuthMode::Kubernetes if recording => {
            bail!("a recording has no TokenReview: use --auth keys, or --auth none on a loopback address")
        }
        AuthMode::Kubernetes => Ok(Identify::kubernetes(
            cluster.own_client().clone(),
            serve.token_audience.clone(),
            keys.unwrap_or_default(),
        )),
    }
}

/// The catalogue with the operator's own entries. A broken entry is noted and does not stop the service.
fn catalogue(folder: Option<&Path>) -> anyhow::Result<(Arc<Catalogue>, Vec<String>)> {
    let builtin = Catalogue::builtin();
    let Some(folder) = folder else { return Ok((builtin, Vec::new())) };
    let read = || -> std::io::Result<Vec<(String, String)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            if yaml && path.is_file() {
                files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path));
            }
        }
        files.sort();
        files.into_iter().map(|(name, path)| Ok((name, std::fs::read_to_string(path)?))).collect()
    };
    let files = read().with_context(|| format!("--errors-dir {} cannot be read", folder.display()))?;
    let (catalogue, problems) = builtin.with_folder_entries(files);
    let notes = problems.into_iter().map(|problem| match problem.entry {
        Some(entry) => format!("error entry {entry:?} in {}: {}", problem.file, problem.reason),
        None => format!("error entries in {}: {}", problem.file, problem.reason),
    });
    Ok((Arc::new(catalogue), notes.collect()))
}
