//! How long an analysis takes: on a mesh that is there already, and to build the mesh from YAML or from an API server's
//! lists.

#[path = "support/generate/mod.rs"]
mod generate;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use generate::{Generated, Layout, Plan};
use jiff::Timestamp;
use meshtriage::analyzers::{Options, analyze};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, Perspective, Settings, Tree};
use serde::Deserialize;
use serde_json::value::RawValue;

const SIZES: [(&str, usize); 3] = [("1k", 1_000), ("10k", 10_000), ("100k", 100_000)];

fn mesh(layout: Layout, objects: usize) -> Generated {
    Plan { layout, objects, faulty_percent: 5, seed: 7 }.generate()
}

fn builder(live: bool) -> MeshBuilder {
    MeshBuilder::new(Settings { runtime_kinds: true, live, ..Settings::new(Timestamp::UNIX_EPOCH) })
}

fn from_yaml(files: &[(String, String)]) -> Mesh {
    let mut builder = builder(false);
    builder.add_files(files);
    builder.add_default_ingress();
    builder.build()
}

/// As a live cluster's lists become a mesh, without the network.
fn from_lists(lists: &BTreeMap<Kind, String>) -> Mesh {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }

    let mut builder = builder(true);
    for (kind, text) in lists {
        let list: List<'_> = serde_json::from_str(text).expect("it was generated");
        for item in list.items {
            let tree: Tree = serde_json::from_str(item.get()).expect("it was generated");
            builder.add_tree(*kind, LOCAL_CLUSTER, tree);
        }
    }
    builder.build()
}

fn yaml(generated: &Generated) -> Vec<(String, String)> {
    vec![("mesh.yaml".to_owned(), generated.yaml())]
}

fn lists(generated: &Generated) -> BTreeMap<Kind, String> {
    let kind_of = |list: &serde_json::Value| {
        let text = |key: &str| list[key].as_str().expect("it was generated");
        let name = text("kind").strip_suffix("List").expect("it is a list");
        Kind::of_document(text("apiVersion"), name).expect("only known kinds are generated")
    };
    generated.lists().values().map(|list| (kind_of(list), list.to_string())).collect()
}

/// The finished analysis says as much as it must, or its time means nothing.
fn check(mesh: &Mesh, generated: &Generated) {
    let analysis = analyze(mesh, &Options::default()).expect("no analyzer was named");
    assert!(analysis.messages.len() >= generated.faults.len());
    assert!(mesh.malformed().is_empty());
}

fn warm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analyze/warm");
    group.sample_size(10);
    let realistic = SIZES.map(|(name, objects)| (name.to_owned(), Layout::Realistic, objects));
    let others = Layout::ALL[1..].iter().zip([10_000, 2_200, 3_600]);
    let others = others.map(|((name, layout), objects)| ((*name).to_owned(), *layout, objects));
    for (name, layout, objects) in realistic.into_iter().chain(others) {
        let generated = mesh(layout, objects);
        let mesh = from_yaml(&yaml(&generated));
        check(&mesh, &generated);
        // What is indexed once for a picture of the cluster is part of each analysis of a new one.
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || mesh.seen_from(Perspective::default()),
                |mesh| analyze(black_box(mesh), &Options::default()).map(|analysis| analysis.messages.len()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("analyze/build");
    group.sample_size(10);
    for (name, objects) in SIZES {
        let generated = mesh(Layout::Realistic, objects);
        let (files, lists) = (yaml(&generated), lists(&generated));
        check(&from_lists(&lists), &generated);
        group.throughput(Throughput::Bytes(files[0].1.len() as u64));
        group.bench_function(format!("yaml, {name}"), |bencher| bencher.iter(|| from_yaml(black_box(&files)).len()));
        group.throughput(Throughput::Bytes(lists.values().map(|text| text.len() as u64).sum()));
        group.bench_function(format!("json, {name}"), |bencher| bencher.iter(|| from_lists(black_box(&lists)).len()));
    }
    group.finish();
}

criterion_group!(benches, warm, build);
criterion_main!(benches);
