//! Counts what the other tests of this run could not do: see `tests/it/support/needs.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// Istio's own cases, which are not part of this project: folder, and how many it has.
const CORPUS: &str = include_str!("corpus.tsv");

#[expect(clippy::print_stdout, reason = "the counts are what this is for")]
fn main() {
    // For whoever lists the tests: there are none.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("not-run");
    let file = folder.join(std::os::unix::process::parent_id().to_string());
    let Ok(notes) = fs::read_to_string(&file) else { return };
    let _ = fs::remove_file(file);
    let mut lacking: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for line in notes.lines() {
        let [variable, what, test] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        lacking.entry((variable, what)).or_default().insert(test);
        tests.insert(test);
    }
    println!("\nnot run, or not in whole: {} tests", tests.len());
    for ((variable, what), tests) in &lacking {
        println!("  {} need {what} ({variable} is not set){}", tests.len(), cases(variable));
    }
}

fn cases(variable: &str) -> String {
    if variable != "MESHTRIAGE_CORPUS" {
        return String::new();
    }
    let folders = CORPUS.lines().filter_map(|line| line.split_once('\t'));
    let folders: Vec<(&str, usize)> = folders.filter_map(|(name, count)| Some((name, count.parse().ok()?))).collect();
    let total: usize = folders.iter().map(|(_, count)| count).sum();
    let each: Vec<String> = folders.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!(": {total} cases, of {}", each.join(", "))
}
