//! `istioctl tag list`: tags and revisions, who uses them, and which lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, counted,
    injection::{
        INJECTION, Proxy, REVISION, TAG, WebhookConfiguration, codes as inject, newest,
        read::{Injection, objects},
    },
    input::check,
    resource_status::object::Object,
    verify_install::codes,
};
use cluster::{Cluster, Error, Resource, Scope};
use report::{Finding, Read, Skipped, Subject, yaml};

/// Tags and revisions.
pub struct Tags;

/// How istioctl's own output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IstioctlOutput {
    Json,
    Yaml,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TagsInput {
    /// Namespaces of the control plane. Default: wherever istiod runs.
    #[param(max_items = 100)]
    pub istio_namespace: Vec<String>,
    /// Only this revision, or the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// What `format=raw` prints, as `istioctl tag list --output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<IstioctlOutput>,
}

/// What was read.
#[derive(Debug)]
pub struct TagsEvidence {
    webhooks: Read<Vec<Object>>,
    services: Read<Vec<Object>>,
    namespaces: Read<Vec<Object>>,
    pods: Read<Vec<Object>>,
    injection: Injection,
    skipped: Vec<Skipped>,
}

/// Tags, revisions, and the namespaces that use them.
#[derive(Debug, Serialize, ToSchema)]
pub struct TagsData {
    /// What `istioctl tag list` shows.
    pub tags: Vec<RevisionTag>,
    pub revisions: Vec<RevisionUse>,
    /// Namespaces that carry `istio-injection`, with its value.
    pub istio_injection: BTreeMap<String, String>,
    #[serde(skip)]
    unread: bool,
}

/// A tag, or a revision without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RevisionTag {
    /// Empty for a revision that no tag points to.
    pub tag: String,
    pub revision: String,
    pub namespaces: Vec<String>,
}

/// A revision, and what refers to it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct RevisionUse {
    pub revision: String,
    /// Replicas of istiod, and how many of them are ready.
    pub istiods: usize,
    pub ready_istiods: usize,
    pub tags: Vec<String>,
    /// Namespaces whose label names the revision itself.
    pub namespaces: Vec<String>,
    /// Namespaces whose label names one of its tags.
    pub namespaces_by_tag: Vec<String>,
    /// Pods with a proxy of this revision.
    pub proxies: usize,
    /// Namespaces with proxies of this revision whose new pods would not get it, and how many such pods there are.
    pub left_behind: BTreeMap<String, usize>,
}

impl Step for Tags {
    const ABOUT: About = About {
        id: "istioctl.tags",
        title: "Tags and revisions",
        description: "The revisions and tags that namespaces can name, which namespaces name them, whether an istiod \
            stands behind, and which lead nowhere.",
        guide: "istioctl/0-general",
        method: "GET",
        endpoint: "/v1/istioctl/tags",
        mutating: false,
        permissions: &[
            Permission {
                verb: "list",
                group: "admissionregistration.k8s.io",
                resource: "mutatingwebhookconfigurations",
            },
            Permission::core("list", "services"),
            Permission::core("list", "namespaces"),
            Permission::core("list", "pods"),
        ],
        cost: Cost::Low,
        command: "istioctl tag list --istioNamespace <namespace>",
        docs: "https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels",
    };
    type Input = TagsInput;
    type Evidence = TagsEvidence;
    type Data = TagsData;

    fn check(input: &TagsInput) -> Vec<Invalid> {
        let mut invalid = check::namespaces("istio_namespace", &input.istio_namespace);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &TagsInput) -> Result<TagsEvidence, Error> {
        let injection = Injection::read(cluster).await?;
        let mut skipped = Vec::new();
        let webhooks = objects(
            cluster,
            &Resource::mutating_webhook_configurations(),
            &Scope::All,
            Some(REVISION),
            &mut Vec::new(),
        )
        .await?;
        let places = if input.istio_namespace.is_empty() {
            let istiods = injection.istiods.as_ref().ok().into_iter().flatten();
            let mut places: BTreeSet<String> = istiods.filter_map(|i| i.pod.metadata.namespace.clone()).collect();
            if places.is_empty() {
                places.insert(cluster.istio_namespace().await?);
            }
            places.into_iter().collect()
        } else {
            input.istio_namespace.clone()
        };
        let scope = Scope::Namespaces(places);
        let services = objects(cluster, &Resource::services(), &scope, Some(REVISION), &mut skipped).await?;
        let namespaces = objects(cluster, &Resource::namespaces(), &Scope::All, None, &mut skipped).await?;
        let pods = objects(cluster, &Resource::pods(), &Scope::All, None, &mut skipped).await?;
        Ok(TagsEvidence { webhooks, services, namespaces, pods, injection, skipped })
    }

