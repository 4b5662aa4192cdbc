//! Generated meshes: each fault that was put in is found and nothing else, and the work grows with the mesh and not with
//! its square.

#[path = "../../benches/support/generate/mod.rs"]
mod generate;

use std::collections::{BTreeMap, BTreeSet};

use generate::{Fault, Generated, Layout, Plan};
use jiff::Timestamp;
use meshtriage::analyzers::{ANALYZERS, Messages, Options, analyze};
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

/// The work of each analyzer and detector alone, on this thread.
#[cfg(target_os = "linux")]
fn work(mesh: &Mesh) -> BTreeMap<&'static str, u64> {
    let mut work = BTreeMap::new();
    for analyzer in ANALYZERS.iter().chain(detectors::all().map(|detector| &detector.rule)) {
        let before = processor_time();
        let mut messages = Messages::new(false);
        (analyzer.run)(mesh, &mut messages);
        work.insert(analyzer.name, processor_time() - before);
    }
    work
}

/// Ten times the objects may take thirty times the work, which leaves room for caches and logarithms; a rule that
/// compares all with all would take a hundred times.
#[cfg(target_os = "linux")]
#[test]
fn work_grows_with_the_mesh_and_not_with_its_square() {
    const NEGLIGIBLE_NS: u64 = 20_000_000;
    for (_, layout) in Layout::ALL {
        let plan = |objects| Plan { layout, objects, faulty_percent: 5, seed: 6 };
        let [small, large] = [2_000, 20_000].map(|objects| work(&from_yaml(&plan(objects).generate())));
        let (small_sum, large_sum) = (small.values().sum::<u64>(), large.values().sum::<u64>());
        say(&format!("{layout:?}: {} ms, then {} ms", small_sum / 1_000_000, large_sum / 1_000_000));
        assert!(large_sum <= small_sum.max(NEGLIGIBLE_NS) * 30);
        for (name, work) in large {
            let allowed = small[name].max(NEGLIGIBLE_NS / 10) * 30;
            assert!(work <= allowed, "{layout:?}, {name}: {} ns for 2k objects, {work} ns for 20k", small[name]);
        }
    }
}
