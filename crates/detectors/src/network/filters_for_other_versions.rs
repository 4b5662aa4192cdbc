//! Finds patches of `EnvoyFilter`s for versions of the proxy that no pod runs.

use std::collections::BTreeSet;

use regex::Regex;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Severity};

/// Operations that are ignored are IST0151 to IST0155, and selectors that match nothing NET0018.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/envoyfilter-invalid",
        reads: &[Kind::EnvoyFilter, Kind::Pod],
        reports: &[&NET0023],
        by_default: true,
        run,
    },
};

static NET0023: Code = Code {
    id: "NET0023",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/envoy-filter/#EnvoyFilter-ProxyMatch",
    page: include_str!("pages/NET0023.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut running: Option<BTreeSet<&str>> = None;
    for filter in mesh.each(Kind::EnvoyFilter) {
        for (patch, index) in filter.spec().field("configPatches").items().zip(0..) {
            let wanted = patch.path(&["match", "proxy", "proxyVersion"]).text();
            // An expression that cannot be read is IST0106.
            let Some(expression) = Some(wanted).filter(|it| !it.is_empty()).and_then(|it| Regex::new(it).ok()) else {
                continue;
            };
            let running = running.get_or_insert_with(|| running_versions(mesh));
            if !running.is_empty() && !running.iter().any(|version| expression.is_match(version)) {
                let path = Path::spec().key("configPatches").index(index).key("match").key("proxy").key("proxyVersion");
                messages.report(no_proxy_matches(filter, wanted, running).at(path));
            }
        }
    }
}

/// The versions of proxies, by the tags of their images. Where one has another kind of tag, nothing is known.
fn running_versions(mesh: &Mesh) -> BTreeSet<&str> {
    let mut versions = BTreeSet::new();
    for pod in mesh.each(Kind::Pod) {
        let proxies =
            Workload::of_pod(pod).containers().filter(|container| container.get("name").text() == "istio-proxy");
        for proxy in proxies {
            match version_of(proxy.get("image").text()) {
                Some(version) => versions.insert(version),
                None => return BTreeSet::new(),
            };
        }
    }
    versions
}

/// The version in an image's tag, without its variant: `1.29.6` of `proxyv2:1.29.6-distroless`.
fn version_of(image: &str) -> Option<&str> {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (_, name) = image.rsplit_once('/').unwrap_or(("", image));
    let (_, tag) = name.split_once(':')?;
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let tag = ["-distroless", "-debug"].iter().find_map(|variant| tag.strip_suffix(variant)).unwrap_or(tag);
    tag.starts_with(|first: char| first.is_ascii_digit()).then_some(tag)
}

fn no_proxy_matches<'m>(filter: &'m Object, wanted: &str, running: &BTreeSet<&str>) -> Message<'m> {
    let running: Vec<&str> = running.iter().copied().collect();
    let text = format!(
        "The patch is for proxies of version {wanted}, and none is of that version (running: {}): it is never applied.",
        running.join(", ")
    );
    let remedy = format!(
        "Correct proxyVersion in EnvoyFilter {} to the versions that it was tested with, or delete the patch.",
        filter.full_name()
    );
    Message::new(&NET0023, filter, text).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn versions_of_images() {
        for (image, expected) in [
            ("mcr.microsoft.com/oss/v2/istio/proxyv2:1.29.6-distroless", Some("1.29.6")),
            ("localhost:5000/proxyv2:v1.30.0", Some("1.30.0")),
            ("docker.io/istio/proxyv2:1.28.1-debug@sha256:abc", Some("1.28.1")),
            ("localhost:5000/proxyv2", None),
            ("proxyv2:latest", None),
        ] {
            assert_eq!(version_of(image), expected, "{image}");
        }
    }
}
