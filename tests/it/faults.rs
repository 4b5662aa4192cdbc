//! What is wrong in the recordings is named by the steps, with a remedy that would work there; where nothing is wrong they
//! are quiet.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::report::{Finding, Format, Severity};

use crate::{
    detectors::recordings,
    support::{
        app::recording,
        checklist::{call, calls, line},
        say,
    },
};

/// One fault of `tests/recordings/README.md`.
struct Fault {
    name: &'static str,
    /// All of them must stand in one finding.
    words: &'static [&'static str],
    /// All of them must stand in the remedy of one of these findings.
    remedy: &'static [&'static str],
}

const fn fault(name: &'static str, words: &'static [&'static str], remedy: &'static [&'static str]) -> Fault {
    Fault { name, words, remedy }
}

#[rustfmt::skip]
const BROKEN: &[Fault] = &[
    fault("1 VirtualService to a host that does not exist", &["IST0101", "chekout.shop"], &["checkout.shop.svc.cluster.local"]),
    fault("1 in the access log", &["503 NC", "checkout.shop"], &[]),
    fault("2 VirtualService to a subset that does not exist", &["IST0101", "v3"], &["v1", "v2"]),
    fault("2 in the access log", &["503 NC", "catalog.shop"], &[]),
    fault("3 Gateway's secret missing", &["IST0101", "pay-tls"], &["kubectl create secret tls pay-tls -n aks-istio-ingress"]),
    fault("3 at the gateway", &["pay-tls", "not found"], &[]),
    fault("4 namespace label that no webhook matches", &["promo", "istio-injection=enabled"], &["istio.io/rev=asm-1-"]),
    fault("5 TLS off towards a STRICT namespace", &["NET0001", "shop/payments"], &["ISTIO_MUTUAL"]),
    fault("5 in the access log", &["503 UC", "payments.bank"], &[]),
    fault("6 EnvoyFilter that Envoy rejects", &["LDS", "envoy.filters.http.router"], &["EnvoyFilter"]),
    fault("7 two Sidecars without selector", &["IST0111", "legacy"], &["Keep one"]),
    fault("8 Gateway that selects nothing", &["IST0101", "old-shop"], &["istio: aks-istio-ingressgateway-external"]),
    fault("9 port name without protocol", &["IST0118", "reports"], &["appProtocol"]),
    fault("10 image that cannot be pulled", &["recommendations", "image"], &["Correct the reference"]),
    fault("11 istiod in a crash loop after OOM", &["istiod-asm-1-29", "OOMKilled"], &["memory"]),
    fault("12 pods of the revision before", &["legacy", "asm-1-29", "asm-1-30"], &["rollout restart"]),
    fault("13 AuthorizationPolicy for an account that nobody has", &["cart-only-mobile", "mobile"], &["serviceAccountName"]),
    fault("13 in the access log", &["403", "matched_policy[none]"], &[]),
    fault("14 TCP ServiceEntry without addresses", &["IST0134", "partner-tcp"], &["addresses"]),
    fault("15 expired certificate of a gateway", &["shop-tls", "expired"], &["Secret"]),
    fault("16 Service to a port where nothing listens", &["9999"], &["targetPort"]),
    fault("19 webhook left behind by a removed revision", &["istio-sidecar-injector-asm-1-28"], &["kubectl"]),
    fault("19 namespace labelled for a removed revision", &["archive", "asm-1-28"], &["istio.io/rev=asm-1-30"]),
    fault("21 proxy that cannot reach istiod", &["catalog-v1", "istiod"], &["15012"]),
    fault("22 two VirtualServices for one host", &["IST0109", "frontend-a"], &["Merge"]),
    fault("23 host that is not in the gateway", &["IST0132", "blog"], &["server of the Gateway"]),
    fault("24 JWT keys that cannot be fetched", &["login.invalid", "jwks"], &["jwks"]),
    fault("26 pod on the host network", &["node-agent", "host"], &["hostNetwork"]),
    fault("28 pod that asks for 64 CPUs", &["cart-canary", "Insufficient cpu"], &["resources.requests"]),
    fault("29 HTTPRoute to a Service that does not exist", &["IST0171", "api-search"], &["create"]),
    fault("31 Telemetry with an unknown provider", &["Telemetry bank/traces"], &["extensionProviders"]),
    fault("33 REGISTRY_ONLY in a namespace", &["Sidecar bank/default", "REGISTRY_ONLY"], &["ServiceEntr"]),
    fault("34 misspelt field of the mesh configuration", &["istio-shared-configmap-asm-1-29", "holdApplicationUntilProxyStart"], &["holdApplicationUntilProxyStarts"]),
    fault("35 HPA without metrics", &["HorizontalPodAutoscaler", "istiod"], &["metrics"]),
];

#[rustfmt::skip]
const UPSTREAM: &[Fault] = &[
    fault("host that is not completed", &["IST0101", "reviews.default"], &["svc.cluster.local"]),
    fault("cache ejected by outlier detection", &["503 UH", "cache"], &[]),
    fault("cache answers 500", &["500", "cache"], &[]),
    fault("host outside the registry", &["resolve"], &[]),
    fault("plain text to a STRICT pod", &["without TLS"], &["sidecar"]),
];

/// True in every AKS recording, and listed there: istiod's HPAs have no metrics API (fault 35).
const KNOWN: &[&str] = &["HorizontalPodAutoscaler"];

/// Every finding of the checklist, with the step that said it.
async fn findings(name: &str) -> Vec<(&'static str, Finding)> {
    let cluster = recording(name);
    let mut findings = Vec::new();
    for one in calls(&cluster).await {
        let outcome = call(&cluster, &one, Format::Json).await;
        findings.extend(outcome.findings.into_iter().map(|finding| (one.step, finding)));
    }
    findings
}

async fn check(name: &str, faults: &[Fault]) {
    let findings = findings(name).await;
    let lines: Vec<_> = findings.iter().map(|(step, finding)| (*step, line(finding), &finding.remedy)).collect();
    let mut failures = Vec::new();
    for Fault { name: fault, words, remedy } in faults {
        let found: Vec<_> = lines.iter().filter(|(_, line, _)| words.iter().all(|word| line.contains(word))).collect();
        let steps: BTreeSet<_> = found.iter().map(|(step, ..)| *step).collect();
        let helps = found.iter().any(|(.., text)| remedy.iter().all(|word| text.contains(word)));
        if steps.is_empty() {
            say(&format!("{name:9} MISSED    {fault}"));
            failures.push(format!("{fault}: missed"));
        } else if !helps {
            say(&format!("{name:9} NO REMEDY {fault}: {steps:?}"));
            let remedies: BTreeSet<_> = found.iter().map(|(.., text)| *text).collect();
            failures.push(format!("{fault}: no remedy has {remedy:?}: {remedies:?}"));
        } else {
            say(&format!("{name:9} found     {fault}: {steps:?}"));
        }
    }
    say(&format!("{name:9} {} of {} found with a remedy", faults.len() - failures.len(), faults.len()));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn faults_of_the_broken_mesh_are_named() {
    check("broken", BROKEN).await;
}

#[tokio::test]
async fn faults_of_the_upstream_mesh_are_named() {
    check("upstream", UPSTREAM).await;
}

#[tokio::test]
async fn healthy_mesh_is_quiet() {
    let mut by_step: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (step, finding) in findings("healthy").await {
        let text = line(&finding);
        let is_known = KNOWN.iter().chain(recordings::KNOWN).any(|known| text.contains(known));
        if finding.severity >= Severity::Warning && !is_known {
            by_step.entry(step).or_default().push(text);
        }
    }
    say(&format!("healthy   {} false", by_step.values().map(Vec::len).sum::<usize>()));
    assert!(by_step.is_empty(), "{by_step:#?}");
}
