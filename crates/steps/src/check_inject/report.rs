//! The findings about injection: of single pods, and once for what concerns a whole namespace.

use std::collections::BTreeSet;

use super::{CheckInjectInput, InjectionCheck, Target};
use crate::injection::{
    Fate, INJECT, INJECTION, Labels, NEVER_INJECTED, Proxy, REVISION, Verdict, WebhookConfiguration, Why, codes,
    newest, read::Injection, subject,
};
use report::{Evidence, Finding, Subject};

/// Collects what was said already, so that each webhook and namespace is named once.
pub(super) struct Report<'a> {
    input: &'a CheckInjectInput,
    space: &'a Labels,
    injection: &'a Injection,
    named: BTreeSet<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(input: &'a CheckInjectInput, space: &'a Labels, injection: &'a Injection) -> Self {
        Self { input, space, injection, named: BTreeSet::new() }
    }

    pub(super) fn target(
        &mut self,
        target: &Target,
        labels: &Labels,
        proxy: Option<&Proxy>,
        verdict: &Verdict,
    ) -> Vec<Finding> {
        // A pod that has ended is not what anybody would restart.
        if matches!(target.pod.text("/status/phase"), "Succeeded" | "Failed") {
            return Vec::new();
        }
        let mut findings = self.troubles(verdict);
        let subject = match target.kind {
            "Pod" => subject(&target.pod),
            "Deployment" => target.pod.subject(),
            _ => Subject::cluster_wide("Namespace", &self.input.namespace),
        };
        match proxy {
            Some(proxy) => findings.extend(self.with_proxy(&subject, proxy, verdict)),
            None => findings.extend(self.without_proxy(target, labels, &subject, verdict)),
        }
        findings
    }

    fn with_proxy(&self, subject: &Subject, proxy: &Proxy, verdict: &Verdict) -> Option<Finding> {
        let installed = self.injection.istiods.as_ref().ok()?;
        let gone = !proxy.revision.is_empty()
            && !installed.is_empty()
            && !installed.iter().any(|istiod| istiod.revision == proxy.revision);
        if gone {
            let message = format!("its proxy is of revision {}, of which no istiod is installed", proxy.revision);
            return Some(
                Finding::new(&codes::REVISION_OF_POD_IS_GONE, subject.clone(), message).remedy(self.restart()),
            );
        }
        if !proxy.injected {
            return None;
        }
        match verdict.fate {
            Fate::Injected => {
                let revision = verdict.revision()?;
                (revision != proxy.revision && !proxy.revision.is_empty()).then(|| {
                    let message = format!(
                        "it runs the proxy of revision {}, and a new pod would get {revision}: it was not restarted \
                         since the label changed",
                        proxy.revision
                    );
                    Finding::new(&codes::POD_OF_ANOTHER_REVISION, subject.clone(), message).remedy(self.restart())
                })
            }
            Fate::NotSelected | Fate::Refused => {
                let message = "it was injected, and a new pod with these labels would not be".to_owned();
                Some(Finding::new(&codes::RESTART_LOSES_SIDECAR, subject.clone(), message))
            }
            Fate::Conflict => Some(several(subject, verdict)),
            Fate::CannotBeCreated | Fate::CreatedWithoutSidecar | Fate::Unknown => None,
        }
    }

    fn without_proxy(
        &mut self,
        target: &Target,
        labels: &Labels,
        subject: &Subject,
        verdict: &Verdict,
    ) -> Option<Finding> {
        match verdict.fate {
            Fate::Injected => {
                let revision = verdict.revision()?;
                (target.kind == "Pod").then(|| {
                    let message = format!(
                        "it has no sidecar, and a new pod would get that of {revision}: it is older than the label or \
                         the webhook, or the webhook did not answer"
                    );
                    Finding::new(&codes::POD_WITHOUT_SIDECAR, subject.clone(), message).remedy(self.restart())
                })
            }
            Fate::Conflict => Some(several(subject, verdict)),
            Fate::Refused => self.refused(subject, verdict),
            Fate::NotSelected => {
                if labels.get(INJECT).is_some_and(|value| value == "false") {
                    // Only where it makes a difference.
                    let mut without = labels.clone();
                    without.remove(INJECT);
                    let found = self.injection.known().iter().find(|f| f.selecting(self.space, &without).is_some())?;
                    let message =
                        format!("it opts out with the label {INJECT}=false; {} would inject it", found.revision);
                    return Some(Finding::new(&codes::POD_OPTS_OUT, subject.clone(), message));
                }
                if let Some(value) = labels.get(REVISION).filter(|_| !self.space.contains_key(REVISION)) {
                    let known = self.injection.known().iter().any(|found| found.label_value() == value);
                    return (!known).then(|| {
                        let message = format!("its label {REVISION}={value} names no revision and no tag");
                        Finding::new(&codes::UNKNOWN_REVISION, subject.clone(), message).remedy(self.label_pod())
                    });
                }
                let asks = labels.get(INJECT).is_some_and(|value| value == "true");
                let unlabelled = !self.space.contains_key(INJECTION) && !self.space.contains_key(REVISION);
                (asks && unlabelled).then(|| {
                    let message =
                        format!("it asks for injection with {INJECT}=true, and no webhook answers that alone");
                    Finding::new(&codes::POD_LABEL_INJECTS_NOTHING, subject.clone(), message).remedy(self.label_pod())
                })
            }
            Fate::CannotBeCreated | Fate::CreatedWithoutSidecar | Fate::Unknown => None,
        }
    }

    fn refused(&mut self, subject: &Subject, verdict: &Verdict) -> Option<Finding> {
        let refusal = verdict.refusal.as_ref()?;
        let (found, _) = verdict.selected.first()?;
        let message = format!(
            "it gets no sidecar: {}. Its labels select it for {}, so that istioctl says it is injected",
            refusal.text, found.name
        );
        Some(match refusal.why {
            Why::HostNetwork => Finding::new(&codes::POD_ON_THE_HOST_NETWORK, subject.clone(), message).remedy(
                "Leave it outside of the mesh, and let its peers accept plain text; or drop hostNetwork from the pod \
                 template.",
            ),
            Why::IgnoredNamespace => {
                if !self.named.insert("ignored".to_owned()) {
                    return None;
                }
                let subject = Subject::cluster_wide("Namespace", &self.input.namespace);
                Finding::new(&codes::NAMESPACE_IS_NEVER_INJECTED, subject, refusal.text.clone())
            }
            Why::OptedOut => Finding::new(&codes::POD_OPTS_OUT, subject.clone(), refusal.text.clone()),
            Why::NeverSelector | Why::Policy => {
                Finding::new(&codes::INJECTOR_LEAVES_POD_ALONE, subject.clone(), refusal.text.clone())
            }
        })
    }

    /// Webhooks that do not answer, each once.
    fn troubles(&mut self, verdict: &Verdict) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (found, webhook, trouble) in &verdict.troubles {
            let (code, what) = if trouble.is_about_certificates() {
                (&codes::WEBHOOK_TRUSTS_ANOTHER_CA, "does not trust istiod")
            } else {
                (&codes::WEBHOOK_IS_DEAD, "does not answer")
            };
            if !self.named.insert(format!("{} {}", code.id, found.name)) {
                continue;
            }
            let follows = if webhook.fails_closed {
                "no pod can be created here (failurePolicy Fail)"
            } else {
                "pods come up without a sidecar (failurePolicy Ignore)"
            };
            let message = format!(
                "the webhook that injects namespace {} {what}: {}; {follows}",
                self.input.namespace,
                trouble.text()
            );
            let subject = Subject::cluster_wide("MutatingWebhookConfiguration", &found.name);
            let mut finding = Finding::new(code, subject, message)
                .discriminator(&self.input.namespace)
                .evidence(Evidence::new("webhook", &webhook.name));
            let running = self.injection.running();
            if !running.contains(found.revision.as_str())
                && let Some(other) = newest(running)
            {
                finding = finding.remedy(format!(
                    "Revision {} does not run. kubectl label namespace {} {REVISION}={other} --overwrite, then restart \
                     its workloads; delete the webhook configuration if the revision is gone.",
                    found.revision, self.input.namespace
                ));
            }
            findings.push(finding);
        }
        findings
    }

    /// What concerns the namespace as a whole.
    pub(super) fn namespace(&mut self, checks: &[InjectionCheck]) -> Vec<Finding> {
        let name = &self.input.namespace;
        let place = || Subject::cluster_wide("Namespace", name);
        let known = self.injection.known();
        if known.is_empty() {
            let message = "the cluster has no injection webhook of Istio".to_owned();
            return vec![Finding::new(&codes::NO_INJECTOR, Subject::cluster_wide("Cluster", "cluster"), message)];
        }
        let none_selected = checks.iter().all(|check| check.fate == Fate::NotSelected);
        let running = self.injection.running();
        let other = newest(running.iter().copied()).unwrap_or("<revision>");
        let answered = |key: &str, value: &str| known.iter().any(|found| found.answers(key, value));
        match (self.space.get(INJECTION), self.space.get(REVISION)) {
            (Some(old), Some(revision)) => {
                let injected = checks.iter().any(|check| check.fate == Fate::Injected);
                if injected || answered(INJECTION, old) {
                    return Vec::new();
                }
                let message =
                    format!("it has both {INJECTION}={old} and {REVISION}={revision}, and so no webhook selects it");
                let remedy = format!("kubectl label namespace {name} {INJECTION}-");
                vec![Finding::new(&codes::LABELS_CONFLICT, place(), message).remedy(remedy)]
            }
            (Some(value), None) if value == "enabled" && !answered(INJECTION, value) => {
                vec![label_injects_nothing(name, other)]
            }
            (None, Some(revision)) if !answered(REVISION, revision) => {
                vec![unknown_revision(name, revision, self.injection)]
            }
            // The ambient mesh has no sidecars.
            (None, None) if self.space.get("istio.io/dataplane-mode").is_some_and(|mode| mode == "ambient") => {
                Vec::new()
            }
            (None, None) if none_selected && !self.is_of_the_platform() => {
                let message = "neither it nor its pods have a label for injection".to_owned();
                vec![Finding::new(&codes::NAMESPACE_OUTSIDE_THE_MESH, place(), message)]
            }
            _ => Vec::new(),
        }
    }

    fn is_of_the_platform(&self) -> bool {
        let name = self.input.namespace.as_str();
        let mut istiods = self.injection.istiods.iter().flatten();
        NEVER_INJECTED.contains(&name)
            || name.starts_with("aks-istio-")
            || istiods.any(|istiod| istiod.pod.metadata.namespace.as_deref() == Some(name))
    }

    fn restart(&self) -> String {
        format!("kubectl rollout restart deployment --namespace {}", self.input.namespace)
    }

    fn label_pod(&self) -> String {
        let running = self.injection.running();
        let other = newest(running).unwrap_or("<revision>");
        format!("Add the label {REVISION}={other} to the pod template, or to the namespace, and restart the workload.")
    }
}

