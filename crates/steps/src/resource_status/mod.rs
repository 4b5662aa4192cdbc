//! `kubectl get` of any resource type, with what stands behind it: conditions, owners, related objects and events, and
//! what is wrong with them. Guide section kubectl/3.

pub(crate) mod codes;
pub(crate) mod events;
pub(crate) mod family;
pub(crate) mod gather;
pub(crate) mod get;
pub(crate) mod judge;
mod labels;
pub(crate) mod object;
pub(crate) mod table;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
pub(crate) mod view;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(crate) use events::ObjectEvent;
pub(crate) use gather::Evidence;
pub(crate) use get::{Found, kubectl_get, manifests_yaml};
pub use get::{Include, KubectlOutput};
pub(crate) use object::{ObjectCondition, OwnerReference};
pub(crate) use table::PrintedTable;
pub(crate) use view::ObjectStatus;

use super::{About, Cost, Invalid, Judgement, Permission, Step, input::check};
use cluster::{self, Cluster, Resource, Scope};
use judge::Judge;
use object::Object;
use report::{Finding, Skipped, Subject};

/// Status of any resource, as `kubectl get` and `kubectl describe` show it.
pub struct ResourceStatus;

/// Which objects to look at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResourceStatusInput {
    /// Resource type by any name that kubectl accepts: `deploy`, `deployments`, `Deployment`, `deployments.apps`.
    #[param(max_length = 253)]
    pub resource: String,
    /// One object; without it, all that the selector and the namespaces allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub name: Option<String>,
    /// Label selector, such as `app=istiod`. Excludes `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1000)]
    pub selector: Option<String>,
    /// Namespaces to look in; repeatable. The control plane's by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look in all namespaces.
    #[serde(default)]
    pub all_namespaces: bool,
    /// Show each object itself too, in `data.objects`; with `name` it is there anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[param(max_items = 1, inline)]
    pub include: Vec<Include>,
    /// What `format=raw` prints, as kubectl's `--output`; its table without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<KubectlOutput>,
}

/// What `kubectl get` and `kubectl describe` would show.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceStatusData {
    /// The type in full, for example `deployments.apps`.
    pub resource: String,
    pub kind: String,
    /// Where it was looked; empty for all namespaces and for types without one.
    pub namespaces: Vec<String>,
    /// Other types that go by the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    pub table: PrintedTable,
    pub objects: Vec<ObjectStatus>,
    #[serde(skip)]
    pub(super) manifests: Vec<Object>,
    #[serde(skip)]
    pub(super) namespaced: bool,
}

impl Step for ResourceStatus {
    const ABOUT: About = About {
        id: "kubectl.resource-status",
        title: "Status of Deployments, ReplicaSets, pods and any other resource",
        description: "Shows what kubectl get prints for any resource type, with conditions, owners, related objects and \
                      events, and says why something is not placed, not started, not ready or not rolled out.",
        guide: "kubectl/3-resource-status",
        method: "GET",
        endpoint: "/v1/kubectl/resource-status",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("list", "events"),
            Permission::core("get", "pods/log"),
            Permission { verb: "list", group: "apps", resource: "deployments" },
            Permission { verb: "list", group: "apps", resource: "replicasets" },
            Permission { verb: "list", group: "autoscaling", resource: "horizontalpodautoscalers" },
            Permission { verb: "list", group: "policy", resource: "poddisruptionbudgets" },
        ],
        cost: Cost::Low,
        command: "kubectl get <resource-type> [[--selector app=istiod] | [<resource-name>]] --namespace aks-istio-system",
        docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting",
    };
    type Input = ResourceStatusInput;
    type Evidence = Evidence;
    type Data = ResourceStatusData;

    fn check(input: &ResourceStatusInput) -> Vec<Invalid> {
        let mut invalid = resource_name("resource", &input.resource);
        invalid.extend(check::name("name", input.name.as_deref()));
        invalid.extend(check::selector("selector", input.selector.as_deref()));
        invalid.extend(check::namespaces("namespace", &input.namespace));
        if input.name.is_some() && input.selector.is_some() {
            invalid.push(Invalid::new("selector", "conflict", "selector cannot be used when name is given"));
        }
        if input.all_namespaces && !input.namespace.is_empty() {
            invalid.push(Invalid::new("namespace", "conflict", "namespace cannot be used with all_namespaces"));
        }
        if input.name.is_some() && input.all_namespaces {
            let message = "an object cannot be found by name in all namespaces; name its namespace";
            invalid.push(Invalid::new("name", "conflict", message));
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &ResourceStatusInput) -> Result<Evidence, cluster::Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &ResourceStatusInput, evidence: Evidence) -> Judgement<ResourceStatusData> {
        let Evidence { resource, also, scope, table, objects, family, mut skipped } = evidence;
        let mut judge = Judge::new(&family);
        for object in objects.iter().take(gather::MAX_OBJECTS) {
            if is_built_in(&resource) { judge.built_in(object) } else { judge.of_any_group(object) }
        }
        let mut findings = judge.findings;
        if !also.is_empty() {
            findings.push(ambiguous(&input.resource, &resource, &also));
        }
        skipped.extend(cut(objects.len(), &resource));
        let table = table.unwrap_or_else(|part| {
            skipped.push(part);
            PrintedTable::of_objects(&objects, family.now)
        });
        let whole = input.name.is_some() || !input.include.is_empty();
        let shown = objects.iter().take(gather::MAX_OBJECTS).map(|object| ObjectStatus::of(object, &family, whole));
        let shown = shown.collect();
        let data = ResourceStatusData {
            resource: resource.qualified(),
            kind: resource.kind.clone(),
            namespaces: namespaces(&scope),
            also: also.iter().map(Resource::qualified).collect(),
            table,
            objects: shown,
            manifests: objects,
            namespaced: resource.namespaced,
        };
        let count = data.table.rows.len();
        let noun = if count == 1 { &resource.singular } else { &resource.plural };
        let summary = format!("{count} {noun}{}", place(&scope, resource.namespaced));
        Judgement { findings, skipped, commands: commands(input, &data), summary, data }
    }

    fn raw(input: &ResourceStatusInput, data: &ResourceStatusData) -> Option<String> {
        let found = Found::of(data.namespaced, &data.namespaces, input.name.is_some());
        Some(kubectl_get(input.output, &data.table, &data.manifests, found))
    }
}

