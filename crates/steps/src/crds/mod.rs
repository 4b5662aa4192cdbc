//! `kubectl get crd | grep istio`: the resource types that Istio and the Gateway API define, and whether the set is
//! whole, served and the add-on's own. Guide section kubectl/4.

mod rules;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use std::collections::BTreeMap;

use futures::{FutureExt as _, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step,
    input::check,
    resource_status::{
        Found, KubectlOutput,
        gather::list,
        kubectl_get,
        object::{Object, ObjectCondition, ago, list as items, text},
        table::{PrintedRow, PrintedTable},
    },
};
use cluster::{self, Cluster, Resource, Scope, read};
use report::Read;

const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// What istiod watches (<https://istio.io/latest/docs/reference/config/>).
const EXPECTED: [&str; 14] = [
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "envoyfilters.networking.istio.io",
    "gateways.networking.istio.io",
    "peerauthentications.security.istio.io",
    "proxyconfigs.networking.istio.io",
    "requestauthentications.security.istio.io",
    "serviceentries.networking.istio.io",
    "sidecars.networking.istio.io",
    "telemetries.telemetry.istio.io",
    "virtualservices.networking.istio.io",
    "wasmplugins.extensions.istio.io",
    "workloadentries.networking.istio.io",
    "workloadgroups.networking.istio.io",
];
/// Kinds that the AKS add-on blocks (<https://learn.microsoft.com/azure/aks/istio-about#limitations>, 2026-05-15).
const BLOCKED: [&str; 5] = ["IstioOperator", "ProxyConfig", "WasmPlugin", "WorkloadEntry", "WorkloadGroup"];
const ADD_ON: &str = "aks-istio-system";

/// Istio's resource types.
pub struct Crds;

/// Which resource types to look at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CrdsInput {
    /// Show the types whose name contains this text, as `grep` does. Default: the groups of Istio and of the Gateway
    /// API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub filter: Option<String>,
    /// Count the objects of each type: one request per type.
    pub counts: bool,
    /// What `format=raw` prints, as kubectl's `--output`; its table without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<KubectlOutput>,
}

/// The resource types that are defined.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrdsData {
    pub crds: Vec<CustomResourceType>,
    /// Expected types that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    #[serde(skip)]
    table: PrintedTable,
    #[serde(skip)]
    manifests: Vec<Object>,
}

/// One custom resource definition.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomResourceType {
    pub name: String,
    pub group: String,
    pub kind: String,
    /// `Namespaced` or `Cluster`.
    pub scope: String,
    pub short_names: Vec<String>,
    pub versions: Vec<CustomResourceVersion>,
    /// Versions in which objects may be stored.
    pub stored_versions: Vec<String>,
    pub created: String,
    pub age: String,
    pub established: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ObjectCondition>,
    /// Labels and annotations that tell who installed it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub installed_by: BTreeMap<String, String>,
    /// How many objects there are, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CustomResourceVersion {
    pub name: String,
    pub served: bool,
    pub storage: bool,
}

/// What was read.
#[derive(Debug)]
pub struct CrdsEvidence {
    crds: Vec<Object>,
    table: Read<PrintedTable>,
    /// Objects of the types that were counted, by the type's name: how many, and the first few.
    objects: BTreeMap<String, Read<(usize, Vec<String>)>>,
    /// Whether the AKS add-on's istiod runs here.
    on_add_on: Read<bool>,
    now: jiff::Timestamp,
}

impl Step for Crds {
    const ABOUT: About = About {
        id: "kubectl.crds",
        title: "Custom resource definitions of Istio and the Gateway API",
        description: "Lists the resource types that Istio defines and uses, with versions and owner, and says which are \
                      missing, not served, left in an old version, or of another installation.",
        guide: "kubectl/4-crds",
        method: "GET",
        endpoint: "/v1/kubectl/crds",
        mutating: false,
        permissions: &[
            Permission { verb: "list", group: "apiextensions.k8s.io", resource: "customresourcedefinitions" },
            Permission::core("list", "pods"),
        ],
        cost: Cost::Low,
        command: "kubectl get crd | grep istio",
        docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting",
    };
    type Input = CrdsInput;
    type Evidence = CrdsEvidence;
    type Data = CrdsData;

