//! `kubectl.bounce-pod`: deletes one pod of istiod or of a gateway, and waits for its replacement.

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{K8S0090, POLL, RestartProgress, check_common, guard, note};
use crate::{About, Cost, Invalid, Judgement, Permission, Step, input::check, target};
use cluster::{Cluster, Error, Resource, Scope};
use report::{Finding, Subject};

pub struct BouncePod;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BouncePodInput {
    #[schema(max_length = 63)]
    pub namespace: String,
    /// Pod of istiod or of a gateway.
    #[schema(max_length = 253)]
    pub pod: String,
    /// Why; kept with the run.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Check everything and change nothing. Send `false` to do it.
    #[serde(default = "super::yes")]
    #[schema(default = true)]
    pub dry_run: bool,
    /// Do it although it is the last ready one, or the PodDisruptionBudget is used up.
    #[serde(default)]
    pub force: bool,
    /// Seconds to end in peace; the pod's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 3600)]
    pub grace_period_s: Option<u32>,
    /// How long to wait for the replacement, up to 45 seconds (default 30).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 45)]
    pub wait_s: Option<u32>,
}

pub struct Evidence {
    subject: Subject,
    replacement: Option<String>,
    ready: bool,
    progress: Vec<RestartProgress>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct BouncePodData {
    pub dry_run: bool,
    pub deleted: String,
    /// The pod that came instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// Whether it is ready.
    pub ready: bool,
    pub progress: Vec<RestartProgress>,
}

impl Step for BouncePod {
    const ABOUT: About = About {
        id: "kubectl.bounce-pod",
        title: "Restart a pod",
        description: "Deletes one pod of istiod or of a gateway and waits for the replacement. Refuses to take the last \
            ready one unless forced.",
        guide: "kubectl/2-bounce-pod",
        method: "POST",
        endpoint: "/v1/kubectl/bounce-pod",
        mutating: true,
        permissions: &[
            Permission::core("get", "pods"),
            Permission::core("list", "pods"),
            Permission::core("delete", "pods"),
            Permission { verb: "list", group: "policy", resource: "poddisruptionbudgets" },
        ],
        cost: Cost::Low,
        command: "kubectl delete pods <pod> --namespace <namespace>",
        docs: "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_delete/",
    };
    type Input = BouncePodInput;
    type Evidence = Evidence;
    type Data = BouncePodData;

    fn check(input: &BouncePodInput) -> Vec<Invalid> {
        let mut invalid = check_common(&input.namespace, &input.reason, input.wait_s);
        invalid.extend(check::name("pod", Some(&input.pod)));
        invalid.extend(check::range("grace_period_s", input.grace_period_s, 0, 3600));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &BouncePodInput) -> Result<Evidence, Error> {
        let pods = Resource::pods();
        let pod: Pod = cluster.get(&pods, Some(&input.namespace), &input.pod).await?;
        let siblings = siblings(cluster, &pod).await?;
        refuse_unless_good(cluster, input, &pod, &siblings).await?;
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let (namespace, name) = (Some(input.namespace.as_str()), input.pod.as_str());
        let subject = target::subject(&pod);
        cluster.delete(&pods, namespace, name, &uid, input.grace_period_s, input.dry_run).await?;
        if input.dry_run {
            return Ok(Evidence { subject, replacement: None, ready: false, progress: Vec::new() });
        }
        tracing::warn!(
            pod = %name, namespace = %input.namespace, reason = %input.reason,
            "deleted pod {}/{name}: {}", input.namespace, input.reason
        );
        Ok(wait(cluster, input, &pod, &siblings, subject).await)
    }

