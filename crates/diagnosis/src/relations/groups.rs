//! Kinds of facts that many lines are about.

/// Why a pod, or its containers, do not run.
pub(super) const POD_IS_DOWN: &[&str] =
    &["K8S0001", "K8S0002", "K8S0003", "K8S0004", "K8S0006", "K8S0007", "K8S0008", "K8S0009", "K8S0010", "K8S0011"];

/// Why pods do not even come to be.
pub(super) const NO_PODS: &[&str] = &["K8S0013", "K8S0014", "K8S0015", "K8S0016", "K8S0019"];

/// What follows for those who count on the pods.
pub(super) const TOO_FEW_PODS: &[&str] = &[
    "K8S0005", "K8S0012", "K8S0017", "K8S0018", "K8S0021", "K8S0022", "K8S0023", "K8S0024", "K8S0029", "K8S0031",
    "K8S0070", "K8S0073", "K8S0090", "K8S0091", "K8S0092", "CPL0003", "CPL0008", "ENV0001", "ENV0003", "ENV0004",
    "NET0003", "IST0173", "EGR0010", "DNS0001", "DNS0002", "DNS0101", "LOG0078", "LOG0079", "LOG0115", "LOG0116",
    "LOG0103",
];

/// There is no istiod, or too few.
pub(super) const ISTIOD_IS_GONE: &[&str] =
    &["CPL0001", "CPL0002", "CPL0003", "CPL0008", "K8S0019", "K8S0073", "K8S0091", "K8S0092", "K8S0024", "K8S0025"];

/// What proxies and the injection feel of a control plane that is not there.
pub(super) const WITHOUT_ISTIOD: &[&str] = &[
    "ENV0011", "ENV0012", "ENV0013", "ENV0017", "ENV0018", "ENV0006", "CPL0010", "INJ0009", "K8S0013", "K8S0016",
    "LOG0021", "LOG0045", "LOG0048", "LOG0049", "LOG0051", "LOG0064", "LOG0080", "LOG0104", "LOG0108", "LOG0111",
    "LOG0121", "LOG0122",
];

/// Pods without the sidecar that they should have.
pub(super) const NO_SIDECAR: &[&str] = &["IST0103", "ENV0008", "INJ0004", "INJ0100", "NET0002", "INJ0017", "IST0102"];

/// Envoy does not take what it is sent.
pub(super) const REJECTED: &[&str] = &["ENV0010", "LOG0001", "LOG0102", "LOG0047", "LOG0112"];

/// Connections came about badly, or not at all.
pub(super) const NO_CONNECTION: &[&str] = &[
    "UF",
    "UC",
    "UR",
    "URX",
    "LR",
    "UPE",
    "destination_answered",
    "upstream_reset_after_response_started",
    "pair_not_arrived",
    "pair_connection_refused",
    "pair_answer_lost",
    "other_failure",
];

/// No endpoint to send to.
pub(super) const NO_ENDPOINT: &[&str] = &["UH", "no_healthy_upstream"];

/// No route, or one into nothing.
pub(super) const NO_ROUTE: &[&str] =
    &["NR", "route_not_found", "NC", "cluster_not_found", "filter_chain_not_found", "server_name_unknown"];

/// A policy says no.
pub(super) const REFUSED: &[&str] = &["rbac_access_denied_matched_policy", "destination_refused"];

/// TLS and plain text do not meet.
pub(super) const TLS_MISMATCH: &[&str] = &["plain_text_to_tls", "filter_chain_not_found", "server_name_unknown", "NR"];

pub(super) const TIMED_OUT: &[&str] = &[
    "UT",
    "DT",
    "SI",
    "UMSDR",
    "upstream_response_timeout",
    "upstream_per_try_timeout",
    "response_timeout",
    "request_overall_timeout",
    "stream_idle_timeout",
];
