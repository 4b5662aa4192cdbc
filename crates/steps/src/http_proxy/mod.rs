//! `misc.http-proxy`: the HTTP proxies that pods are told of, and whether the mesh lets them be used.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, Cost, Invalid, Judgement, Permission, Step, counted, input::check, mesh_pod};
use analyzers::Options;
use cluster::{Cluster, Error};
use detectors::{
    self, detect,
    egress::{
        http_proxies::{HttpProxy, of_pod, variable},
        misdescribed_proxies,
    },
};
use mesh::{Kind, Mesh, Workload, own_containers};
use problems::{Problem, all_named};

/// Problems of the catalogue that this step names.
const PROBLEMS: &[&Problem] = &all_named([
    "egress/proxy-no-serviceentry",
    "egress/proxy-serviceentry-wrong",
    "egress/no-proxy-incomplete",
    "egress/registry-only",
    "net/se-tcp-no-address",
]);
/// A pod with this annotation gets no variables from AKS
/// (<https://learn.microsoft.com/azure/aks/http-proxy>).
const NO_VARIABLES: &str = "kubernetes.azure.com/no-http-proxy-vars";

/// The step.
pub struct HttpProxies;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HttpProxiesInput {
    /// Namespaces to look at. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look at all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// A proxy to ask about, `host:port` or a URL, whether or not pods name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub proxy: Option<String>,
}

/// The proxies, and who uses them.
#[derive(Debug, Serialize, ToSchema)]
pub struct HttpProxiesData {
    pub proxies: Vec<UsedProxy>,
    /// Pods that AKS gives no proxy variables, as their annotation asks.
    pub without_variables: Vec<String>,
}

/// An HTTP proxy as one namespace sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsedProxy {
    /// Without user name and password.
    pub host: String,
    pub port: i64,
    pub namespace: String,
    /// Workloads whose environment names it.
    pub workloads: Vec<String>,
    /// Those of them that have a sidecar.
    pub in_mesh: usize,
    /// The variables that name it.
    pub variables: Vec<String>,
    /// What goes past it, by NO_PROXY.
    pub bypass: Vec<String>,
    /// It is in the cluster, or beside the application in its pod, and needs no entry.
    pub in_cluster: bool,
    /// The ServiceEntries that are for it.
    pub entries: Vec<ProxyServiceEntry>,
    /// What to apply where no entry serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// A ServiceEntry, and what is wrong with it as this namespace sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProxyServiceEntry {
    pub namespace: String,
    pub name: String,
    /// What keeps requests of this namespace from passing; null for one that serves the proxy.
    pub problem: Option<String>,
}

impl HttpProxiesInput {
    fn covers(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace.iter().any(|covered| covered == namespace)
    }

    fn asked(&self) -> Option<HttpProxy<'_>> {
        HttpProxy::parse(self.proxy.as_deref()?)
    }
}