    fn judge(input: &TagsInput, evidence: TagsEvidence) -> Judgement<TagsData> {
        let TagsEvidence { webhooks, services, namespaces, pods, injection, mut skipped } = evidence;
        skipped.extend(injection.skipped.iter().cloned());
        let namespaces_read = namespaces.unwrap_or_default();
        let all = webhooks.iter().flatten().chain(services.iter().flatten());
        let mut tags = tags(all, &namespaces_read);
        let mut revisions = revisions(&tags, &namespaces_read, &pods, &injection);
        if let Some(name) = &input.revision {
            let target = tags.iter().find(|row| row.tag == *name).map_or(name.clone(), |row| row.revision.clone());
            tags.retain(|row| row.revision == target);
            revisions.retain(|revision| revision.revision == target);
        }
        let labelled = namespaces_read
            .iter()
            .filter_map(|namespace| Some((namespace.name().to_owned(), namespace.label(INJECTION)?.to_owned())));
        let data = TagsData { istio_injection: labelled.collect(), tags, revisions, unread: webhooks.is_err() };

        let mut findings = Vec::new();
        if injection.istiods.is_ok() {
            findings.extend(dangling(&data, &injection));
        }
        if injection.configurations.is_ok() {
            findings.extend(useless_labels(&data, &namespaces_read, &injection));
        }
        findings.extend(left_behind(&data));
        let tagged = data.tags.iter().filter(|row| !row.tag.is_empty()).count();
        let summary = format!("{} and {}", counted(data.revisions.len(), "revision"), counted(tagged, "tag"));
        let place = injection.istiods.as_ref().ok().and_then(|all| all.first()?.pod.metadata.namespace.clone());
        let place = place.unwrap_or_else(|| "istio-system".to_owned());
        let commands = vec![
            format!("istioctl tag list --istioNamespace {place}"),
            format!("kubectl get namespaces --label-columns {REVISION},{INJECTION}"),
        ];
        Judgement { data, findings, skipped, commands, summary }
    }

    fn raw(input: &TagsInput, data: &TagsData) -> Option<String> {
        if data.unread && data.tags.is_empty() {
            // istioctl would say that there are none.
            return None;
        }
        if data.tags.is_empty() {
            return Some("No Istio revision tags found.\n".to_owned());
        }
        Some(match input.output {
            Some(IstioctlOutput::Yaml) => {
                let rows = serde_json::to_value(&data.tags).expect("tags are JSON");
                yaml::to_string(&rows)
            }
            Some(IstioctlOutput::Json) => tabbed_json(&data.tags),
            None => table(&data.tags),
        })
    }
}

/// The rows of `istioctl tag list`: a revision without a tag only where no tag points to it.
fn tags<'a>(labelled: impl Iterator<Item = &'a Object>, namespaces: &[Object]) -> Vec<RevisionTag> {
    let pair = |object: &Object| {
        let label = |name| object.label(name).unwrap_or_default().to_owned();
        (label(REVISION), label(TAG))
    };
    let pairs: BTreeSet<(String, String)> = labelled.map(pair).collect();
    let tagged: BTreeSet<&str> =
        pairs.iter().filter(|(_, tag)| !tag.is_empty()).map(|(revision, _)| revision.as_str()).collect();
    let shown = pairs.iter().filter(|(revision, tag)| !tag.is_empty() || !tagged.contains(revision.as_str()));
    let using = |tag: &str| {
        let using = namespaces.iter().filter(|namespace| namespace.label(REVISION) == Some(tag));
        using.map(|namespace| namespace.name().to_owned()).collect()
    };
    let row = |(revision, tag): &(String, String)| RevisionTag {
        tag: tag.clone(),
        revision: revision.clone(),
        namespaces: using(tag),
    };
    shown.map(row).collect()
}

fn revisions(
    tags: &[RevisionTag],
    namespaces: &[Object],
    pods: &Read<Vec<Object>>,
    injection: &Injection,
) -> Vec<RevisionUse> {
    let mut uses: BTreeMap<String, RevisionUse> = BTreeMap::new();
    for istiod in injection.istiods.iter().flatten() {
        let found = uses.entry(istiod.revision.clone()).or_default();
        found.istiods += 1;
        found.ready_istiods += usize::from(super::target::is_ready(&istiod.pod));
    }
    for row in tags {
        let found = uses.entry(row.revision.clone()).or_default();
        if !row.tag.is_empty() {
            found.tags.push(row.tag.clone());
            found.namespaces_by_tag.extend(row.namespaces.iter().cloned());
        }
    }
    for namespace in namespaces {
        if let Some(found) = namespace.label(REVISION).and_then(|label| uses.get_mut(label)) {
            found.namespaces.push(namespace.name().to_owned());
        }
    }
    let labels: BTreeMap<&str, &Object> = namespaces.iter().map(|namespace| (namespace.name(), namespace)).collect();
    for pod in pods.iter().flatten() {
        let Some(proxy) = Proxy::of(pod).filter(|proxy| !proxy.revision.is_empty()) else { continue };
        let found = uses.entry(proxy.revision.clone()).or_default();
        found.proxies += 1;
        let namespace = pod.namespace().unwrap_or_default();
        let label = labels.get(namespace).and_then(|namespace| namespace.label(REVISION));
        let target = label.map(|label| tags.iter().find(|row| row.tag == label).map_or(label, |row| &row.revision));
        if proxy.injected && target.is_some_and(|target| target != proxy.revision) {
            *found.left_behind.entry(namespace.to_owned()).or_default() += 1;
        }
    }
    uses.into_iter().map(|(revision, found)| RevisionUse { revision, ..found }).collect()
}

