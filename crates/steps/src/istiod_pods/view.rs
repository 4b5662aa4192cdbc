//! What the answer shows of each pod and each revision.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ByRevision;
use crate::resource_status::{
    family::{Family, is_ready},
    judge::{Container, containers},
    object::{Object, ago, text},
};

pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
/// Settings of istiod worth seeing; what is read from Secrets has no value here.
const SETTINGS: [&str; 6] =
    ["REVISION", "SHARED_MESH_CONFIG", "ENABLE_NATIVE_SIDECARS", "CLUSTER_ID", "PLATFORM", "CA_TRUSTED_NODE_ACCOUNTS"];

/// One revision of istiod.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IstiodRevision {
    pub namespace: String,
    pub revision: String,
    /// Replicas that its Deployment asks for, where that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<i64>,
    pub pods: usize,
    pub ready: usize,
    pub images: Vec<String>,
    pub nodes: Vec<String>,
    pub zones: Vec<String>,
}

/// One pod of the control plane's namespace.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodPod {
    pub namespace: String,
    pub name: String,
    /// Of an istiod; other pods of the namespace have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    pub phase: String,
    pub ready: bool,
    /// Why a container does not run, such as `CrashLoopBackOff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    pub restarts: i64,
    /// How the last run ended, such as `OOMKilled (exit code 137, SIGKILL)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ended_at: Option<String>,
    pub image: String,
    /// Istio's version by the image's tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Requests and limits of the first container.
    #[schema(value_type = Object)]
    pub resources: Value,
    /// Settings of note from the environment.
    pub settings: BTreeMap<String, String>,
    /// What is mounted as `cacerts`: a CSI volume of the plug-in CA, a Secret, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cacerts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
}

pub(super) fn is_istiod(pod: &Object) -> bool {
    pod.label("app") == Some("istiod")
}

pub(super) fn revision(pod: &Object) -> &str {
    pod.label("istio.io/rev").unwrap_or("default")
}

/// The container of istiod, or the first.
fn main_container(pod: &Object) -> Option<&Value> {
    let all = pod.list("/spec/containers");
    all.iter().find(|container| text(container, "/name") == "discovery").or_else(|| all.first())
}

pub(super) fn image(pod: &Object) -> &str {
    main_container(pod).map_or("", |container| text(container, "/image"))
}

/// `1.29.6` of `mcr.microsoft.com/oss/v2/istio/pilot:1.29.6-distroless`.
pub(super) fn version(image: &str) -> Option<&str> {
    let (_, tag) = image.split('@').next()?.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    let number = tag.split('-').next()?;
    number.starts_with(|c: char| c.is_ascii_digit()).then_some(number)
}

fn zone<'a>(pod: &'a Object, family: &'a Family) -> Option<&'a str> {
    pod.label(ZONE).or_else(|| {
        let node = pod.text("/spec/nodeName");
        family.all("Node")?.iter().find(|found| found.name() == node)?.label(ZONE)
    })
}

impl IstiodPod {
    pub(super) fn of(pod: &Object, family: &Family) -> Self {
        let all = containers(pod);
        let owned = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let waiting = all.iter().map(Container::waits_for).find(|reason| !reason.is_empty());
        let restarted = all.iter().max_by_key(|container| container.restarts());
        let main = main_container(pod);
        Self {
            namespace: pod.namespace().unwrap_or_default().to_owned(),
            name: pod.name().to_owned(),
            revision: is_istiod(pod).then(|| revision(pod).to_owned()),
            phase: pod.text("/status/phase").to_owned(),
            ready: is_ready(pod),
            waiting: waiting.map(str::to_owned),
            restarts: all.iter().map(Container::restarts).sum(),
            last_end: restarted.and_then(Container::last_end_text),
            last_ended_at: restarted.and_then(Container::last_ended_at).map(str::to_owned),
            image: image(pod).to_owned(),
            version: version(image(pod)).map(str::to_owned),
            node: owned(pod.text("/spec/nodeName")),
            zone: zone(pod, family).map(str::to_owned),
            resources: main.and_then(|container| container.get("resources")).cloned().unwrap_or_default(),
            settings: main.map(settings).unwrap_or_default(),
            cacerts: cacerts(pod),
            owner: family.owners(pod).pop().map(|owner| format!("{}/{}", owner.kind, owner.name)),
            age: pod.created().map(|created| ago(created, family.now)),
        }
    }
}

fn settings(container: &Value) -> BTreeMap<String, String> {
    let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
    variables
        .filter_map(|variable| {
            let name = text(variable, "/name");
            let value = variable.get("value").and_then(Value::as_str)?;
            let of_note = SETTINGS.contains(&name) || name.starts_with("PILOT_");
            of_note.then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn cacerts(pod: &Object) -> Option<String> {
    let volume = pod.list("/spec/volumes").iter().find(|volume| text(volume, "/name") == "cacerts")?;
    let class = text(volume, "/csi/volumeAttributes/secretProviderClass");
    if !class.is_empty() {
        return Some(format!("CSI volume of SecretProviderClass {class}"));
    }
    let secret = text(volume, "/secret/secretName");
    let optional = volume.pointer("/secret/optional").and_then(Value::as_bool).unwrap_or(false);
    (!secret.is_empty()).then(|| format!("Secret {secret}{}", if optional { ", optional" } else { "" }))
}

/// The revisions of istiod, each with what its pods have in common.
pub(super) fn revisions(pods: &[Object], family: &Family) -> Vec<IstiodRevision> {
    let mut groups: BTreeMap<&str, ByRevision> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_istiod(pod)) {
        let namespace = pod.namespace().unwrap_or_default();
        groups.entry(namespace).or_default().entry(revision(pod)).or_default().push(pod);
    }
    // A Deployment without a single pod is a revision too.
    for deployment in deployments(family) {
        let namespace = deployment.namespace().unwrap_or_default();
        let asked = pods.is_empty() || groups.contains_key(namespace);
        if asked {
            groups.entry(namespace).or_default().entry(revision(deployment)).or_default();
        }
    }
    let mut revisions = Vec::new();
    for (namespace, of_namespace) in groups {
        for (name, pods) in of_namespace {
            revisions.push(one_revision(namespace, name, &pods, family));
        }
    }
    revisions
}

fn deployments(family: &Family) -> impl Iterator<Item = &Object> {
    family.all("Deployment").unwrap_or_default().iter().filter(|deployment| is_istiod(deployment))
}

fn one_revision(namespace: &str, name: &str, pods: &[&Object], family: &Family) -> IstiodRevision {
    let sorted = |values: Vec<&str>| {
        let mut values: Vec<String> = values.into_iter().filter(|v| !v.is_empty()).map(str::to_owned).collect();
        values.sort();
        values.dedup();
        values
    };
    let of_it = |deployment: &&Object| deployment.namespace() == Some(namespace) && revision(deployment) == name;
    let ready: Vec<&&Object> = pods.iter().filter(|pod| is_ready(pod)).collect();
    IstiodRevision {
        namespace: namespace.to_owned(),
        revision: name.to_owned(),
        wanted: deployments(family).find(of_it).map(Object::wanted),
        pods: pods.len(),
        ready: ready.len(),
        images: sorted(pods.iter().map(|pod| image(pod)).collect()),
        nodes: sorted(ready.iter().map(|pod| pod.text("/spec/nodeName")).collect()),
        zones: sorted(ready.iter().filter_map(|pod| zone(pod, family)).collect()),
    }
}
