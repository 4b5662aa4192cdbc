//! The configuration file of `istioctl bug-report -f`, so that one that exists can be used as it is.

use jiff::Timestamp;
use serde::Deserialize;

/// What such a file may say. What a service decides for itself (which cluster, where the archive goes) is read and has no
/// effect; secrets are never collected, whatever it says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigFile {
    pub kube_config_path: Option<String>,
    pub context: Option<String>,
    pub istio_namespace: Option<String>,
    pub dry_run: bool,
    pub full_secrets: bool,
    pub command_timeout: Option<String>,
    pub since: Option<String>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub critical_errors: Vec<String>,
    pub ignored_errors: Vec<String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

impl ConfigFile {
    pub fn parse(yaml: &str) -> Result<Self, String> {
        serde_saphyr::from_str(yaml).map_err(|error| {
            // The parser shows the file around the mistake; its first line is the mistake.
            let text = error.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        })
    }
}
