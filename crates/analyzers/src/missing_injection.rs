//! Finds namespaces that are not part of the mesh or say so in two ways, and pods whose proxy is missing.

use std::collections::{BTreeMap, HashMap};

use super::injector_settings::{self, InjectorSettings};
use super::revisions::Revisions;
use super::{Analyzer, Message, Messages, Path, list};
use mesh::{DATAPLANE_MODE, INJECT, INJECTION, Kind, Mesh, Object, REVISION, Workload, is_ambient_pod};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "injection.Analyzer",
    reads: &[Kind::Namespace, Kind::Pod, Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
    reports: &[&IST0102, &IST0103, &IST0123, &IST0148],
    by_default: true,
    run,
};

static IST0102: Code = Code {
    id: "IST0102",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0102/",
    page: include_str!("pages/IST0102.md"),
};

static IST0103: Code = Code {
    id: "IST0103",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0103/",
    page: include_str!("pages/IST0103.md"),
};

static IST0123: Code = Code {
    id: "IST0123",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0123/",
    page: include_str!("pages/IST0123.md"),
};

static IST0148: Code = Code {
    id: "IST0148",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/",
    page: include_str!("pages/IST0148.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let injectors = injector_settings::of_all(mesh);
    let revisions = Revisions::new(mesh);
    let mut enabled_by_default = false;
    let mut injected: HashMap<&str, &Object> = HashMap::new();
    for namespace in mesh.each(Kind::Namespace) {
        if is_exempt(mesh, namespace) {
            continue;
        }
        let wishes = wishes(mesh, namespace);
        if wishes.len() > 1 {
            messages.report(labels_contradict(namespace, &wishes));
        }
        if namespace.label(DATAPLANE_MODE) == Some("ambient") {
            continue;
        }
        enabled_by_default = is_enabled_by_default(mesh, namespace, &injectors, enabled_by_default);
        if namespace.label(INJECTION).is_none_or(str::is_empty) && namespace.label(REVISION).is_none() {
            messages.report(if enabled_by_default {
                is_injected_by_default(namespace)
            } else {
                is_not_injected(mesh, namespace, &revisions)
            });
        } else if mesh.is_injected(namespace) {
            injected.entry(namespace.name()).or_insert(namespace);
        }
    }
    for pod in mesh.each(Kind::Pod) {
        if let Some(namespace) = injected.get(pod.namespace())
            && should_have_proxy(mesh, pod)
            && !has_proxy(pod)
        {
            messages.report(proxy_is_missing(mesh, pod, namespace, &revisions));
        }
    }
}

/// Namespaces of Istio itself. Users of a managed cluster cannot bring the platform's own into the mesh either.
fn is_exempt(mesh: &Mesh, namespace: &Object) -> bool {
    if mesh.is_compatible() {
        return namespace.name() == "istio-system";
    }
    // AKS labels most of what it owns, and keeps webhooks away from it.
    let is_labelled = namespace.label("kubernetes.azure.com/managedby") == Some("aks")
        || namespace.label("app.kubernetes.io/managed-by") == Some("aks");
    let is_wished = namespace.label(INJECTION).is_some() || namespace.label(REVISION).is_some();
    let is_platform = is_labelled
        || namespace.name().starts_with("aks-istio-")
        || matches!(
            namespace.name(),
            "gatekeeper-system" | "app-routing-system" | "calico-system" | "tigera-operator" | "aks-command"
        );
    namespace.name() == mesh.istio_namespace() || is_platform && !is_wished
}

/// The labels by which a namespace asks for a kind of mesh, as they are written.
fn wishes(mesh: &Mesh, namespace: &Object) -> Vec<String> {
    let asks = |key: &str, value: &str| {
        // For `istioctl` a namespace that declines the ambient mesh asks for it.
        mesh.is_compatible() || key != DATAPLANE_MODE || value != "none"
    };
    let pair = |key: &&str| {
        let value = namespace.label(key)?;
        asks(key, value).then(|| format!("{key}={value}"))
    };
    let injection = namespace.label(INJECTION);
    let others = if injection.is_none_or(|value| value == "enabled") { &[REVISION, DATAPLANE_MODE][..] } else { &[] };
    std::iter::once(&INJECTION).chain(others).filter_map(pair).collect()
}

fn is_enabled_by_default(
    mesh: &Mesh,
    namespace: &Object,
    injectors: &BTreeMap<&str, InjectorSettings>,
    of_previous: bool,
) -> bool {
    let revision = namespace.label(REVISION).unwrap_or_default();
    match injectors.get(injector_settings::map_name(revision).as_str()) {
        Some(injector) => injector.enables_namespaces_by_default,
        // `istioctl` forgets to reset what it knows of the namespace before.
        None => mesh.is_compatible() && of_previous,
    }
}

fn should_have_proxy(mesh: &Mesh, pod: &Object) -> bool {
    let wish = pod.label(INJECT).or_else(|| pod.annotation(INJECT)).unwrap_or_default();
    if wish.eq_ignore_ascii_case("false") || pod.spec().get("hostNetwork").truth() {
        return false;
    }
    // What has run to its end needs no proxy any more.
    let is_finished = matches!(pod.status().get("phase").text(), "Succeeded" | "Failed");
    mesh.is_compatible() || !is_finished && !is_ambient_pod(pod)
}

fn has_proxy(pod: &Object) -> bool {
    Workload::of_pod(pod)
        .containers()
        .any(|container| container.get("name").text() == "istio-proxy" && !container.get("image").text().is_empty())
}

fn labels_contradict<'m>(namespace: &'m Object, wishes: &[String]) -> Message<'m> {
    let text = format!(
        "The namespace has more than one type of injection labels {}, which may lead to undefined behavior. Make sure \
         only one injection label exists.",
        list(wishes)
    );
    Message::new(&IST0123, namespace, text)
}

