//! How long CoreDNS is watched, whose look-ups are counted, and from where on a figure is reported. The thresholds are
//! choices of ours, so each can be set.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{Invalid, input::check};

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CorednsInput {
    /// Namespaces whose proxies are counted; repeatable. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Count the proxies of all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only proxies of this revision, or of the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Seconds between two readings of CoreDNS's metrics, for rates of now (default 10). 0 reads once, which tells
    /// averages since CoreDNS was started; a recording is always read once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 45)]
    pub window_s: Option<u32>,
    /// TTL that good answers are taken to have, in seconds (default 30). The real one is in each answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 86_400)]
    pub ttl_s: Option<u32>,
    /// How many proxies are asked what they resolve, one of each workload (default 10; 0 asks none).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 200)]
    pub max_proxies: Option<u32>,
    /// Seconds for all proxies together (default 20), within the time that the service gives to a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 300)]
    pub deadline_s: Option<u32>,
    /// Last lines of each log of CoreDNS (default 500; 0 reads no log).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000)]
    pub log_lines: Option<u32>,
    /// Report when one answer of a hundred takes longer than this many milliseconds (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 60_000)]
    pub p99_ms: Option<u32>,
    /// Report from this percentage of SERVFAIL answers on, and of failed look-ups of a sidecar (default 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 100)]
    pub servfail_percent: Option<u32>,
    /// Report from this percentage of NXDOMAIN answers on (default 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 100)]
    pub nxdomain_percent: Option<u32>,
    /// Report when one replica answers this many times as much as another (default 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 2, maximum = 1000)]
    pub uneven: Option<u32>,
    /// Report use of CPU or memory from this percentage of the limit on (default 80).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 100)]
    pub use_percent: Option<u32>,
    /// Report the mesh's own look-ups from this percentage of what CoreDNS answers on (default 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub mesh_percent: Option<u32>,
}

/// The thresholds in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CorednsThresholds {
    pub p99_ms: u32,
    pub servfail_percent: u32,
    pub nxdomain_percent: u32,
    pub uneven: u32,
    pub use_percent: u32,
    pub mesh_percent: u32,
}

impl CorednsInput {
    pub(super) fn check(&self) -> Vec<Invalid> {
        let mut invalid = check::place(&self.namespace, self.all_namespaces);
        invalid.extend(check::name("revision", self.revision.as_deref()));
        for (field, value, least, most) in [
            ("window_s", self.window_s, 0, 45),
            ("ttl_s", self.ttl_s, 1, 86_400),
            ("max_proxies", self.max_proxies, 0, 200),
            ("deadline_s", self.deadline_s, 1, 300),
            ("log_lines", self.log_lines, 0, 10_000),
            ("p99_ms", self.p99_ms, 1, 60_000),
            ("servfail_percent", self.servfail_percent, 1, 100),
            ("nxdomain_percent", self.nxdomain_percent, 1, 100),
            ("uneven", self.uneven, 2, 1000),
            ("use_percent", self.use_percent, 1, 100),
            ("mesh_percent", self.mesh_percent, 1, 1000),
        ] {
            invalid.extend(check::range(field, value, least, most));
        }
        invalid
    }

    pub(super) fn thresholds(&self) -> CorednsThresholds {
        CorednsThresholds {
            p99_ms: self.p99_ms.unwrap_or(100),
            servfail_percent: self.servfail_percent.unwrap_or(1),
            nxdomain_percent: self.nxdomain_percent.unwrap_or(50),
            uneven: self.uneven.unwrap_or(3),
            use_percent: self.use_percent.unwrap_or(80),
            mesh_percent: self.mesh_percent.unwrap_or(50),
        }
    }

    pub(super) fn ttl(&self) -> u32 {
        self.ttl_s.unwrap_or(30)
    }
}
