//! `istioctl.proxy-status`: whether every proxy has what istiod sent it, from every replica of every revision; for one
//! pod also the difference between what istiod would send and what its Envoy has.

mod documents;
mod findings;
mod gather;
mod judge;
mod page;
mod syncz;
mod table;
mod version;
mod view;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use documents::{DocumentFormat, written};
pub use gather::Evidence;
pub use syncz::{SyncStatus, TypeStatus};
pub use table::{ProxyStatusColumns, text};
pub use view::{IstiodReplica, ProxyStatus, ProxyStatusData, UnconnectedProxy};

use super::{About, Cost, Invalid, Judgement, Permission, Step, input::check, proxy_config::ProxyOutput, target};
use cluster::{Cluster, Error};

pub(super) use findings::CODES;
pub(super) use findings::ENV0010;
pub(super) use table::age;

pub struct ProxyStatusStep;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProxyStatusInput {
    /// Namespaces of the proxies. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look in all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only istiod of this revision, or of the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// One proxy, with the difference between istiod's and its own configuration: a pod of the one namespace, or
    /// another object with pods, as istioctl takes it: `[<type>/]<name>[.<namespace>]`, such as `deployment/cart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub pod: Option<String>,
    /// Only proxies with a type in one of these states.
    #[param(max_items = 5, inline)]
    pub status: Vec<SyncStatus>,
    /// Only these types: `CDS`, `LDS`, `EDS`, `RDS`, `SDS`, `ECDS`, `NDS` …, or a type URL.
    #[serde(rename = "type")]
    #[param(max_items = 20)]
    pub types: Vec<String>,
    /// Columns of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub columns: Option<ProxyStatusColumns>,
    /// What `format=raw` prints: the table, or istioctl's own JSON or YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<ProxyOutput>,
}

impl Step for ProxyStatusStep {
    const ABOUT: About = About {
        id: "istioctl.proxy-status",
        title: "Status of the proxies",
        description: "Whether every proxy has what istiod sent it, asked of every replica of every revision; proxies that \
            refused it, that are connected to no istiod, or of another version. For one pod also the difference between \
            what istiod would send and what its Envoy has.",
        guide: "istioctl/proxy-status",
        method: "GET",
        endpoint: "/v1/istioctl/proxy-status",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("get", "pods"),
            Permission::core("create", "pods/portforward"),
            Permission::core("list", "namespaces"),
            Permission {
                verb: "list",
                group: "admissionregistration.k8s.io",
                resource: "mutatingwebhookconfigurations",
            },
        ],
        cost: Cost::Medium,
        command: "istioctl proxy-status --istioNamespace <namespace> --revision <revision>",
        docs: "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/",
    };
    type Input = ProxyStatusInput;
    type Evidence = Evidence;
    type Data = ProxyStatusData;

    fn check(input: &ProxyStatusInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        if let Some(pod) = &input.pod {
            invalid.extend(target::check("pod", pod, input.namespace.first().map(String::as_str)));
            if input.namespace.len() > 1 {
                invalid.push(Invalid::new("namespace", "conflict", "name the one namespace of the pod"));
            }
        }
        for (index, name) in input.types.iter().enumerate().take(20) {
            invalid.extend(check::text(&format!("type/{index}"), Some(name), 200));
        }
        if input.types.len() > 20 {
            invalid.push(Invalid::new("type", "range", "at most 20 types can be named"));
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &ProxyStatusInput) -> Result<Evidence, Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &ProxyStatusInput, evidence: Evidence) -> Judgement<ProxyStatusData> {
        judge::judge(input, evidence)
    }

    fn raw(input: &ProxyStatusInput, data: &ProxyStatusData) -> Option<String> {
        if input.pod.is_some() {
            // Without a diff there is nothing that istioctl would print; the reason stands among what was skipped.
            return data.diff.as_ref().map(envoy::comparison::ProxyDiff::text);
        }
        Some(match input.output.unwrap_or_default() {
            ProxyOutput::Table => table::text(&data.proxies, input.columns.unwrap_or_default()),
            ProxyOutput::Json => documents::text(data, DocumentFormat::Json),
            ProxyOutput::Yaml => documents::text(data, DocumentFormat::Yaml),
        })
    }
}