fn is_injected_by_default(namespace: &Object) -> Message<'_> {
    let text = "is enabled for Istio injection, as Istio is installed with enableNamespacesByDefault as true.";
    Message::new(&IST0148, namespace, text)
}

/// Where only named revisions are installed, as by the AKS add-on, `istio-injection=enabled` would do nothing.
fn is_not_injected<'m>(mesh: &Mesh, namespace: &'m Object, revisions: &Revisions<'_>) -> Message<'m> {
    let name = namespace.name();
    let label = if mesh.is_compatible() { format!("{INJECTION}=enabled") } else { revisions.advised_label() };
    let text = format!(
        "The namespace is not enabled for Istio injection. Run 'kubectl label namespace {name} {label}' to enable it, \
         or 'kubectl label namespace {name} istio-injection=disabled' to explicitly mark it as not needing injection."
    );
    let remedy = format!(
        "If the namespace belongs to the mesh: kubectl label namespace {name} {label}, and restart its workloads."
    );
    Message::new(&IST0102, namespace, text).at(Path::name()).remedy(remedy)
}

fn proxy_is_missing<'m>(mesh: &Mesh, pod: &'m Object, namespace: &'m Object, revisions: &Revisions<'m>) -> Message<'m> {
    let name = pod.full_name();
    let wanted = revisions.of_namespace(namespace).filter(|revision| !revisions.is_served(revision));
    if let Some(wanted) = wanted
        && !mesh.is_compatible()
    {
        let installed = revisions.installed().join(", ");
        let label = wishes(mesh, namespace).into_iter().next().unwrap_or_default();
        let text = format!(
            "The pod {name} is missing the Istio proxy: the namespace has the label {label}, which asks for the \
             revision {wanted}, and there is no such control plane. Installed: {installed}."
        );
        let advised = revisions.advised_label();
        let remove = if namespace.label(INJECTION).is_some() { format!(" {INJECTION}-") } else { String::new() };
        let tag = namespace.label(REVISION).filter(|tag| *tag != wanted && namespace.label(INJECTION).is_none());
        let remedy = match (tag, revisions.installed().last()) {
            // The tag is at fault, not the label: it may be that of many namespaces.
            (Some(tag), Some(newest)) => {
                format!("istioctl tag set {tag} --revision {newest} --overwrite, and restart the workload.")
            }
            _ => format!(
                "kubectl label namespace {}{remove} {advised} --overwrite, and restart the workload.",
                namespace.name()
            ),
        };
        return Message::new(&IST0103, pod, text).remedy(remedy);
    }
    let text = format!(
        "The pod {name} is missing the Istio proxy. This can often be resolved by restarting or redeploying the \
         workload."
    );
    Message::new(&IST0103, pod, text)
}
