//! How to see whether a remedy worked: a command, and the same as a call.

use report::{Finding, Subject};

use crate::answer::{Suffering, Verify};

/// The steps whose answer shows whether a finding is gone, by the beginning of its code.
const STEPS: &[(&str, &str, &str)] = &[
    ("IST", "istioctl.analyze", "/v1/istioctl/analyze"),
    ("ENV", "istioctl.proxy-status", "/v1/istioctl/proxy-status"),
    ("CPL", "istioctl.verify-install", "/v1/istioctl/verify-install"),
    ("INJ", "istioctl.tags", "/v1/istioctl/tags"),
    ("K8S007", "kubectl.istiod-pods", "/v1/kubectl/istiod-pods"),
    ("K8S009", "kubectl.istiod-logs", "/v1/kubectl/istiod-logs"),
    ("K8S005", "kubectl.crds", "/v1/kubectl/crds"),
    ("K8S", "kubectl.resource-status", "/v1/kubectl/resource-status"),
    ("LOG1", "misc.misconfiguration", "/v1/misc/misconfiguration"),
    ("LOG", "kubectl.istiod-logs", "/v1/kubectl/istiod-logs"),
    ("DNS01", "misc.coredns", "/v1/misc/coredns"),
    ("OBS", "misc.access-logging", "/v1/misc/access-logging"),
    ("RES01", "misc.resource-usage", "/v1/misc/resource-usage"),
];
const RULES: (&str, &str) = ("misc.misconfiguration", "/v1/misc/misconfiguration");

pub(crate) fn verify(finding: &Finding, suffering: &Suffering) -> Verify {
    let subject = &finding.subject;
    let by_code = STEPS.iter().find(|(prefix, ..)| finding.code.starts_with(prefix));
    let (step, endpoint) = match finding.found_by.first() {
        // What only the rules of the detectors know is looked for by them.
        Some(only) if finding.found_by.len() == 1 && only == RULES.0 => RULES,
        _ => by_code.map_or(RULES, |(_, step, endpoint)| (step, endpoint)),
    };
    let inputs = inputs(step, subject);
    let pairs: Vec<String> = inputs.iter().map(|(name, value)| format!("--input {name}={value}")).collect();
    let query: Vec<String> = inputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let command = match kubectl(finding) {
        Some(command) => command,
        None => format!("meshtriage run {step} {}", pairs.join(" ")).trim_end().to_owned(),
    };
    let call = if query.is_empty() { format!("GET {endpoint}") } else { format!("GET {endpoint}?{}", query.join("&")) };
    let mut expect = format!("no {} about {}", finding.code, report::formats::place(subject));
    if suffering.failed_requests > 0
        && let Some(host) = suffering.hosts.first()
    {
        expect = format!("{expect}, and new requests to {host} succeed");
    }
    Verify { command, call, expect }
}

fn inputs(step: &str, subject: &Subject) -> Vec<(&'static str, String)> {
    let mut inputs = Vec::new();
    if step == "kubectl.resource-status" {
        let plural = format!("{}s", subject.kind.to_lowercase());
        inputs.push(("resource", plural));
        inputs.push(("name", subject.name.clone()));
    }
    let of_mesh =
        ["istioctl.verify-install", "istioctl.tags", "kubectl.istiod-pods", "kubectl.istiod-logs", "kubectl.crds"];
    if !of_mesh.contains(&step)
        && let Some(namespace) = &subject.namespace
    {
        inputs.push(("namespace", namespace.clone()));
    }
    inputs
}

/// What a person types for objects of Kubernetes itself.
fn kubectl(finding: &Finding) -> Option<String> {
    let subject = &finding.subject;
    let namespace = subject.namespace.as_deref()?;
    if !finding.code.starts_with("K8S") {
        return None;
    }
    Some(match (subject.kind.as_str(), &subject.owner) {
        (_, Some(owner)) if matches!(owner.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet") => {
            format!("kubectl rollout status {}/{} -n {namespace}", owner.kind.to_lowercase(), owner.name)
        }
        ("Deployment" | "StatefulSet" | "DaemonSet", _) => {
            format!("kubectl rollout status {}/{} -n {namespace}", subject.kind.to_lowercase(), subject.name)
        }
        ("Service", _) => {
            format!("kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={}", subject.name)
        }
        (kind, _) => format!("kubectl get {} {} -n {namespace}", kind.to_lowercase(), subject.name),
    })
}