impl Step for HttpProxies {
    const ABOUT: About = About {
        id: "misc.http-proxy",
        title: "Find HTTP proxies for outbound traffic, and whether the mesh knows them",
        description: "The HTTP proxies that pods are told of by their environment, the ServiceEntry that the mesh needs for \
            each, what is wrong with it, and which names go past the proxy.",
        guide: "misc/5-http-proxy",
        method: "GET",
        endpoint: "/v1/misc/http-proxy",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "pods"),
            Permission::core("list", "services"),
            Permission::core("list", "configmaps"),
            Permission { verb: "list", group: "networking.istio.io", resource: "serviceentries" },
        ],
        cost: Cost::Low,
        command: "kubectl get serviceentries -A -o yaml",
        docs: "https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services",
    };
    type Input = HttpProxiesInput;
    type Evidence = Mesh;
    type Data = HttpProxiesData;

    fn check(input: &HttpProxiesInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::text("proxy", input.proxy.as_deref(), 300));
        if input.proxy.is_some() && input.asked().is_none() {
            invalid.push(Invalid::new("proxy", "pattern", "must be host:port, or a URL such as http://proxy:3128"));
        }
        if input.proxy.is_some() && input.namespace.is_empty() {
            let message = "name the namespaces whose pods are to use the proxy: an entry may be visible to some only";
            invalid.push(Invalid::new("namespace", "required", message));
        }
        invalid
    }

    async fn gather(cluster: &Cluster, _: &HttpProxiesInput) -> Result<Mesh, Error> {
        let kinds = detectors::kinds(&detectors::that_detect(PROBLEMS)).with(Kind::Pod).with(Kind::ServiceEntry);
        Ok(cluster.whole_mesh(kinds).await?.build())
    }

    fn judge(input: &HttpProxiesInput, mesh: Mesh) -> Judgement<HttpProxiesData> {
        let options = Options { namespaces: input.namespace.iter().cloned().collect(), ..Options::default() };
        let analysis = detect(&mesh, &detectors::that_detect(PROBLEMS), &options);
        let (findings, mut skipped) = (analysis.findings(), analysis.skipped);
        for kind in [Kind::Pod, Kind::ServiceEntry] {
            if let Some(why) = mesh.why_unreadable(kind)
                && skipped.iter().all(|part| part.what != kind.plural())
            {
                skipped.push(report::Skipped::new(kind.plural(), why));
            }
        }
        let proxies = used(&mesh, input);
        let different: BTreeSet<_> = proxies.iter().map(|proxy| (&proxy.host, proxy.port)).collect();
        let summary = match different.len() {
            0 => "no pod names an HTTP proxy in its environment".to_owned(),
            count => format!(
                "{} in {}",
                counted(count, "HTTP proxy"),
                counted(proxies.iter().map(|proxy| &proxy.namespace).collect::<BTreeSet<_>>().len(), "namespace")
            ),
        };
        let without_variables = mesh
            .each(Kind::Pod)
            .filter(|pod| input.covers(pod.namespace()) && pod.annotation(NO_VARIABLES) == Some("true"))
            .map(mesh::Object::full_name)
            .collect();
        let commands = vec!["kubectl get serviceentries -A -o yaml".to_owned()];
        Judgement { data: HttpProxiesData { proxies, without_variables }, findings, skipped, commands, summary }
    }
}

/// Who uses a proxy in one namespace.
#[derive(Default)]
struct Users {
    workloads: BTreeSet<String>,
    in_mesh: BTreeSet<String>,
    variables: BTreeSet<String>,
    bypass: BTreeSet<String>,
}

fn used(mesh: &Mesh, input: &HttpProxiesInput) -> Vec<UsedProxy> {
    let mut users: BTreeMap<(HttpProxy<'_>, &str), Users> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| input.covers(pod.namespace())) {
        for (name, proxy) in of_pod(pod) {
            let users = users.entry((proxy, pod.namespace())).or_default();
            let (kind, workload) = mesh_pod::owner(pod);
            let workload = format!("{kind} {workload}");
            if Workload::of_pod(pod).has_proxy() {
                users.in_mesh.insert(workload.clone());
            }
            users.workloads.insert(workload);
            users.variables.insert(name.to_owned());
            for container in own_containers(pod) {
                let entries = variable(container, "NO_PROXY").split(',').map(str::trim);
                let entries = entries.filter(|entry| !entry.is_empty()).map(str::to_owned);
                users.bypass.extend(entries);
            }
        }
    }
    if let Some(asked) = input.asked() {
        users.retain(|(proxy, _), _| *proxy == asked);
        for namespace in &input.namespace {
            users.entry((asked, namespace)).or_default();
        }
    }
    users.into_iter().map(|((proxy, namespace), users)| show(mesh, proxy, namespace, users)).collect()
}

fn show(mesh: &Mesh, proxy: HttpProxy<'_>, namespace: &str, users: Users) -> UsedProxy {
    let entries: Vec<ProxyServiceEntry> = proxy
        .entries(mesh)
        .into_iter()
        .map(|entry| ProxyServiceEntry {
            namespace: entry.namespace().to_owned(),
            name: entry.name().to_owned(),
            problem: misdescribed_proxies::fault(mesh, entry, proxy, namespace),
        })
        .collect();
    let in_cluster = !proxy.is_outside(mesh);
    let is_served = in_cluster || entries.iter().any(|entry| entry.problem.is_none());
    UsedProxy {
        manifest: (!is_served).then(|| proxy.manifest(namespace)),
        host: proxy.host.to_owned(),
        port: proxy.port,
        namespace: namespace.to_owned(),
        workloads: users.workloads.into_iter().collect(),
        in_mesh: users.in_mesh.len(),
        variables: users.variables.into_iter().collect(),
        bypass: users.bypass.into_iter().collect(),
        in_cluster,
        entries,
    }
}
