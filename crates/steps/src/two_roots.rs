//! Two authorities in one mesh: workloads of the one refuse those of the other. Seen in the roots that namespaces hold, and
//! in what replicas of istiod say when they start.

use std::collections::{BTreeMap, BTreeSet};

use super::{injection::certificates, verify_install::codes::TWO_ROOTS};
use envoy::certificates::Certificate;
use logs::LogDigest;
use report::{Evidence, Finding, Subject};

/// Namespaces that a message names of each root.
const NAMED: usize = 5;
/// What istiod says when it signs with an authority of its own making, and with one that it was given.
const OWN: &str = "istiod-ca-selfsigned";
const GIVEN: &str = "istiod-ca-local";

/// The roots of namespaces (namespace and PEM), as far as they have none in common.
pub(crate) fn of_namespaces<'r>(
    roots: impl IntoIterator<Item = (&'r str, &'r str)>,
    istio: &[String],
) -> Option<Finding> {
    let mut groups: Vec<(BTreeSet<Vec<u8>>, String, Vec<&str>)> = Vec::new();
    for (namespace, pem) in roots {
        let own = certificates(pem);
        if own.is_empty() {
            continue;
        }
        // A bundle with an old root and the new one belongs to both: it joins what it overlaps.
        match groups.iter_mut().find(|(known, ..)| !known.is_disjoint(&own)) {
            Some((known, _, namespaces)) => {
                known.extend(own);
                namespaces.push(namespace);
            }
            None => groups.push((own, name_of(pem), vec![namespace])),
        }
    }
    let [_, _, ..] = groups.as_slice() else { return None };
    // A bundle that came later may have joined two groups that have a root in common by it.
    if groups
        .iter()
        .enumerate()
        .any(|(at, (own, ..))| groups[at + 1..].iter().any(|(other, ..)| !own.is_disjoint(other)))
    {
        return None;
    }
    let place = istio.first().map_or("istio-system", String::as_str);
    let words: Vec<String> =
        groups.iter().map(|(_, name, namespaces)| format!("{name} in {}", named(namespaces))).collect();
    let message = format!(
        "two authorities are in use, and have no root in common: {}. Workloads with certificates of the one refuse those of \
         the other, and the API server may refuse istiod's webhooks",
        words.join("; ")
    );
    let finding = Finding::new(&TWO_ROOTS, Subject::namespaced("ConfigMap", place, "istio-ca-root-cert"), message);
    let finding = groups.iter().fold(finding, |finding, (_, name, namespaces)| {
        finding.evidence(Evidence::new("ConfigMaps istio-ca-root-cert", format!("{name}: {}", named(namespaces))))
    });
    Some(finding.remedy(remedy(place)))
}

/// What the replicas of istiod (revision, `namespace/pod`, log) say that they sign with.
pub(crate) fn of_logs<'l>(logs: impl IntoIterator<Item = (&'l str, String, &'l LogDigest)>) -> Option<Finding> {
    let mut by_kind: BTreeMap<&str, Vec<(&str, String)>> = BTreeMap::new();
    for (revision, pod, digest) in logs {
        let last =
            digest.signatures.iter().filter(|hit| hit.id == OWN || hit.id == GIVEN).max_by_key(|hit| &hit.last_at);
        if let Some(hit) = last {
            let kind = if hit.id == OWN { OWN } else { GIVEN };
            by_kind.entry(kind).or_default().push((revision, pod));
        }
    }
    let (own, given) = (by_kind.get(OWN)?, by_kind.get(GIVEN)?);
    let words = |replicas: &[(&str, String)]| {
        let names: Vec<String> =
            replicas.iter().map(|(revision, pod)| format!("{pod} (revision {revision})")).collect();
        names.join(", ")
    };
    let place = own.first().and_then(|(_, pod)| pod.split_once('/')).map_or("istio-system", |(namespace, _)| namespace);
    let message = format!(
        "{} signs with a root that it made itself, and {} with the authority that it was given: workloads with certificates \
         of the one refuse those of the other. When the first restarts, it takes the given authority too, and its proxies \
         change over as they renew",
        words(own),
        words(given)
    );
    let revision = own.first().map(|(revision, _)| *revision).unwrap_or_default();
    let finding = Finding::new(&TWO_ROOTS, Subject::cluster_wide("Revision", revision), message)
        .evidence(Evidence::new("log of istiod", format!("self-signed: {}", words(own))))
        .evidence(Evidence::new("log of istiod", format!("plugged in: {}", words(given))));
    Some(finding.remedy(remedy(place)))
}

