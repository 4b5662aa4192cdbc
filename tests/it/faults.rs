//! What is wrong in the recordings is named by the kubectl steps, and where nothing is wrong they are quiet.

use meshtriage::report::{Finding, Format, Severity};

use crate::support::{
    app::recording,
    checklist::{call, calls, line},
    say,
};

/// A fault, and words of which all must stand in one finding of a warning or an error.
type Fault = (&'static str, &'static [&'static str]);

/// Those of `captures/README.md` that show in logs, events, resource status or Envoy's pages.
const BROKEN: &[Fault] = &[
    ("1 VirtualService to a host that does not exist", &["503 NC", "checkout.shop"]),
    ("2 VirtualService to a subset that does not exist", &["503 NC", "catalog.shop"]),
    ("3 Gateway's secret missing", &["pay-tls", "not found"]),
    ("5 TLS off towards a STRICT namespace", &["503 UC", "payments.bank"]),
    ("6 EnvoyFilter that Envoy rejects", &["LDS", "envoy.filters.http.router"]),
    ("10 image that cannot be pulled", &["recommendations", "image"]),
    ("11 istiod in a crash loop after OOM", &["istiod-asm-1-29", "OOMKilled"]),
    ("13 AuthorizationPolicy for an account that nobody has", &["403", "matched_policy[none]"]),
    ("15 expired certificate of a gateway", &["shop-tls", "expired"]),
    ("16 Service to a port where nothing listens", &["9999"]),
    ("19 webhook left behind by a removed revision", &["archive", "asm-1-28"]),
    ("21 proxy that cannot reach istiod", &["catalog-v1", "istiod"]),
    ("24 JWT keys that cannot be fetched", &["login.invalid", "jwks"]),
    ("28 pod that asks for 64 CPUs", &["cart-canary", "Insufficient cpu"]),
    ("35 HPA without metrics", &["HorizontalPodAutoscaler", "istiod"]),
];

const UPSTREAM: &[Fault] = &[
    ("cache ejected by outlier detection", &["503 UH", "cache"]),
    ("cache answers 500", &["500", "cache"]),
    ("host outside the registry", &["resolve"]),
    ("plain text to a STRICT pod", &["without TLS"]),
];

/// True in every AKS recording, and listed there: istiod's HPAs have no metrics API (fault 35).
const KNOWN: &[&str] = &["HorizontalPodAutoscaler"];

async fn serious(name: &str) -> Vec<Finding> {
    let cluster = recording(name);
    let mut findings = Vec::new();
    for one in calls(&cluster).await {
        findings.extend(call(&cluster, &one, Format::Json).await.findings);
    }
    findings.retain(|finding| finding.severity >= Severity::Warning);
    findings
}

async fn check(name: &str, faults: &[Fault]) {
    let lines: Vec<_> = serious(name).await.iter().map(line).collect();
    let mut missed = Vec::new();
    for (fault, words) in faults {
        let found = lines.iter().find(|line| words.iter().all(|word| line.contains(word)));
        if let Some(line) = found {
            say(&format!("{name:9} found   {fault}: {}", line.chars().take(110).collect::<String>()));
        } else {
            say(&format!("{name:9} MISSED  {fault}"));
            missed.push(fault);
        }
    }
    say(&format!("{name:9} {} of {} faults found", faults.len() - missed.len(), faults.len()));
    assert!(missed.is_empty(), "{missed:?}");
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
    let lines: Vec<_> = serious("healthy").await.iter().map(line).collect();
    let unexpected: Vec<_> = lines.iter().filter(|line| !KNOWN.iter().any(|known| line.contains(known))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
