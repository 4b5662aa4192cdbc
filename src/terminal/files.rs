//! The files that a command line names: folders stand for the YAML and JSON below them, in order.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{cluster::Cluster, config::ClusterArgs, start};

/// More files than these are a mistake.
const MOST: usize = 100_000;

/// More than this is a mistake.
const LONGEST: u64 = 256 << 20;

/// `-`, as many commands have it.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(LONGEST);
    input.read_to_string(&mut text).context("standard input is not UTF-8")?;
    Ok(text)
}

/// Files, folders and standard input as a cluster of nothing but their objects.
pub(super) async fn open(paths: &[PathBuf], args: &ClusterArgs) -> anyhow::Result<Cluster> {
    if let [one] = paths
        && !is_standard_input(one)
    {
        return start::open_files(one, args).await;
    }
    let mut texts = Vec::new();
    for path in listed(paths)? {
        texts.push(if is_standard_input(&path) { standard_input()? } else { super::analysis::read(&path)? });
    }
    let folder = tempfile::tempdir().context("cannot make a folder for the files")?;
    let file = folder.path().join("files.yaml");
    std::fs::write(&file, texts.join("\n---\n")).with_context(|| format!("cannot write {}", file.display()))?;
    start::open_files(&file, args).await
}

/// Every file that is meant. A folder gives its `.yaml`, `.yml` and `.json` files, those of its folders too.
pub(super) fn listed(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files, 0)?;
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>, depth: usize) -> anyhow::Result<()> {
    if is_standard_input(path) {
        files.push(path.to_owned());
        return Ok(());
    }
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
