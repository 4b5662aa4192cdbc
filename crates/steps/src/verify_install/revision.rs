//! What one revision needs. Objects are looked for by their labels first, and by the names that the AKS add-on and
//! Istio's charts give them second: the names of managed objects are not promised.

use super::{InstallState, InstalledObject, ObjectState, RevisionInstall, gather::VerifyInstallEvidence, rollout};
use crate::{
    injection::{REVISION, TAG, Trouble, Webhook},
    resource_status::object::{Object, text},
};
use report::Skipped;

/// One revision, while it is looked at.
pub(super) struct Checklist<'a> {
    evidence: &'a VerifyInstallEvidence,
    add_on: bool,
    revision: &'a str,
    namespace: &'a str,
    objects: Vec<InstalledObject>,
}

const NO_CONTROL_PLANE: &str = "proxies of this revision get no configuration and no certificates";
const NO_INJECTION: &str = "pods of namespaces that name this revision get no sidecar, or cannot be created";
const OTHER_ROOT: &str = "two roots are in use: calls of the webhook fail with x509 errors as long as istiod serves with the \
     other one, which events of ReplicaSets (FailedCreate) would show";
const NO_CONNECTION: &str = "proxies cannot connect to istiod, and its webhooks do not answer";
const NO_MESH_CONFIG: &str = "istiod runs with its built-in defaults instead of the mesh's configuration";
const NO_VALIDATION: &str = "faulty configuration of Istio is accepted, and proxies reject it later";
const NO_RIGHTS: &str = "istiod cannot read the objects that it configures proxies from";
const NO_SCALING: &str = "istiod does not scale with the load";
const NO_BUDGET: &str = "a drain of nodes may stop every replica at once";
const NO_TRAFFIC: &str = "traffic through this gateway fails or is served by fewer replicas";

impl<'a> Checklist<'a> {
    pub(super) fn new(
        evidence: &'a VerifyInstallEvidence,
        add_on: bool,
        revision: &'a str,
        namespace: &'a str,
    ) -> Self {
        Self { evidence, add_on, revision, namespace, objects: Vec::new() }
    }

    pub(super) fn complete(mut self) -> RevisionInstall {
        let deployment = self.deployment();
        let version = deployment.map(version).unwrap_or_default();
        self.service();
        let account = deployment.map(|found| found.text("/spec/template/spec/serviceAccountName").to_owned());
        self.service_account(account.as_deref());
        self.config_map("istio", NO_MESH_CONFIG);
        self.config_map("istio-sidecar-injector", NO_INJECTION);
        self.webhooks();
        self.scaling();
        self.gateways();
        RevisionInstall {
            revision: self.revision.to_owned(),
            namespace: self.namespace.to_owned(),
            version,
            state: state(&self.objects),
            objects: self.objects,
        }
    }

    /// The name that both the add-on and the charts make of a base and a revision.
    fn named(&self, base: &str) -> String {
        if self.revision == "default" { base.to_owned() } else { format!("{base}-{}", self.revision) }
    }

    fn row(&self, kind: &str, name: &str) -> InstalledObject {
        InstalledObject::present(kind, Some(self.namespace), name)
    }

    fn unknown(&mut self, kind: &str, name: &str, part: &Skipped) {
        let mut row = self.row(kind, name);
        row.state = ObjectState::Unknown;
        row.why = Some(part.why.clone());
        self.objects.push(row);
    }

