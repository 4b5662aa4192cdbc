//! meshtriage: Istio troubleshooting as an HTTP API. `ARCHITECTURE.md` has the map.

pub mod api;
pub mod app;
pub mod artifacts;
pub mod auth;
pub mod config;
pub mod disk;
pub mod history;
pub mod runs;
pub mod start;
pub mod telemetry;
pub mod terminal;
pub mod uploads;

pub use {
    analyzers, cluster, cluster::clock, detectors, envoy, known_errors as errors, logs, mesh, paths, problems,
    recorded_cluster as capture, redact, report, selection, steps, steps::prometheus,
};
