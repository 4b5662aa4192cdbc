//! The checklist over a whole cluster, as somebody on call would go through it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use meshtriage::{
    cluster::{Cluster, Resource, Scope},
    report::{Finding, Format, formats},
    steps::{self, Inputs},
};

use super::Outcome;

/// One step with its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) step: &'static str,
    pub(crate) inputs: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn new(step: &'static str, inputs: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { step, inputs: inputs.iter().map(own).collect() }
    }

    pub(crate) fn words(&self) -> String {
        let inputs: Vec<_> = self.inputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", self.step, inputs.join(" "))
    }
}

/// Carries out one step.
pub(crate) async fn call(cluster: &Cluster, call: &Call, format: Format) -> Outcome {
    let step = steps::find(call.step).unwrap_or_else(|| panic!("no step {}", call.step));
    let prepared =
        step.prepare(Inputs::Pairs(call.inputs.clone())).unwrap_or_else(|e| panic!("{}: {e:?}", call.words()));
    prepared.execute(cluster, format).await.unwrap_or_else(|e| panic!("{}: {e}", call.words())).into()
}

/// Every call that the checklist makes over this cluster.
pub(crate) async fn calls(cluster: &Cluster) -> Vec<Call> {
    let mut calls = vec![
        Call::new("kubectl.istiod-logs", &[("tail", "4000")]),
        Call::new("kubectl.istiod-pods", &[]),
        Call::new("kubectl.crds", &[]),
        Call::new("kubectl.custom-resources", &[("crd", "virtualservices")]),
        Call::new("kubectl.custom-resources", &[("crd", "gateways.networking.istio.io")]),
    ];
    for resource in ["pods", "deployments", "replicasets", "hpa", "services", "events"] {
        calls.push(Call::new("kubectl.resource-status", &[("resource", resource), ("all_namespaces", "true")]));
    }
    for step in [
        "istioctl.tags",
        "istioctl.version",
        "istioctl.verify-install",
        "istioctl.analyze",
        "istioctl.proxy-status",
        "misc.misconfiguration",
        "misc.startup-race",
        "misc.http-proxy",
        "misc.access-logging",
    ] {
        calls.push(Call::new(step, &[]));
    }
    calls.push(Call::new("istioctl.analyze", &[("compatible", "true")]));
    calls.push(Call::new("misc.resource-usage", &[]));
    calls.push(Call::new(
        "misc.resource-usage",
        &[("per_workload", "3"), ("log_lines", "4000"), ("saved_clusters", "1")],
    ));
    // No recording has logs of CoreDNS.
    calls.push(Call::new("misc.coredns", &[("window_s", "0"), ("log_lines", "0")]));
    let mut namespaces = BTreeSet::new();
    for (namespace, pod) in proxies(cluster).await {
        if namespaces.insert(namespace.clone()) {
            calls.push(Call::new("istioctl.check-inject", &[("namespace", &namespace)]));
            let inputs = [("namespace", namespace.as_str()), ("pod", pod.as_str())];
            calls.push(Call::new("istioctl.check-inject", &inputs));
            calls.push(Call::new("istioctl.proxy-status", &inputs));
            for kind in ["bootstrap", "cluster", "endpoint", "listener", "route", "secret"] {
                let inputs = [inputs[0], inputs[1], ("kind", kind)];
                calls.push(Call::new("istioctl.proxy-config", &inputs));
            }
        }
        let place = format!("{namespace}/{pod}");
        calls.push(Call::new("kubectl.sidecar-logs", &[("source", &place), ("tail", "4000"), ("application", "true")]));
        for page in ["clusters", "certs", "server_info", "memory"] {
            let inputs = [("namespace", namespace.as_str()), ("pod", pod.as_str()), ("page", page)];
            calls.push(Call::new("kubectl.envoy-clusters", &inputs));
        }
    }
    calls
}

/// Running pods with a proxy.
pub(crate) async fn proxies(cluster: &Cluster) -> Vec<(String, String)> {
    let pods = cluster.list::<Pod>(&Resource::pods(), &Scope::All, None).await.unwrap().items;
    let mut proxies = Vec::new();
    for pod in pods {
        let spec = pod.spec.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
        if ready && containers.any(|container| container.name == "istio-proxy") {
            proxies.push((pod.metadata.namespace.unwrap_or_default(), pod.metadata.name.unwrap_or_default()));
        }
    }
    proxies.sort();
    proxies
}

/// A finding with all its words, for searching.
pub(crate) fn line(finding: &Finding) -> String {
    let evidence: Vec<_> = finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    format!("{} {}: {} | {}", finding.code, formats::place(&finding.subject), finding.message, evidence.join(" | "))
}
