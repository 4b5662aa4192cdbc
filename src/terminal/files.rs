//! The files that a command line names: folders stand for the YAML and JSON below them, in order.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// More files than these are a mistake.
const MOST: usize = 100_000;

/// Every file that is meant. A folder gives its `.yaml`, `.yml` and `.json` files, those of its folders too.
pub(super) fn listed(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files, 0)?;
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>, depth: usize) -> anyhow::Result<()> {
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    anyhow::ensure!(depth < 32 && files.len() < MOST, "{} holds too many files or folders", path.display());
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut inner: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    inner.sort();
    for path in inner {
        let known = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if path.is_dir() || known {
            collect(&path, files, depth + 1)?;
        }
    }
    Ok(())
}
