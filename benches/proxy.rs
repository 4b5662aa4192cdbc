//! How long a configuration dump of 100 MB takes, and how much memory besides the page itself; and how long the status of
//! 10,000 proxies takes from the pages of four replicas on, without any reading.

#[path = "support/dump.rs"]
mod dump;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/syncz.rs"]
mod syncz;

use std::hint::black_box;
use std::io::Write as _;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use memory::peak_kib;
use meshtriage::cluster::Istiod;
use meshtriage::envoy::config_dump::ConfigDump;
use meshtriage::envoy::proxy_config::{Filter, Kind, rows_of};
use meshtriage::redact::redact_json;
use meshtriage::report::Data;
use meshtriage::steps::{ProxyStatusInput, ProxyStatusStep, Step as _, proxy_status::Evidence};

const BYTES: usize = 100_000_000;
const PROXIES: usize = 10_000;

fn reset_peak() {
    // Without it the peak is that of the whole run, which is only more.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn say_memory(what: &str, work: impl FnOnce() -> usize) {
    reset_peak();
    let before = peak_kib("self");
    black_box(work());
    if let (Some(before), Some(after)) = (before, peak_kib("self")) {
        let (before, after) = (before / 1024, after / 1024);
        let _ = writeln!(std::io::stderr(), "memory, {what}: {before} MiB before, at most {after} MiB resident");
    }
}

fn summary(page: &[u8]) -> usize {
    let dump = ConfigDump::parse(page).expect("it was generated");
    dump.summary().sections.iter().map(|section| section.active).sum()
}

fn rows(page: &[u8]) -> usize {
    let dump = ConfigDump::parse(page).expect("it was generated");
    let rows = rows_of(Kind::All, &dump, &Filter::default(), Timestamp::UNIX_EPOCH).expect("it was generated");
    std::mem::size_of_val(&black_box(rows))
}

fn config_dump(criterion: &mut Criterion) {
    let page = dump::config_dump(BYTES);
    assert!(page.len() >= BYTES && summary(&page) > 40_000);
    say_memory("summary", || summary(&page));
    say_memory("all rows", || rows(&page));
    let mut group = criterion.benchmark_group("proxy/config dump of 100 MB");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("summary", |bencher| bencher.iter(|| summary(black_box(&page))));
    group.bench_function("all rows", |bencher| bencher.iter(|| rows(black_box(&page))));
    group.finish();
}

/// From istiod's pages to the answer: read, judged, as data and as the table.
fn status(pages: &[(Istiod, Bytes)], pods: &[Pod], part: Part) -> usize {
    let input = ProxyStatusInput::default();
    let evidence = Evidence::of_pages(pages.to_vec(), pods.to_vec(), Timestamp::UNIX_EPOCH);
    if part == Part::Read {
        return std::mem::size_of_val(&black_box(evidence));
    }
    let judgement = ProxyStatusStep::judge(&input, evidence);
    assert_eq!((judgement.data.proxies.len(), judgement.skipped.len()), (PROXIES, 0));
    if part == Part::Judged {
        return judgement.findings.len();
    }
    let text = ProxyStatusStep::raw(&input, &judgement.data).expect("a table");
    let data = Data::of(&judgement.data);
    assert!(redact_json(data.text()).is_none());
    text.len() + serde_json::to_string_pretty(&data).expect("JSON").len()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Read,
    Judged,
    Answered,
}

fn proxy_status(criterion: &mut Criterion) {
    let (pages, pods) = (syncz::pages(4, PROXIES), syncz::pods(PROXIES));
    let mut group = criterion.benchmark_group("proxy/status of 10,000 proxies");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(pages.iter().map(|(_, page)| page.len() as u64).sum()));
    for (name, part) in [("read", Part::Read), ("and judged", Part::Judged), ("and answered", Part::Answered)] {
        group.bench_function(name, |bencher| bencher.iter(|| status(black_box(&pages), &pods, part)));
    }
    group.finish();
}

criterion_group!(benches, config_dump, proxy_status);
criterion_main!(benches);
