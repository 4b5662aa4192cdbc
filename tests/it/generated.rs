//! Generated meshes: each fault that was put in is found and nothing else, and the work grows with the mesh and not with
//! its square.

#[path = "../../benches/support/generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;

use generate::{Fault, Generated, Layout, Plan};
use jiff::Timestamp;
use meshtriage::analyzers::{ANALYZERS, Analyzer, Messages, Options, analyze};
use meshtriage::detectors;
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, Settings};
use meshtriage::report::Severity;

use crate::support::say;

fn builder(live: bool) -> MeshBuilder {
    MeshBuilder::new(Settings { runtime_kinds: true, live, ..Settings::new(Timestamp::UNIX_EPOCH) })
}

fn from_yaml(generated: &Generated) -> Mesh {
    let mut builder = builder(false);
    builder.add_files(&[("mesh.yaml".to_owned(), generated.yaml())]);
    builder.add_default_ingress();
    builder.build()
}

fn from_lists(generated: &Generated) -> Mesh {
    let mut builder = builder(true);
    for list in generated.lists().values() {
        let name = list["kind"].as_str().unwrap().strip_suffix("List").unwrap();
        let kind = Kind::of_document(list["apiVersion"].as_str().unwrap(), name).unwrap();
        for item in list["items"].as_array().unwrap() {
            builder.add(kind, LOCAL_CLUSTER, item);
        }
    }
    builder.build()
}

/// What was found, and of it what is more than an information.
fn found(mesh: &Mesh) -> (BTreeSet<Fault>, BTreeSet<Fault>) {
    let analysis = analyze(mesh, &Options::default()).unwrap();
    assert!(analysis.malformed.is_empty(), "{:?}", analysis.malformed);
    let (mut all, mut serious) = (BTreeSet::new(), BTreeSet::new());
    for message in &analysis.messages {
        let fault = Fault { code: message.code.id.to_owned(), object: message.origin().unwrap_or_default() };
        if message.severity > Severity::Info {
            serious.insert(fault.clone());
        }
        all.insert(fault);
    }
    (all, serious)
}

fn check(plan: Plan, least_faults: usize) {
    let generated = plan.generate();
    assert!(generated.faults.len() >= least_faults, "{} faults", generated.faults.len());
    for (from, mesh) in [("YAML", from_yaml(&generated)), ("lists", from_lists(&generated))] {
        assert!(mesh.len() >= plan.objects);
        let (all, serious) = found(&mesh);
        let missed: Vec<_> = generated.faults.difference(&all).collect();
        let false_ones: Vec<_> = serious.difference(&generated.faults).collect();
        let (found, objects) = (generated.faults.len() - missed.len(), mesh.len());
        let (missed_count, false_count) = (missed.len(), false_ones.len());
        let layout = plan.layout;
        say(&format!("{layout:?}, {objects} from {from}: found {found}, missed {missed_count}, false {false_count}"));
        for fault in missed.iter().take(20) {
            say(&format!("  missed {} {}", fault.code, fault.object));
        }
        for fault in false_ones.iter().take(20) {
            say(&format!("  false  {} {}", fault.code, fault.object));
        }
        assert!(missed.is_empty() && false_ones.is_empty());
    }
}

#[test]
fn every_fault_among_1k_objects_is_found_and_nothing_else() {
    check(Plan { layout: Layout::Realistic, objects: 1_000, faulty_percent: 25, seed: 1 }, 40);
}

#[test]
fn every_fault_among_10k_objects_is_found_and_nothing_else() {
    check(Plan { layout: Layout::Realistic, objects: 10_000, faulty_percent: 5, seed: 2 }, 80);
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for (_, layout) in Layout::ALL {
        check(Plan { layout, objects: 1_100, faulty_percent: 0, seed: 3 }, 0);
    }
}

#[test]
fn the_same_plan_gives_the_same_mesh() {
    let plan = Plan { layout: Layout::Realistic, objects: 1_000, faulty_percent: 10, seed: 4 };
    let (one, other) = (plan.generate(), plan.generate());
    assert_eq!(one.yaml(), other.yaml());
    assert_eq!(one.faults, other.faults);
    assert_ne!(one.yaml(), Plan { seed: 5, ..plan }.generate().yaml());
}

/// The time that this thread spent on a processor, in nanoseconds: others who use the machine do not count.
#[cfg(target_os = "linux")]
fn processor_time() -> u64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    statistics.split_whitespace().next().unwrap().parse().unwrap()
}

/// The work of a rule alone, on this thread.
#[cfg(target_os = "linux")]
fn work(rule: &Analyzer, mesh: &Mesh) -> u64 {
    let before = processor_time();
    let mut messages = Messages::new(false);
    (rule.run)(mesh, &mut messages);
    processor_time() - before
}

/// Ten times the objects may take thirty times the work, which leaves room for caches and logarithms; a rule that
/// compares all with all would take a hundred times. Who uses the memory beside us makes some work longer, but not each
/// time.
#[cfg(target_os = "linux")]
#[test]
fn work_grows_with_the_mesh_and_not_with_its_square() {
    const NEGLIGIBLE_NS: u64 = 2_000_000;
    const TRIES: usize = 5;
    for (_, layout) in Layout::ALL {
        let mesh = |objects| from_yaml(&Plan { layout, objects, faulty_percent: 5, seed: 6 }.generate());
        let (small_mesh, large_mesh) = (mesh(2_000), mesh(20_000));
        let (mut small_sum, mut large_sum) = (0, 0);
        for rule in ANALYZERS.iter().chain(detectors::all().map(|detector| &detector.rule)) {
            let small = work(rule, &small_mesh);
            let allowed = small.max(NEGLIGIBLE_NS) * 30;
            let tries = (0..TRIES).map(|_| work(rule, &large_mesh));
            let large = tries.scan(false, |done, work| (!std::mem::replace(done, work <= allowed)).then_some(work));
            let large = large.min().unwrap();
            assert!(large <= allowed, "{layout:?}, {}: {small} ns for 2k objects, {large} ns for 20k", rule.name);
            (small_sum, large_sum) = (small_sum + small, large_sum + large);
        }
        say(&format!("{layout:?}: {} ms, then {} ms", small_sum / 1_000_000, large_sum / 1_000_000));
        assert!(large_sum <= small_sum.max(10 * NEGLIGIBLE_NS) * 30);
    }
}