    fn check(input: &CrdsInput) -> Vec<Invalid> {
        check::text("filter", input.filter.as_deref(), 253)
    }

    async fn gather(cluster: &Cluster, input: &CrdsInput) -> Result<CrdsEvidence, cluster::Error> {
        let resource = Resource::custom_resource_definitions();
        let crds = list(cluster, &resource, &Scope::All, None).await?.items;
        let table = read(cluster.table(&resource, &Scope::All, None, None).boxed().await)?.map(PrintedTable::of);
        let control_plane = read(cluster.control_plane(&[]).boxed().await)?;
        let on_add_on = control_plane.map(|found| found.namespaces().iter().any(|namespace| namespace == ADD_ON));

        let add_on = on_add_on.as_ref().is_ok_and(|on| *on);
        let wanted = crds.iter().filter(|crd| {
            let kind = crd.text("/spec/names/kind");
            let asked = input.counts && is_shown(crd, input.filter.as_deref());
            asked
                || (add_on
                    && is_of_istio(crd.text("/spec/group"))
                    && (BLOCKED.contains(&kind) || kind == "EnvoyFilter"))
        });
        let wanted: Vec<(String, Resource)> =
            wanted.filter_map(|crd| Some((crd.name().to_owned(), served_as(crd)?))).collect();
        let counted: Vec<_> = stream::iter(wanted)
            .map(|(name, resource)| {
                async move {
                    let listed = list(cluster, &resource, &Scope::All, None).await;
                    (name, listed)
                }
                .boxed()
            })
            .buffered(8)
            .collect()
            .await;
        let mut objects = BTreeMap::new();
        for (name, listed) in counted {
            let found = read(listed)?.map(|listed| {
                let first = listed.items.iter().take(20).map(Object::place).collect();
                (listed.items.len(), first)
            });
            objects.insert(name, found);
        }
        Ok(CrdsEvidence { crds, table, objects, on_add_on, now: cluster.now() })
    }

    fn judge(input: &CrdsInput, evidence: CrdsEvidence) -> Judgement<CrdsData> {
        let CrdsEvidence { crds, table, objects, on_add_on, now } = evidence;
        let mut findings = Vec::new();
        let mut skipped = Vec::new();
        let missing = rules::missing(&crds);
        findings.extend(missing.iter().map(|name| rules::is_missing(name, missing.len())));
        let add_on = on_add_on.unwrap_or_else(|part| {
            skipped.push(part);
            false
        });
        for crd in crds.iter().filter(|crd| is_shown(crd, None)) {
            findings.extend(rules::not_established(crd));
            findings.extend(rules::being_deleted(crd));
            findings.extend(rules::leftover_version(crd));
            if add_on {
                findings.extend(rules::foreign(crd));
            }
        }
        findings.extend(rules::bundles_differ(&crds));
        findings.extend(rules::ambiguous_kinds(&crds));
        for (name, found) in &objects {
            match found {
                Ok((count, first)) if add_on => findings.extend(rules::in_use(&crds, name, *count, first)),
                Ok(_) => {}
                Err(part) => skipped.push(part.clone()),
            }
        }

        let shown: Vec<&Object> = crds.iter().filter(|crd| is_shown(crd, input.filter.as_deref())).collect();
        let table = match table {
            Ok(table) => table,
            Err(part) => {
                skipped.push(part);
                PrintedTable::of_objects(&crds, now)
            }
        };
        let data = CrdsData {
            crds: shown.iter().map(|crd| view(crd, &objects, now)).collect(),
            missing,
            table: only(table, &shown),
            manifests: shown.into_iter().cloned().collect(),
        };
        let summary = format!("{} of {} custom resource definitions", data.crds.len(), crds.len());
        let filter = input.filter.as_deref().unwrap_or("istio");
        let mut commands = vec![format!("kubectl get crd | grep {}", super::resource_status::quoted(filter))];
        if input.filter.is_none() {
            commands.push(format!("kubectl get crd | grep {GATEWAY_API}"));
        }
        Judgement { data, findings, skipped, commands, summary }
    }

