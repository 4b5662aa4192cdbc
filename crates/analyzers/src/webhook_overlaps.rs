//! Finds injectors that would inject the same pods, and injectors whose control plane is not there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Analyzer, Message, Messages, list};
use mesh::{INJECT, INJECTION, Kind, Mesh, Object, REVISION, View, is_ignored_namespace, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "webhook.Analyzer",
    reads: &[Kind::MutatingWebhookConfiguration, Kind::Service],
    reports: &[&IST0139],
    by_default: true,
    run,
};

static IST0139: Code = Code {
    id: "IST0139",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/",
    page: include_str!("pages/IST0139.md"),
};

/// Every combination of labels is tried with every webhook. Clusters have a handful of each; more than these are not
/// looked at, so that no document can make it take forever.
const MAX_WEBHOOKS: usize = 300;
const MAX_REVISIONS: usize = 100;

/// A webhook, by the name that messages give it.
struct Webhook<'m> {
    name: String,
    configuration: &'m Object,
    view: View<'m>,
}

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let configurations: Vec<(&Object, BTreeSet<&str>)> = mesh
        .each(Kind::MutatingWebhookConfiguration)
        .map(|configuration| (configuration, revisions(configuration)))
        .filter(|(configuration, revisions)| !revisions.is_empty() || has_injector(configuration))
        .collect();
    // Of one name the last counts.
    let mut webhooks: BTreeMap<String, Webhook<'m>> = BTreeMap::new();
    for (configuration, _) in &configurations {
        for view in configuration.root().get("webhooks").items() {
            let name = format!("{}/{}", configuration.name(), view.get("name").text());
            webhooks.insert(name.clone(), Webhook { name, configuration, view });
        }
    }
    let webhooks: Vec<Webhook<'m>> = webhooks.into_values().collect();
    let revisions: BTreeSet<&str> = configurations.into_iter().flat_map(|(_, revisions)| revisions).collect();
    check_overlaps(&webhooks, &revisions, messages);
    for webhook in &webhooks {
        let service = webhook.view.path(&["clientConfig", "service"]);
        let [namespace, name] = ["namespace", "name"].map(|key| service.get(key).text());
        // `istioctl` takes what it does not look at for missing.
        let is_known = mesh.is_compatible() || !is_ignored_namespace(namespace);
        if service.is_map() && is_known && mesh.find(Kind::Service, namespace, name).is_none() {
            messages.report(service_is_missing(webhook, namespace, name));
        }
    }
}

fn has_injector(configuration: &Object) -> bool {
    let mut webhooks = configuration.root().get("webhooks").items();
    webhooks.any(|webhook| webhook.get("name").text().ends_with("istio.io"))
}

/// The revisions that a configuration or the selectors in it name.
fn revisions(configuration: &Object) -> BTreeSet<&str> {
    let mut revisions: BTreeSet<&str> = configuration.label(REVISION).into_iter().collect();
    for webhook in configuration.root().get("webhooks").items() {
        for selector in [webhook.get("namespaceSelector"), webhook.get("objectSelector")] {
            revisions.extend(selector.get("matchLabels").get(REVISION).text_if_any());
            let expressions = selector.get("matchExpressions").items();
            let of_revisions = expressions.filter(|expression| expression.get("key").text() == REVISION);
            revisions.extend(of_revisions.flat_map(|expression| expression.get("values").texts()));
        }
    }
    revisions
}

/// The labels that decide about injection, with every value that they may have.
fn combinations<'m>(key: &'static str, values: [&'static str; 2], revisions: &[&'m str]) -> Vec<Labels<'m>> {
    let wishes = [None, Some(values[0]), Some(values[1])];
    let revisions: Vec<Option<&str>> = std::iter::once(None).chain(revisions.iter().copied().map(Some)).collect();
    let with = |wish| revisions.iter().map(move |revision| Labels { wish: (key, wish), revision: *revision });
    wishes.into_iter().flat_map(with).collect()
}

/// Labels of a namespace or a pod.
struct Labels<'m> {
    wish: (&'static str, Option<&'static str>),
    revision: Option<&'m str>,
}

impl<'m> Labels<'m> {
    fn get(&self, key: &str) -> Option<&'m str> {
        if key == REVISION { self.revision } else { self.wish.1.filter(|_| self.wish.0 == key) }
    }
}

fn check_overlaps<'m>(webhooks: &[Webhook<'m>], revisions: &BTreeSet<&str>, messages: &mut Messages<'m>) {
    let is_too_much = webhooks.len() > MAX_WEBHOOKS || revisions.len() > MAX_REVISIONS;
    if let Some(last) = webhooks.last().filter(|_| is_too_much) {
        let why = format!("overlaps are looked for among {MAX_WEBHOOKS} webhooks and {MAX_REVISIONS} revisions only");
        messages.skip(last.configuration, why);
    }
    let webhooks = &webhooks[..webhooks.len().min(MAX_WEBHOOKS)];
    let revisions: Vec<&str> = revisions.iter().copied().take(MAX_REVISIONS).collect();
    let of_namespaces =
        matching(webhooks, "namespaceSelector", &combinations(INJECTION, ["enabled", "disabled"], &revisions));
    let of_pods = matching(webhooks, "objectSelector", &combinations(INJECT, ["true", "false"], &revisions));
    let mut overlaps: BTreeSet<Vec<usize>> = BTreeSet::new();
    for by_namespace in &of_namespaces {
        for by_pod in &of_pods {
            let both: Vec<usize> = by_namespace.intersection(by_pod).copied().collect();
            if both.len() > 1 {
                overlaps.insert(both);
            }
        }
    }
    for overlap in overlaps {
        if messages.is_full() {
            return;
        }
        for webhook in &overlap {
            let others: Vec<&str> =
                overlap.iter().filter(|other| *other != webhook).map(|other| webhooks[*other].name.as_str()).collect();
            messages.report(webhooks_overlap(&webhooks[*webhook], &others));
        }
    }
}

/// The sets of webhooks whose selector matches some labels, each set once.
fn matching(webhooks: &[Webhook<'_>], selector: &str, combinations: &[Labels<'_>]) -> BTreeSet<BTreeSet<usize>> {
    let matching = combinations.iter().map(|combination| {
        let webhooks = webhooks.iter().zip(0..);
        webhooks
            .filter(|(it, _)| labels::selector_matches(it.view.get(selector), |key| combination.get(key)))
            .map(|(_, position)| position)
            .collect::<BTreeSet<usize>>()
    });
    matching.filter(|matching| matching.len() > 1).collect()
}

fn webhooks_overlap<'m>(webhook: &Webhook<'m>, others: &[&str]) -> Message<'m> {
    let others = list(others);
    let text = format!("Webhook overlaps with others: {others}. This may cause injection to occur twice.");
    Message::new(&IST0139, webhook.configuration, text)
}

fn service_is_missing<'m>(webhook: &Webhook<'m>, namespace: &str, name: &str) -> Message<'m> {
    let text = format!("Injector refers to a control plane service that does not exist: {namespace}/{name}.");
    Message::new(&IST0139, webhook.configuration, text)
}