    /// The object of a kind in the control plane's namespace that fits, or a row that says why there is none.
    fn find(
        &mut self,
        kind: &str,
        name: &str,
        fits: impl Fn(&Object) -> bool,
        consequence: &str,
    ) -> Option<&'a Object> {
        let evidence = self.evidence;
        let list = match evidence.list(kind) {
            Ok(list) => list,
            Err(part) => {
                self.unknown(kind, name, part);
                return None;
            }
        };
        let here = || list.iter().filter(|object| object.namespace() == Some(self.namespace));
        let found = here().find(|object| fits(object)).or_else(|| here().find(|object| object.name() == name));
        if found.is_none() {
            let row = self.row(kind, name).is(ObjectState::Missing, "it does not exist", consequence);
            self.objects.push(row);
        }
        found
    }

    fn deployment(&mut self) -> Option<&'a Object> {
        let name = self.named("istiod");
        let evidence = self.evidence;
        let all = match &evidence.deployments {
            Ok(all) => all,
            Err(part) => {
                self.unknown("Deployment", &name, part);
                return None;
            }
        };
        let found = all.iter().find(|found| {
            super::gather::is_istiod(found)
                && found.namespace() == Some(self.namespace)
                && revision_of(found) == self.revision
        });
        let Some(found) = found else {
            let row = self.row("Deployment", &name).is(ObjectState::Missing, "it does not exist", NO_CONTROL_PLANE);
            self.objects.push(row);
            return None;
        };
        let row = self.row("Deployment", found.name());
        let available = found.number("/status/availableReplicas").unwrap_or_default();
        self.objects.push(match rollout::deployment(found) {
            None if found.wanted() == 0 => {
                row.is(ObjectState::Unhealthy, "it is scaled to 0 replicas", NO_CONTROL_PLANE)
            }
            None => row,
            Some(why) if available > 0 => {
                let consequence = "the other replicas carry the load; without them injection and configuration stop";
                row.is(ObjectState::Unhealthy, why, consequence)
            }
            Some(why) => row.is(ObjectState::Unhealthy, why, NO_CONTROL_PLANE),
        });
        Some(found)
    }

    fn service(&mut self) {
        let (name, revision) = (self.named("istiod"), self.revision);
        let of_revision = |service: &Object| {
            service.label("app") == Some("istiod") && revision_of(service) == revision && service.label(TAG).is_none()
        };
        let Some(found) = self.find("Service", &name, of_revision, NO_CONNECTION) else { return };
        let row = self.row("Service", found.name());
        let row = match &self.evidence.injection.backends.ready {
            Ok(ready) => {
                let endpoints = ready
                    .iter()
                    .find(|(service, _)| service.namespace == self.namespace && service.name == found.name());
                match endpoints.map_or(0, |(_, ready)| *ready) {
                    0 => row.is(ObjectState::Unhealthy, "it has no ready endpoint", NO_CONNECTION),
                    _ => row,
                }
            }
            Err(_) => row,
        };
        self.objects.push(row);
    }

    fn service_account(&mut self, account: Option<&str>) {
        let name = account.filter(|name| !name.is_empty()).map_or_else(|| self.named("istiod"), str::to_owned);
        let called = |object: &Object| object.name() == name;
        if let Some(found) = self.find("ServiceAccount", &name, called, NO_CONTROL_PLANE) {
            let row = self.row("ServiceAccount", found.name());
            self.objects.push(row);
        }
        self.rights("ClusterRoleBinding", "ClusterRole", &name, &format!("a binding of ServiceAccount {name}"));
        self.rights("RoleBinding", "Role", &name, &format!("a binding of ServiceAccount {name}"));
    }

    /// The bindings of istiod's account, and the roles that they name.
    fn rights(&mut self, binding: &str, role: &str, account: &str, wanted: &str) {
        let evidence = self.evidence;
        let bindings = match evidence.list(binding) {
            Ok(bindings) => bindings,
            Err(part) => return self.unknown(binding, wanted, part),
        };
        let namespace = self.namespace;
        let cluster_wide = binding == "ClusterRoleBinding";
        let place = (!cluster_wide).then_some(namespace);
        let own: Vec<&Object> = bindings
            .iter()
            .filter(|found| cluster_wide || found.namespace() == Some(namespace))
            .filter(|found| {
                found.list("/subjects").iter().any(|subject| {
                    text(subject, "/kind") == "ServiceAccount"
                        && text(subject, "/name") == account
                        && text(subject, "/namespace") == namespace
                })
            })
            .collect();
        if own.is_empty() {
            let row = InstalledObject::present(binding, place, wanted);
            self.objects.push(row.is(ObjectState::Missing, "it does not exist", NO_RIGHTS));
        }
        for found in own {
            self.objects.push(InstalledObject::present(binding, place, found.name()));
            let (kind, name) = (found.text("/roleRef/kind"), found.text("/roleRef/name"));
            if kind != role {
                continue;
            }
            let row = InstalledObject::present(role, place, name);
            match evidence.list(role) {
                Ok(roles) => {
                    let exists = roles.iter().any(|r| r.name() == name && (cluster_wide || r.namespace() == place));
                    self.objects.push(if exists {
                        row
                    } else {
                        row.is(ObjectState::Missing, "it does not exist", NO_RIGHTS)
                    });
                }
                Err(part) => self.unknown(role, name, part),
            }
        }
    }

    fn config_map(&mut self, base: &str, consequence: &str) {
        let name = self.named(base);
        let called = |object: &Object| object.name() == name;
        if let Some(found) = self.find("ConfigMap", &name, called, consequence) {
            let row = self.row("ConfigMap", found.name());
            let key = if base == "istio" { "/data/mesh" } else { "/data/config" };
            self.objects.push(if found.text(key).is_empty() {
                row.is(ObjectState::Drifted, format!("it has no key {}", &key[6..]), consequence)
            } else {
                row
            });
        }
    }

    fn webhooks(&mut self) {
        for (kind, base, consequence) in [
            ("MutatingWebhookConfiguration", "istio-sidecar-injector", NO_INJECTION),
            ("ValidatingWebhookConfiguration", "istio-validator", NO_VALIDATION),
        ] {
            let suffixed = format!("{}-{}", self.named(base), self.namespace);
            let evidence = self.evidence;
            let list = match evidence.list(kind) {
                Ok(list) => list,
                Err(part) => {
                    self.unknown(kind, &suffixed, part);
                    continue;
                }
            };
            let mut found = list
                .iter()
                .filter(|found| found.label(REVISION) == Some(self.revision) && found.label(TAG).is_none())
                .peekable();
            if found.peek().is_none() {
                let row = InstalledObject::present(kind, None, &suffixed);
                self.objects.push(row.is(ObjectState::Missing, "it does not exist", consequence));
            }
            for configuration in found {
                let row = InstalledObject::present(kind, None, configuration.name());
                let trouble = configuration
                    .list("/webhooks")
                    .iter()
                    .find_map(|webhook| evidence.injection.backends.troubles(&Webhook::of(webhook)).into_iter().next());
                self.objects.push(match trouble {
                    None => row,
                    Some(trouble @ Trouble::NoCaBundle) => row.is(ObjectState::Drifted, trouble.text(), consequence),
                    // Whether the API server refuses istiod depends on which of the two roots that one serves with.
                    Some(trouble @ Trouble::ForeignCa(_)) => row.is(ObjectState::Drifted, trouble.text(), OTHER_ROOT),
                    Some(trouble) => row.is(ObjectState::Unhealthy, trouble.text(), consequence),
                });
            }
        }
    }

    fn scaling(&mut self) {
        let name = self.named("istiod");
        for (kind, consequence) in [("HorizontalPodAutoscaler", NO_SCALING), ("PodDisruptionBudget", NO_BUDGET)] {
            let before = self.objects.len();
            let revision = self.revision;
            let of_revision = |object: &Object| {
                object.text("/spec/scaleTargetRef/name") == name
                    || (object.label("app") == Some("istiod") && object.label(REVISION) == Some(revision))
            };
            if let Some(found) = self.find(kind, &name, of_revision, consequence) {
                let row = self.row(kind, found.name());
                self.objects.push(row);
            }
            // Istio's charts can be told to do without; the add-on always has them.
            if !self.add_on {
                for row in &mut self.objects[before..] {
                    row.optional = true;
                }
            }
        }
    }

    fn gateways(&mut self) {
        let evidence = self.evidence;
        let all = evidence.deployments.as_deref().unwrap_or_default();
        let own = all.iter().filter(|found| !super::gather::is_istiod(found) && revision_of(found) == self.revision);
        for found in own {
            let row = InstalledObject::present("Deployment", found.namespace(), found.name());
            self.objects.push(match rollout::deployment(found) {
                Some(why) => row.is(ObjectState::Unhealthy, why, NO_TRAFFIC),
                None => row,
            });
            let Ok(services) = evidence.list("Service") else { continue };
            let labels = found.value.pointer("/spec/template/metadata/labels");
            let selects = |service: &&Object| {
                let selector = service.value.pointer("/spec/selector").and_then(serde_json::Value::as_object);
                service.namespace() == found.namespace()
                    && selector.is_some_and(|selector| {
                        !selector.is_empty()
                            && selector.iter().all(|(key, value)| labels.and_then(|all| all.get(key)) == Some(value))
                    })
            };
            let row = match services.iter().find(selects) {
                Some(service) => InstalledObject::present("Service", service.namespace(), service.name()),
                None => InstalledObject::present("Service", found.namespace(), found.name()).optional().is(
                    ObjectState::Missing,
                    "no Service selects the gateway's pods",
                    NO_TRAFFIC,
                ),
            };
            self.objects.push(row);
        }
    }
}

