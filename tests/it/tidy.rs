//! The sources keep to ARCHITECTURE.md: each crate and each module of the service names only those that its list allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Crates of others, and the folders that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["src/api/", "src/main.rs", "crates/recorded-cluster/"]),
    ("sqlx", &["src/history/"]),
    ("tokio::fs", &["src/artifacts/", "src/start.rs", "src/uploads/", "crates/recorded-cluster/"]),
];

/// Re-exported by `src/lib.rs`: the crates under the names that the library's users know.
const RENAMED: &[(&str, &str)] =
    &[("capture", "recorded-cluster"), ("clock", "cluster"), ("errors", "known-errors"), ("prometheus", "steps")];

type Directions = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The block of this name below "Directions": `one, two -> three, four` in each line.
fn listed(block: &str) -> Directions {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let text = text.split("## Directions").nth(1).unwrap().split("\n## ").next().unwrap();
    let block = text.split("```").find_map(|part| part.strip_prefix(&format!("text {block}\n")));
    let mut directions = Directions::new();
    for line in block.unwrap_or_else(|| panic!("no such block")).lines() {
        let (from, to) = line.split_once("->").unwrap_or_else(|| panic!("no arrow: {line}"));
        let to: BTreeSet<_> = names(to).filter(|name| name != "nothing").collect();
        for name in names(from) {
            assert!(directions.insert(name.clone(), to.clone()).is_none(), "{name} stands there twice");
        }
    }
    directions
}

fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Each crate of the workspace, and those of ours that its manifest names.
fn manifests() -> Directions {
    let folders = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap());
    let folders: Vec<_> = folders.filter(|entry| entry.path().join("Cargo.toml").exists()).collect();
    let ours: BTreeSet<_> = folders.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    let mut directions = Directions::new();
    for folder in folders {
        let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap();
        let named = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next().map(str::to_owned));
        directions
            .insert(folder.file_name().into_string().unwrap(), named.filter(|name| ours.contains(name)).collect());
    }
    directions
}

/// What stands behind each `crate::`, in code and in macros alike.
fn named_behind_crate(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            named_behind_crate(group.stream(), found);
        }
        if !matches!(token, TokenTree::Ident(ident) if *ident == "crate") {
            continue;
        }
        match tokens.get(index + 3) {
            Some(TokenTree::Ident(ident)) => _ = found.insert(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut begins = true;
                for token in group.stream() {
                    if let TokenTree::Ident(ident) = &token
                        && begins
                    {
                        found.insert(ident.to_string());
                    }
                    begins = matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
                }
            }
            _ => {}
        }
    }
}

/// Each module of the service, and what it names of the service and of our crates.
fn modules() -> Directions {
    let crates: BTreeSet<_> = manifests().into_keys().collect();
    let mut directions = Directions::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/")) {
        let module = path["src/".len()..].split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let mut found = BTreeSet::new();
        named_behind_crate(text.parse().unwrap_or_else(|error| panic!("{path}: {error}")), &mut found);
        for name in &crates {
            if code(&text).contains(&format!("use {}::", name.replace('-', "_"))) {
                found.insert(name.clone());
            }
        }
        let own =
            |name: String| RENAMED.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, own)| (*own).into());
        let known = |name: &String| crates.contains(name) || is_module(name);
        let entry = directions.entry(module.clone()).or_default();
        entry.extend(found.into_iter().map(own).filter(|name| *name != module && known(name)));
    }
    directions
}

fn is_module(name: &str) -> bool {
    root().join("src").join(name).is_dir() || root().join(format!("src/{name}.rs")).exists()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source of the service and of its crates: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    for folder in manifests().keys() {
        files(&root().join("crates").join(folder).join("src"), &mut found);
    }
    assert!(found.len() > 500, "only {} sources", found.len());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(read).collect()
}

/// A source's code, without comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Everything has a line, nothing is named that its line does not allow, and nothing is allowed that is not used.
fn compare(listed: &Directions, found: &Directions) {
    let mut wrong = Vec::new();
    for (name, used) in found {
        let Some(allowed) = listed.get(name) else {
            wrong.push(format!("{name} has no line in ARCHITECTURE.md"));
            continue;
        };
        wrong.extend(
            used.difference(allowed).map(|other| format!("{name} names {other}, which its line does not list")),
        );
        wrong
            .extend(allowed.difference(used).map(|other| format!("{name} does not use {other}, which its line lists")));
    }
    wrong.extend(listed.keys().filter(|name| !found.contains_key(*name)).map(|name| format!("there is no {name}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_depend_on_what_the_architecture_lists() {
    compare(&listed("crates"), &manifests());
}

#[test]
fn modules_name_what_the_architecture_lists() {
    compare(&listed("modules"), &modules());
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let code = code(&text);
        for (crate_name, folders) in CRATES {
            if !folders.iter().any(|folder| name.starts_with(folder)) && code.contains(&format!("{crate_name}::")) {
                wrong.push(format!("{name} names {crate_name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_says_what_it_is_for() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! ") || name.ends_with("tests.rs"), "{name} does not say what it is for");
    }
}
