//! The whole program makes a bug report of a generated mesh over the network: how long it takes, and the most memory that
//! was resident, for two sizes of the mesh. `cargo bench --profile quick --bench bug_report [-- PROXIES]`.

#[path = "support/api.rs"]
mod api;
#[path = "support/dump.rs"]
mod dump;
#[expect(dead_code, reason = "other benchmarks use the rest")]
#[path = "support/generate/mod.rs"]
mod generate;
#[path = "support/memory.rs"]
mod memory;
#[expect(dead_code, reason = "other benchmarks use the rest")]
#[path = "support/syncz.rs"]
mod syncz;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use api::{Mesh, Pages};
use bytes::Bytes;
use generate::{Layout, Plan};
use serde_json::{Value, json};

const PROXIES: usize = 2_000;
const DUMP: usize = 1 << 20;
/// A service has two pods and about as much configuration.
const OBJECTS_PER_PROXY: f64 = 2.8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let proxies = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(PROXIES);
    for proxies in [proxies / 4, proxies] {
        let mesh = mesh(proxies);
        let pods = mesh.lists["api/v1/pods"]["items"].as_array().map_or(0, Vec::len);
        let url = api::serve(mesh).await;
        let Measured { seconds, collecting, findings } = tokio::task::spawn_blocking(move || measure(&url)).await??;
        writeln!(
            std::io::stderr(),
            "{pods} pods with dumps of 1 MiB: {seconds:.1} s, at most {collecting} MiB resident while collecting, \
             {findings} MiB until the findings are there"
        )?;
    }
    Ok(())
}

fn mesh(proxies: usize) -> Mesh {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is small"
    )]
    let objects = (proxies as f64 * OBJECTS_PER_PROXY) as usize;
    let plan = Plan { layout: Layout::Realistic, objects, faulty_percent: 5, seed: 7 };
    let mut lists = plan.generate().lists();
    let pods = lists.get_mut("api/v1/pods").and_then(|list| list["items"].as_array_mut()).expect("it has pods");
    for (index, pod) in pods.iter_mut().enumerate() {
        inject(pod, index);
    }
    pods.push(istiod());
    let namespaces = lists.get_mut("api/v1/namespaces").and_then(|list| list["items"].as_array_mut());
    namespaces.expect("it has namespaces").push(json!({"metadata": {"name": "kube-system", "uid": "bench"}}));
    let text = (0..2000).fold(String::new(), |mut text, index| {
        let _ =
            writeln!(text, "cluster.outbound|80||service-{index}.team.svc.cluster.local.upstream_rq_total: {index}");
        text
    });
    let log = (0..1000).fold(String::new(), |mut text, index| {
        let _ = writeln!(
            text,
            "2026-11-25T10:00:00.{index:06}Z [2026-11-25T10:00:00.000Z] \"GET / HTTP/1.1\" 200 - via_upstream - \"-\" 0 \
             {index} 1 1 \"-\" \"-\" \"x\" \"cart\" \"10.0.0.1:80\" outbound|80|| - 10.0.0.2:80 10.0.0.3:80 - default"
        );
        text
    });
    let syncz = syncz::pages(1, proxies).remove(0).1;
    Mesh {
        lists,
        page,
        pages: Pages { dump: dump::config_dump(DUMP).into(), text: text.into(), syncz },
        log: log.into(),
    }
}

/// What a running pod with a sidecar has besides: about 10 kB, as in real meshes.
fn inject(pod: &mut Value, index: usize) {
    let env = (0..60).map(|at| json!({"name": format!("ISTIO_SETTING_{at}"), "value": "value ".repeat(8)}));
    let env = env.collect::<Vec<_>>();
    pod["metadata"]["uid"] = json!(format!("00000000-0000-0000-0000-{index:012}"));
    pod["metadata"]["annotations"] = json!({"istio.io/rev": "default", "sidecar.istio.io/status": "x".repeat(600)});
    pod["spec"] = json!({"nodeName": format!("node-{}", index % 100), "containers": [
        {"name": "app", "image": "registry.example.com/app:1", "env": env, "ports": [{"containerPort": 8080}]},
        {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.30.3", "args": ["proxy", "sidecar"], "env": env},
    ]});
    let state = |name: &str| {
        json!({"name": name, "ready": true, "restartCount": 0, "image": "", "imageID": "",
            "state": {"running": {"startedAt": "2026-11-25T09:00:00Z"}}})
    };
    pod["status"] = json!({
        "phase": "Running", "podIP": format!("10.{}.{}.{}", index >> 16, index >> 8 & 255, index & 255),
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [state("app"), state("istio-proxy")],
    });
}

fn istiod() -> Value {
    let state = json!({"running": {"startedAt": "2026-11-25T09:00:00Z"}});
    json!({
        "metadata": {"name": "istiod-1", "namespace": "istio-system", "uid": "istiod",
            "labels": {"app": "istiod", "istio": "pilot", "istio.io/rev": "default"}},
        "spec": {"nodeName": "node-0", "containers": [{"name": "discovery", "image": "docker.io/istio/pilot:1.30.3"}]},
        "status": {"phase": "Running", "podIP": "10.255.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "discovery", "ready": true, "restartCount": 0, "image": "", "imageID": "",
                "state": state}]},
    })
}

fn page(pages: &Pages, port: u16, target: &str) -> Option<Bytes> {
    let path = target.split('?').next().unwrap_or_default();
    match (port, path) {
        (15000, "/config_dump") => Some(pages.dump.clone()),
        (15000, "/server_info") => {
            Some(Bytes::from_static(b"{\"state\":\"LIVE\",\"version\":\"x/1.38/Clean/RELEASE\"}"))
        }
        (15000, "/memory" | "/runtime") => Some(Bytes::from_static(b"{\"allocated\":\"50000000\"}")),
        (15000, _) => Some(pages.text.clone()),
        (15014 | 8080, "/debug/syncz") => Some(pages.syncz.clone()),
        _ => None,
    }
}

/// Seconds from start to end, and the most MiB that were resident until the archive is looked at, and in all.
struct Measured {
    seconds: f64,
    collecting: u64,
    findings: u64,
}

fn measure(url: &str) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    let cluster = json!({"name": "bench", "cluster": {"server": url}});
    let context = json!({"name": "bench", "context": {"cluster": "bench", "user": "bench"}});
    std::fs::write(
        &kubeconfig,
        json!({"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context],
            "users": [{"name": "bench", "user": {}}], "current-context": "bench"})
        .to_string(),
    )?;
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshtriage"))
        .args(["run", "istioctl.bug-report", "--kubeconfig"])
        .arg(&kubeconfig)
        .arg("--out")
        .arg(folder.path().join("bug-report.tar.gz"))
        .stdout(Stdio::null())
        .spawn()?;
    let process = child.id().to_string();
    let (mut collecting, mut findings, mut looked) = (0, 0, false);
    // It is gone with the process, so that it is asked again and again.
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        findings = memory::peak_kib(&process).unwrap_or(0).max(findings);
        // The archive is unpacked beside itself for a look at it.
        let unpacked = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".unpacked-");
        looked = looked || std::fs::read_dir(folder.path())?.flatten().any(|entry| unpacked(&entry));
        if !looked {
            collecting = findings;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // 79: there are findings, as there must be.
    anyhow::ensure!(matches!(ended.code(), Some(0 | 79)), "it ended with {ended}");
    Ok(Measured { seconds: begun.elapsed().as_secs_f64(), collecting: collecting / 1024, findings: findings / 1024 })
}
