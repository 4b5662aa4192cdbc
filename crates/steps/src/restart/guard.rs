//! What may be restarted, and when a restart would take too much down. Pure.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Pod, policy::v1::PodDisruptionBudget},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::super::target;

/// What a workload is to the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Istiod,
    Gateway,
}

/// Tells istiod and gateways by their labels; anything else may not be restarted here. Gateways carry `istio: …` and
/// are injected by the template `gateway`
/// (<https://istio.io/latest/docs/setup/additional-setup/gateway/#deploying-a-gateway>), or belong to a Gateway of the
/// Gateway API.
pub(super) fn role(
    labels: Option<&BTreeMap<String, String>>,
    annotations: Option<&BTreeMap<String, String>>,
) -> Option<Role> {
    let label = |name: &str| labels.and_then(|labels| labels.get(name));
    if label("app").is_some_and(|app| app == "istiod") && label("istio.io/rev").is_some() {
        return Some(Role::Istiod);
    }
    let templates = annotations.and_then(|all| all.get("inject.istio.io/templates"));
    let injected = templates.is_some_and(|names| names.split(',').any(|name| name.trim() == "gateway"));
    let gateway_api = label("gateway.networking.k8s.io/gateway-name").is_some();
    (injected || gateway_api || label("gateway.istio.io/managed").is_some()).then_some(Role::Gateway)
}

/// Why the pod must not go now, if it must not.
pub(super) fn pod_refusal(pod: &Pod, role: Role, siblings: &[Pod], budgets: &[PodDisruptionBudget]) -> Option<String> {
    let name = target::name(pod);
    if !target::is_ready(pod) {
        // A pod that serves nobody can be replaced at any time.
        return None;
    }
    let others = siblings.iter().filter(|other| target::name(other) != name && target::is_ready(other)).count();
    if others == 0 {
        return Some(match role {
            Role::Istiod => format!(
                "{name} is the last ready istiod of its revision: while it is gone, no pod can be injected, no \
                 configuration is validated and no proxy gets updates; use restart-deployment, or force"
            ),
            Role::Gateway => format!(
                "{name} is the only ready pod of its gateway: traffic would stop; use \
                 restart-deployment, or force"
            ),
        });
    }
    budgets.iter().find(|budget| covers(budget, pod) && allowed(budget) == 0).map(|budget| {
        let budget = budget.metadata.name.as_deref().unwrap_or_default();
        format!("PodDisruptionBudget {budget} allows no disruption now; wait, or force")
    })
}

/// Why the Deployment must not be rolled now, if it must not.
pub(super) fn deployment_refusal(deployment: &Deployment, role: Role) -> Option<String> {
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let spec = deployment.spec.as_ref()?;
    if is_rolling(deployment) {
        return Some(format!("a rollout of {name} is still running; wait for it, or force"));
    }
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    let strategy = spec.strategy.as_ref();
    let recreate = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate");
    let unavailable = strategy.and_then(|s| s.rolling_update.as_ref()).and_then(|u| u.max_unavailable.as_ref());
    let down = if recreate { i32::MAX } else { rounded_down(unavailable, spec.replicas.unwrap_or(1)) };
    let what = match role {
        Role::Istiod => "no pod can be injected and no proxy gets updates",
        Role::Gateway => "its traffic stops",
    };
    (ready > 0 && ready.saturating_sub(down) < 1).then(|| {
        format!(
            "the strategy of {name} may take all {ready} ready replicas down at once: until the new ones are \
                 ready, {what}; raise the replicas, or force"
        )
    })
}

/// `maxUnavailable` in pods: a percentage is rounded down; the default is 25 %
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable>).
fn rounded_down(value: Option<&IntOrString>, replicas: i32) -> i32 {
    let percent = |percent: i32| replicas.saturating_mul(percent) / 100;
    match value {
        Some(IntOrString::Int(count)) => *count,
        Some(IntOrString::String(text)) => percent(text.trim_end_matches('%').parse().unwrap_or(25)),
        None => percent(25),
    }
}