fn dangling(data: &TagsData, injection: &Injection) -> Vec<Finding> {
    let running = injection.running();
    let mut findings = Vec::new();
    for found in data.revisions.iter().filter(|found| found.istiods == 0) {
        let configurations = injection.known().iter().filter(|known| known.revision == found.revision);
        for configuration in configurations {
            let remedy_revision = newest(running.iter().copied()).unwrap_or("<revision>");
            let users = match &configuration.tag {
                Some(_) => &found.namespaces_by_tag,
                None => &found.namespaces,
            };
            findings.push(leads_nowhere(configuration, users, remedy_revision));
        }
    }
    findings
}

/// A webhook, of a tag or of a revision, that names a revision without istiod.
pub(super) fn leads_nowhere(found: &WebhookConfiguration, users: &[String], other: &str) -> Finding {
    let subject = Subject::cluster_wide("MutatingWebhookConfiguration", &found.name);
    let revision = &found.revision;
    let used = match users {
        [] => "no namespace uses it".to_owned(),
        names => format!("used by namespace {}", names.join(", ")),
    };
    if let Some(tag) = &found.tag {
        let message = format!("tag {tag} points to revision {revision}, of which no istiod is installed; {used}");
        return Finding::new(&codes::TAG_LEADS_NOWHERE, subject, message)
            .remedy(format!("istioctl tag set {tag} --revision {other} --overwrite"));
    }
    let message = format!("it is left behind: no istiod of revision {revision} is installed; {used}");
    let relabel = users.iter().map(|name| format!("kubectl label namespace {name} {REVISION}={other} --overwrite; "));
    let remedy = format!("{}kubectl delete mutatingwebhookconfiguration {}", relabel.collect::<String>(), found.name);
    Finding::new(&codes::WEBHOOK_LEFT_BEHIND, subject, message).remedy(remedy)
}

/// Namespaces whose label no webhook answers.
fn useless_labels(data: &TagsData, namespaces: &[Object], injection: &Injection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let running = injection.running();
    let other = newest(running.iter().copied()).unwrap_or("<revision>");
    let answers = |key: &str, value: &str| injection.known().iter().any(|known| known.answers(key, value));
    for (namespace, value) in &data.istio_injection {
        if value == "enabled" && !injection.known().is_empty() && !answers(INJECTION, value) {
            findings.push(super::check_inject::label_injects_nothing(namespace, other));
        }
    }
    for namespace in namespaces {
        let Some(label) = namespace.label(REVISION) else { continue };
        if !injection.known().is_empty() && !answers(REVISION, label) {
            findings.push(super::check_inject::unknown_revision(namespace.name(), label, injection));
        }
    }
    findings
}

fn left_behind(data: &TagsData) -> Vec<Finding> {
    let mut findings = Vec::new();
    for found in &data.revisions {
        for (namespace, pods) in &found.left_behind {
            let message = format!(
                "{} of revision {} run on, although new pods of the namespace get another revision",
                counted(*pods, "pod"),
                found.revision
            );
            findings.push(
                Finding::new(&inject::POD_OF_ANOTHER_REVISION, Subject::cluster_wide("Namespace", namespace), message)
                    .discriminator(&found.revision)
                    .remedy(format!("kubectl rollout restart deployment --namespace {namespace}")),
            );
        }
    }
    findings
}

fn table(rows: &[RevisionTag]) -> String {
    let width = |header: &str, cell: fn(&RevisionTag) -> &str| {
        let cells = rows.iter().map(|row| cell(row).chars().count());
        cells.chain([header.len()]).max().unwrap_or_default() + 1
    };
    let (first, second) = (width("TAG", |row| &row.tag), width("REVISION", |row| &row.revision));
    let mut text = format!("{:first$}{:second$}NAMESPACES\n", "TAG", "REVISION");
    for row in rows {
        text = format!("{text}{:first$}{:second$}{}\n", row.tag, row.revision, row.namespaces.join(","));
    }
    text
}

fn tabbed_json(rows: &[RevisionTag]) -> String {
    let mut bytes = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let rows: Value = serde_json::to_value(rows).expect("tags are JSON");
    rows.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, tabs)).expect("memory can be written");
    String::from_utf8(bytes).expect("JSON is UTF-8") + "\n"
}
