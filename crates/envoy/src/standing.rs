//! What a proxy stands without: listeners that it has refused and has no earlier version of, and secrets that it still waits
//! for.

use serde::Deserialize;

use super::config_dump::ConfigDump;

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

impl ConfigDump<'_> {
    /// Listeners without any version in use, of which istiod sent one that Envoy refused.
    pub fn refused_listeners(&self) -> Vec<String> {
        let listeners = self.listeners.iter().flat_map(|section| &section.dynamic_listeners);
        let refused = listeners.filter(|listener| listener.active_state.is_none());
        let names = refused.filter_map(|listener| {
            let failed = listener.error_state.as_ref()?.failed_configuration?;
            let within = serde_json::from_str::<Named>(failed.get()).map(|named| named.name).unwrap_or_default();
            Some(if listener.name.is_empty() { within } else { listener.name.clone() })
        });
        names.collect()
    }

    /// Secrets that it has asked for and not got, as it names them: `kubernetes://shop-tls`.
    pub fn awaited_secrets(&self) -> Vec<String> {
        let waiting = self.secrets.iter().flat_map(|section| &section.dynamic_warming_secrets);
        waiting.map(|secret| secret.name.clone()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_listener_with_an_earlier_version_still_works() {
        let page = r#"{"configs": [{
            "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
            "dynamic_listeners": [
                {"name": "0.0.0.0_80", "active_state": {}, "error_state": {"failed_configuration": {"name": "0.0.0.0_80"}}},
                {"error_state": {"failed_configuration": {"name": "virtualInbound"}}}
            ]
        }, {
            "@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
            "dynamic_warming_secrets": [{"name": "kubernetes://shop-tls"}]
        }]}"#;
        let dump = ConfigDump::parse(page.as_bytes()).unwrap();
        assert_eq!(dump.refused_listeners(), ["virtualInbound"]);
        assert_eq!(dump.awaited_secrets(), ["kubernetes://shop-tls"]);
    }
}
