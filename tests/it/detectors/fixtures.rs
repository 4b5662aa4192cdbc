//! Cases beside the pages' examples: `tests/fixtures/detectors/*.yaml`.
//!
//! The first lines say what is to be found: `# finds NET0001 DestinationRule shop/payments`, one line each, and all of
//! it; or `# finds no NET0001`. Adding a case adds no code.

use std::{collections::BTreeSet, fs, path::Path};

use super::{detect, mesh_of};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detectors");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let failures: Vec<String> = files.iter().filter_map(|file| check(file).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap().to_string_lossy();
    let text = fs::read_to_string(file).unwrap();
    let (mut codes, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().map_while(|line| line.strip_prefix("# finds ")) {
        if let Some(code) = line.strip_prefix("no ") {
            codes.insert(code.to_owned());
        } else {
            let (code, origin) = line.split_once(' ').ok_or_else(|| format!("{name}: what does {line:?} find?"))?;
            codes.insert(code.to_owned());
            wanted.insert((code.to_owned(), origin.to_owned()));
        }
    }
    if codes.is_empty() {
        return Err(format!("{name} does not say what it finds"));
    }
    let mesh = mesh_of(&text);
    let mut found = BTreeSet::new();
    for code in &codes {
        for message in detect(&mesh, code).messages {
            if codes.contains(message.code.id) {
                found.insert((message.code.id.to_owned(), message.origin().unwrap_or_default()));
            }
        }
    }
    if found == wanted { Ok(()) } else { Err(format!("{name}: found {found:?} instead of {wanted:?}")) }
}
