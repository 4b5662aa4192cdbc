//! What is foretold of requests, held against what really happened to them.

mod callers;
mod impact;
mod lines;
mod probes;
mod steps;

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use meshtriage::{
    capture::{Capture, Limits},
    cluster::Cluster,
    mesh::{Kind, KindSet, Mesh, Proxy},
    paths::Facts,
};
use serde_json::Value;

/// The recordings of `tests/recordings/probes`.
const MESHES: [&str; 3] = ["broken", "healthy", "upstream"];

fn packed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/probes").join(file)
}

/// The cluster as it was when the requests were made.
fn cluster(name: &str) -> Cluster {
    let path = packed(&format!("{name}.tar.gz"));
    let capture = Capture::open(&path, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    capture.cluster(name.to_owned(), name.to_owned(), meshtriage::cluster::Settings::default())
}

/// What is known about the whole, then one request for each line.
fn probes(name: &str) -> (Value, Vec<Value>) {
    let file = File::open(packed(&format!("{name}.jsonl.gz"))).unwrap();
    let mut lines =
        BufReader::new(GzDecoder::new(file)).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let whole = lines.next().unwrap();
    (whole, lines.collect())
}

async fn mesh(cluster: &Cluster) -> Mesh {
    cluster.whole_mesh(KindSet::all()).await.unwrap().build()
}

/// What all proxies say, and which names outside there were.
async fn facts(cluster: &Cluster, mesh: &Mesh, whole: &Value) -> Facts {
    let with_proxy = mesh.each(Kind::Pod).filter(|pod| Proxy::of(pod).is_some());
    let pods = with_proxy.map(|pod| (pod.namespace().to_owned(), pod.name().to_owned())).collect();
    let (mut facts, skipped) = meshtriage::steps::proxy_facts(cluster, mesh, &pods).await.unwrap();
    assert!(skipped.len() <= 1, "{skipped:?}");
    let world: std::net::IpAddr = whole["world"].as_str().unwrap().parse().unwrap();
    let names = whole["world_names"].as_array().unwrap().iter();
    facts.outside_names = Some(names.map(|name| (name.as_str().unwrap().to_owned(), vec![world])).collect());
    facts
}
