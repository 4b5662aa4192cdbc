//! The recorded proxies.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::support::recording_path;

pub(super) const CAPTURES: [&str; 3] = ["healthy", "broken", "upstream"];

/// A recorded proxy with its admin pages.
pub(super) struct Proxy {
    pub(super) capture: &'static str,
    pub(super) namespace: String,
    pub(super) pod: String,
    pages: PathBuf,
}

impl Proxy {
    /// The pod's name without the parts that change with each restart.
    pub(super) fn workload(&self) -> &str {
        self.pod.rsplitn(3, '-').last().unwrap()
    }

    pub(super) fn page(&self, name: &str) -> Vec<u8> {
        let path = self.pages.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// When the recordings were made, which decides which certificates are valid.
pub(super) fn recorded_at(capture: &str) -> Timestamp {
    let time = if capture == "upstream" { "2026-11-25T11:30:00Z" } else { "2026-11-25T11:00:00Z" };
    time.parse().unwrap()
}

/// Every recorded proxy, in order.
pub(super) fn proxies() -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for capture in CAPTURES {
        let before = proxies.len();
        for namespace in children(recording_path(&format!("{capture}/envoy"))) {
            for pages in children(namespace.clone()) {
                let [namespace, pod] = [&namespace, &pages].map(|path| name_of(path));
                proxies.push(Proxy { capture, namespace, pod, pages });
            }
        }
        assert!(proxies.len() > before, "{capture} has no proxy");
    }
    proxies
}

fn children(folder: PathBuf) -> Vec<PathBuf> {
    let mut children: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    children.sort();
    children
}

fn name_of(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
