//! `kubectl.restart-deployment`: rolls the pods of istiod or of a gateway, as `kubectl rollout restart` does.

use k8s_openapi::api::apps::v1::Deployment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{K8S0090, POLL, RestartProgress, check_common, guard, note};
use crate::{About, Cost, Invalid, Judgement, Permission, Step, input::check};
use cluster::{Cluster, Error, Resource};
use report::{Finding, Subject};

pub struct RestartDeployment;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartDeploymentInput {
    #[schema(max_length = 63)]
    pub namespace: String,
    /// Deployment of istiod or of a gateway.
    #[schema(max_length = 253)]
    pub deployment: String,
    /// Why; kept with the run.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// Check everything and change nothing. Send `false` to do it.
    #[serde(default = "super::yes")]
    #[schema(default = true)]
    pub dry_run: bool,
    /// Do it although a rollout is running, or all ready pods may go at once.
    #[serde(default)]
    pub force: bool,
    /// How long to wait for the rollout, up to 45 seconds (default 30).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 45)]
    pub wait_s: Option<u32>,
}

pub struct Evidence {
    done: bool,
    progress: Vec<RestartProgress>,
    restarted_at: String,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct RestartDeploymentData {
    pub dry_run: bool,
    pub deployment: String,
    /// Value of the annotation `kubectl.kubernetes.io/restartedAt` of the pod template.
    pub restarted_at: String,
    /// Whether all pods are new and available.
    pub rolled_out: bool,
    pub progress: Vec<RestartProgress>,
}

impl Step for RestartDeployment {
    const ABOUT: About = About {
        id: "kubectl.restart-deployment",
        title: "Restart a Deployment",
        description: "Rolls the pods of istiod or of a gateway, as `kubectl rollout restart` does, and waits for the \
            new ones. Refuses while a rollout is running, or when all ready pods could go at once, unless forced.",
        guide: "kubectl/2-bounce-pod",
        method: "POST",
        endpoint: "/v1/kubectl/restart-deployment",
        mutating: true,
        permissions: &[
            Permission { verb: "get", group: "apps", resource: "deployments" },
            Permission { verb: "patch", group: "apps", resource: "deployments" },
        ],
        cost: Cost::Low,
        command: "kubectl rollout restart deployment <deployment> --namespace <namespace>",
        docs: "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/",
    };
    type Input = RestartDeploymentInput;
    type Evidence = Evidence;
    type Data = RestartDeploymentData;

    fn check(input: &RestartDeploymentInput) -> Vec<Invalid> {
        let mut invalid = check_common(&input.namespace, &input.reason, input.wait_s);
        invalid.extend(check::name("deployment", Some(&input.deployment)));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &RestartDeploymentInput) -> Result<Evidence, Error> {
        let deployments = Resource::deployments();
        let (namespace, name) = (Some(input.namespace.as_str()), input.deployment.as_str());
        let deployment: Deployment = cluster.get(&deployments, namespace, name).await?;
        if let Some(why) = refusal(input, &deployment) {
            return Err(Error::Refused { why });
        }
        let restarted_at = cluster.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let patch = json!({ "spec": { "template": { "metadata": { "annotations": {
            "kubectl.kubernetes.io/restartedAt": restarted_at,
        } } } } });
        cluster.patch(&deployments, namespace, name, &patch, input.dry_run).await?;
        if input.dry_run {
            return Ok(Evidence { done: false, progress: Vec::new(), restarted_at });
        }
        tracing::warn!(
            deployment = %name, namespace = %input.namespace, reason = %input.reason,
            "restarted deployment {}/{name}: {}", input.namespace, input.reason
        );
        let (done, progress) = wait(cluster, input, deployment.metadata.generation.unwrap_or(0)).await;
        Ok(Evidence { done, progress, restarted_at })
    }

    fn judge(input: &RestartDeploymentInput, evidence: Evidence) -> Judgement<RestartDeploymentData> {
        let Evidence { done, progress, restarted_at } = evidence;
        let (namespace, name) = (&input.namespace, &input.deployment);
        let mut findings = Vec::new();
        let summary = if input.dry_run {
            format!("dry run: deployment {namespace}/{name} would be restarted; nothing was changed")
        } else if done {
            format!("deployment {namespace}/{name} was restarted")
        } else {
            let last = progress.last().map_or("nothing was seen", |last| last.what.as_str());
            findings.push(
                Finding::new(
                    &K8S0090,
                    Subject::namespaced("Deployment", namespace, name),
                    format!("the rollout of {name} is not through yet: {last}"),
                )
                .remedy("Look at the new pods with kubectl.resource-status: scheduling, image, probes."),
            );
            format!("the restart of deployment {namespace}/{name} has begun")
        };
        let commands = vec![
            format!("kubectl rollout restart deployment {name} --namespace {namespace}"),
            format!("kubectl rollout status deployment {name} --namespace {namespace}"),
        ];
        let data = RestartDeploymentData {
            dry_run: input.dry_run,
            deployment: name.clone(),
            restarted_at,
            rolled_out: done,
            progress,
        };
        Judgement { data, findings, skipped: Vec::new(), commands, summary }
    }
}

fn refusal(input: &RestartDeploymentInput, deployment: &Deployment) -> Option<String> {
    let name = &input.deployment;
    let spec = deployment.spec.as_ref()?;
    let template = spec.template.metadata.as_ref();
    let labels = template.and_then(|metadata| metadata.labels.as_ref());
    let annotations = template.and_then(|metadata| metadata.annotations.as_ref());
    let Some(role) = guard::role(labels, annotations) else {
        return Some(format!("{name} is neither istiod nor a gateway, so it is not restarted here"));
    };
    if spec.paused == Some(true) {
        return Some(format!("{name} is paused; resume it first (kubectl rollout resume deployment {name})"));
    }
    if input.force { None } else { guard::deployment_refusal(deployment, role) }
}

async fn wait(cluster: &Cluster, input: &RestartDeploymentInput, generation: i64) -> (bool, Vec<RestartProgress>) {
    let begin = cluster.now();
    let elapsed = || cluster.now().as_millisecond() - begin.as_millisecond();
    let wait_ms = i64::from(input.wait_s.unwrap_or(30)) * 1000;
    let mut progress = Vec::new();
    loop {
        let read = cluster.get(&Resource::deployments(), Some(&input.namespace), &input.deployment).await;
        let mut done = false;
        match read {
            Ok(deployment) => {
                done = changed(&deployment, generation) && guard::is_rolled_out(&deployment);
                note(&mut progress, elapsed(), words(&deployment));
            }
            Err(error) => note(&mut progress, elapsed(), cluster::chain(&error)),
        }
        if done || elapsed() >= wait_ms {
            return (done, progress);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn changed(deployment: &Deployment, generation: i64) -> bool {
    deployment.metadata.generation.is_some_and(|now| now > generation)
}

fn words(deployment: &Deployment) -> String {
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    format!(
        "{} of {wanted} pods are new, {} available, {} in all",
        status.updated_replicas.unwrap_or(0),
        status.available_replicas.unwrap_or(0),
        status.replicas.unwrap_or(0)
    )
}
