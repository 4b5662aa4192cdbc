//! `kubectl.envoy-clusters`: a read-only page of Envoy's admin interface of one pod, interpreted where it shows
//! trouble. Pages that change Envoy are not in the list, so they cannot be called.

mod body;
pub(super) mod certificates;
pub(super) mod clusters;

use bytes::Bytes;
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use body::{PageJson, PageText};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step,
    input::check,
    target::{self, PROXY},
};
use cluster::{
    Cluster, Error,
    pod_http::{ENVOY_ADMIN, PodHttpLimits},
};
use envoy::clusters_page::Clusters;
use report::{Code, Evidence as Quote, Finding, Severity};

static ENV0007: Code = Code {
    id: "ENV0007",
    severity: Severity::Error,
    docs: "https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--ready",
    page: include_str!("../pages/ENV0007.md"),
};

/// Codes that this step reports besides those of clusters.
pub(super) static CODES: &[&Code] = &[&certificates::ENV0006, &ENV0007];

/// Largest page that is taken.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

pub struct EnvoyPage;

/// A page of Envoy's admin interface that changes nothing
/// (<https://www.envoyproxy.io/docs/envoy/latest/operations/admin>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum AdminPage {
    #[default]
    #[serde(rename = "clusters")]
    Clusters,
    #[serde(rename = "config_dump")]
    ConfigDump,
    #[serde(rename = "listeners")]
    Listeners,
    #[serde(rename = "stats")]
    Stats,
    #[serde(rename = "stats/prometheus")]
    StatsPrometheus,
    #[serde(rename = "server_info")]
    ServerInfo,
    #[serde(rename = "certs")]
    Certs,
    #[serde(rename = "memory")]
    Memory,
    #[serde(rename = "logging")]
    Logging,
    #[serde(rename = "ready")]
    Ready,
}

impl AdminPage {
    fn path(self) -> &'static str {
        match self {
            Self::Clusters => "/clusters",
            Self::ConfigDump => "/config_dump",
            Self::Listeners => "/listeners",
            Self::Stats => "/stats",
            Self::StatsPrometheus => "/stats/prometheus",
            Self::ServerInfo => "/server_info",
            Self::Certs => "/certs",
            Self::Memory => "/memory",
            Self::Logging => "/logging",
            Self::Ready => "/ready",
        }
    }

    /// Envoy tells its log levels to a POST only; without parameters it changes none.
    fn method(self) -> Method {
        if self == Self::Logging { Method::POST } else { Method::GET }
    }
}

#[derive(Debug, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EnvoyPageInput {
    /// Page of the admin interface.
    #[serde(default)]
    #[param(ignore)]
    pub page: AdminPage,
    /// Namespace of the pod; may be left out where `pod` ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    #[schema(max_length = 63)]
    pub namespace: Option<String>,
    /// The pod, or another object with pods, as istioctl takes it: `[<type>/]<name>[.<namespace>]`, such as `cart-1`,
    /// `deployment/cart`, `service/cart.shop`. Either this or `selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub pod: Option<String>,
    /// Label selector; its first ready pod with a proxy is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1000)]
    pub selector: Option<String>,
    /// For `config_dump`: endpoints too.
    #[serde(default)]
    pub include_eds: bool,
    /// For `config_dump`: only these fields, as Envoy's `mask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub mask: Option<String>,
    /// For `config_dump`: only this part, as Envoy's `resource`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 200)]
    pub resource: Option<String>,
    /// For `clusters`: only those whose host contains this, as istioctl's `--fqdn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub fqdn: Option<String>,
    /// For `clusters`: only those of this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// For `stats`: only names that match this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub filter: Option<String>,
    /// For `stats`: only those that were used.
    #[serde(default)]
    pub used_only: bool,
}

pub struct Evidence {
    pod: Pod,
    body: Bytes,
    /// HTTP status: `/ready` tells with 503 what it has to tell.
    status: u16,
    now: jiff::Timestamp,
}

