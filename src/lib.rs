//! meshtriage: Istio troubleshooting as an HTTP API. `ARCHITECTURE.md` has the map.

pub mod analyzers;
pub mod api;
pub mod app;
pub mod artifacts;
pub mod auth;
pub mod capture;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod detectors;
pub mod envoy;
pub mod errors;
pub mod history;
pub mod logs;
pub mod mesh;
pub mod prometheus;
pub mod redact;
pub mod report;
pub mod runs;
pub mod selection;
pub mod start;
pub mod steps;
pub mod telemetry;
pub mod terminal;
mod threads;
pub mod uploads;
