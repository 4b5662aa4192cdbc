//! The project stands alone: nothing in it needs what a clone does not have.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{corpus_path, needs};

/// What may name the folder beside the project: the run of CI, which finds Istio's own cases there.
const MAY_NAME_IT: &str = ".ci/run";

/// Every file of the tree that is not ignored. A source package has no index, and so nothing to look at but its sources.
fn tree(root: &Path) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let Some(output) = git.output().ok().filter(|output| output.status.success()) else {
        let mut found = Vec::new();
        for folder in ["src", "tests", "benches", "deploy", "crates"] {
            walk(&root.join(folder), &mut found);
        }
        return found;
    };
    let names = String::from_utf8(output.stdout).unwrap();
    names.split('\0').filter(|name| !name.is_empty()).map(|name| root.join(name)).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

#[test]
fn nothing_names_the_folder_beside_the_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = tree(root);
    assert!(files.len() > 300, "only {} files", files.len());
    // Not in one piece, for this file is looked at too.
    let name = ["..", "shared"].join("/");
    let names_it =
        |path: &&PathBuf| fs::read(path).is_ok_and(|content| String::from_utf8_lossy(&content).contains(&name));
    let wrong: Vec<_> = files
        .iter()
        .filter(names_it)
        .map(|path| path.strip_prefix(root).unwrap().display().to_string())
        .filter(|path| path != MAY_NAME_IT)
        .collect();
    assert!(wrong.is_empty(), "a clone has nothing beside it: {wrong:?}");
    let run = fs::read_to_string(root.join(MAY_NAME_IT)).unwrap();
    assert_eq!(run.matches(&name).count(), run.matches(&format!("{name}/corpus")).count(), "{MAY_NAME_IT}");
}

/// `tests/not_run.rs` tells how many cases are not run: these are as many as there are.
#[test]
fn cases_of_the_corpus_are_counted() {
    needs!(Corpus);
    let counts = include_str!("../corpus.tsv").lines().map(|line| line.split_once('\t').unwrap());
    for (folder, expected) in counts {
        let mut found = 0;
        for file in ["cases.json", "unit.json", "validation.json"] {
            let path = corpus_path(folder).join(file);
            if !path.exists() {
                continue;
            }
            found += match serde_json::from_slice(&fs::read(path).unwrap()).unwrap() {
                Value::Array(cases) => cases.len(),
                Value::Object(lists) => {
                    let cases = lists.iter().filter(|(name, _)| name.ends_with("Cases"));
                    cases.map(|(_, list)| list.as_array().unwrap().len()).sum()
                }
                other => panic!("{folder}/{file}: {other}"),
            };
        }
        assert_eq!(found, expected.parse::<usize>().unwrap(), "{folder}");
    }
}
