//! What a remedy must hold to finish the job: a name or a command, nothing left to fill in that is known, and no weaker
//! security without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, path::Path};

use meshtriage::{
    analyzers::{ANALYZERS, Analyzer, Message, Options, analyze_by},
    detectors,
    mesh::Mesh,
};

use super::mesh_of;
use crate::{analyze::pages::example, support::say};

/// What begins a command that can be pasted.
const COMMANDS: [&str; 4] = ["kubectl ", "az ", "istioctl ", "openssl "];

/// What no object at hand tells: names in Azure, files of the reader, choices; and the parts of a pattern that the sentence
/// explains.
const NOT_KNOWN: [&str; 25] = [
    "suffix",
    "protocol",
    "port",
    "rg",
    "group",
    "cluster",
    "resource-group",
    "file",
    "vault",
    "pool",
    "id",
    "certificate",
    "key",
    "n",
    "version",
    "name",
    "namespace",
    "revision",
    "service",
    "pod",
    "caller",
    "account",
    "address",
    "gateway",
    "host",
];

/// What weakens security, or loses something. A page that has the word says why.
const GRAVE: [&str; 3] = ["PERMISSIVE", "ALLOW_ANY", "delete "];

fn meshes() -> Vec<Mesh> {
    let rules = rules();
    let codes = rules.iter().flat_map(|rule| rule.reports.iter().copied());
    let pages: BTreeMap<&str, &str> = codes.map(|code| (code.id, code.page)).collect();
    let mut texts: Vec<String> =
        pages.into_values().filter_map(|page| example(page, "Bad")).map(str::to_owned).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detectors");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    texts.extend(files.into_iter().map(|file| fs::read_to_string(file).unwrap()));
    let is_whole = |text: &String| std::panic::catch_unwind(|| mesh_of(text)).ok();
    texts.iter().filter_map(is_whole).collect()
}

fn rules() -> Vec<&'static Analyzer> {
    ANALYZERS.iter().chain(detectors::all().map(|detector| &detector.rule)).collect()
}

/// What is wrong with the remedy of a message.
fn fault(message: &Message<'_>) -> Option<String> {
    let finding = message.to_finding();
    let remedy = finding.remedy.as_str();
    let has_name =
        message.object.is_none_or(|object| remedy.contains(object.name()) || remedy.contains(object.namespace()));
    let has_command = COMMANDS.iter().any(|command| remedy.contains(command));
    if !has_name && !has_command {
        return Some("names neither an object nor a command".to_owned());
    }
    let mut rest = remedy;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((word, after)) = after.split_once('>') else { break };
        let is_word = !word.is_empty() && word.chars().all(|it| it.is_ascii_lowercase() || it == '-');
        let whole = format!("<{word}>");
        if is_word && !NOT_KNOWN.contains(&word) {
            return Some(format!("leaves {whole} to fill in"));
        }
        rest = after;
    }
    // To make a pod anew loses nothing.
    let remedy = remedy.replace("kubectl delete pod ", "");
    let grave = GRAVE
        .into_iter()
        .find(|word| remedy.contains(word) && !message.code.page.to_lowercase().contains(&word.trim().to_lowercase()));
    grave.map(|word| format!("says {word:?}, and the page does not say why"))
}

#[test]
fn remedies_finish_the_job() {
    let rules = rules();
    let mut codes = BTreeSet::new();
    let mut faults: BTreeMap<&str, String> = BTreeMap::new();
    for mesh in meshes() {
        for message in analyze_by(&mesh, &rules, &Options::default()).messages {
            codes.insert(message.code.id);
            if let Some(fault) = fault(&message) {
                let remedy = message.to_finding().remedy;
                faults.entry(message.code.id).or_insert_with(|| format!("{}: {fault}: {remedy}", message.code.id));
            }
        }
    }
    say(&format!("remedies of {} codes read", codes.len()));
    let faults: Vec<String> = faults.into_values().collect();
    assert!(faults.is_empty(), "{} codes:\n{faults:#?}", faults.len());
    assert!(codes.len() > 150, "only {} codes were met", codes.len());
}
