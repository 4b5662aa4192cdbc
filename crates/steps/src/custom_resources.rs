//! `kubectl get <crd> --all-namespaces`: the objects of one custom resource type, and what their status says is wrong
//! with them. Guide section kubectl/4.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step,
    input::check,
    resource_status::{
        Found, Include, KubectlOutput, cut,
        family::Family,
        gather::{MAX_OBJECTS, list, printed},
        judge::Judge,
        kubectl_get, namespaces,
        object::{Object, ObjectCondition, ago},
        place, quoted, resource_name,
        table::PrintedTable,
    },
};
use cluster::{self, Cluster, Error, Resource, Scope};
use report::{Read, Skipped};

/// Objects of one custom resource type.
pub struct CustomResources;

/// Which type, and where.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CustomResourcesInput {
    /// Type by any name that kubectl accepts: `virtualservices`, `vs`, `VirtualService`,
    /// `virtualservices.networking.istio.io`.
    #[param(ignore)]
    pub crd: String,
    /// Namespaces to look in; repeatable. All by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look in all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Label selector, such as `app=cart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1000)]
    pub selector: Option<String>,
    /// One object; without it, all that the selector and the namespaces allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub name: Option<String>,
    /// Show each object itself too, in `data.objects`; with `name` it is there anyway.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[param(max_items = 1, inline)]
    pub include: Vec<Include>,
    /// What `format=raw` prints, as kubectl's `--output`; its table without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<KubectlOutput>,
}

/// The objects of a custom resource type.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomResourcesData {
    /// The type in full, for example `virtualservices.networking.istio.io`.
    pub resource: String,
    pub kind: String,
    /// The version that was read.
    pub version: String,
    /// Where it was looked; empty for all namespaces.
    pub namespaces: Vec<String>,
    pub table: PrintedTable,
    pub objects: Vec<CustomResourceStatus>,
    #[serde(skip)]
    manifests: Vec<Object>,
    #[serde(skip)]
    namespaced: bool,
}

/// One object and what its controllers say of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomResourceStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ObjectCondition>,
    /// Messages of istiod's analysis, where it is switched on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub validation_messages: Vec<Value>,
    /// The object itself, where it was named or asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub object: Option<Value>,
}

/// What was read.
#[derive(Debug)]
pub struct CustomResourcesEvidence {
    resource: Resource,
    scope: Scope,
    table: Read<PrintedTable>,
    objects: Vec<Object>,
    skipped: Vec<Skipped>,
    now: jiff::Timestamp,
}

impl Step for CustomResources {
    const ABOUT: About = About {
        id: "kubectl.custom-resources",
        title: "Objects of a custom resource type",
        description: "Lists the objects of one custom resource type in all namespaces, with the columns that kubectl shows, \
                      and reports what their status says is wrong.",
        guide: "kubectl/4-crds",
        method: "GET",
        endpoint: "/v1/kubectl/crds/{crd}/resources",
        mutating: false,
        permissions: &[Permission { verb: "list", group: "networking.istio.io", resource: "virtualservices" }],
        cost: Cost::Low,
        command: "kubectl get <crd-type> --all-namespaces",
        docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting",
    };
    type Input = CustomResourcesInput;
    type Evidence = CustomResourcesEvidence;
    type Data = CustomResourcesData;

    fn check(input: &CustomResourcesInput) -> Vec<Invalid> {
        let mut invalid = resource_name("crd", &input.crd);
        invalid.extend(check::place(&input.namespace, input.all_namespaces));
        invalid.extend(check::selector("selector", input.selector.as_deref()));
        invalid.extend(check::name("name", input.name.as_deref()));
        if input.name.is_some() && input.selector.is_some() {
            invalid.push(Invalid::new("selector", "conflict", "selector cannot be used when name is given"));
        }
        invalid
    }

    async fn gather(
        cluster: &Cluster,
        input: &CustomResourcesInput,
    ) -> Result<CustomResourcesEvidence, cluster::Error> {
        let resource = custom_resource(cluster, &input.crd).await?;
        let scope = if resource.namespaced { Scope::of(&input.namespace) } else { Scope::All };
        let selector = input.selector.as_deref();
        let mut listed = list(cluster, &resource, &scope, selector).await?;
        let name = input.name.as_deref();
        if let Some(name) = name {
            let (found, others): (Vec<_>, Vec<_>) = listed.items.into_iter().partition(|object| object.name() == name);
            if found.is_empty() {
                let what = format!("{} {name:?}{}", resource.kind, place(&scope, resource.namespaced));
                return Err(Error::no_such("name", what, name, others.iter().map(Object::name)));
            }
            listed.items = found;
        }
        let table = printed(cluster, &resource, &scope, name, selector, &listed.items).await?;
        let now = cluster.now();
        Ok(CustomResourcesEvidence { resource, scope, table, objects: listed.items, skipped: listed.skipped, now })
    }

