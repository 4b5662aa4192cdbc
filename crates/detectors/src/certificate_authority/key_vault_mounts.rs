//! Finds why istiod cannot mount its authority from the Key Vault, where the events say more than that it is refused or
//! that an object is missing, which `resource-status` tells (K8S0008).

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const UNREACHABLE: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/kv-unreachable",
        reads: &[Kind::Event, Kind::Pod],
        reports: &[&CRT0009],
        by_default: true,
        run: find_unreachable,
    },
};

pub(super) const IDENTITY: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/identity",
        reads: &[Kind::Event, Kind::Pod],
        reports: &[&CRT0010],
        by_default: true,
        run: find_identity,
    },
};

const DOCS: &str = "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/\
                    troubleshoot-key-vault-csi-secrets-store-csi-driver";

static CRT0009: Code =
    Code { id: "CRT0009", severity: Severity::Error, docs: DOCS, page: include_str!("pages/CRT0009.md") };

static CRT0010: Code =
    Code { id: "CRT0010", severity: Severity::Error, docs: DOCS, page: include_str!("pages/CRT0010.md") };

/// How names of Key Vaults end, in Azure and in its clouds of their own.
const VAULTS: [&str; 3] = [".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net"];
const NO_ANSWER: [&str; 4] = ["no such host", "i/o timeout", "deadline exceeded", "connection refused"];

fn find_unreachable<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (pod, event) in failed_mounts(mesh) {
        let has = |signs: &[&str]| signs.iter().any(|sign| event.contains(sign));
        if has(&VAULTS) && has(&NO_ANSWER) {
            messages.report(vault_is_unreachable(pod, event));
        }
    }
}

fn find_identity<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (pod, event) in failed_mounts(mesh) {
        if logs::match_event("FailedMount", event).is_some_and(|hit| hit.id == "csi-identity") {
            messages.report(identity_is_wrong(pod, event));
        }
    }
}

/// The pods of istiod that still wait for a volume from the Secrets Store, each with its latest event.
fn failed_mounts(mesh: &Mesh) -> Vec<(&Object, &str)> {
    let pods = mesh.in_namespace(Kind::Pod, mesh.istio_namespace());
    let waiting =
        pods.filter(|pod| pod.label("app") == Some("istiod") && pod.status().get("phase").text() == "Pending");
    let events = |pod: &Object| {
        let own = mesh.in_namespace(Kind::Event, pod.namespace()).filter(|event| {
            event.root().path(&["involvedObject", "name"]).text() == pod.name()
                && event.root().get("reason").text() == "FailedMount"
        });
        own.max_by_key(|event| event.root().get("lastTimestamp").text())
    };
    let found = waiting.filter_map(|pod| Some((pod, events(pod)?.root().get("message").text())));
    found.filter(|(_, message)| message.contains("secrets-store") || message.contains("SecretProviderClass")).collect()
}

fn vault_is_unreachable<'m>(pod: &'m Object, event: &str) -> Message<'m> {
    let text = format!(
        "istiod does not start: the Key Vault with its certificate authority is not reached. {}",
        end_of(event)
    );
    let remedy = "Link the private DNS zone of the vault to the cluster's network, or let the node subnet through the \
                  vault's firewall.";
    Message::new(&CRT0009, pod, text).remedy(remedy)
}

fn identity_is_wrong<'m>(pod: &'m Object, event: &str) -> Message<'m> {
    let text = format!(
        "istiod does not start: the identity that is to read its certificate authority gets no token. {}",
        end_of(event)
    );
    let remedy = "Restore the identity of the add-on azure-keyvault-secrets-provider on the nodes; \
                  userAssignedIdentityID of the SecretProviderClass must be its client id.";
    Message::new(&CRT0010, pod, text).remedy(remedy)
}

/// Where such an event says what it is about.
fn end_of(event: &str) -> String {
    const MOST: usize = 300;
    let event = event.trim();
    match event.char_indices().rev().nth(MOST) {
        Some((at, _)) => format!("…{}", &event[at..]),
        None => event.to_owned(),
    }
}
