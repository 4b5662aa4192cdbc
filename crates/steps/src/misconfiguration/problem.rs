//! Which problems of the catalogue a finding stands for.

use std::collections::BTreeMap;

use detectors::{self, Area, COVERED, Certainty};
use report::Finding;

/// What `IST0101` finds missing, by the beginning of its message, and the problems that this is: a host that is not there is
/// felt otherwise than a Secret.
const MISSING: [(&str, &[&str]); 9] = [
    ("Referenced host+subset", &["net/subset-missing"]),
    ("Referenced mirror+subset", &["net/subset-missing"]),
    ("Referenced host:port", &["net/vs-port-unknown"]),
    ("Referenced host", &["net/vs-host-unknown"]),
    ("Referenced mirror host", &["net/vs-host-unknown"]),
    ("Referenced gateway", &["net/vs-gateway-missing"]),
    ("Referenced credentialName", &["gw/secret-missing"]),
    ("Referenced selector", &["gw/selector-mismatch"]),
    ("Referenced namespace", &["sec/authz-unknown-source"]),
];

/// Problems by the codes that name them.
pub(super) struct Problems(BTreeMap<&'static str, Vec<(&'static str, Certainty)>>);

impl Problems {
    pub(super) fn new() -> Self {
        let mut by_code: BTreeMap<&'static str, Vec<(&'static str, Certainty)>> = BTreeMap::new();
        for detector in detectors::all() {
            for code in detector.rule.reports {
                by_code.entry(code.id).or_default().push((detector.id(), detector.certainty));
            }
        }
        for covered in COVERED {
            for code in covered.codes {
                by_code.entry(code).or_default().push((covered.problem.id, covered.certainty));
            }
        }
        Self(by_code)
    }

    /// The problems that a finding stands for. A code such as `IST0101` names several: those count that concern such an
    /// object.
    pub(super) fn of(&self, finding: &Finding) -> Vec<(&'static str, Certainty)> {
        let all = self.0.get(finding.code.as_ref()).map(Vec::as_slice).unwrap_or_default();
        if finding.code == "IST0101"
            && let Some((_, ids)) = MISSING.iter().find(|(words, _)| finding.message.starts_with(words))
        {
            let known = ids.iter().filter_map(|id| problems::find(id));
            return known.filter_map(|problem| Some((problem.id, problem.certainty?))).collect();
        }
        let areas = areas_of(&finding.subject.kind);
        let fitting: Vec<_> = all.iter().filter(|(id, _)| areas.contains(&Area::of(id))).copied().collect();
        if fitting.is_empty() { all.to_vec() } else { fitting }
    }
}

/// The areas whose problems show at an object of this kind.
fn areas_of(kind: &str) -> &'static [Area] {
    match kind {
        "Gateway" => &[Area::Gateway, Area::GatewayApi],
        "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "ReferenceGrant" => &[Area::GatewayApi],
        "AuthorizationPolicy" | "PeerAuthentication" | "RequestAuthentication" => &[Area::Security],
        "VirtualService" | "DestinationRule" | "EnvoyFilter" | "Service" => &[Area::Network],
        "ServiceEntry" => &[Area::Network, Area::Egress, Area::Dns],
        "Telemetry" => &[Area::Observability],
        "Namespace" | "Pod" => &[Area::Injection],
        _ => &[],
    }
}
