//! The analyzers against Istio's own test tables and against what `istioctl` said about recorded meshes.

pub(crate) mod cases;
mod command_line;
mod filters;
mod fixtures;
pub(crate) mod pages;
mod recordings;
mod robustness;
pub(crate) mod scale;
mod units;
