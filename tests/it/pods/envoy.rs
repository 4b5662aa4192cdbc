//! A real Envoy behind a port-forward: every admin page and every kind of its configuration.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use meshtriage::{cluster::Cluster, report::Format};
use serde_json::Value;

use crate::support::{
    checklist::{Call, call},
    fake, needs,
    needs::{Need, given},
};

/// An Envoy of this machine; it ends with the value.
struct Envoy {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Twenty clusters with healthy and unhealthy endpoints, a listener with TLS and a route to one of them.
fn bootstrap(folder: &Path) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["shop.example.com".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    let place = folder.display().to_string();
    let secret = include_str!("../../fixtures/envoy/sds.yaml").replace("FOLDER", &place);
    std::fs::write(folder.join("sds.yaml"), secret).unwrap();
    let clusters: String = (0..20)
        .map(|index| {
            let health = if index % 4 == 0 { "UNHEALTHY" } else { "HEALTHY" };
            let cluster = include_str!("../../fixtures/envoy/cluster.yaml");
            // The port has two digits, as the route names that of the first cluster with 8000.
            cluster
                .replace("80INDEX", &format!("80{index:02}"))
                .replace("INDEX", &index.to_string())
                .replace("HEALTH", health)
        })
        .collect();
    include_str!("../../fixtures/envoy/bootstrap.yaml").replace("FOLDER", &place).replace("CLUSTERS", &clusters)
}

fn start() -> Envoy {
    let program = given(Need::Envoy);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bootstrap.yaml");
    std::fs::write(&config, bootstrap(folder.path())).unwrap();
    let address = folder.path().join("admin");
    let process = Command::new(program)
        .arg("-c")
        .arg(&config)
        .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--admin-address-path"])
        .arg(&address)
        .stdout(Stdio::null())
        .stderr(Stdio::from(std::fs::File::create(folder.path().join("log")).unwrap()))
        .spawn()
        .unwrap();
    let mut envoy = Envoy { process, port: 0, folder };
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(&address).unwrap_or_default();
        if let Some((_, port)) = text.trim().rsplit_once(':') {
            envoy.port = port.parse().unwrap();
            return envoy;
        }
        let log = || std::fs::read_to_string(envoy.folder.path().join("log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(20), "Envoy did not start: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn cluster(envoy: &Envoy) -> Cluster {
    fake::cluster(fake::Pods::from([("cart".to_owned(), envoy.port)])).await
}

#[tokio::test]
async fn every_admin_page_answers() {
    needs!(Envoy);
    let envoy = start();
    let cluster = cluster(&envoy).await;
    let pages = [
        "clusters",
        "config_dump",
        "listeners",
        "stats",
        "stats/prometheus",
        "server_info",
        "certs",
        "memory",
        "logging",
        "ready",
    ];
    for page in pages {
        let inputs = [("namespace", "shop"), ("pod", "cart"), ("page", page)];
        let outcome = call(&cluster, &Call::new("kubectl.envoy-clusters", &inputs), Format::Json).await;
        assert!(outcome.data["size_bytes"].as_u64().unwrap() > 0, "{page}");
        assert!(outcome.skipped.is_empty(), "{page}: {:?}", outcome.skipped);
    }
    let inputs = [("namespace", "shop"), ("pod", "cart")];
    let clusters = call(&cluster, &Call::new("kubectl.envoy-clusters", &inputs), Format::Json).await;
    let unhealthy = clusters.findings.iter().filter(|finding| finding.code == "ENV0003").count();
    assert_eq!(unhealthy, 5, "{:?}", clusters.findings);
}

#[tokio::test]
async fn every_kind_of_configuration_answers() {
    needs!(Envoy);
    let envoy = start();
    let cluster = cluster(&envoy).await;
    let kinds = ["all", "bootstrap", "cluster", "ecds", "endpoint", "listener", "log", "route", "secret"];
    for kind in kinds {
        let inputs = [("namespace", "shop"), ("pod", "cart"), ("kind", kind)];
        let outcome = call(&cluster, &Call::new("istioctl.proxy-config", &inputs), Format::Text).await;
        let text = outcome.printed.unwrap_or_default();
        match kind {
            "cluster" => assert_eq!(text.matches("svc-").count(), 20, "{text}"),
            "endpoint" => assert!(text.contains("UNHEALTHY"), "{text}"),
            "route" => assert!(text.contains("svc-0"), "{text}"),
            "secret" => assert!(text.contains("default"), "{text}"),
            _ => assert!(outcome.data.is_object(), "{kind}"),
        }
        let dumped: &Value = &outcome.data;
        assert!(!dumped.to_string().contains("PRIVATE KEY"), "{kind}");
    }
}

#[tokio::test]
async fn killed_envoy_gives_a_clear_error() {
    needs!(Envoy);
    let mut envoy = start();
    let cluster = cluster(&envoy).await;
    envoy.process.kill().unwrap();
    envoy.process.wait().unwrap();
    let error = super::envoy(&cluster, "cart", None).page("/config_dump").await.unwrap_err();
    assert!(error.to_string().contains("port 15000 of shop/cart"), "{error}");
}
