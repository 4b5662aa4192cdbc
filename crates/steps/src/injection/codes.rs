//! The codes about injection. A code that is retired stays listed; a number is never used again.

use report::{Code, Severity};

const PROBLEMS: &str = "https://istio.io/latest/docs/ops/common-problems/injection/";
const UPGRADE: &str = "https://istio.io/latest/docs/setup/upgrade/canary/";
const CONTROLLING: &str =
    "https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy";

/// Every code about injection, in the order of their ids.
pub(crate) static CODES: &[&Code] = &[
    &LABEL_INJECTS_NOTHING,
    &LABELS_CONFLICT,
    &UNKNOWN_REVISION,
    &POD_WITHOUT_SIDECAR,
    &POD_OF_ANOTHER_REVISION,
    &POD_ON_THE_HOST_NETWORK,
    &NAMESPACE_IS_NEVER_INJECTED,
    &POD_OPTS_OUT,
    &WEBHOOK_IS_DEAD,
    &WEBHOOK_TRUSTS_ANOTHER_CA,
    &SEVERAL_WEBHOOKS_INJECT,
    &POD_LABEL_INJECTS_NOTHING,
    &INJECTOR_LEAVES_POD_ALONE,
    &REVISION_OF_POD_IS_GONE,
    &NO_INJECTOR,
    &NAMESPACE_OUTSIDE_THE_MESH,
    &RESTART_LOSES_SIDECAR,
];

const fn code(id: &'static str, severity: Severity, docs: &'static str, page: &'static str) -> Code {
    Code { id, severity, docs, page }
}

pub(crate) static LABEL_INJECTS_NOTHING: Code = code(
    "INJ0001",
    Severity::Error,
    "https://learn.microsoft.com/azure/aks/istio-deploy-addon#enable-sidecar-injection",
    include_str!("../pages/INJ0001.md"),
);
pub(crate) static LABELS_CONFLICT: Code =
    code("INJ0002", Severity::Error, PROBLEMS, include_str!("../pages/INJ0002.md"));
pub(crate) static UNKNOWN_REVISION: Code =
    code("INJ0003", Severity::Error, UPGRADE, include_str!("../pages/INJ0003.md"));
pub(crate) static POD_WITHOUT_SIDECAR: Code =
    code("INJ0004", Severity::Error, PROBLEMS, include_str!("../pages/INJ0004.md"));
pub(crate) static POD_OF_ANOTHER_REVISION: Code =
    code("INJ0005", Severity::Warning, UPGRADE, include_str!("../pages/INJ0005.md"));
pub(crate) static POD_ON_THE_HOST_NETWORK: Code =
    code("INJ0006", Severity::Warning, PROBLEMS, include_str!("../pages/INJ0006.md"));
pub(crate) static NAMESPACE_IS_NEVER_INJECTED: Code =
    code("INJ0007", Severity::Info, PROBLEMS, include_str!("../pages/INJ0007.md"));
pub(crate) static POD_OPTS_OUT: Code =
    code("INJ0008", Severity::Info, CONTROLLING, include_str!("../pages/INJ0008.md"));
pub(crate) static WEBHOOK_IS_DEAD: Code =
    code("INJ0009", Severity::Error, PROBLEMS, include_str!("../pages/INJ0009.md"));
pub(crate) static WEBHOOK_TRUSTS_ANOTHER_CA: Code =
    code("INJ0010", Severity::Error, PROBLEMS, include_str!("../pages/INJ0010.md"));
pub(crate) static SEVERAL_WEBHOOKS_INJECT: Code =
    code("INJ0011", Severity::Error, PROBLEMS, include_str!("../pages/INJ0011.md"));
pub(crate) static POD_LABEL_INJECTS_NOTHING: Code =
    code("INJ0012", Severity::Error, CONTROLLING, include_str!("../pages/INJ0012.md"));
pub(crate) static INJECTOR_LEAVES_POD_ALONE: Code =
    code("INJ0013", Severity::Info, CONTROLLING, include_str!("../pages/INJ0013.md"));
pub(crate) static REVISION_OF_POD_IS_GONE: Code =
    code("INJ0014", Severity::Error, UPGRADE, include_str!("../pages/INJ0014.md"));
pub(crate) static NO_INJECTOR: Code = code("INJ0015", Severity::Error, PROBLEMS, include_str!("../pages/INJ0015.md"));
pub(crate) static NAMESPACE_OUTSIDE_THE_MESH: Code =
    code("INJ0016", Severity::Info, CONTROLLING, include_str!("../pages/INJ0016.md"));
pub(crate) static RESTART_LOSES_SIDECAR: Code =
    code("INJ0017", Severity::Warning, PROBLEMS, include_str!("../pages/INJ0017.md"));