/// A page of Envoy's admin interface.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvoyPageData {
    pub namespace: String,
    pub pod: String,
    pub page: AdminPage,
    /// What was asked of Envoy.
    pub url: String,
    pub status: u16,
    pub size_bytes: usize,
    /// The page, where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub json: Option<PageJson>,
    /// The page, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub text: Option<PageText>,
    /// The page `clusters`, read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Clusters>,
}

impl EnvoyPageInput {
    /// Whether a cluster is asked for; its name is `direction|port|subset|host`, or plain.
    fn wants(&self, cluster: &str) -> bool {
        let mut parts = cluster.split('|');
        let port = parts.nth(1);
        let host = parts.nth(1).unwrap_or(cluster);
        self.fqdn.as_deref().is_none_or(|fqdn| host.contains(fqdn))
            && self.port.is_none_or(|wanted| port.and_then(|port| port.parse().ok()) == Some(wanted))
    }

    fn url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        match self.page {
            AdminPage::ConfigDump => {
                if self.include_eds {
                    query.append_key_only("include_eds");
                }
                for (name, value) in [("mask", &self.mask), ("resource", &self.resource)] {
                    if let Some(value) = value {
                        query.append_pair(name, value);
                    }
                }
            }
            AdminPage::Stats | AdminPage::StatsPrometheus => {
                if self.used_only {
                    query.append_key_only("usedonly");
                }
                if let Some(filter) = &self.filter {
                    query.append_pair("filter", filter);
                }
            }
            _ => {}
        }
        let query = query.finish();
        let path = self.page.path();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

impl Step for EnvoyPage {
    const ABOUT: About = About {
        id: "kubectl.envoy-clusters",
        title: "Envoy admin page",
        description: "A read-only page of Envoy's admin interface of one pod. `clusters` is interpreted: destinations \
            without hosts, unhealthy or ejected hosts, failing connections.",
        guide: "kubectl/6-envoy-clusters",
        method: "GET",
        endpoint: "/v1/kubectl/envoy/{page}",
        mutating: false,
        permissions: &[
            Permission::core("get", "pods"),
            Permission::core("list", "pods"),
            Permission::core("create", "pods/portforward"),
        ],
        cost: Cost::Medium,
        command: "kubectl exec --namespace <namespace> <pod> --container istio-proxy -- pilot-agent request GET clusters",
        docs: "https://www.envoyproxy.io/docs/envoy/latest/operations/admin",
    };
    type Input = EnvoyPageInput;
    type Evidence = Evidence;
    type Data = EnvoyPageData;

