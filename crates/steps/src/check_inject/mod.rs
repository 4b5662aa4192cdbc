//! `istioctl experimental check-inject`: would this pod be injected, by which revision, and why not otherwise; for a
//! whole namespace, which pods are not as a new one would be.

mod judge;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

pub(super) use report::{label_injects_nothing, unknown_revision};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step,
    injection::{
        Fate, Labels,
        istioctl::{self, IstioctlVerdict},
        pairs,
        read::{Injection, objects},
    },
    input::check,
    resource_status::object::Object,
    target,
};
use ::report::Skipped;
use cluster::{Cluster, Error, Resource, Scope};

/// Whether pods are injected.
pub struct CheckInject;

/// A pod, a Deployment, or labels of a pod that need not exist; with `namespace` alone, every pod of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckInjectInput {
    /// Namespace of the pod.
    #[param(max_length = 63)]
    pub namespace: String,
    /// A pod, or another object with pods, as istioctl takes it: `[<type>/]<name>[.<namespace>]`, such as `cart-1` or
    /// `statefulset/cart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 500)]
    pub pod: Option<String>,
    /// Name of a Deployment: its pod template is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub deployment: Option<String>,
    /// Labels of a pod, such as `app=cart,istio.io/rev=asm-1-30`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1000)]
    pub labels: Option<String>,
}

/// What was read.
#[derive(Debug)]
pub struct CheckInjectEvidence {
    namespace: Object,
    targets: Vec<Target>,
    injection: Injection,
    skipped: Vec<Skipped>,
}

/// What is looked at, as a pod.
#[derive(Debug)]
struct Target {
    kind: &'static str,
    /// A pod, or an object whose `spec`, labels and annotations are those of a pod to come.
    pod: Object,
}

/// Injection, now and of a new pod.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInjectData {
    pub namespace: String,
    pub namespace_labels: BTreeMap<String, String>,
    pub targets: Vec<InjectionCheck>,
    /// Every injection webhook, and whether it can answer.
    pub webhooks: Vec<InjectionWebhook>,
    #[serde(skip)]
    unread: bool,
}

/// One pod, or what would be one.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjectionCheck {
    /// `Pod`, `Deployment` or `labels`.
    pub kind: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// What becomes of a pod that is created now with these labels.
    pub fate: Fate,
    /// The revision that would inject it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Why it is so.
    pub reason: String,
    /// What it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<InjectedProxy>,
    /// What a restart would change; nothing where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    pub webhooks: Vec<WebhookMatch>,
    /// What `istioctl experimental check-inject` says, which looks at labels alone.
    pub istioctl: Vec<IstioctlVerdict>,
}

/// The proxy of a pod.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjectedProxy {
    pub revision: String,
    /// Put there by the injection webhook; a gateway's may come with its Deployment.
    pub injected: bool,
    /// An init container that runs on.
    pub native: bool,
    pub image: String,
}

/// One webhook configuration and this pod.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookMatch {
    pub configuration: String,
    pub revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The webhook that selects the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_by: Option<String>,
    /// Where none does: for each webhook the expressions that do not hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub not_selected_because: BTreeMap<String, Vec<String>>,
}

/// An injection webhook configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct InjectionWebhook {
    pub configuration: String,
    pub revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// A replica of istiod of this revision is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub istiod_ready: Option<bool>,
    /// `Fail`: no pod is created while it does not answer. `Ignore`: pods come up without a sidecar.
    pub failure_policy: String,
    /// `namespace/name` of its Service, or its URL.
    pub calls: String,
    /// What keeps it from answering.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
    /// It has conditions in CEL, which are not evaluated here.
    pub has_conditions: bool,
    /// It is switched off, by selectors that match nothing.
    pub deactivated: bool,
}

impl CheckInjectInput {
    fn single(&self) -> bool {
        self.pod.is_some() || self.deployment.is_some() || self.labels.is_some()
    }
}

impl Step for CheckInject {
    const ABOUT: About = About {
        id: "istioctl.check-inject",
        title: "Sidecar injection",
        description: "Which webhook injects a pod, a Deployment's pods or a pod with given labels, and why the others do \
            not; whether the webhook answers; what the injector refuses. For a whole namespace, the pods that are not \
            as a new one would be.",
        guide: "istioctl/5-check-inject",
        method: "GET",
        endpoint: "/v1/istioctl/check-inject",
        mutating: false,
        permissions: &[
            Permission {
                verb: "list",
                group: "admissionregistration.k8s.io",
                resource: "mutatingwebhookconfigurations",
            },
            Permission::core("get", "namespaces"),
            Permission::core("get", "pods"),
            Permission::core("list", "pods"),
            Permission { verb: "get", group: "apps", resource: "deployments" },
        ],
        cost: Cost::Low,
        command: "istioctl experimental check-inject --namespace <namespace> <pod>",
        docs: "https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-experimental-check-inject",
    };
    type Input = CheckInjectInput;
    type Evidence = CheckInjectEvidence;
    type Data = CheckInjectData;