fn remedy(place: &str) -> String {
    format!(
        "Restart nothing yet: what restarts gets the other root, and is refused by what has not. See which istiod signs with \
         what: kubectl logs --namespace {place} --selector app=istiod --tail=-1 | grep -iE 'self-signed|plugged-in|local CA'; \
         and what it is given: kubectl get secrets cacerts istio-ca-secret --namespace {place}. Then have both roots trusted \
         everywhere (root-cert.pem of Secret cacerts with both, one after the other), restart istiod and then the workloads, \
         and take the old root out last. The AKS add-on takes another authority only when the mesh is enabled anew."
    )
}

fn named(namespaces: &[&str]) -> String {
    let shown: Vec<&str> = namespaces.iter().take(NAMED).copied().collect();
    let more = namespaces.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more namespaces") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// `O=cluster.local (1a2b3c4d…)` of the first root.
fn name_of(pem: &str) -> String {
    match Certificate::first_in(pem.as_bytes()) {
        Some(root) => format!("{} ({:.8}…)", root.subject, root.fingerprint),
        None => "a root that cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use logs::{Source, digest};

    use super::*;

    fn pem(names: &[&str]) -> String {
        let block = |name: &&str| {
            let body = base64::engine::general_purpose::STANDARD.encode(name);
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        names.iter().map(block).collect()
    }

    fn message(roots: &[(&str, &[&str])]) -> Option<String> {
        let roots: Vec<(&str, String)> = roots.iter().map(|(namespace, names)| (*namespace, pem(names))).collect();
        let istio = ["istio-system".to_owned()];
        let roots = roots.iter().map(|(namespace, pem)| (*namespace, pem.as_str()));
        of_namespaces(roots, &istio).map(|finding| finding.message)
    }

    #[test]
    fn namespaces_with_two_roots_are_told_apart() {
        let found = message(&[("istio-system", &["new"]), ("shop", &["old"]), ("bank", &["old"])]).expect("two roots");
        assert!(found.contains("in shop, bank") && found.contains("in istio-system"), "{found}");
    }

    #[test]
    fn one_root_and_a_change_with_both_are_well() {
        assert_eq!(message(&[("istio-system", &["new"]), ("shop", &["new"])]), None);
        assert_eq!(message(&[("istio-system", &["old", "new"]), ("shop", &["old"]), ("bank", &["new"])]), None);
        assert_eq!(message(&[("shop", &["old"]), ("bank", &["new"]), ("istio-system", &["old", "new"])]), None);
        assert_eq!(message(&[("istio-system", &["new"]), ("shop", &[])]), None, "an empty one is another fault");
    }

    #[test]
    fn replicas_that_sign_with_different_roots_are_told_apart() {
        let digest = |line: &str| digest::digest(Source::Istiod, [line]);
        let own = digest("2026-03-01T10:00:00.000000Z\tinfo\tUse self-signed certificate as the CA certificate");
        let given = digest("2026-03-01T10:00:00.000000Z\tinfo\tUse local CA certificate");
        let of = |first: &LogDigest, second: &LogDigest| {
            let logs = [
                ("asm-1-29", "istio-system/istiod-1".to_owned(), first),
                ("asm-1-30", "istio-system/istiod-2".to_owned(), second),
            ];
            of_logs(logs).map(|finding| finding.message)
        };
        let found = of(&own, &given).expect("two roots");
        assert!(
            found.starts_with("istio-system/istiod-1 (revision asm-1-29) signs with a root that it made itself"),
            "{found}"
        );
        assert_eq!((of(&own, &own), of(&given, &given)), (None, None));
    }
}
