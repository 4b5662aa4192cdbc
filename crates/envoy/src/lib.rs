//! What Envoy's admin pages say: a model of the parts that we read, what istioctl prints of them, and what they say is
//! wrong. No I/O and no clock.
//!
//! `clusters_page` and `config_dump` read the pages; a module for each kind of resource makes rows and tables of them;
//! `proxy_config` is the command as a whole.

pub mod access_loggers;
mod address;
pub mod bootstrap;
pub mod certificates;
pub mod cluster_name;
pub mod cluster_trouble;
pub mod clusters;
pub mod clusters_page;
mod clusters_text;
pub mod comparison;
pub mod config_dump;
pub mod ecds;
pub mod endpoints;
mod error;
mod field_order;
mod filter_chains;
pub mod footprint;
mod json;
pub mod listeners;
pub mod log_levels;
mod managed_by;
pub mod proto_json;
pub mod proxy_config;
pub mod routes;
pub mod secrets;
pub mod server_info;
mod standing;
pub mod table;
pub mod traffic;
pub mod troubles;
mod yaml;

pub use error::Error;