/// Whether the last change of the Deployment is not yet through.
pub(super) fn is_rolling(deployment: &Deployment) -> bool {
    !is_rolled_out(deployment) && {
        let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_ref());
        let progressing = conditions.and_then(|all| all.iter().find(|condition| condition.type_ == "Progressing"));
        progressing.is_some_and(|c| c.status == "True" && c.reason.as_deref() != Some("NewReplicaSetAvailable"))
    }
}

/// As `kubectl rollout status` decides it.
pub(super) fn is_rolled_out(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else { return false };
    let wanted = spec.replicas.unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.replicas.unwrap_or(0) <= status.updated_replicas.unwrap_or(0)
        && status.available_replicas.unwrap_or(0) >= status.updated_replicas.unwrap_or(0)
}

fn covers(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let wanted = selector.and_then(|selector| selector.match_labels.as_ref());
    let labels = pod.metadata.labels.as_ref();
    wanted.is_some_and(|wanted| {
        !wanted.is_empty()
            && wanted.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value))
    })
}

fn allowed(budget: &PodDisruptionBudget) -> i32 {
    budget.status.as_ref().map_or(0, |status| status.disruptions_allowed)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, ready: bool) -> Pod {
        let status = if ready { "True" } else { "False" };
        serde_json::from_value(json!({
            "metadata": { "name": name, "namespace": "istio-system",
                          "labels": { "app": "istiod", "istio.io/rev": "default" } },
            "status": { "conditions": [{ "type": "Ready", "status": status }] },
        }))
        .unwrap()
    }

    fn deployment(replicas: i32, strategy: &Value) -> Deployment {
        serde_json::from_value(json!({
            "metadata": { "name": "istiod", "generation": 3 },
            "spec": { "replicas": replicas, "strategy": strategy, "selector": {}, "template": {} },
            "status": { "observedGeneration": 3, "replicas": replicas, "readyReplicas": replicas,
                        "updatedReplicas": replicas, "availableReplicas": replicas },
        }))
        .unwrap()
    }

    fn budget(allowed: i32) -> PodDisruptionBudget {
        serde_json::from_value(json!({
            "metadata": { "name": "istiod" },
            "spec": { "selector": { "matchLabels": { "app": "istiod" } } },
            "status": { "disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1 },
        }))
        .unwrap()
    }

    #[test]
    fn last_ready_istiod_stays() {
        let (a, b) = (pod("a", true), pod("b", false));
        let refusal = pod_refusal(&a, Role::Istiod, &[a.clone(), b], &[]).unwrap();
        assert!(refusal.starts_with("a is the last ready istiod"), "{refusal}");
    }

    #[test]
    fn one_of_two_may_go_if_the_budget_allows_it() {
        let (a, b) = (pod("a", true), pod("b", true));
        let both = [a.clone(), b];
        assert_eq!(pod_refusal(&a, Role::Istiod, &both, &[budget(1)]), None);
        assert!(pod_refusal(&a, Role::Istiod, &both, &[budget(0)]).unwrap().contains("PodDisruptionBudget istiod"));
    }

    #[test]
    fn pod_that_is_not_ready_may_go() {
        let a = pod("a", false);
        assert_eq!(pod_refusal(&a, Role::Istiod, std::slice::from_ref(&a), &[budget(0)]), None);
    }

    #[test]
    fn rollout_that_takes_everything_down_is_refused() {
        let refused = |replicas, strategy| deployment_refusal(&deployment(replicas, &strategy), Role::Istiod).is_some();
        assert!(refused(1, json!({ "type": "Recreate" })));
        assert!(refused(1, json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } })));
        assert!(refused(2, json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "100%" } })));
        assert!(!refused(1, json!({})));
        assert!(!refused(2, json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } })));
    }

    #[test]
    fn only_istiod_and_gateways_have_a_role() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let istiod = map(&[("app", "istiod"), ("istio.io/rev", "asm-1-30")]);
        let gateway = map(&[("inject.istio.io/templates", "gateway")]);
        assert_eq!(role(Some(&istiod), None), Some(Role::Istiod));
        assert_eq!(role(None, Some(&gateway)), Some(Role::Gateway));
        assert_eq!(role(Some(&map(&[("app", "cart"), ("istio", "x")])), None), None);
    }
}
