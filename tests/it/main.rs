//! The integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod alone;
mod analyze;
mod api;
mod bug_report;
mod capture;
mod detectors;
mod errors;
mod examples;
mod faults;
mod generated;
mod history;
mod install;
mod live;
mod logs;
mod misc;
mod openapi;
mod paths;
mod pods;
mod proxies;
mod proxy_config;
mod resource_status;
mod same;
mod secrets;
mod support;
mod target;
mod terminal;
mod tidy;
mod uploads;
mod validation;
