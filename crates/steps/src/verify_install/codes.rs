//! The codes about the installation of the control plane and its versions. A code that is retired stays listed; a
//! number is never used again.

use report::{Code, Severity};

const INSTALL: &str = "https://istio.io/latest/docs/setup/install/";
const UPGRADE: &str = "https://istio.io/latest/docs/setup/upgrade/canary/";
const SKEW: &str = "https://istio.io/latest/docs/releases/supported-releases/#control-planedata-plane-skew";
const WEBHOOKS: &str = "https://istio.io/latest/docs/ops/common-problems/injection/";

/// Every code about the installation, in the order of their ids.
pub(crate) static CODES: &[&Code] = &[
    &NOT_INSTALLED,
    &OBJECT_IS_MISSING,
    &OBJECT_IS_UNHEALTHY,
    &OBJECT_HAS_DRIFTED,
    &WEBHOOK_LEFT_BEHIND,
    &TAG_LEADS_NOWHERE,
    &PROXIES_TOO_FAR,
    &REPLICA_IS_SILENT,
    &REPLICAS_DIFFER,
    &PROXY_IS_UNCONNECTED,
    &TWO_REVISIONS,
    &PROXIES_BEHIND,
    &TWO_ROOTS,
];

const fn code(id: &'static str, severity: Severity, docs: &'static str, page: &'static str) -> Code {
    Code { id, severity, docs, page }
}

pub(crate) static NOT_INSTALLED: Code = code("CPL0001", Severity::Error, INSTALL, include_str!("../pages/CPL0001.md"));
pub(crate) static OBJECT_IS_MISSING: Code =
    code("CPL0002", Severity::Error, INSTALL, include_str!("../pages/CPL0002.md"));
pub(crate) static OBJECT_IS_UNHEALTHY: Code =
    code("CPL0003", Severity::Error, INSTALL, include_str!("../pages/CPL0003.md"));
pub(crate) static OBJECT_HAS_DRIFTED: Code =
    code("CPL0004", Severity::Error, INSTALL, include_str!("../pages/CPL0004.md"));
pub(crate) static WEBHOOK_LEFT_BEHIND: Code =
    code("CPL0005", Severity::Error, WEBHOOKS, include_str!("../pages/CPL0005.md"));
pub(crate) static TAG_LEADS_NOWHERE: Code =
    code("CPL0006", Severity::Error, UPGRADE, include_str!("../pages/CPL0006.md"));
pub(crate) static PROXIES_TOO_FAR: Code = code("CPL0007", Severity::Error, SKEW, include_str!("../pages/CPL0007.md"));
pub(crate) static REPLICA_IS_SILENT: Code = code(
    "CPL0008",
    Severity::Warning,
    "https://istio.io/latest/docs/ops/diagnostic-tools/",
    include_str!("../pages/CPL0008.md"),
);
pub(crate) static REPLICAS_DIFFER: Code =
    code("CPL0009", Severity::Warning, UPGRADE, include_str!("../pages/CPL0009.md"));
pub(crate) static PROXY_IS_UNCONNECTED: Code = code(
    "CPL0010",
    Severity::Warning,
    "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/",
    include_str!("../pages/CPL0010.md"),
);
pub(crate) static TWO_REVISIONS: Code = code("CPL0011", Severity::Info, UPGRADE, include_str!("../pages/CPL0011.md"));
pub(crate) static PROXIES_BEHIND: Code = code("CPL0012", Severity::Info, UPGRADE, include_str!("../pages/CPL0012.md"));
pub(crate) static TWO_ROOTS: Code = code(
    "CPL0013",
    Severity::Error,
    "https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/",
    include_str!("../pages/CPL0013.md"),
);