    fn judge(input: &CustomResourcesInput, evidence: CustomResourcesEvidence) -> Judgement<CustomResourcesData> {
        let CustomResourcesEvidence { resource, scope, table, objects, mut skipped, now } = evidence;
        let family = Family::new(std::collections::BTreeMap::new(), now);
        let mut judge = Judge::new(&family);
        for object in objects.iter().take(MAX_OBJECTS) {
            judge.of_any_group(object);
        }
        let findings = judge.findings;
        skipped.extend(cut(objects.len(), &resource));
        let table = table.unwrap_or_else(|part| {
            skipped.push(part);
            PrintedTable::of_objects(&objects, now)
        });
        let count = objects.len();
        let noun = if count == 1 { &resource.singular } else { &resource.plural };
        let summary = format!("{count} {noun}{}", place(&scope, resource.namespaced));
        let whole = input.name.is_some() || !input.include.is_empty();
        let data = CustomResourcesData {
            resource: resource.qualified(),
            kind: resource.kind.clone(),
            version: resource.version.clone(),
            namespaces: namespaces(&scope),
            table,
            objects: objects.iter().take(MAX_OBJECTS).map(|object| view(object, now, whole)).collect(),
            manifests: objects,
            namespaced: resource.namespaced,
        };
        Judgement { findings, skipped, commands: commands(input, &data), summary, data }
    }

    fn raw(input: &CustomResourcesInput, data: &CustomResourcesData) -> Option<String> {
        let found = Found::of(data.namespaced, &data.namespaces, input.name.is_some());
        Some(kubectl_get(input.output, &data.table, &data.manifests, found))
    }
}

/// The type of that name. Where several go by it, the caller has to name the group: kubectl's own choice, the first in
/// the order of the API groups, is seldom what was meant.
async fn custom_resource(cluster: &Cluster, name: &str) -> Result<Resource, Error> {
    let wrong = |why: String| Error::Input { field: "crd", why };
    let (resource, others) = cluster.resource(name).await.map_err(|error| match error {
        Error::Input { why, .. } => wrong(why),
        error => error,
    })?;
    if !others.is_empty() {
        let names: Vec<String> = std::iter::once(&resource).chain(&others).map(Resource::qualified).collect();
        return Err(wrong(format!("{name:?} stands for several types, name one of them: {}", names.join(", "))));
    }
    if !resource.group.contains('.') {
        let why = format!("{} is no custom resource; see kubectl.resource-status", resource.qualified());
        return Err(wrong(why));
    }
    Ok(resource)
}

fn view(object: &Object, now: jiff::Timestamp, whole: bool) -> CustomResourceStatus {
    let mut conditions = object.conditions();
    for part in object.list("/status/parents").iter().chain(object.list("/status/listeners")) {
        let inner = part.get("conditions").and_then(Value::as_array);
        conditions.extend(inner.into_iter().flatten().filter_map(ObjectCondition::of));
    }
    CustomResourceStatus {
        namespace: object.namespace().map(str::to_owned),
        name: object.name().to_owned(),
        age: object.created().map(|created| ago(created, now)),
        conditions,
        validation_messages: object.list("/status/validationMessages").iter().take(50).cloned().collect(),
        object: whole.then(|| object.manifest()),
    }
}

fn commands(input: &CustomResourcesInput, data: &CustomResourcesData) -> Vec<String> {
    let selector = input.selector.as_deref().map(|selector| format!(" --selector {}", quoted(selector)));
    let selector = selector.unwrap_or_default();
    let name = input.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    let wide = if input.output == Some(KubectlOutput::Wide) { " --output wide" } else { "" };
    let command = |place: &str| format!("kubectl get {}{name}{selector}{place}{wide}", data.resource);
    if !data.namespaced {
        vec![command("")]
    } else if data.namespaces.is_empty() {
        vec![command(" --all-namespaces")]
    } else {
        data.namespaces.iter().take(20).map(|namespace| command(&format!(" --namespace {namespace}"))).collect()
    }
}
