//! How long it takes to look up a message, to scan a pasted log, and to build the catalogue.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use meshtriage::errors::Catalogue;

const REVISION: &str = "Service mesh revision asm-1-26 is not compatible with cluster version 1.35.1. To find information about \
     mesh-cluster compatibility, use 'az aks mesh get-upgrades'";

/// A mebibyte of lines as istiod and the proxy write them, with a known error every thousand lines or so.
fn log() -> String {
    let mut log = String::new();
    let mut line = 0_u32;
    while log.len() < 1024 * 1024 - 400 {
        let _ = match line % 5 {
            0 => writeln!(
                log,
                "2026-11-25T11:03:{:02}.937672Z\tinfo\tads\tPush debounce stable[{line}] 1 for config ServiceEntry/shop/cart: 100.2ms since last change, full=false",
                line % 60
            ),
            1 => writeln!(
                log,
                "2026-11-25T11:03:{:02}.100000Z\tinfo\tads\tXDS: Pushing Services:{line} ConnectedEndpoints:7 Version:2026-11-25T11:03:20Z/{line}",
                line % 60
            ),
            2 => writeln!(
                log,
                "[2026-11-25T11:03:{:02}.001Z] \"GET /cart?id={line} HTTP/1.1\" 200 - via_upstream - \"-\" 0 812 4 3 \"-\" \"curl/8.5.0\" \"0c7a1b2e-0000-4000-8000-{line:012}\" \"cart.shop:8080\" \"10.244.1.7:8080\" outbound|8080||cart.shop.svc.cluster.local 10.244.2.9:40112 10.0.77.4:8080 10.244.2.9:51234 - default",
                line % 60
            ),
            3 => writeln!(
                log,
                "{{\"level\":\"info\",\"time\":\"2026-11-25T11:03:{:02}Z\",\"scope\":\"delta\",\"msg\":\"CDS: PUSH for node:\\\"cart-{line}.shop\\\" resources:72 size:66.3kB cached:60/65\"}}",
                line % 60
            ),
            _ if line % 1000 == 4 => writeln!(
                log,
                "2026-11-25T11:03:{:02}.5Z\terror\tno running Istio pods in \"aks-istio-system\"",
                line % 60
            ),
            _ => writeln!(
                log,
                "2026-11-25T11:03:{:02}.500000Z\twarn\tenvoy main external/envoy/source/server/drain_manager.cc:175\tshutting down listener after draining thread=2{line}",
                line % 60
            ),
        };
        line += 1;
    }
    log
}

fn look_up(criterion: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let arm = serde_json::json!({ "status": "Failed", "error": { "code": "BadRequest", "message": REVISION, "details": [] } });
    let mistyped = REVISION.replacen("compatible", "compatibel", 1).replacen("information", "infromation", 1);
    let unknown = "Error: the server could not find the requested resource while reconciling the deployment of the shop; the \
                   controller gave up after 5 attempts and will try again later (request id 0c7a1b2e)";
    let mut group = criterion.benchmark_group("errors/find");
    group.bench_function("whole", |bencher| bencher.iter(|| catalogue.find(black_box(REVISION))));
    let arm = arm.to_string();
    group.bench_function("arm json", |bencher| bencher.iter(|| catalogue.find(black_box(&arm))));
    group.bench_function("mistyped", |bencher| bencher.iter(|| catalogue.find(black_box(&mistyped))));
    group.bench_function("unknown", |bencher| bencher.iter(|| catalogue.find(black_box(unknown))));
    let long = unknown.repeat(100);
    group.bench_function("unknown, 16 KiB", |bencher| bencher.iter(|| catalogue.find(black_box(&long))));
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let log = log();
    assert!(catalogue.scan_log(&log).len() > 1);
    let mut group = criterion.benchmark_group("errors/scan");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("log of 1 MiB", |bencher| bencher.iter(|| catalogue.scan_log(black_box(&log))));
    let nothing = log.replace("no running", "some running");
    assert!(catalogue.scan_log(&nothing).is_empty());
    group.throughput(Throughput::Bytes(nothing.len() as u64));
    group.bench_function("log without errors", |bencher| bencher.iter(|| catalogue.scan_log(black_box(&nothing))));
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let catalogue = Catalogue::builtin();
    let mut group = criterion.benchmark_group("errors/build");
    group.sample_size(20);
    let text = include_str!("../crates/known-errors/src/catalogue.yaml");
    group.bench_function("read the data file", |bencher| {
        bencher.iter(|| serde_saphyr::from_str::<serde_json::Value>(black_box(text)).map(|value| value.is_object()));
    });
    let nothing: [(&str, &str); 0] = [];
    group.bench_function("index", |bencher| bencher.iter(|| catalogue.with_folder_entries(black_box(nothing))));
    group.finish();
}

criterion_group!(benches, look_up, scan, build);
criterion_main!(benches);
