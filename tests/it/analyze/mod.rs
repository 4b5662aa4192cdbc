//! The analyzers against Istio's own test tables and against what `istioctl` said about recorded meshes.

mod cases;
mod command_line;
mod filters;
mod fixtures;
mod pages;
mod recordings;
mod robustness;
mod scale;
mod units;
