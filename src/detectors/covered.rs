//! Entries of the catalogue that analyzers and steps answer already.

use super::Certainty::{self, Certain, Likely};

/// An entry, and the codes that say it.
#[derive(Debug)]
pub struct Covered {
    pub id: &'static str,
    pub certainty: Certainty,
    /// Any of them; each is reported by an analyzer or by a step.
    pub codes: &'static [&'static str],
}

const fn covered(id: &'static str, certainty: Certainty, codes: &'static [&'static str]) -> Covered {
    Covered { id, certainty, codes }
}

/// By the catalogue's order.
pub static COVERED: &[Covered] = &[
    covered("net/dr-host-unknown", Certain, &["IST0174"]),
    covered("net/subset-missing", Certain, &["IST0101"]),
    covered("net/vs-host-unknown", Certain, &["IST0101"]),
    covered("net/vs-port-unknown", Certain, &["IST0101"]),
    covered("net/vs-port-required", Certain, &["IST0112"]),
    covered("net/vs-unreachable", Certain, &["IST0130", "IST0131"]),
    covered("net/vs-gateway-missing", Certain, &["IST0101"]),
    covered("net/vs-no-route", Certain, &["IST0106"]),
    covered("net/ingress-rules-no-effect", Certain, &["IST0140"]),
    covered("net/not-injected-client", Certain, &["ENV0008"]),
    covered("net/port-naming", Certain, &["IST0118", "IST0150"]),
    covered("net/service-port-conflict", Certain, &["IST0116", "IST0137"]),
    covered("net/no-endpoints", Certain, &["K8S0024", "K8S0025"]),
    covered("net/endpoint-unhealthy", Certain, &["ENV0002", "ENV0003"]),
    covered("net/upstream-refused", Likely, &["LOG1002", "ENV0004"]),
    covered("net/upstream-reset", Likely, &["LOG1009", "LOG1010", "LOG1011"]),
    covered("net/overflow", Certain, &["LOG1003", "LOG1115"]),
    covered("net/timeout", Certain, &["LOG1008", "LOG1018", "LOG1006"]),
    covered("net/retry-exhausted", Certain, &["LOG1028"]),
    covered("net/http10-upstream", Likely, &["LOG1116"]),
    covered("net/websocket", Likely, &["LOG1117"]),
    covered("net/se-tcp-no-address", Certain, &["IST0134"]),
    covered("net/missing-host", Certain, &["LOG1118"]),
    covered("net/no-cluster", Certain, &["LOG1005", "LOG1102", "ENV0019"]),
    covered("net/no-route", Certain, &["LOG1004", "LOG1101", "LOG1104"]),
    covered("net/jwt-claim-route", Certain, &["IST0149"]),
];
