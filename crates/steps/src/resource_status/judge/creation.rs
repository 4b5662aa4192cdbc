//! Why a controller cannot create the pods that it wants. The state shows only that they are missing; the reason
//! stands in the condition `ReplicaFailure` or in events `FailedCreate`.

use super::super::{
    codes,
    events::ObjectEvent,
    family::Family,
    object::{Object, shortened},
};
use report::{Code, Evidence, Finding};

pub(super) fn judge(workload: &Object, wanted: i64, existing: i64, family: &Family, findings: &mut Vec<Finding>) {
    if wanted <= existing {
        return;
    }
    let condition = workload.condition("ReplicaFailure").filter(|condition| condition.is("True"));
    let created = family.events.newest(workload, &["SuccessfulCreate"]);
    let event = family.events.newest(workload, &["FailedCreate"]).filter(|event| event.is_newer_than(created));
    let why = match (&condition, event) {
        (Some(condition), _) if !condition.message.is_empty() => condition.message.clone(),
        (_, Some(event)) => event.message.trim_start_matches("Error creating: ").to_owned(),
        _ => return,
    };
    let cause = Cause::of(&why);
    let message = format!("{existing} of {wanted} pods exist; no more can be created: {}", cause.text(&why));
    let mut finding = Finding::new(cause.code(), family.subject(workload), message);
    finding.evidence.extend(condition.map(|condition| condition.evidence()));
    finding.evidence.extend(event.map(ObjectEvent::evidence));
    let left_behind = cause.configurations(family);
    for (kind, name) in &left_behind {
        finding.evidence.push(Evidence::new("webhook configuration", format!("{kind} {name}")));
    }
    findings.push(finding.remedy(cause.remedy(workload, &left_behind)));
}

/// What kind of refusal a message tells of.
enum Cause {
    Webhook { name: String, service: Option<(String, String)>, why: String },
    Policy,
    Quota,
    Other,
}

impl Cause {
    fn of(why: &str) -> Self {
        if why.contains("failed calling webhook") {
            let name = between(why, "failed calling webhook \"", "\"").unwrap_or_default().to_owned();
            let reason = why.rsplit_once("\": ").map_or(why, |(_, reason)| reason);
            return Self::Webhook { name, service: webhook_service(why), why: shortened(reason) };
        }
        let lower = why.to_ascii_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
        if says(&[
            "exceeded quota",
            "must specify limits",
            "must specify requests",
            "maximum memory usage",
            "maximum cpu usage",
            "minimum cpu usage",
            "minimum memory usage",
            "limitrange",
        ]) {
            return Self::Quota;
        }
        if says(&[
            "denied the request",
            "violates podsecurity",
            "validatingadmissionpolicy",
            "gatekeeper",
            "azurepolicy",
            "kyverno",
        ]) {
            return Self::Policy;
        }
        Self::Other
    }