    fn check(input: &EnvoyPageInput) -> Vec<Invalid> {
        let mut invalid = check::namespaces("namespace", input.namespace.as_slice());
        invalid.extend(check::selector("selector", input.selector.as_deref()));
        match (&input.pod, &input.selector) {
            (Some(pod), None) => invalid.extend(target::check("pod", pod, input.namespace.as_deref())),
            (None, Some(_)) if input.namespace.is_none() => {
                invalid.push(Invalid::new("namespace", "required", "is required with a selector"));
            }
            (None, Some(_)) => {}
            _ => invalid.push(Invalid::new("pod", "required", "name either a pod or a selector")),
        }
        let dump = input.page == AdminPage::ConfigDump;
        let stats = matches!(input.page, AdminPage::Stats | AdminPage::StatsPrometheus);
        for (field, given, fits) in [
            ("include_eds", input.include_eds, dump),
            ("mask", input.mask.is_some(), dump),
            ("resource", input.resource.is_some(), dump),
            ("fqdn", input.fqdn.is_some(), input.page == AdminPage::Clusters),
            ("port", input.port.is_some(), input.page == AdminPage::Clusters),
            ("filter", input.filter.is_some(), stats),
            ("used_only", input.used_only, stats),
        ] {
            if given && !fits {
                invalid.push(Invalid::new(field, "conflict", "does not go with this page"));
            }
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &EnvoyPageInput) -> Result<Evidence, Error> {
        let place = input.namespace.as_deref();
        let pod = match (&input.pod, &input.selector) {
            (None, Some(selector)) => target::first_ready(cluster, place.unwrap_or_default(), selector).await?,
            (pod, _) => target::find_pod(cluster, place, pod.as_deref().unwrap_or_default()).await?,
        };
        target::must_have_proxy(&pod)?;
        let limits = PodHttpLimits { max_bytes: MAX_PAGE_BYTES, ..PodHttpLimits::default() };
        let (page, url) = (input.page, input.url());
        let mut envoy = cluster.pod_port(&pod, ENVOY_ADMIN);
        let response = envoy.request(page.method(), &url, limits).await?;
        let (status, body) = if page == AdminPage::Ready {
            (response.status, response.body)
        } else {
            (200, envoy.only_200(response, &url)?)
        };
        Ok(Evidence { pod, body, status, now: cluster.now() })
    }

    fn judge(input: &EnvoyPageInput, evidence: Evidence) -> Judgement<EnvoyPageData> {
        let Evidence { pod, body, status, now } = evidence;
        let text = PageText(body.clone());
        let json = PageJson::of(&body);
        let mut findings = Vec::new();
        let mut skipped = Vec::new();
        let mut clusters = None;
        match input.page {
            AdminPage::Clusters => match Clusters::parse(&body) {
                Ok(mut page) => {
                    // Findings are of what was asked for.
                    page.clusters.retain(|cluster| input.wants(&cluster.name));
                    findings = clusters::findings(&page, &pod);
                    clusters = Some(page);
                }
                Err(error) => {
                    let why = cluster::chain(&error);
                    skipped.push(report::Skipped::new("interpretation of the page clusters", why));
                }
            },
            AdminPage::Certs => {
                let page = json.as_ref().map(PageJson::value);
                findings = certificates::findings(page.as_ref(), &pod, now);
            }
            AdminPage::Ready if status != 200 => findings.push(not_live(&pod, text.text().trim())),
            AdminPage::ServerInfo => {
                let page = json.as_ref().map(PageJson::value);
                let state = page.as_ref().and_then(|info| info["state"].as_str());
                findings.extend(state.filter(|state| *state != "LIVE").map(|state| not_live(&pod, state)));
            }
            _ => {}
        }
        let (namespace, name) = (target::namespace(&pod).to_owned(), target::name(&pod).to_owned());
        let path = input.url();
        let summary = match &clusters {
            Some(page) => format!("{} clusters of {namespace}/{name}", page.clusters.len()),
            None => format!("{path} of {namespace}/{name}"),
        };
        let method = input.page.method();
        let commands = vec![format!(
            "kubectl exec --namespace {namespace} {name} --container istio-proxy -- pilot-agent request {method} '{}'",
            path.trim_start_matches('/')
        )];
        let filtered = input.fqdn.is_some() || input.port.is_some();
        let text = (json.is_none() && !filtered).then_some(text);
        let json = json.filter(|_| !filtered);
        let data = EnvoyPageData {
            namespace,
            pod: name,
            page: input.page,
            url: path,
            status,
            size_bytes: body.len(),
            json,
            text,
            clusters,
        };
        Judgement { data, findings, skipped, commands, summary }
    }

    fn raw(_: &EnvoyPageInput, data: &EnvoyPageData) -> Option<String> {
        match (&data.text, &data.json) {
            (Some(text), _) => Some(text.text().into_owned()),
            // As Envoy has written it.
            (None, Some(json)) => Some(json.text().to_owned() + "\n"),
            (None, None) => None,
        }
    }
}

fn not_live(pod: &Pod, state: &str) -> Finding {
    let message = format!("Envoy of pod {}/{} is not live: {state}", target::namespace(pod), target::name(pod));
    Finding::new(&ENV0007, target::subject(pod).container(PROXY), message)
        .evidence(Quote::new("Envoy's state", state))
        .remedy(
            "Read the proxy's log for the reason (kubectl.sidecar-logs): configuration that did not arrive from istiod, \
             a rejected listener, or a certificate that is missing.",
        )
}
