//! Finds out what a path is: an archive, a folder or YAML, ours or istioctl's.

use std::path::Path;

use super::store::Store;
use super::tree::{FileTree, Limits};
use super::{Error, bug_report, layout, unpack, yaml};
use report::Skipped;

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Store, Error> {
    let mut store = read(path, limits)?;
    // Documents that there was no time for are missing.
    if limits.is_late() {
        return Err(Error::TooSlow { path: path.into() });
    }
    store.finish();
    Ok(store)
}

fn read(path: &Path, limits: &Limits) -> Result<Store, Error> {
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotFound { path: path.into() });
        }
        other => other.map_err(Error::io("read", path))?,
    };
    let tree = if metadata.is_dir() {
        FileTree::folder(path, limits, None)?
    } else {
        let tree = FileTree::single(path, metadata.len(), limits)?;
        let start = tree.start(512).map_err(Error::io("read", path))?;
        let named = path.to_string_lossy().to_lowercase();
        let (gzip, tar) = (unpack::is_gzip(&start), unpack::is_tar(&start));
        if start.is_empty() {
            return Err(Error::NotACapture { path: path.into(), why: "the file is empty".into() });
        }
        if !gzip && !tar {
            if [".tar.gz", ".tgz", ".tar"].iter().any(|ending| named.ends_with(ending)) {
                let why = "its name is that of an archive, its content is not".into();
                return Err(Error::NotACapture { path: path.into(), why });
            }
            return yaml::load(tree, path);
        }
        unpack::unpack(path, gzip, limits)?
    };
    load(tree, path)
}

fn load(tree: FileTree, path: &Path) -> Result<Store, Error> {
    let known = |tree: &FileTree| layout::is_own(tree) || bug_report::is_bug_report(tree);
    let tree = if known(&tree) { tree } else { tree.without_top_folder() };
    let ignored = tree.ignored.iter().map(|what| Skipped::new(what.clone(), "left out")).collect::<Vec<_>>();
    let mut store = if layout::is_own(&tree) {
        layout::load(tree, path)?
    } else if bug_report::is_bug_report(&tree) {
        bug_report::load(tree)
    } else {
        yaml::load(tree, path)?
    };
    store.skipped.extend(ignored);
    Ok(store)
}