    fn judge(input: &BouncePodInput, evidence: Evidence) -> Judgement<BouncePodData> {
        let Evidence { subject, replacement, ready, progress } = evidence;
        let (namespace, pod) = (&input.namespace, &input.pod);
        let mut findings = Vec::new();
        let summary = if input.dry_run {
            format!("dry run: {namespace}/{pod} would be deleted; nothing was changed")
        } else if ready {
            format!("{namespace}/{pod} was replaced by {}", replacement.as_deref().unwrap_or_default())
        } else {
            let last = progress.last().map_or("nothing was seen", |last| last.what.as_str());
            let message = format!("the replacement of {pod} is not ready yet: {last}");
            findings.push(
                Finding::new(&K8S0090, subject, message)
                    .remedy("Look at the new pod with kubectl.resource-status: scheduling, image, probes."),
            );
            format!("{namespace}/{pod} was deleted")
        };
        let data = BouncePodData { dry_run: input.dry_run, deleted: pod.clone(), replacement, ready, progress };
        let commands = vec![format!("kubectl delete pods {pod} --namespace {namespace}")];
        Judgement { data, findings, skipped: Vec::new(), commands, summary }
    }
}

/// The pods of the same workload: those with the same revision and `app` label, or of the same gateway.
async fn siblings(cluster: &Cluster, pod: &Pod) -> Result<Vec<Pod>, Error> {
    let labels = pod.metadata.labels.as_ref();
    let same =
        ["app", "istio", "istio.io/rev", "gateway.networking.k8s.io/gateway-name"].into_iter().filter_map(|name| {
            let value = labels.and_then(|labels| labels.get(name))?;
            Some(format!("{name}={value}"))
        });
    let selector = same.collect::<Vec<_>>().join(",");
    let scope = Scope::Namespaces(vec![target::namespace(pod).to_owned()]);
    Ok(cluster.list(&Resource::pods(), &scope, Some(&selector)).await?.items)
}

async fn refuse_unless_good(
    cluster: &Cluster,
    input: &BouncePodInput,
    pod: &Pod,
    siblings: &[Pod],
) -> Result<(), Error> {
    let refused = |why: String| Err(Error::Refused { why });
    let Some(role) = guard::role(pod.metadata.labels.as_ref(), pod.metadata.annotations.as_ref()) else {
        return refused(format!("{} is neither istiod nor a gateway, so it is not restarted here", input.pod));
    };
    let owner = target::subject(pod).owner;
    if owner.is_none_or(|owner| owner.kind != "Deployment") {
        return refused(format!("{} belongs to no Deployment, so nothing would replace it", input.pod));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return refused(format!("{} is being deleted already", input.pod));
    }
    if input.force {
        return Ok(());
    }
    let budgets = Resource::known("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true);
    let scope = Scope::Namespaces(vec![input.namespace.clone()]);
    let budgets = cluster.list::<PodDisruptionBudget>(&budgets, &scope, None).await?.items;
    guard::pod_refusal(pod, role, siblings, &budgets).map_or(Ok(()), refused)
}

/// Waits for a new ready pod. What cannot be read on the way is part of the progress: the pod is gone either way.
async fn wait(cluster: &Cluster, input: &BouncePodInput, old: &Pod, before: &[Pod], subject: Subject) -> Evidence {
    let known: Vec<_> = before.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
    let begin = cluster.now();
    let elapsed = || cluster.now().as_millisecond() - begin.as_millisecond();
    let mut evidence = Evidence { subject, replacement: None, ready: false, progress: Vec::new() };
    let wait_ms = i64::from(input.wait_s.unwrap_or(30)) * 1000;
    loop {
        match siblings(cluster, old).await {
            Ok(pods) => {
                let new = pods.iter().find(|pod| pod.metadata.uid.as_ref().is_some_and(|uid| !known.contains(uid)));
                if let Some(new) = new {
                    evidence.replacement = Some(target::name(new).to_owned());
                    evidence.ready = target::is_ready(new);
                }
                let what = match new {
                    None => "no new pod yet".to_owned(),
                    Some(new) if evidence.ready => format!("{} is ready", target::name(new)),
                    Some(new) => {
                        let phase = new.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
                        format!("{} is {phase}, not ready", target::name(new))
                    }
                };
                note(&mut evidence.progress, elapsed(), what);
            }
            Err(error) => note(&mut evidence.progress, elapsed(), cluster::chain(&error)),
        }
        if evidence.ready || elapsed() >= wait_ms {
            return evidence;
        }
        tokio::time::sleep(POLL).await;
    }
}
