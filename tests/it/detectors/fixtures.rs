//! Cases beside the pages' examples: `tests/fixtures/detectors/*.yaml`.
//!
//! The first lines say what is to be found: `# finds NET0001 DestinationRule shop/payments`, one line each, and all of
//! it; or `# finds no NET0001`. A severity may stand before the code: `# finds info GWY0005 Service shop/edge`. Adding a
//! case adds no code.

use std::{collections::BTreeSet, fs, path::Path};

use meshtriage::report::Severity;

use super::{detect, mesh_of};

const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("error", Severity::Error)];

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
    let (mut codes, mut wanted, mut severities) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for line in text.lines().map_while(|line| line.strip_prefix("# finds ")) {
        if let Some(code) = line.strip_prefix("no ") {
            codes.insert(code.to_owned());
        } else {
            let (first, rest) = line.split_once(' ').ok_or_else(|| format!("{name}: what does {line:?} find?"))?;
            let severity = SEVERITIES.into_iter().find(|(word, _)| *word == first).map(|(_, severity)| severity);
            let line = if severity.is_some() { rest } else { line };
            let (code, origin) = line.split_once(' ').ok_or_else(|| format!("{name}: what does {line:?} find?"))?;
            codes.insert(code.to_owned());
            wanted.insert((code.to_owned(), origin.to_owned()));
            severities.extend(severity.map(|severity| (code.to_owned(), origin.to_owned(), severity)));
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
                let (code, origin) = (message.code.id.to_owned(), message.origin().unwrap_or_default());
                let other = severities
                    .iter()
                    .find(|(of, at, severity)| (of, at) == (&code, &origin) && *severity != message.severity);
                if let Some((.., severity)) = other {
                    return Err(format!(
                        "{name}: {code} at {origin} is {:?} instead of {severity:?}",
                        message.severity
                    ));
                }
                found.insert((code, origin));
            }
        }
    }
    if found == wanted { Ok(()) } else { Err(format!("{name}: found {found:?} instead of {wanted:?}")) }
}