/// A type's name: letters, digits, dashes and dots.
pub(super) fn resource_name(field: &str, name: &str) -> Vec<Invalid> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let why = match name {
        "" => "name a resource type, such as deployments",
        name if name.contains(',') => "one resource type at a time",
        name if name.contains('/') => "the object's name is an input of its own, name",
        name if name.len() > 253 || !name.chars().all(plain) => "not the name of a resource type",
        _ => return Vec::new(),
    };
    vec![Invalid::new(field, "pattern", why)]
}

/// Kinds of other groups may have the same names (Knative has a Service too).
fn is_built_in(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "" | "apps" | "batch" | "autoscaling" | "policy" | "events.k8s.io")
}

pub(super) fn ambiguous(name: &str, taken: &Resource, also: &[Resource]) -> Finding {
    let others: Vec<String> = also.iter().map(Resource::qualified).collect();
    let message = format!("{name:?} was taken for {}; {} too goes by it", taken.qualified(), others.join(", "));
    Finding::new(&codes::NAME_MEANS_SEVERAL_TYPES, Subject::cluster_wide("APIResource", taken.qualified()), message)
        .remedy(format!("Name the type in full: {} or {}.", taken.qualified(), others.join(", ")))
}

/// A kind that several types have.
pub(super) fn ambiguous_kind(kind: &str, types: &[&str]) -> Finding {
    let message = format!("kind {kind} stands for {}", types.join(" and "));
    Finding::new(&codes::NAME_MEANS_SEVERAL_TYPES, Subject::cluster_wide("APIResource", kind), message).remedy(format!(
        "Write the group too: `kubectl get {}`; kubectl takes the first of them otherwise.",
        types.join("` or `kubectl get ")
    ))
}

pub(super) fn cut(count: usize, resource: &Resource) -> Option<Skipped> {
    let most = gather::MAX_OBJECTS;
    (count > most).then(|| {
        let what = format!("conditions and events of {} of the {count} {}", count - most, resource.plural);
        Skipped::new(what, format!("only {most} objects are looked at in depth; narrow the selector or the namespaces"))
    })
}

pub(super) fn namespaces(scope: &Scope) -> Vec<String> {
    match scope {
        Scope::All => Vec::new(),
        Scope::Namespaces(names) => names.clone(),
    }
}

/// ` in namespace shop`.
pub(super) fn place(scope: &Scope, namespaced: bool) -> String {
    match scope {
        _ if !namespaced => String::new(),
        Scope::All => " in all namespaces".to_owned(),
        Scope::Namespaces(names) => match names.as_slice() {
            [one] => format!(" in namespace {one}"),
            several => format!(" in namespaces {}", several.join(", ")),
        },
    }
}

fn commands(input: &ResourceStatusInput, data: &ResourceStatusData) -> Vec<String> {
    let places = if !data.namespaced {
        vec![String::new()]
    } else if data.namespaces.is_empty() {
        vec![" --all-namespaces".to_owned()]
    } else {
        data.namespaces.iter().map(|namespace| format!(" --namespace {namespace}")).collect()
    };
    let which = match (&input.name, &input.selector) {
        (Some(name), _) => format!(" {name}"),
        (None, Some(selector)) => format!(" --selector {}", quoted(selector)),
        (None, None) => String::new(),
    };
    let wide = if input.output == Some(KubectlOutput::Wide) { " --output wide" } else { "" };
    let mut commands = Vec::new();
    for place in places.iter().take(20) {
        commands.push(format!("kubectl get {}{which}{place}{wide}", input.resource));
        commands.push(format!("kubectl describe {}{which}{place}", input.resource));
    }
    commands
}

/// Quoted for a shell where that is needed.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=' | ',' | ':');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