/// The label of an object, `default` where it has none.
pub(super) fn revision_of(object: &Object) -> &str {
    object.label(REVISION).unwrap_or("default")
}

fn version(deployment: &Object) -> String {
    let image = deployment.text("/spec/template/spec/containers/0/image");
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split('@').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag).to_owned()
}

/// What the rows together come to.
pub(super) fn state(objects: &[InstalledObject]) -> InstallState {
    let state = |object: &InstalledObject| match object.state {
        ObjectState::Present => InstallState::Installed,
        ObjectState::Unknown | ObjectState::Missing if object.optional => InstallState::Installed,
        ObjectState::Missing | ObjectState::Drifted => InstallState::Broken,
        ObjectState::Unhealthy => match object.consequence.as_deref() {
            Some(NO_CONTROL_PLANE | NO_CONNECTION | NO_INJECTION) => InstallState::Broken,
            _ => InstallState::Degraded,
        },
        ObjectState::Unknown => InstallState::Unknown,
    };
    let states: Vec<_> = objects.iter().map(state).collect();
    let has = |wanted| states.contains(&wanted);
    if has(InstallState::Broken) {
        InstallState::Broken
    } else if has(InstallState::Degraded) {
        InstallState::Degraded
    } else if has(InstallState::Unknown) {
        InstallState::Unknown
    } else {
        InstallState::Installed
    }
}
