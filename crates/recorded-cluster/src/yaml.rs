//! A recording that is plain YAML or JSON: a file, or a folder with everything below it.

use std::path::Path;

use super::Error;
use super::collect::Objects;
use super::resource::Resource;
use super::store::{Gvr, Kind, Store};
use super::tree::FileTree;
use report::Skipped;

pub(super) fn load(tree: FileTree, path: &Path) -> Result<Store, Error> {
    let single = path.is_file();
    let mut objects = Objects::default();
    for (file, _) in tree.files() {
        let known = [".yaml", ".yml", ".json"].iter().any(|ending| file.ends_with(ending));
        // Other files beside, such as a README, are no part of it; a file that was named is.
        if !known && !single {
            continue;
        }
        match tree.document(file) {
            Ok(content) => drop(objects.read(file, &content)),
            Err(why) => objects.skipped.push(Skipped::new(file, why)),
        }
    }
    if objects.is_empty() {
        let first = objects.skipped.first().map(|skipped| format!(" ({}: {})", skipped.what, skipped.why));
        let why = format!("it holds no Kubernetes object{}", first.unwrap_or_default());
        return Err(Error::NotACapture { path: path.into(), why });
    }
    let mut store = Store::new(Kind::Yaml, tree);
    objects.place(&mut store, false);
    add_absent_configuration(&mut store);
    Ok(store)
}

/// Files with Istio's configuration hold all of it: a kind that is not there is not used. What a cluster adds at run
/// time (pods, endpoints, events …) is unknown, and so are kinds of groups that nobody wrote down.
fn add_absent_configuration(store: &mut Store) {
    let is_configuration = |gvr: &Gvr| gvr.group.ends_with(".istio.io") || gvr.group == "gateway.networking.k8s.io";
    if !store.resources.keys().any(is_configuration) {
        return;
    }
    let absent = store.types.iter().filter(|(gvr, _)| is_configuration(gvr));
    for (gvr, found) in absent {
        store.resources.entry(gvr.clone()).or_insert_with(|| Resource::new(&found.kind));
    }
}
