//! The codes of what only a running mesh shows about its use of resources.

const SCOPING: &str = "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/";
const SCALE: &str = "https://learn.microsoft.com/azure/aks/istio-scale";
const SIDECAR: &str = "https://istio.io/latest/docs/reference/config/networking/sidecar/";
const STATS: &str = "https://istio.io/latest/docs/ops/configuration/telemetry/envoy-stats/";
const METRICS: &str = "https://istio.io/latest/about/faq/metrics-and-logs/#metric-expiry";
const CONCURRENCY: &str = "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-concurrency";

crate::codes::codes! {
    RES0100, Warning, SCOPING;
    RES0101, Warning, SCALE;
    RES0102, Warning, SCALE;
    RES0103, Warning, SCOPING;
    RES0104, Info, SIDECAR;
    RES0105, Error, SIDECAR;
    RES0106, Warning, STATS;
    RES0107, Warning, METRICS;
    RES0108, Warning, CONCURRENCY;
    RES0109, Info, CONCURRENCY;
}
