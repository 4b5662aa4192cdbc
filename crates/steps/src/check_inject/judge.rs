//! Judges each target, and what a restart would change.

use std::collections::BTreeMap;

use super::{
    CheckInjectData, CheckInjectEvidence, CheckInjectInput, InjectedProxy, InjectionCheck, InjectionWebhook, Target,
    WebhookMatch, report,
};
use crate::{
    Judgement, counted,
    injection::{
        Fate, Labels, PodShape, Proxy, ServiceOf, Verdict, WebhookConfiguration, istioctl, judge as verdict, pairs,
        read::Injection,
    },
};

/// Targets of which the selectors are shown expression by expression.
const MOST_DETAILS: usize = 200;

pub(super) fn judge(input: &CheckInjectInput, evidence: CheckInjectEvidence) -> Judgement<CheckInjectData> {
    let CheckInjectEvidence { namespace, targets, injection, mut skipped } = evidence;
    // The pod may have been named with its namespace, which then is the one that counts.
    let input = &CheckInjectInput { namespace: namespace.text("/metadata/name").to_owned(), ..input.clone() };
    skipped.extend(injection.skipped.iter().cloned());
    let space = pairs(namespace.value.pointer("/metadata/labels"));
    let mut findings = Vec::new();
    let mut checks = Vec::new();
    let known = injection.known();
    let mut report = report::Report::new(input, &space, &injection);
    for (index, target) in targets.iter().enumerate() {
        let (labels, annotations) = (target.labels(), target.annotations());
        let shape = PodShape {
            namespace: &input.namespace,
            labels: &labels,
            annotations: &annotations,
            host_network: target.pod.flag("/spec/hostNetwork"),
        };
        let verdict = match &injection.configurations {
            Ok(known) => verdict(known, &space, shape, &injection.backends, |found| injection.config_of(found)),
            Err(_) => Verdict::unknown(),
        };
        let proxy = (target.kind == "Pod").then(|| Proxy::of(&target.pod)).flatten();
        if injection.configurations.is_ok() {
            findings.extend(report.target(target, &labels, proxy.as_ref(), &verdict));
        }
        checks.push(check(target, labels, proxy, &verdict, known, &space, index < MOST_DETAILS));
    }
    if injection.configurations.is_ok() {
        findings.extend(report.namespace(&checks));
    }
    let data = CheckInjectData {
        namespace: input.namespace.clone(),
        webhooks: known.iter().map(|found| webhook(found, &injection)).collect(),
        namespace_labels: space,
        targets: checks,
        unread: injection.configurations.is_err(),
    };
    let what = match data.targets.first() {
        Some(target) if input.single() => format!("{} {}", target.kind, target.name),
        _ => counted(data.targets.len(), "pod"),
    };
    let summary =
        format!("{} in namespace {}, {}", what, input.namespace, counted(data.webhooks.len(), "injection webhook"));
    let commands = commands(input, &injection, &data);
    Judgement { data, findings, skipped, commands, summary }
}

fn check(
    target: &Target,
    labels: Labels,
    proxy: Option<Proxy>,
    verdict: &Verdict,
    known: &[WebhookConfiguration],
    space: &Labels,
    in_full: bool,
) -> InjectionCheck {
    let webhooks = known.iter().map(|found| matched(found, space, &labels, in_full)).collect();
    let restart = match &proxy {
        Some(proxy) if proxy.injected => changed(Some(proxy), verdict),
        None if target.kind == "Pod" => changed(None, verdict),
        // What stands in a pod template stays.
        Some(_) | None => None,
    };
    InjectionCheck {
        kind: target.kind.to_owned(),
        name: target.pod.name().to_owned(),
        fate: verdict.fate,
        revision: verdict.revision().map(str::to_owned),
        reason: reason(verdict, space, &labels, known),
        proxy: proxy.map(|proxy| InjectedProxy {
            revision: proxy.revision,
            injected: proxy.injected,
            native: proxy.native,
            image: proxy.image,
        }),
        restart,
        webhooks,
        istioctl: istioctl::verdicts(known, space, &labels),
        labels,
    }
}

fn matched(found: &WebhookConfiguration, space: &Labels, labels: &Labels, in_full: bool) -> WebhookMatch {
    let selected = found.selecting(space, labels);
    let mut because = BTreeMap::new();
    if selected.is_none() && in_full {
        for webhook in &found.webhooks {
            let mut failing = webhook.namespace_selector.failing(space, "namespace");
            failing.extend(webhook.object_selector.failing(labels, "pod"));
            because.insert(webhook.name.clone(), failing);
        }
    }
    WebhookMatch {
        configuration: found.name.clone(),
        revision: found.revision.clone(),
        tag: found.tag.clone(),
        selected_by: selected.map(|webhook| webhook.name.clone()),
        not_selected_because: because,
    }
}

