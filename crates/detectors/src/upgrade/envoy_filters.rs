//! Finds `EnvoyFilter`s that an upgrade under way may break.

use super::canary::Canary;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/envoyfilter",
        reads: &[Kind::Deployment, Kind::EnvoyFilter],
        reports: &[&UPG0007],
        by_default: true,
        run,
    },
};

static UPG0007: Code = Code {
    id: "UPG0007",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/common-problems/upgrade-issues/",
    page: include_str!("pages/UPG0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(canary) = Canary::of(mesh) else { return };
    for filter in mesh.each(Kind::EnvoyFilter) {
        messages.report(filter_needs_review(filter, &canary));
    }
}

/// The version of proxies that a patch is limited to.
fn proxy_version(filter: &Object) -> Option<&str> {
    let patches = filter.spec().field("configPatches").items();
    patches.map(|patch| patch.path(&["match", "proxy", "proxyVersion"]).text()).find(|version| !version.is_empty())
}

fn filter_needs_review<'m>(filter: &'m Object, canary: &Canary<'_>) -> Message<'m> {
    let new = canary.newer.revision;
    let limit = proxy_version(filter).map_or_else(
        || "it holds for the proxies of both revisions".to_owned(),
        |version| format!("it is limited to proxies of version {version}"),
    );
    let text = format!(
        "It patches Envoy's own configuration, which changes between versions, and {limit}: check it before workloads move to {new}."
    );
    let remedy = format!(
        "Restart one selected workload on {new} and see that its proxy accepts the configuration (istioctl proxy-status). Better \
         replace it: Telemetry for logs and metrics, gatewayTopology for X-Forwarded-For, proxyStatsMatcher for statistics."
    );
    Message::new(&UPG0007, filter, text).at(Path::spec().key("configPatches")).remedy(remedy)
}