    fn check(input: &CheckInjectInput) -> Vec<Invalid> {
        let mut invalid: Vec<_> = check::namespaces("namespace", std::slice::from_ref(&input.namespace))
            .into_iter()
            .map(|found| Invalid { pointer: "/namespace".to_owned(), ..found })
            .collect();
        if let Some(pod) = &input.pod {
            invalid.extend(target::check("pod", pod, Some(&input.namespace)));
        }
        invalid.extend(check::name("deployment", input.deployment.as_deref()));
        invalid.extend(check::text("labels", input.labels.as_deref(), 1000));
        if let Some(Err(why)) = input.labels.as_deref().map(labels) {
            invalid.push(Invalid::new("labels", "pattern", why));
        }
        let named = [input.pod.is_some(), input.deployment.is_some(), input.labels.is_some()];
        if named.into_iter().filter(|named| *named).count() > 1 {
            invalid.push(Invalid::new("pod", "conflict", "give one of pod, deployment and labels"));
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &CheckInjectInput) -> Result<CheckInjectEvidence, Error> {
        let pod = match &input.pod {
            Some(pod) => Some(target::find_pod(cluster, Some(&input.namespace), pod).await?),
            None => None,
        };
        let place = pod.as_ref().map_or(input.namespace.as_str(), target::namespace);
        let namespace = cluster.get::<Value>(&Resource::namespaces(), None, place).await?;
        let namespace = Object::new("Namespace", namespace);
        let mut skipped = Vec::new();
        let targets = if let Some(pod) = &pod {
            let pod = serde_json::to_value(pod).expect("a pod is JSON");
            vec![Target { kind: "Pod", pod: Object::new("Pod", pod) }]
        } else if let Some(name) = &input.deployment {
            let found = cluster.get::<Value>(&Resource::deployments(), Some(place), name).await?;
            vec![Target { kind: "Deployment", pod: pod_of(place, name, &Object::new("Deployment", found)) }]
        } else if let Some(text) = &input.labels {
            let labels = labels(text).unwrap_or_default();
            let pod = serde_json::json!({"metadata": {"name": text, "namespace": place, "labels": labels}});
            vec![Target { kind: "labels", pod: Object::new("Pod", pod) }]
        } else {
            let scope = Scope::Namespaces(vec![place.to_owned()]);
            let pods = objects(cluster, &Resource::pods(), &scope, None, &mut skipped).await?;
            pods.into_iter().flatten().map(|pod| Target { kind: "Pod", pod }).collect()
        };
        let injection = Injection::read(cluster).await?;
        Ok(CheckInjectEvidence { namespace, targets, injection, skipped })
    }

    fn judge(input: &CheckInjectInput, evidence: CheckInjectEvidence) -> Judgement<CheckInjectData> {
        judge::judge(input, evidence)
    }

    fn raw(input: &CheckInjectInput, data: &CheckInjectData) -> Option<String> {
        // istioctl would say that there is no webhook.
        if data.unread {
            return None;
        }
        match data.targets.as_slice() {
            [only] if input.single() => Some(istioctl::printed(&only.istioctl)),
            all => Some(judge::table(all)),
        }
    }
}

/// The pod that a Deployment would create.
fn pod_of(namespace: &str, name: &str, deployment: &Object) -> Object {
    let template = deployment.value.pointer("/spec/template").cloned().unwrap_or_default();
    let metadata = serde_json::json!({
        "name": name,
        "namespace": namespace,
        "labels": template.pointer("/metadata/labels").cloned().unwrap_or_default(),
        "annotations": template.pointer("/metadata/annotations").cloned().unwrap_or_default(),
    });
    let spec = template.get("spec").cloned().unwrap_or_default();
    Object::new("Deployment", serde_json::json!({"metadata": metadata, "spec": spec}))
}

/// `key=value` pairs, as istioctl takes them.
fn labels(text: &str) -> Result<Labels, String> {
    let pair = |part: &str| {
        let (key, value) = part.split_once("==").or_else(|| part.split_once('='))?;
        let (key, value) = (key.trim(), value.trim());
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
        (!key.is_empty() && plain(key) && plain(value)).then(|| (key.to_owned(), value.to_owned()))
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| pair(part).ok_or_else(|| "must be pairs such as app=cart,version=v1".to_owned())).collect()
}

impl Target {
    fn labels(&self) -> Labels {
        pairs(self.pod.value.pointer("/metadata/labels"))
    }

    fn annotations(&self) -> Labels {
        pairs(self.pod.value.pointer("/metadata/annotations"))
    }
}