    fn raw(input: &CrdsInput, data: &CrdsData) -> Option<String> {
        Some(kubectl_get(input.output, &data.table, &data.manifests, Found::of(false, &[], false)))
    }
}

fn is_of_istio(group: &str) -> bool {
    group == "istio.io" || group.ends_with(".istio.io")
}

fn is_shown(crd: &Object, filter: Option<&str>) -> bool {
    let group = crd.text("/spec/group");
    filter.map_or_else(|| is_of_istio(group) || group == GATEWAY_API, |filter| crd.name().contains(filter))
}

/// The type in the version that the API server serves and stores.
fn served_as(crd: &Object) -> Option<Resource> {
    let versions = items(&crd.value, "/spec/versions");
    let flag = |version: &Value, name: &str| version.get(name).and_then(Value::as_bool).unwrap_or(false);
    let served: Vec<&Value> = versions.iter().filter(|version| flag(version, "served")).collect();
    let version = served.iter().find(|version| flag(version, "storage")).or_else(|| served.first())?;
    let part = |at: &str| crd.text(at);
    let namespaced = part("/spec/scope") == "Namespaced";
    Some(Resource::known(
        part("/spec/group"),
        text(version, "/name"),
        part("/spec/names/plural"),
        part("/spec/names/kind"),
        namespaced,
    ))
}

/// The rows of the definitions that are shown, in the server's order.
fn only(table: PrintedTable, shown: &[&Object]) -> PrintedTable {
    let name = |row: &PrintedRow| row.cells.first().and_then(Value::as_str).map(str::to_owned);
    let rows =
        table.rows.into_iter().filter(|row| name(row).is_some_and(|name| shown.iter().any(|crd| crd.name() == name)));
    PrintedTable { columns: table.columns, rows: rows.collect() }
}

fn view(
    crd: &Object,
    objects: &BTreeMap<String, Read<(usize, Vec<String>)>>,
    now: jiff::Timestamp,
) -> CustomResourceType {
    let flag = |version: &Value, name: &str| version.get(name).and_then(Value::as_bool).unwrap_or(false);
    let version = |version: &Value| CustomResourceVersion {
        name: text(version, "/name").to_owned(),
        served: flag(version, "served"),
        storage: flag(version, "storage"),
    };
    let words = |at: &str| items(&crd.value, at).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    CustomResourceType {
        name: crd.name().to_owned(),
        group: crd.text("/spec/group").to_owned(),
        kind: crd.text("/spec/names/kind").to_owned(),
        scope: crd.text("/spec/scope").to_owned(),
        short_names: words("/spec/names/shortNames"),
        versions: items(&crd.value, "/spec/versions").iter().map(version).collect(),
        stored_versions: words("/status/storedVersions"),
        created: crd.text("/metadata/creationTimestamp").to_owned(),
        age: crd.created().map(|created| ago(created, now)).unwrap_or_default(),
        established: crd.condition("Established").is_some_and(|condition| condition.is("True")),
        conditions: crd.conditions().into_iter().filter(|condition| !condition.is("True")).collect(),
        installed_by: installed_by(crd),
        objects: objects.get(crd.name()).and_then(|found| found.as_ref().ok()).map(|(count, _)| *count),
    }
}

fn installed_by(crd: &Object) -> BTreeMap<String, String> {
    let labels = [
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "helm.sh/chart",
        "helm.toolkit.fluxcd.io/name",
        "kubernetes.azure.com/managedby",
        "install.operator.istio.io/owning-resource",
        "operator.istio.io/component",
        "olm.managed",
    ];
    let annotations = [
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
        "app.kubernetes.io/managed-by",
        "gateway.networking.k8s.io/bundle-version",
        "gateway.networking.k8s.io/channel",
    ];
    let labels = labels.iter().filter_map(|name| Some(((*name).to_owned(), crd.label(name)?.to_owned())));
    let annotations =
        annotations.iter().filter_map(|name| Some(((*name).to_owned(), crd.annotation(name)?.to_owned())));
    labels.chain(annotations).collect()
}