fn several(subject: &Subject, verdict: &Verdict) -> Finding {
    let names: Vec<_> = verdict.selected.iter().map(|(found, _)| found.name.as_str()).collect();
    let message = format!("several webhooks inject it: {}", names.join(", "));
    Finding::new(&codes::SEVERAL_WEBHOOKS_INJECT, subject.clone(), message)
}

/// `istio-injection=enabled` where only named revisions are installed, as on AKS.
pub(crate) fn label_injects_nothing(namespace: &str, revision: &str) -> Finding {
    let message = format!(
        "its label {INJECTION}=enabled injects nothing: no webhook of the installed revisions answers it, and its pods \
         get no sidecar"
    );
    Finding::new(&codes::LABEL_INJECTS_NOTHING, Subject::cluster_wide("Namespace", namespace), message).remedy(format!(
        "kubectl label namespace {namespace} {INJECTION}- {REVISION}={revision} --overwrite; then kubectl rollout restart \
         deployment --namespace {namespace}"
    ))
}

/// A namespace label that names no revision and no tag, with the nearest that there is.
pub(crate) fn unknown_revision(namespace: &str, label: &str, injection: &Injection) -> Finding {
    let names = injection.known().iter().map(WebhookConfiguration::label_value);
    let nearest = names.max_by(|a, b| strsim::jaro_winkler(a, label).total_cmp(&strsim::jaro_winkler(b, label)));
    let message = format!("its label {REVISION}={label} names no revision and no tag, so its pods get no sidecar");
    let finding = Finding::new(&codes::UNKNOWN_REVISION, Subject::cluster_wide("Namespace", namespace), message);
    match nearest {
        Some(nearest) => finding.remedy(format!(
            "The nearest is {nearest}: kubectl label namespace {namespace} {REVISION}={nearest} --overwrite, then restart \
             its workloads."
        )),
        None => finding,
    }
}
