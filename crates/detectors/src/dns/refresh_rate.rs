//! Finds meshes whose proxies ask again and again for names that do not resolve.

use std::collections::BTreeSet;

use crate::{Certainty, Detector, layers};
use analyzers::schema::milliseconds;
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Setting};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "dns/refresh-rate", reads: &[Kind::ConfigMap], reports: &[&DNS0005], by_default: true, run },
};

static DNS0005: Code = Code {
    id: "DNS0005",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-dns_refresh_rate",
    page: include_str!("pages/DNS0005.md"),
};

/// Below this the queries for names that fail add up.
const LOW_MS: i64 = 5_000;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for (revision, config) in layers::configs(mesh) {
        let setting = config.setting(&["dnsRefreshRate"]);
        let rate = setting.value.text();
        if milliseconds(rate).is_some_and(|rate| rate < LOW_MS) && seen.insert(setting.from) {
            messages.report(rate_is_low(mesh, &setting, rate, revision));
        }
    }
}

fn rate_is_low<'m>(mesh: &'m Mesh, setting: &Setting<'_>, rate: &str, revision: &str) -> Message<'m> {
    let text = format!(
        "dnsRefreshRate is {rate}: every proxy asks that often for each name that does not resolve. The default is 60s."
    );
    let remedy = format!("Remove dnsRefreshRate from {}, or set 60s.", layers::to_edit(mesh, revision));
    layers::about(mesh, &DNS0005, setting, text).remedy(remedy)
}