/// Why the verdict is as it is, in one sentence.
fn reason(verdict: &Verdict, space: &Labels, labels: &Labels, known: &[WebhookConfiguration]) -> String {
    let refused = |text: &str| match &verdict.refusal {
        Some(refusal) => format!("{text}; besides, {}", refusal.text),
        None => text.to_owned(),
    };
    match verdict.fate {
        Fate::Unknown => "the webhooks could not be read".to_owned(),
        Fate::NotSelected if known.is_empty() => "there is no injection webhook".to_owned(),
        Fate::NotSelected => {
            let nearest = known.iter().flat_map(|found| &found.webhooks).map(|webhook| {
                let mut failing = webhook.namespace_selector.failing(space, "namespace");
                failing.extend(webhook.object_selector.failing(labels, "pod"));
                failing
            });
            let nearest = nearest.min_by_key(Vec::len).unwrap_or_default();
            format!("no webhook selects it; the nearest wants {}", nearest.join("; "))
        }
        Fate::Injected | Fate::Conflict => {
            let selected = verdict.selected.iter().map(|(found, webhook)| {
                format!(
                    "{} of {} (namespaces: {}; pods: {})",
                    webhook.name, found.name, webhook.namespace_selector, webhook.object_selector
                )
            });
            selected.collect::<Vec<_>>().join(" and ")
        }
        Fate::Refused => verdict.refusal.as_ref().map(|refusal| refusal.text.clone()).unwrap_or_default(),
        Fate::CannotBeCreated | Fate::CreatedWithoutSidecar => {
            let troubles =
                verdict.troubles.iter().map(|(found, _, trouble)| format!("{}: {}", found.name, trouble.text()));
            refused(&troubles.collect::<Vec<_>>().join("; "))
        }
    }
}

fn changed(proxy: Option<&Proxy>, verdict: &Verdict) -> Option<String> {
    match (proxy, verdict.fate) {
        (None, Fate::Injected) => Some(format!("it would get the sidecar of {}", verdict.revision()?)),
        (Some(proxy), Fate::Injected) => {
            let revision = verdict.revision()?;
            (proxy.revision != revision)
                .then(|| format!("it would change from revision {} to {revision}", proxy.revision))
        }
        (Some(_), Fate::NotSelected | Fate::Refused | Fate::CreatedWithoutSidecar) => {
            Some("it would lose its sidecar".to_owned())
        }
        (_, Fate::CannotBeCreated) => Some("it could not be created again".to_owned()),
        (_, Fate::Conflict) => Some("several webhooks would inject it".to_owned()),
        (None, Fate::NotSelected | Fate::Refused | Fate::CreatedWithoutSidecar) | (_, Fate::Unknown) => None,
    }
}

fn webhook(found: &WebhookConfiguration, injection: &Injection) -> InjectionWebhook {
    let calls = found.webhooks.first().map(|webhook| match (&webhook.service, &webhook.url) {
        (Some(ServiceOf { namespace, name }), _) => format!("{namespace}/{name}"),
        (None, url) => url.clone().unwrap_or_default(),
    });
    let mut troubles: Vec<_> =
        found.webhooks.iter().flat_map(|webhook| injection.backends.troubles(webhook)).map(|t| t.text()).collect();
    troubles.dedup();
    InjectionWebhook {
        configuration: found.name.clone(),
        revision: found.revision.clone(),
        tag: found.tag.clone(),
        istiod_ready: injection.istiods.is_ok().then(|| injection.running().contains(found.revision.as_str())),
        failure_policy: if found.webhooks.iter().any(|w| w.fails_closed) { "Fail" } else { "Ignore" }.to_owned(),
        calls: calls.unwrap_or_default(),
        troubles,
        has_conditions: found.webhooks.iter().any(|webhook| webhook.has_conditions),
        deactivated: found.is_deactivated(),
    }
}

fn commands(input: &CheckInjectInput, injection: &Injection, data: &CheckInjectData) -> Vec<String> {
    let place = injection.istiods.iter().flatten().find_map(|istiod| istiod.pod.metadata.namespace.clone());
    let place = place.unwrap_or_else(|| "istio-system".to_owned());
    let command = |target: String| {
        format!("istioctl --istioNamespace {place} experimental check-inject --namespace {} {target}", input.namespace)
    };
    if let Some(name) = &input.deployment {
        return vec![command(format!("deployment/{name}"))];
    }
    if let Some(labels) = &input.labels {
        return vec![command(format!("--labels {labels}"))];
    }
    data.targets.iter().take(20).map(|target| command(target.name.clone())).collect()
}

/// The pods of a namespace, one a line.
pub(super) fn table(checks: &[InjectionCheck]) -> String {
    let mut rows = vec![["POD", "SIDECAR NOW", "NEW POD", "A RESTART"].map(str::to_owned)];
    for check in checks {
        let now = check.proxy.as_ref().map_or("none".to_owned(), |proxy| match proxy.revision.as_str() {
            "" => "yes".to_owned(),
            revision => revision.to_owned(),
        });
        let fate = match (check.fate, &check.revision) {
            (Fate::Injected, Some(revision)) => revision.clone(),
            (Fate::Injected, None) | (Fate::Conflict, _) => "several".to_owned(),
            (Fate::NotSelected, _) => "not selected".to_owned(),
            (Fate::Unknown, _) => "unknown".to_owned(),
            (Fate::Refused, _) => "refused".to_owned(),
            (Fate::CreatedWithoutSidecar, _) => "webhook dead, without".to_owned(),
            (Fate::CannotBeCreated, _) => "webhook dead, refused".to_owned(),
        };
        rows.push([
            check.name.clone(),
            now,
            fate,
            check.restart.clone().unwrap_or_else(|| "changes nothing".to_owned()),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default() + 2;
    let (first, second, third) = (width(0), width(1), width(2));
    let line = |row: &[String; 4]| format!("{:first$}{:second$}{:third$}{}\n", row[0], row[1], row[2], row[3]);
    rows.iter().map(line).collect()
}
