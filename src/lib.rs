//! meshtriage: Istio troubleshooting as an HTTP API. `ARCHITECTURE.md` has the map.

pub mod analyzers;
pub mod auth;
pub mod capture;
pub mod clock;
pub mod cluster;
pub mod envoy;
pub mod errors;
pub mod history;
pub mod logs;
pub mod mesh;
pub mod redact;
pub mod report;
pub mod steps;
