//! Finds meshes that are given an authority and use one of their own.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "ca/self-signed-unexpected",
        reads: &[Kind::ConfigMap, Kind::Secret, Kind::Deployment, Kind::SecretProviderClass],
        reports: &[&CRT0003],
        by_default: true,
        run,
    },
};

static CRT0003: Code = Code {
    id: "CRT0003",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-plug-in-ca-certificate",
    page: include_str!("pages/CRT0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let (Some(given), Some((map, roots))) = (roots::plugged_in(mesh), roots::published(mesh)) else { return };
    let trust_domain = mesh.config().setting(&["trustDomain"]).value.text();
    let trust_domain = if trust_domain.is_empty() { "cluster.local" } else { trust_domain };
    // istiod names the authority that it makes itself after the trust domain, and nothing else.
    let own = format!("O={trust_domain}");
    if let Some(root) = roots.iter().find(|root| root.subject == own && root.issuer == own) {
        messages.report(authority_is_self_made(map, given, &root.subject));
    }
}

fn authority_is_self_made<'m>(map: &'m Object, given: &Object, subject: &str) -> Message<'m> {
    let text = format!(
        "The root of the mesh is {subject}, made by istiod itself, although {} gives another authority.",
        given.origin()
    );
    let remedy = format!(
        "See that istiod mounts it (volume cacerts) and that the files have their names: kubectl logs -n {} -l \
         app=istiod --tail=-1 | grep -i 'signed'. On AKS a mesh with an authority of its own has to be disabled and \
         enabled again.",
        map.namespace()
    );
    Message::new(&CRT0003, map, text).remedy(remedy)
}