    fn code(&self) -> &'static Code {
        match self {
            Self::Webhook { .. } => &codes::WEBHOOK_REFUSES_PODS,
            Self::Policy => &codes::POLICY_REFUSES_PODS,
            Self::Quota => &codes::QUOTA_REFUSES_PODS,
            Self::Other => &codes::PODS_CANNOT_BE_CREATED,
        }
    }

    fn text(&self, why: &str) -> String {
        match self {
            Self::Webhook { name, why, .. } => format!("webhook {name:?} fails: {why}"),
            Self::Policy | Self::Quota | Self::Other => shortened(why),
        }
    }

    /// The webhook configurations of the failing webhook, where they were read.
    fn configurations(&self, family: &Family) -> Vec<(String, String)> {
        let Self::Webhook { name, service, .. } = self else { return Vec::new() };
        let kinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
        let all = kinds.iter().flat_map(|kind| family.all(kind).unwrap_or_default());
        let calls = |configuration: &&Object| {
            configuration.list("/webhooks").iter().any(|webhook| {
                let part = |pointer: &str| super::super::object::text(webhook, pointer);
                let same_service = service.as_ref().is_none_or(|(service, namespace)| {
                    part("/clientConfig/service/name") == service
                        && part("/clientConfig/service/namespace") == namespace
                });
                part("/name") == name && same_service
            })
        };
        all.filter(calls).map(|found| (found.kind.clone(), found.name().to_owned())).collect()
    }

    fn remedy(&self, workload: &Object, configurations: &[(String, String)]) -> String {
        let namespace = workload.namespace().unwrap_or_default();
        match self {
            Self::Webhook { service: Some((service, _)), why, .. }
                if why.contains("not found") && why.contains("service") =>
            {
                let delete = configurations.iter().map(|(kind, name)| {
                    format!(" If no namespace needs it: `kubectl delete {} {name}`.", kind.to_ascii_lowercase())
                });
                let delete: String = delete.collect();
                format!(
                    "Service {service} is gone. Label the namespace for a revision that is installed: `kubectl label \
                     namespace {namespace} istio.io/rev=<revision> --overwrite`.{delete}"
                )
            }
            Self::Webhook { why, .. } if why.contains("x509") || why.contains("certificate") => {
                "The webhook's `caBundle` does not fit istiod's certificate: let istiod patch it anew (restart istiod), \
                 and see that nothing else writes the webhook configuration."
                    .to_owned()
            }
            Self::Webhook { service: Some((service, in_namespace)), .. } => format!(
                "Get the pods behind Service {in_namespace}/{service} ready: `kubectl get endpointslices -n \
                 {in_namespace} -l kubernetes.io/service-name={service}`."
            ),
            Self::Webhook { name, .. } => format!("See that the service of webhook {name:?} answers."),
            Self::Policy => format!(
                "Change what the message objects to, or exempt namespace {namespace} from the policy. For injected pods \
                 Istio CNI avoids the rights that `istio-init` asks for."
            ),
            Self::Quota => format!(
                "`kubectl describe quota,limitrange -n {namespace}`: raise it by the cost of a sidecar per pod, or set \
                 `sidecar.istio.io/proxyCPU` and `proxyMemory` on the pod template."
            ),
            Self::Other => "Correct what the message names.".to_owned(),
        }
    }
}

/// Service and namespace of the webhook that a message speaks of, from the address that was called.
pub(crate) fn webhook_service(message: &str) -> Option<(String, String)> {
    let address = between(message, "Post \"https://", "/")?;
    let host = address.split(':').next()?;
    let (service, rest) = host.split_once('.')?;
    let namespace = rest.strip_suffix(".svc").or_else(|| rest.strip_suffix(".svc.cluster.local"))?;
    Some((service.to_owned(), namespace.to_owned()))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(inner, _)| inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn service_of_a_failing_webhook_is_read_from_its_address() {
        let message = "Internal error occurred: failed calling webhook \"rev.namespace.sidecar-injector.istio.io\": failed \
                       to call webhook: Post \"https://istiod-asm-1-28.aks-istio-system.svc:443/inject?timeout=10s\": \
                       service \"istiod-asm-1-28\" not found";
        let service = webhook_service(message).unwrap();
        assert_eq!(service, ("istiod-asm-1-28".to_owned(), "aks-istio-system".to_owned()));
        assert_eq!(webhook_service("failed calling webhook \"x\": Post \"https://10.0.0.1/y\""), None);
    }

    #[test]
    fn causes_are_told_apart() {
        let code = |why: &str| Cause::of(why).code().id;
        assert_eq!(
            code("pods \"x\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4"),
            "K8S0015"
        );
        assert_eq!(code("admission webhook \"validation.gatekeeper.sh\" denied the request: [x] no"), "K8S0014");
        assert_eq!(code("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": …"), "K8S0014");
        assert_eq!(code("pods \"x\" is forbidden: error looking up service account shop/cart"), "K8S0016");
        assert_eq!(
            code("failed calling webhook \"a\": failed to call webhook: Post \"https://s.n.svc:443/\": EOF"),
            "K8S0013"
        );
    }
}
